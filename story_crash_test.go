//go:build unix

package main_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ream/db/dbtest"
)

// roundsVariable is how many rounds the tests take that kill processes at any
// moment, instead of one.
const roundsVariable = "REAM_TEST_ROUNDS"

// journalOfRuns makes a PostgreSQL write down who gets a task and who has to
// give it back, and every change of the history.
const journalOfRuns = `
	CREATE TABLE run(id bigint GENERATED ALWAYS AS IDENTITY, task_id bigint, before bigint, worker_id bigint, attempt int);
	CREATE FUNCTION note_run() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO run(task_id, before, worker_id, attempt) VALUES (NEW.task_id, OLD.worker_id, NEW.worker_id, NEW.attempt);
		RETURN NULL;
	END $$;
	CREATE TRIGGER note_run AFTER UPDATE ON task_queue FOR EACH ROW
		WHEN (OLD.worker_id IS DISTINCT FROM NEW.worker_id) EXECUTE FUNCTION note_run();
	CREATE FUNCTION refuse_second_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		RAISE EXCEPTION 'task % ends twice', NEW.id;
	END $$;
	CREATE TRIGGER refuse_second_end BEFORE UPDATE ON task FOR EACH ROW
		WHEN (OLD.outcome IS NOT NULL) EXECUTE FUNCTION refuse_second_end()`

// checkRuns makes sure that no task went from one worker to another without
// being given back in between, and that the last run is what the history has.
func checkRuns(t *testing.T, pool *sql.DB) (runs, starts int) {
	t.Helper()
	for what, query := range map[string]string{
		"were taken from a worker that had them": `SELECT count(*) FROM run WHERE before IS NOT NULL AND worker_id IS NOT NULL`,
		"were started twice as the same attempt": `SELECT count(*) FROM (SELECT task_id, attempt FROM run WHERE worker_id IS NOT NULL GROUP BY task_id, attempt HAVING count(*) > 1) AS twice`,
		"skipped an attempt":                     `SELECT count(*) FROM (SELECT max(attempt) - count(*) AS n FROM run WHERE worker_id IS NOT NULL GROUP BY task_id) AS a WHERE n <> 0`,
		"have a history of another run": `SELECT count(*) FROM task t JOIN (SELECT DISTINCT ON (task_id) * FROM run WHERE worker_id IS NOT NULL ORDER BY task_id, id DESC) r ON r.task_id = t.id
			WHERE t.worker_id <> r.worker_id OR t.attempt <> r.attempt`,
	} {
		var n int
		if err := pool.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
			t.Error(err)
		} else if n > 0 {
			t.Errorf("%d tasks %s", n, what)
		}
	}
	if err := pool.QueryRowContext(t.Context(), `SELECT count(DISTINCT task_id), count(*) FROM run WHERE worker_id IS NOT NULL`).Scan(&runs, &starts); err != nil {
		t.Error(err)
	}
	return runs, starts
}

func open(t *testing.T, address string) *sql.DB {
	t.Helper()
	pool, err := sql.Open("postgres", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool
}

// TestKilledProcesses kills one process after the other, at any moment, while
// they mirror several repositories for several groups. Others go on with what
// they did, and each group ends as if nothing had been.
func TestKilledProcesses(t *testing.T) {
	t.Parallel()
	for name, open := range depots {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			killedProcesses(t, open(t).location)
		})
	}
}

func killedProcesses(t *testing.T, storage string) {
	rounds, _ := strconv.Atoi(os.Getenv(roundsVariable))
	address, data := dbtest.PostgresAddress(t), t.TempDir()
	stays := start(t, "--data", data, "--storage", storage, "--database", address, "--workers", "0")
	pool := open(t, address)
	if _, err := pool.ExecContext(t.Context(), journalOfRuns); err != nil {
		t.Fatal(err)
	}
	var workers []*program
	for range 3 {
		workers = append(workers, start(t, "--data", data, "--storage", storage, "--database", address, "--workers", "4"))
	}
	l := newLoad(stays, 6, 10)
	for round := range max(rounds, 1) {
		reached := l.begin()
		first, second := l.mirror(stays, stays), l.mirror(stays, stays)
		<-reached
		began := time.Now()
		for i := range 2 { // the third one is left
			killed := workers[(round+i)%len(workers)]
			killed.kill()
			killed.start()
		}
		first()
		second()
		t.Logf("all was done %s after two of three processes were killed", time.Since(began).Round(time.Millisecond))
		l.check(stays)
	}
	tasks, starts := checkRuns(t, pool)
	t.Logf("%d tasks were started %d times", tasks, starts)
}

