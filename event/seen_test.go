package event

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"ream/fault"
	"ream/task"
)

// channels is a hub whose snapshots tests send.
type channels chan Snapshot

func (c channels) Subscribe(context.Context, Topic) (<-chan Snapshot, error) { return c, nil }

func TestSeen(t *testing.T) {
	t.Parallel()
	var now, asks atomic.Int64
	var limited, seen atomic.Bool
	hub := make(channels)
	h := Seen{
		Hub:     hub,
		Limited: func(context.Context) bool { return limited.Load() },
		Sees:    func(context.Context, Topic) (bool, error) { asks.Add(1); return seen.Load(), nil },
		Now:     func() time.Time { return time.Unix(now.Load(), 0) },
	}
	if got, err := h.Subscribe(t.Context(), "task-1"); err != nil || got != (<-chan Snapshot)(hub) || asks.Load() != 0 {
		t.Errorf("without a limit: got %v, %v after %d questions, want the hub's own", got, err, asks.Load())
	}
	limited.Store(true)
	if _, err := h.Subscribe(t.Context(), "task-1"); !fault.Is(err, fault.NotFound) || fault.Message(err) != "task-1 not found" {
		t.Errorf("what is not seen: got %v, want that it is not found", err)
	}
	seen.Store(true)
	snapshots, err := h.Subscribe(t.Context(), "task-1")
	if err != nil {
		t.Fatal(err)
	}
	before := asks.Load()
	for range 10 {
		hub <- &task.Task{ID: 1}
		if s := <-snapshots; s.(*task.Task).ID != 1 {
			t.Fatalf("got %+v", s)
		}
	}
	if got := asks.Load() - before; got != 0 {
		t.Errorf("it was looked up %d times within a second", got)
	}
	now.Add(1)
	hub <- &task.Task{ID: 1}
	<-snapshots
	seen.Store(false)
	now.Add(1)
	hub <- &task.Task{ID: 1}
	if s, open := <-snapshots; open {
		t.Errorf("when it is not seen any more: got %+v, want the end", s)
	}
}
