package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"ream/db"
	"ream/db/dbtest"
	"ream/task"
	"ream/worker"
)

// breaking is a database whose connection breaks once, after a commit.
type breaking struct {
	*db.DB
	broken atomic.Bool
}

func (b *breaking) Cycle(ctx context.Context, w task.WorkerID, outcomes []task.Outcome, reports []task.Report, limit int) ([]*task.Task, error) {
	claimed, err := b.DB.Cycle(ctx, w, outcomes, reports, limit)
	if err == nil && len(claimed) > 0 && b.broken.CompareAndSwap(false, true) {
		return nil, errors.New("the connection broke")
	}
	return claimed, err
}

// run runs a worker until the test ends.
func run(t *testing.T, q worker.Queue, handlers map[task.Kind]task.Handler) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	w := worker.New(q, worker.Options{Slots: 4, Handlers: handlers, Log: slog.New(slog.DiscardHandler), Poll: 10 * time.Millisecond})
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the worker ended: %v", err)
		}
	})
}

func enqueue(t *testing.T, d *db.DB, kind task.Kind) (id task.ID) {
	t.Helper()
	if err := d.InTx(t.Context(), func(tx *db.Tx) (err error) {
		id, err = tx.Enqueue(t.Context(), task.New{Kind: kind, Name: string(kind)})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return id
}

// finished waits until a task has finished.
func finished(t *testing.T, d *db.DB, id task.ID) *task.Task {
	t.Helper()
	changed := make(chan struct{}, 1)
	d.OnChange(func(db.Changes) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	deadline := time.After(20 * time.Second)
	for {
		tasks, err := d.TasksByID(t.Context(), []task.ID{id})
		if err != nil {
			t.Fatal(err)
		}
		if tasks[0].Finished() {
			return tasks[0]
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%s is still %s", id, tasks[0].State)
		}
	}
}

func TestClaimWhoseAnswerWasLostRunsAllTheSame(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		id := enqueue(t, d, "a")
		run(t, &breaking{DB: d}, map[task.Kind]task.Handler{"a": func(context.Context, *task.Run) error { return nil }})
		if got := finished(t, d, id); got.State != task.Completed || got.Attempt != 1 {
			t.Errorf("got %s at attempt %d, want COMPLETED at 1", got.State, got.Attempt)
		}
	})
}

func TestPanicFailsTheTask(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		id := enqueue(t, d, "a")
		run(t, d, map[task.Kind]task.Handler{"a": func(context.Context, *task.Run) error { panic("secret") }})
		if got := finished(t, d, id); got.State != task.Failed || got.Error.Code != "INTERNAL" || got.Error.Message == "secret" {
			t.Errorf("got %s with %+v", got.State, got.Error)
		}
	})
}

func TestUnknownKindFails(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		id := enqueue(t, d, "b")
		run(t, d, nil)
		if got := finished(t, d, id); got.State != task.Failed || got.Error.Code != "CONFLICT" {
			t.Errorf("got %s with %+v", got.State, got.Error)
		}
	})
}
