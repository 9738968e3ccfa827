package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"ream/fault"
	"ream/task"
)

// The causes for which a handler's context is canceled.
var (
	errCanceled = errors.New("the task was canceled")
	errStopping = errors.New("the worker is stopping")
	errLost     = errors.New("the worker was given up: the task runs elsewhere")
	errTimedOut = errors.New("the task ran too long")
	errStalled  = errors.New("the task made no progress")
)

// run is a task while its handler runs. Worker.mu guards what changes.
type run struct {
	task     *task.Task
	limits   task.Limits
	ctx      context.Context //nolint:containedctx // to learn its cause; it is the handler's
	cancel   context.CancelCauseFunc
	began    time.Time
	moved    time.Time // when it last reported progress
	canceled time.Time // when its context was canceled; zero before
}

func (r *run) fence() task.Fence {
	return task.Fence{Task: r.task.ID, Worker: r.task.WorkerID, Attempt: r.task.Attempt}
}

func (w *Worker) start(base context.Context, t *task.Task, handlers *sync.WaitGroup) {
	ctx, cancel := context.WithCancelCause(base)
	now := time.Now()
	r := &run{task: t, limits: w.o.Limits[t.Kind], ctx: ctx, cancel: cancel, began: now, moved: now}
	w.mu.Lock()
	w.running[t.ID] = r
	w.mu.Unlock()
	w.o.Started(t)
	handlers.Go(func() {
		defer cancel(nil)
		w.end(r, w.handleAgain(ctx, t))
	})
}

// A task whose handler was let down by the database is handled so often, with
// pauses in between that double up to longestPause times the first one. If the
// database stays away for longer than a lease, the task is lost anyway.
const (
	mostCalls    = 10
	longestPause = 50
)

// handleAgain runs the task's handler until it ended for a reason of its own:
// a database that was restarted is no reason for a task to fail.
func (w *Worker) handleAgain(ctx context.Context, t *task.Task) error {
	for call, pause := 1, w.o.Pause; ; call, pause = call+1, min(2*pause, longestPause*w.o.Pause) {
		err := w.handle(ctx, t)
		if call == mostCalls || !fault.IsPassing(err) {
			return err
		}
		w.o.Log.Warn("a task is let down by the database", "task", t.ID, "kind", t.Kind, "error", err, "again in", pause)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// handle runs the task's handler; a panic fails the task.
func (w *Worker) handle(ctx context.Context, t *task.Task) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return w.o.Handlers[t.Kind](ctx, &task.Run{Task: t, Progress: reporter{w, t.ID}})
}

// end records what the handler returned, unless the task was given up before.
func (w *Worker) end(r *run, err error) {
	w.mu.Lock()
	w.taken[r.task.Kind]--
	mine := w.running[r.task.ID] == r
	if mine {
		w.record(r, err)
	}
	w.mu.Unlock()
	if !mine {
		w.o.Log.Warn("the handler of a task that was given up returned", "task", r.task.ID, "kind", r.task.Kind, "error", err)
	}
	w.Wake()
}

// record decides how a task ended, and keeps it for the next cycle. The caller
// holds mu.
func (w *Worker) record(r *run, err error) {
	o := task.Outcome{Fence: r.fence(), State: task.Completed}
	switch cause := context.Cause(r.ctx); {
	case err == nil:
	case errors.Is(cause, errCanceled):
		o.State = task.Canceled
	case errors.Is(cause, errStopping), errors.Is(cause, errLost): // if lost, the fence no longer fits, and nothing is recorded
		o.State = task.Waiting
	case errors.Is(cause, errTimedOut):
		o.State = task.Failed
		o.Error = &task.Error{Code: task.CodeTimedOut, Message: fmt.Sprintf("it ran longer than %s, which is what a task of its kind may take", r.limits.Deadline)}
	case errors.Is(cause, errStalled):
		o.State = task.Failed
		o.Error = &task.Error{Code: task.CodeStalled, Message: fmt.Sprintf("it made no progress for %s", r.limits.Stall)}
	default:
		o.State, o.Error = task.Failed, task.ErrorOf(err)
	}
	level := slog.LevelInfo
	if o.State == task.Failed {
		level = slog.LevelWarn
	}
	w.o.Log.Log(context.Background(), level, "task ended", "task", r.task.ID, "kind", r.task.Kind, "name", r.task.Name, "state", o.State,
		"attempt", r.task.Attempt, "took", time.Since(r.began), "error", err)
	w.o.Ended(r.task, o.State, time.Since(r.began))
	delete(w.running, r.task.ID)
	w.outcomes = append(w.outcomes, o)
}

// errGivenUp is what a task ends with whose handler does not return.
var errGivenUp = fault.New(fault.Internal, "the handler did not return after it was canceled")

// watch cancels tasks that run or stand still for too long, and gives up those
// whose handlers do not return. Their slots stay taken until they do.
func (w *Worker) watch(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.running {
		switch {
		case r.ctx.Err() != nil && r.canceled.IsZero():
			r.canceled = now
		case r.ctx.Err() != nil:
			if now.Sub(r.canceled) > w.o.Patience {
				w.o.Log.Error("task given up: its handler does not return", "task", r.task.ID, "kind", r.task.Kind, "cause", context.Cause(r.ctx))
				w.record(r, errGivenUp)
				w.Wake() // to write it at once
			}
		case r.limits.Deadline > 0 && now.Sub(r.began) > r.limits.Deadline:
			r.cancel(errTimedOut)
		case r.limits.Stall > 0 && now.Sub(r.moved) > r.limits.Stall:
			r.cancel(errStalled)
		}
	}
}

func (w *Worker) cancelCanceled(ctx context.Context, id task.WorkerID) error {
	if !w.busy() {
		return nil
	}
	ids, err := w.queue.CanceledOf(ctx, id)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		if r := w.running[id]; r != nil {
			r.cancel(errCanceled)
		}
	}
	return nil
}
