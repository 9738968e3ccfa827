package db_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ream/db"
	"ream/db/dbtest"
	"ream/task"
)

// eachAddress runs a test on the address of a new database of either kind.
func eachAddress(t *testing.T, f func(t *testing.T, address string)) {
	t.Parallel()
	for name, address := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "ream.db") },
		"postgres": dbtest.PostgresAddress,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, address(t))
		})
	}
}

// TestTasksOfWorkersThatEndedLongAgo lets a worker be given up while it claims a
// task, and nobody look for some hours: the task comes back all the same.
func TestTasksOfWorkersThatEndedLongAgo(t *testing.T) {
	eachAddress(t, func(t *testing.T, address string) {
		e := engine{DB: dbtest.Open(t, address, db.Options{}), t: t}.register()
		id := e.enqueue(task.New{Kind: "a"})
		e.claim(1)
		if _, err := openRaw(t, address).ExecContext(t.Context(), `UPDATE worker SET ended_at = heartbeat_at - 7200000000`); err != nil {
			t.Fatal(err)
		}
		if n, err := e.Recover(t.Context(), time.Hour); err != nil || n != 1 || e.state(id) != task.Waiting {
			t.Errorf("recovered %d tasks, %v, and the task is %s; want it to be WAITING", n, err, e.state(id))
		}
	})
}

func TestWorkerThatWasGivenUpClaimsNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		if _, err := e.Recover(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		id := e.enqueue(task.New{Kind: "a"})
		if claimed := e.claim(1); len(claimed) != 0 || e.state(id) != task.Waiting {
			t.Errorf("it claimed %v, and the task is %s", ids(claimed), e.state(id))
		}
		if claimed := e.register().claim(1); len(claimed) != 1 || claimed[0].Attempt != 1 {
			t.Errorf("another one claimed %+v, want the task at its first attempt", claimed)
		}
	})
}

// TestTasksThatAreLostTooOftenAreLogged loses the worker at each attempt: where
// nobody is left who ran it, whoever gives it up says so.
func TestTasksThatAreLostTooOftenAreLogged(t *testing.T) {
	eachAddress(t, func(t *testing.T, address string) {
		var log bytes.Buffer
		e := engine{DB: dbtest.Open(t, address, db.Options{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))}), t: t}
		id := e.enqueue(task.New{Kind: "a"})
		for attempt := range 3 {
			if log.Len() > 0 {
				t.Errorf("before attempt %d it was logged %s", attempt+1, log.String())
			}
			e.register().claim(1)
			if _, err := e.Recover(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
		want := fmt.Sprintf(`level=WARN msg="task ended" task=%s state=FAILED attempt=3 error="the workers that ran it were lost, each time it was tried"`, id)
		if got := log.String(); e.state(id) != task.Failed || strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
			t.Errorf("it is %s, and logged is %s, want %s", e.state(id), got, want)
		}
	})
}