// TestFrozenProcess stops a process while it syncs, and lets it go on when
// another one has done its work: it finds that out, changes nothing any more,
// and is as good as new.
func TestFrozenProcess(t *testing.T) {
	t.Parallel()
	address, data := dbtest.PostgresAddress(t), t.TempDir()
	pool := open(t, address)
	stays := start(t, "--data", data, "--database", address, "--workers", "0")
	if _, err := pool.ExecContext(t.Context(), journalOfRuns); err != nil {
		t.Fatal(err)
	}
	byPID := map[int]*program{}
	for range 2 {
		p := start(t, "--data", data, "--database", address, "--workers", "2")
		byPID[p.command.Process.Pid] = p
	}
	up := newUpstream(t, someFiles(30))
	stays.repository("r", up.URL+"/PULP_MANIFEST")
	reached, again, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	free := sync.OnceFunc(func() { close(release) })
	t.Cleanup(free)
	var asked atomic.Int64
	up.set(func() {
		up.before = func(_ http.ResponseWriter, path string) bool {
			if strings.HasSuffix(path, "file-7.bin") {
				switch asked.Add(1) {
				case 1:
					close(reached)
					<-release
				case 2:
					close(again)
				}
			}
			return false
		}
	})
	id := stays.mirror("r")
	<-reached
	var frozen, other *program
	for _, w := range stays.workers() {
		if len(w.Tasks.Nodes) > 0 {
			frozen = byPID[w.PID]
		} else {
			other = byPID[w.PID]
		}
	}
	if frozen == nil || other == nil {
		t.Fatalf("nobody syncs: %+v", stays.workers())
	}
	frozen.signal(syscall.SIGSTOP)
	began := time.Now()
	<-again
	t.Logf("its sync is tried elsewhere after %s", time.Since(began).Round(time.Millisecond))
	if got := stays.follow(id); got.State != "COMPLETED" {
		t.Errorf("the mirror: got %+v", got)
	}
	const work = `query($id: ID!) { taskGroup(id: $id) { counts { revision } finishedAt progress { itemsDone bytesDone } tasks { nodes { state attempt finishedAt progress { itemsDone } } } } }`
	before := query[any](stays, work, map[string]any{"id": id})
	frozen.signal(syscall.SIGCONT)
	free()
	frozen.log.await(t, `msg="worker starts anew"`)
	if after := query[any](stays, work, map[string]any{"id": id}); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the process that woke up changed %v\nto %v", before, after)
	}
	if versions, units := stays.versions("r"); versions != 1 || units != 30 {
		t.Errorf("got %d versions and %d units", versions, units)
	}
	checkRuns(t, pool)
	other.stop()
	up.add("new", []byte("new"))
	if got := stays.follow(stays.mirror("r")); got.State != "COMPLETED" {
		t.Errorf("with the woken process alone: got %+v", got)
	}
}

// TestFrozenInTheMiddleOfATransaction stops a process while it claims tasks,
// which nobody else can have meanwhile.
func TestFrozenInTheMiddleOfATransaction(t *testing.T) {
	t.Parallel()
	address, data := dbtest.PostgresAddress(t), t.TempDir()
	pool := open(t, address)
	works := start(t, "--data", data, "--database", address, "--workers", "1")
	works.repositories(3)
	frozen := start(t, "--data", data, "--database", dbtest.Named(t, address, "frozen"))
	// Its claims take long enough to stop it in one.
	if _, err := pool.ExecContext(t.Context(), `
		CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$;
		CREATE TRIGGER wait BEFORE UPDATE ON task_queue FOR EACH ROW
			WHEN (NEW.worker_id IS NOT NULL AND current_setting('application_name') = 'frozen') EXECUTE FUNCTION wait()`); err != nil {
		t.Fatal(err)
	}
	var groups []string
	eventually(t, "it claims a task", func() (claims bool) {
		groups = append(groups, works.queueGroup())
		if err := pool.QueryRowContext(t.Context(), `SELECT count(*) > 0 FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'frozen' AND wait_event = 'PgSleep'`).Scan(&claims); err != nil {
			t.Fatal(err)
		}
		return claims
	})
	frozen.signal(syscall.SIGSTOP)
	began := time.Now()
	for _, id := range append(groups, works.queueGroup()) {
		if got := works.follow(id); got.State != "COMPLETED" {
			t.Errorf("%s: got %+v", id, got)
		}
	}
	t.Logf("%d groups ended within %s", len(groups)+1, time.Since(began).Round(time.Millisecond))
	frozen.signal(syscall.SIGCONT)
	frozen.log.await(t, `msg="worker starts anew"`)
}

// TestWorkerIsLostTooOften kills a server three times in the middle of the same
// sync: then that is not tried again.
func TestWorkerIsLostTooOften(t *testing.T) {
	t.Parallel()
	p := start(t, "--data", t.TempDir())
	up := newUpstream(t, someFiles(3))
	p.repository("r", up.URL+"/PULP_MANIFEST")
	reached, release := make(chan struct{}, 10), make(chan struct{})
	free := sync.OnceFunc(func() { close(release) })
	t.Cleanup(free)
	up.set(func() {
		up.before = func(_ http.ResponseWriter, path string) bool {
			if strings.HasSuffix(path, "file-1.bin") {
				reached <- struct{}{}
				<-release
			}
			return false
		}
	})
	id := p.mirror("r")
	for range 3 {
		<-reached
		p.kill()
		p.start()
	}
	if got := p.follow(id); got.State != "FAILED" {
		t.Errorf("the mirror: got %+v", got)
	}
	tasks := query[struct {
		TaskGroup struct {
			Tasks struct {
				Nodes []struct {
					finished
					Attempt int
				}
			}
		}
	}](p, `query($id: ID!) { taskGroup(id: $id) { tasks { nodes { state attempt error { code message } } } } }`, map[string]any{"id": id}).TaskGroup.Tasks.Nodes
	for i, want := range []struct {
		state, code string
		attempt     int
	}{{"FAILED", "WORKER_LOST", 3}, {"SKIPPED", "SKIPPED", 0}, {"SKIPPED", "SKIPPED", 0}} {
		if got := tasks[i]; got.State != want.state || got.Error == nil || got.Error.Code != want.code || got.Attempt != want.attempt {
			t.Errorf("step %d: got %+v with %+v, want %+v", i, got, got.Error, want)
		}
	}
	free()
	again := query[struct{ Retry struct{ ID string } }](p, `mutation($id: ID!) { retry(id: $id) { ... on Work { id } } }`, map[string]any{"id": id}).Retry.ID
	if got := p.follow(again); got.State != "COMPLETED" {
		t.Errorf("the retry: got %+v", got)
	}
}
