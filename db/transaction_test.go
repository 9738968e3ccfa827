package db_test

import (
	"context"
	"database/sql"
	"slices"
	"testing"
	"time"

	"ream/db"
	"ream/db/dbtest"
	"ream/fault"
	"ream/task"
)

// TestTransactionsThatLoseAreTriedAgain lets a transaction meet, at its first
// attempt, each misfortune that undoes it as a whole. Tasks of resource a are in
// both attempts, and queued once.
func TestTransactionsThatLoseAreTriedAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, setting string
		// meets is called between two statements of the first attempt.
		meets func(t *testing.T, address string, raw *sql.Tx) (afterwards func())
	}{
		{"its backend is terminated", "application_name=unlucky", func(t *testing.T, address string, raw *sql.Tx) func() {
			dbtest.Disconnect(t, address, "unlucky")
			return nil
		}},
		{"a deadlock", "deadlock_timeout=10", func(t *testing.T, address string, raw *sql.Tx) func() {
			execute(t, raw, `SET deadlock_timeout = '1h'`) // so that the other one has to go
			execute(t, raw, `SELECT 1 FROM resource WHERE name = 'b' FOR UPDATE`)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				execute(t, raw, `SELECT 1 FROM resource WHERE name = 'a' FOR UPDATE`)
				if err := raw.Commit(); err != nil {
					t.Error(err)
				}
			}()
			waits(t, openRaw(t, address), `query LIKE '%''a'' FOR UPDATE'`)
			return func() { <-ended }
		}},
		{"it cannot be serialized", "default_transaction_isolation=serializable", func(t *testing.T, _ string, raw *sql.Tx) func() {
			execute(t, raw, `UPDATE resource SET waiting = waiting WHERE name = 'b'`)
			if err := raw.Commit(); err != nil {
				t.Error(err)
			}
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			address := dbtest.PostgresAddress(t)
			e := engine{DB: dbtest.Open(t, address+"&"+c.setting, db.Options{}), t: t}
			e.enqueue(task.New{Kind: "a", Reservations: exclusive("a", "b")})
			raw, err := openRaw(t, address).BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			attempts, afterwards := 0, func() {}
			e.tx(func(tx *db.Tx) error {
				attempts++
				if _, err := tx.Enqueue(t.Context(), task.New{Kind: "a", Reservations: exclusive("a")}); err != nil {
					return err
				}
				if attempts == 1 {
					if f := c.meets(t, address, raw); f != nil {
						afterwards = f
					}
				}
				_, err := tx.Enqueue(t.Context(), task.New{Kind: "a", Reservations: exclusive("b")})
				return err
			})
			afterwards()
			// The second attempt may get a lock before the other transaction, which waits for it, and lose once more.
			if q, err := e.Queue(t.Context()); err != nil || attempts < 2 || q.Tally.Total() != 3 {
				t.Errorf("%d attempts left %+v, %v; want at least 2 attempts, and 3 tasks", attempts, q, err)
			}
		})
	}
}

// waiting returns a channel that is closed once another connection to the
// database, of those that fit the condition, waits for a lock.
func waiting(t *testing.T, pool *sql.DB, condition string) <-chan struct{} {
	there := make(chan struct{})
	go func() {
		defer close(there)
		for n := 0; n == 0; {
			if err := pool.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock' AND `+condition).Scan(&n); err != nil {
				return // the test is over
			}
		}
	}()
	return there
}

// waits waits until another connection waits for a lock.
func waits(t *testing.T, pool *sql.DB, condition string) {
	t.Helper()
	select {
	case <-waiting(t, pool, condition):
	case <-time.After(patience):
		t.Fatalf("nobody waits for a lock whose %s", condition)
	}
}

func execute(t *testing.T, tx *sql.Tx, statement string) {
	t.Helper()
	if _, err := tx.ExecContext(t.Context(), statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}

// TestCommitWithoutAnAnswer commits over a network that swallows the answer:
// whoever asked learns that it is not known, and subscribers look.
func TestCommitWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	proxy, address := dbtest.NewProxy(t, dbtest.PostgresAddress(t))
	d := dbtest.Open(t, address, db.Options{})
	told := make(chan db.Changes, 10)
	d.OnChange(func(c db.Changes) { told <- c })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var id task.GroupID
	attempts := 0
	err := d.InTx(ctx, func(tx *db.Tx) (err error) {
		attempts++
		id, err = tx.EnqueueGroup(ctx, task.NewGroup{Name: "g", Tasks: []task.New{{Kind: "a"}}})
		proxy.Mute()
		time.AfterFunc(time.Second, cancel) // while it waits for the answer
		return err
	})
	if !fault.Is(err, fault.Unavailable) || attempts != 1 {
		t.Errorf("got %v at attempt %d, want that the database does not answer", err, attempts)
	}
	proxy.Restore()
	if groups, err := d.GroupsByID(t.Context(), []task.GroupID{id}); err != nil || groups[0] == nil {
		t.Errorf("got %v, %v, want the group", groups, err)
	}
	select {
	case c := <-told:
		if !slices.Contains(c.Groups, id) || !c.Ready {
			t.Errorf("told %+v, want that %s may have changed", c, id)
		}
	default:
		t.Error("nobody was told that the group may be there")
	}
}
