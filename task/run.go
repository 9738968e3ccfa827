package task

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Handler does the work of one kind of task. It must be idempotent: after a
// crash it runs again with the same arguments. When ctx is canceled it returns
// soon, with ctx.Err.
type Handler func(ctx context.Context, run *Run) error

// Limits bound what tasks of one kind may take. Zero means no limit.
type Limits struct {
	Slots    int           // how many run at once on one worker
	Deadline time.Duration // how long one may run
	Stall    time.Duration // how long one may go without reporting progress
}

// Run is one attempt at a task, as its handler sees it.
type Run struct {
	Task     *Task
	Progress Reporter
}

// Reporter takes a task's progress. Calls are cheap: reports are written in
// batches, a few times a second.
type Reporter interface {
	// Report sets the line with the given code. Total is -1 while unknown.
	Report(code, message string, unit Unit, done, total int64)
}

// Fence identifies this attempt to the database.
func (r *Run) Fence() Fence {
	return Fence{Task: r.Task.ID, Worker: r.Task.WorkerID, Attempt: r.Task.Attempt}
}

// Decode reads the task's arguments into v.
func (r *Run) Decode(v any) error {
	if err := json.Unmarshal(r.Task.Args, v); err != nil {
		return fmt.Errorf("arguments of %s: %w", r.Task.Kind, err)
	}
	return nil
}
