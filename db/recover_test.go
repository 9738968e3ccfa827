package db_test

import (
	"path/filepath"
	"testing"
	"time"

	"ream/db"
	"ream/db/dbtest"
	"ream/task"
)

// TestTasksOfWorkersThatEndedLongAgo lets a worker be given up while it claims a
// task, and nobody look for some hours: the task comes back all the same.
func TestTasksOfWorkersThatEndedLongAgo(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "ream.db") },
		"postgres": dbtest.PostgresAddress,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := address(t)
			e := engine{DB: dbtest.Open(t, at, db.Options{}), t: t}.register()
			id := e.enqueue(task.New{Kind: "a"})
			e.claim(1)
			if _, err := openRaw(t, at).ExecContext(t.Context(), `UPDATE worker SET ended_at = heartbeat_at - 7200000000`); err != nil {
				t.Fatal(err)
			}
			if n, err := e.Recover(t.Context(), time.Hour); err != nil || n != 1 || e.state(id) != task.Waiting {
				t.Errorf("recovered %d tasks, %v, and the task is %s; want it to be WAITING", n, err, e.state(id))
			}
		})
	}
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
