package db_test

import (
	"context"
	"database/sql"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"ream/access"
	"ream/db"
	"ream/db/dbtest"
	"ream/task"
)

// patience is how long a test waits for what must happen soon.
const patience = 30 * time.Second

// listening is a process that exchanges notices with others.
type listening struct {
	*db.DB
	t    *testing.T
	told chan db.Changes
	end  func()
}

// listen opens the database and waits until notices arrive.
func listen(t *testing.T, address string) *listening {
	t.Helper()
	l := &listening{DB: dbtest.Open(t, address, db.Options{}), t: t, told: make(chan db.Changes, 1000)}
	l.OnChange(func(c db.Changes) { l.told <- c })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Listen(ctx) }()
	ending := false
	l.end = func() {
		if ending {
			return
		}
		ending = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Listen: got %v, want nil once its context ended", err)
		}
	}
	t.Cleanup(l.end)
	l.await("that it listens", func(c db.Changes) bool { return c.All })
	return l
}

// await waits to be told what fits.
func (l *listening) await(what string, fits func(db.Changes) bool) {
	l.t.Helper()
	limit := time.After(patience)
	for {
		select {
		case c := <-l.told:
			if fits(c) {
				return
			}
		case <-limit:
			l.t.Fatalf("not told %s", what)
		}
	}
}

// change cancels a new task.
func (l *listening) change() (id task.ID) {
	l.t.Helper()
	err := l.InTx(l.t.Context(), func(tx *db.Tx) (err error) {
		id, err = tx.Enqueue(l.t.Context(), task.New{Kind: "test.kind", Name: "test", Priority: task.Normal})
		return err
	})
	if err == nil {
		err = l.CancelTask(l.t.Context(), id)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return id
}

// names reports whether changes name a task.
func names(c db.Changes, id task.ID) bool {
	return slices.Contains(c.Tasks, id) || slices.Contains(c.EndedTasks, id)
}

// about fits changes in which a task is named, or may be.
func about(id task.ID) func(db.Changes) bool {
	return func(c db.Changes) bool { return c.All || names(c, id) }
}

// TestListenLeavesNothing is not parallel, so that no other test listens.
func TestListenLeavesNothing(t *testing.T) {
	l := listen(t, dbtest.PostgresAddress(t))
	l.end()
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for goroutine := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(goroutine, "lib/pq.(*Listener") {
			t.Errorf("it still runs after Listen returned:\n%s", goroutine)
		}
	}
}

func TestProcessesTellEachOther(t *testing.T) {
	t.Parallel()
	address := dbtest.PostgresAddress(t)
	a, b := listen(t, address), listen(t, address)
	id := a.change()
	b.await("of a task", func(c db.Changes) bool { return names(c, id) && !c.All })
	if err := a.InTx(t.Context(), func(tx *db.Tx) error {
		token := &access.Token{Name: "a", Role: access.Admin}
		if err := tx.CreateToken(t.Context(), token, "hash"); err != nil {
			return err
		}
		_, err := tx.RevokeToken(t.Context(), token.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	b.await("of a revoked token", func(c db.Changes) bool { return c.Tokens && !c.All })
	last := a.change()
	a.end() // right after a change that is not told yet
	b.await("of the last task of a process that ends", func(c db.Changes) bool { return names(c, last) })
}

func TestLostConnectionMissesNothing(t *testing.T) {
	t.Parallel()
	address := dbtest.PostgresAddress(t)
	a, b := listen(t, address), listen(t, address)
	pool, err := sql.Open("postgres", address)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for range 3 {
		var ended int
		if err := pool.QueryRowContext(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND query LIKE 'LISTEN%'`).Scan(&ended); err != nil || ended != 2 {
			t.Fatalf("ended %d listening connections, %v; want 2", ended, err)
		}
		for range 5 {
			b.await("of a change while nobody listened", about(a.change()))
		}
		a.await("that it listens again", func(c db.Changes) bool { return c.All })
	}
}

// TestNetworkThatSwallowsNotices loses the connection for notices without
// anybody being told.
func TestNetworkThatSwallowsNotices(t *testing.T) {
	t.Parallel()
	address := dbtest.PostgresAddress(t)
	proxy, through := dbtest.NewProxy(t, address)
	near, far := listen(t, address), listen(t, through)
	proxy.Swallow()
	proxy.Restore()
	began := time.Now()
	far.await("that it listens again", func(c db.Changes) bool { return c.All })
	t.Logf("it listens again after %s", time.Since(began))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := far.Heartbeat(ctx, 1); err == nil { // as of its worker, by which it learns of its other connections
		t.Error("a connection came back to life")
	}
	id := near.change()
	far.await("of a change", func(c db.Changes) bool { return names(c, id) && !c.All })
	id = far.change()
	near.await("of a change", func(c db.Changes) bool { return names(c, id) && !c.All })
}
