package catalog_test

import (
	"sync"
	"testing"
	"time"

	"ream/catalog"
	"ream/fault"
	"ream/task"
)

const keyTaken = "the idempotency key was used for another request: use a new one"

// TestRequestsAtOnce asks for the same thing twenty times at once, as an
// impatient client behind an impatient proxy does. One answer serves all.
func TestRequestsAtOnce(t *testing.T) {
	eachHouse(t, func(h house) {
		h.repository("a")
		h.repository("b")
		one, all := catalog.Selector{Names: []string{"a"}}, catalog.Selector{All: true}
		var tasks int
		for _, c := range []struct {
			name string
			ask  func() (task.Work, error)
			adds int // tasks
		}{
			{"a sync with a key", func() (task.Work, error) {
				return h.Sync(h.t.Context(), catalog.SyncRequest{Repositories: one, Mirror: true, Priority: task.Normal, IdempotencyKey: "sync"})
			}, 1},
			{"syncs with a key", func() (task.Work, error) {
				return h.Sync(h.t.Context(), catalog.SyncRequest{Repositories: all, Priority: task.Normal, IdempotencyKey: "syncs"})
			}, 2},
			{"a mirror with a key", func() (task.Work, error) {
				return h.Mirror(h.t.Context(), catalog.MirrorRequest{Repositories: all, Priority: task.Normal, IdempotencyKey: "mirror"})
			}, 6},
			{"a sync that waits", func() (task.Work, error) {
				return h.Sync(h.t.Context(), catalog.SyncRequest{Repositories: one, Priority: task.Normal})
			}, 1},
		} {
			answers := make([]string, 20)
			var asking sync.WaitGroup
			for i := range answers {
				asking.Go(func() {
					work, err := c.ask()
					if err != nil {
						h.t.Errorf("%s: %v", c.name, err)
						return
					}
					answers[i] = work.NodeID()
				})
			}
			asking.Wait()
			for _, answer := range answers {
				if answer != answers[0] {
					h.t.Errorf("%s: got %s and %s for the same request", c.name, answers[0], answer)
				}
			}
			if tasks += c.adds; len(h.tasks()) != tasks {
				h.t.Errorf("%s: there are %d tasks, want %d", c.name, len(h.tasks()), tasks)
			}
		}
	})
}

// TestKeyCountsForADay repeats a request while its key counts and after that,
// whatever became of the work.
func TestKeyCountsForADay(t *testing.T) {
	eachHouse(t, func(h house) {
		ctx := h.t.Context()
		h.repository("a")
		h.repository("b")
		request := func(name string) catalog.SyncRequest {
			return catalog.SyncRequest{Repositories: catalog.Selector{Names: []string{name}}, Priority: task.Normal, IdempotencyKey: "key"}
		}
		ask := func() string {
			h.t.Helper()
			work, err := h.Sync(ctx, request("a"))
			if err != nil {
				h.t.Fatal(err)
			}
			return work.NodeID()
		}
		first := ask()
		_, err := h.Sync(ctx, request("b"))
		wantFault(h.t, err, fault.Conflict, keyTaken)
		_, err = h.Publish(ctx, catalog.PublishRequest{Repositories: catalog.Selector{Names: []string{"a"}}, Priority: task.Normal, IdempotencyKey: "key"})
		wantFault(h.t, err, fault.Conflict, keyTaken)
		h.clock.advance(time.Hour)
		if again := ask(); again != first {
			h.t.Errorf("while it waits: got %s, want %s", again, first)
		}
		h.finish(task.Failed, h.claim()...)
		h.clock.advance(23*time.Hour - time.Second)
		if again := ask(); again != first {
			h.t.Errorf("a day later, almost: got %s, want %s", again, first)
		}
		h.clock.advance(2 * time.Second)
		second := ask()
		if second == first {
			h.t.Errorf("more than a day later: got %s again", first)
		}
		h.clock.advance(time.Hour)
		if again := ask(); again != second {
			h.t.Errorf("the key counts anew: got %s, want %s", again, second)
		}
	})
}

// TestOnlyWaitingTasksAreShared repeats requests without a key: a task answers
// for an identical request as long as it has not begun.
func TestOnlyWaitingTasksAreShared(t *testing.T) {
	eachHouse(t, func(h house) {
		h.repository("a")
		ask := func(r catalog.SyncRequest) string {
			h.t.Helper()
			r.Repositories.Names = []string{"a"}
			work, err := h.Sync(h.t.Context(), r)
			if err != nil {
				h.t.Fatal(err)
			}
			return work.NodeID()
		}
		normal := catalog.SyncRequest{Priority: task.Normal}
		first := ask(normal)
		for name, other := range map[string]catalog.SyncRequest{
			"one that mirrors":   {Mirror: true, Priority: task.Normal},
			"one that is urgent": {Priority: task.High},
		} {
			if got := ask(other); got == first {
				h.t.Errorf("%s: got %s, which is another request's", name, got)
			}
		}
		if got := ask(normal); got != first {
			h.t.Errorf("while it waits: got %s, want %s", got, first)
		}
		h.finish(task.Waiting, h.claim()...) // it began, and was returned to the queue
		if got := ask(normal); got != first {
			h.t.Errorf("while it waits again: got %s, want %s", got, first)
		}
		running := h.claim()
		second := ask(normal)
		if second == first {
			h.t.Errorf("while it runs: got %s, want another task", second)
		}
		id, err := task.ParseID(second)
		if err != nil {
			h.t.Fatal(err)
		}
		if _, err := h.CancelTask(h.t.Context(), id); err != nil {
			h.t.Fatal(err)
		}
		if third := ask(normal); third == first || third == second {
			h.t.Errorf("after the cancel: got %s, want another task", third)
		}
		h.finish(task.Completed, running...)
	})
}
