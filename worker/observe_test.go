package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"ream/db"
	"ream/db/dbtest"
	"ream/task"
	"ream/worker"
)

func TestTasksAreObserved(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		good, bad := enqueue(t, d, "a"), enqueue(t, d, "b")
		type ended struct {
			id    task.ID
			state task.State
		}
		starts, ends, held := make(chan task.ID, 2), make(chan ended, 2), make(chan struct{})
		ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
		defer stop()
		w := worker.New(d, worker.Options{Slots: 4, Log: slog.New(slog.DiscardHandler), Poll: 10 * time.Millisecond,
			Handlers: map[task.Kind]task.Handler{
				"a": func(context.Context, *task.Run) error { <-held; return nil },
				"b": func(context.Context, *task.Run) error { <-held; return errors.New("no") },
			},
			Started: func(t *task.Task) { starts <- t.ID },
			Ended: func(b *task.Task, s task.State, took time.Duration) {
				if took <= 0 {
					t.Errorf("%s took %s", b.ID, took)
				}
				ends <- ended{b.ID, s}
			}})
		result := make(chan error, 1)
		go func() { result <- w.Run(ctx) }()
		if got := map[task.ID]bool{<-starts: true, <-starts: true}; !got[good] || !got[bad] {
			t.Errorf("started: got %v", got)
		}
		if got, want := w.Stats(), (worker.Stats{Slots: 4, Taken: map[task.Kind]int{"a": 1, "b": 1}}); !reflect.DeepEqual(got, want) {
			t.Errorf("while they run: got %+v, want %+v", got, want)
		}
		close(held)
		if got := map[ended]bool{<-ends: true, <-ends: true}; !got[ended{good, task.Completed}] || !got[ended{bad, task.Failed}] {
			t.Errorf("ended: got %v", got)
		}
		stop()
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}
