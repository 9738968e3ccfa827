package db_test

import (
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"ream/db"
	"ream/db/dbtest"
	"ream/page"
	"ream/task"
)

func TestLoads(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		if loads, err := e.Loads(t.Context()); err != nil || len(loads) != 0 {
			t.Errorf("an empty queue: got %+v, %v", loads, err)
		}
		e.group(task.New{Kind: "a"}, task.New{Kind: "b"}, task.New{Kind: "b"}, task.New{Kind: "b"}, task.New{Kind: "b", After: []int{0}})
		running := e.claim(3)
		if err := e.CancelTask(t.Context(), running[0].ID); err != nil {
			t.Fatal(err)
		}
		e.finish(task.Completed, running[1])
		got, err := e.Loads(t.Context())
		// The canceled task takes along nothing: what comes after it waits for its end.
		want := []task.Load{{Kind: "a", Canceling: 1}, {Kind: "b", Blocked: 1, Ready: 1, Running: 1}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	})
}

func TestStatementsAreObserved(t *testing.T) {
	t.Parallel()
	addresses := map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "ream.db") },
		"postgres": dbtest.PostgresAddress,
	}
	for name, address := range addresses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			seen, failed := map[string]int{}, map[string]int{}
			d := dbtest.Open(t, address(t), db.Options{Observe: func(verb string, took time.Duration, err error) {
				mu.Lock()
				defer mu.Unlock()
				seen[verb]++
				if err != nil {
					failed[verb]++
				}
				if took < 0 {
					t.Errorf("%s took %s", verb, took)
				}
			}})
			count := func(f func()) map[string]int {
				t.Helper()
				mu.Lock()
				clear(seen)
				mu.Unlock()
				f()
				mu.Lock()
				defer mu.Unlock()
				return seen
			}
			if got, want := count(func() { d.RemoteByName(t.Context(), "nobody") }), (map[string]int{"select": 1}); !reflect.DeepEqual(got, want) {
				t.Errorf("a look-up: got %v, want %v", got, want)
			}
			if _, err := d.Tasks(t.Context(), task.Filter{}, page.Request{First: 1}); err != nil {
				t.Fatal(err)
			}
			got := count(func() {
				if err := d.InTx(t.Context(), func(tx *db.Tx) error { _, err := tx.Enqueue(t.Context(), task.New{Kind: "a"}); return err }); err != nil {
					t.Fatal(err)
				}
			})
			if got["insert"] == 0 || got["commit"] != 1 {
				t.Errorf("a task: got %v", got)
			}
			if len(failed) != 0 {
				t.Errorf("failed: %v", failed)
			}
			pools := d.Pools()
			names := []string{}
			for _, p := range pools {
				names = append(names, p.Name)
				if p.Limit == 0 || p.Open > p.Limit || p.InUse > p.Open {
					t.Errorf("got %+v", p)
				}
			}
			if want := map[string][]string{"sqlite": {"writer", "readers"}, "postgres": {"all"}}[name]; !reflect.DeepEqual(names, want) {
				t.Errorf("pools: got %q, want %q", names, want)
			}
		})
	}
}
