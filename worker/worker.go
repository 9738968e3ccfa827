// Package worker claims tasks under a lease, runs their handlers, and records
// how they ended. It knows neither the database nor what the work does.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"ream/fault"
	"ream/task"
)

// Queue is where tasks come from.
type Queue interface {
	// Register announces a worker; Unregister returns what it left.
	Register(context.Context, task.Worker) (task.WorkerID, error)
	Unregister(context.Context, task.WorkerID) error
	// Heartbeat reports false once the worker was given up.
	Heartbeat(context.Context, task.WorkerID) (bool, error)
	// Recover returns the tasks of workers not heard of for the lease.
	Recover(context.Context, time.Duration) (int, error)
	// Cycle records outcomes and reports and claims up to limit tasks.
	Cycle(ctx context.Context, worker task.WorkerID, outcomes []task.Outcome, reports []task.Report, limit int) ([]*task.Task, error)
	// HeldBy are the fences of the tasks that the worker has claimed.
	HeldBy(context.Context, task.WorkerID) ([]task.Fence, error)
	// CanceledOf are the worker's running tasks that were canceled.
	CanceledOf(context.Context, task.WorkerID) ([]task.ID, error)
}

// Options are what a worker needs to know. Zero durations mean the defaults.
type Options struct {
	Slots    int // tasks that run at once
	Version  string
	Handlers map[task.Kind]task.Handler
	Log      *slog.Logger

	Lease time.Duration // after which a silent worker is given up; 10 s
	Poll  time.Duration // how long an idle worker waits if nobody wakes it; 1 s
	Grace time.Duration // how long tasks may still run after Run's context ended; 10 s
}

// reportInterval bounds how often a task's progress is written.
const reportInterval = 250 * time.Millisecond

// Worker runs tasks.
type Worker struct {
	queue Queue
	o     Options
	wake  chan struct{}

	mu       sync.Mutex
	running  map[task.ID]*run
	outcomes []task.Outcome
	reports  map[task.ID]map[string]task.Report // changed since they were last written
	written  time.Time
}

// run is a task while its handler runs.
type run struct {
	fence  task.Fence
	cancel context.CancelCauseFunc
}

// New returns a worker that takes tasks from queue once it runs.
func New(queue Queue, o Options) *Worker {
	o.Lease = orDefault(o.Lease, 10*time.Second)
	o.Poll = orDefault(o.Poll, time.Second)
	o.Grace = orDefault(o.Grace, 10*time.Second)
	return &Worker{queue: queue, o: o, wake: make(chan struct{}, 1), running: map[task.ID]*run{}, reports: map[task.ID]map[string]task.Report{}}
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// Wake tells the worker that tasks may have become ready or were canceled. It
// never blocks.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// The causes for which a handler's context is canceled.
var (
	errCanceled = errors.New("the task was canceled")
	errStopping = errors.New("the worker is stopping")
	errLost     = errors.New("the worker was given up: the task runs elsewhere")
)

// Run takes and runs tasks until ctx ends. Then it takes no more, lets those
// that run go on for the grace period, cancels them, and returns them to the
// queue without counting the attempt.
func (w *Worker) Run(ctx context.Context) error {
	for {
		err := w.live(ctx)
		if ctx.Err() != nil {
			return err
		}
		// The database was away, or the worker was silent for too long.
		w.o.Log.Warn("worker starts anew", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(w.o.Poll):
		}
	}
}

// live is one life of the worker under one ID.
func (w *Worker) live(ctx context.Context) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	id, err := w.queue.Register(ctx, task.Worker{Host: host, PID: os.Getpid(), Version: w.o.Version, Slots: w.o.Slots})
	if err != nil {
		return fmt.Errorf("register the worker: %w", err)
	}
	var handlers sync.WaitGroup
	// Handlers outlive ctx by the grace period.
	base, cancelAll := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancelAll(nil)
	beats := make(chan error, 1)
	beating, stopBeating := context.WithCancel(context.WithoutCancel(ctx))
	var heart sync.WaitGroup
	heart.Go(func() { beats <- w.beat(beating, id) })

	err = w.loop(ctx, base, id, &handlers, beats)
	if errors.Is(err, errLost) {
		cancelAll(errLost)
	}
	err = errors.Join(err, w.drain(base, cancelAll, id, &handlers))
	stopBeating()
	heart.Wait()
	w.forget()
	return err
}

// beat keeps the lease and gives up others that do not.
func (w *Worker) beat(ctx context.Context, id task.WorkerID) error {
	ticker := time.NewTicker(w.o.Lease / 4)
	defer ticker.Stop()
	last := time.Now()
	for {
		alive, err := w.queue.Heartbeat(ctx, id)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && !alive, err != nil && time.Since(last) > w.o.Lease:
			return errLost
		case err != nil:
			w.o.Log.Warn("heartbeat failed", "worker", id, "error", err)
		default:
			last = time.Now()
			if n, err := w.queue.Recover(ctx, w.o.Lease); err != nil {
				w.o.Log.Warn("looking for lost workers failed", "error", err)
			} else if n > 0 {
				w.o.Log.Info("tasks of lost workers recovered", "tasks", n)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// loop runs cycles: record what ended, claim what is ready.
func (w *Worker) loop(ctx, base context.Context, id task.WorkerID, handlers *sync.WaitGroup, beats <-chan error) error {
	doubt := false // whether a claim may have been committed without our knowing
	for ctx.Err() == nil {
		if doubt {
			doubt = w.returnUnknown(ctx, id) != nil
		}
		claimed, free, err := w.cycle(context.WithoutCancel(ctx), id, !doubt)
		if err != nil {
			doubt = true
			w.o.Log.Warn("cycle failed", "worker", id, "error", err)
		}
		for _, t := range claimed {
			w.start(base, t, handlers)
		}
		if err := w.cancelCanceled(ctx, id); err != nil {
			w.o.Log.Warn("looking for canceled tasks failed", "worker", id, "error", err)
		}
		if err == nil && len(claimed) > 0 && len(claimed) == free {
			continue // there may be more than were asked for
		}
		wait := w.o.Poll
		if w.busy() {
			wait = min(wait, reportInterval)
		}
		select {
		case <-ctx.Done():
		case err := <-beats:
			return err
		case <-w.wake:
		case <-time.After(wait):
		}
	}
	return nil
}

// returnUnknown returns the tasks that the queue gave us but whose names never
// arrived, because the connection broke after the commit.
func (w *Worker) returnUnknown(ctx context.Context, id task.WorkerID) error {
	held, err := w.queue.HeldBy(ctx, id)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	ours := map[task.ID]bool{}
	for id := range w.running {
		ours[id] = true
	}
	for _, o := range w.outcomes {
		ours[o.Fence.Task] = true
	}
	for _, f := range held {
		if !ours[f.Task] {
			w.outcomes = append(w.outcomes, task.Outcome{Fence: f, State: task.Waiting})
		}
	}
	return nil
}

// cycle writes what is due and claims as many tasks as slots are free. What
// could not be written is kept for the next cycle.
func (w *Worker) cycle(ctx context.Context, id task.WorkerID, claim bool) (claimed []*task.Task, free int, err error) {
	w.mu.Lock()
	outcomes := w.outcomes
	w.outcomes = nil
	reports := w.dueReports(len(outcomes) > 0)
	if claim {
		free = w.o.Slots - len(w.running)
	}
	w.mu.Unlock()
	if len(outcomes) == 0 && len(reports) == 0 && free <= 0 {
		return nil, free, nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.o.Lease)
	defer cancel()
	claimed, err = w.queue.Cycle(ctx, id, outcomes, reports, free)
	if err != nil {
		w.mu.Lock()
		w.outcomes = append(outcomes, w.outcomes...)
		for _, r := range reports {
			if _, newer := w.reports[r.TaskID][r.Code]; !newer {
				w.keep(r)
			}
		}
		w.mu.Unlock()
	}
	return claimed, free, err
}

// dueReports takes the reports that changed, if it is time or a task ended.
func (w *Worker) dueReports(now bool) []task.Report {
	if len(w.reports) == 0 || !now && time.Since(w.written) < reportInterval {
		return nil
	}
	var due []task.Report
	for _, lines := range w.reports {
		for _, r := range lines {
			due = append(due, r)
		}
	}
	clear(w.reports)
	w.written = time.Now()
	return due
}

func (w *Worker) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.running) > 0 || len(w.outcomes) > 0
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

func (w *Worker) start(base context.Context, t *task.Task, handlers *sync.WaitGroup) {
	ctx, cancel := context.WithCancelCause(base)
	r := &run{fence: task.Fence{Task: t.ID, Worker: t.WorkerID, Attempt: t.Attempt}, cancel: cancel}
	w.mu.Lock()
	w.running[t.ID] = r
	w.mu.Unlock()
	handlers.Go(func() {
		defer cancel(nil)
		began := time.Now()
		err := w.handle(ctx, t)
		w.finish(ctx, r, t, err, time.Since(began))
	})
}

// handle runs the task's handler; a panic fails the task.
func (w *Worker) handle(ctx context.Context, t *task.Task) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	handler := w.o.Handlers[t.Kind]
	if handler == nil {
		return fault.New(fault.Conflict, "this version of the program cannot do %q", t.Kind)
	}
	return handler(ctx, &task.Run{Task: t, Progress: reporter{w, t.ID}})
}

func (w *Worker) finish(ctx context.Context, r *run, t *task.Task, err error, took time.Duration) {
	o := task.Outcome{Fence: r.fence, State: task.Completed}
	switch cause := context.Cause(ctx); {
	case err == nil:
	case errors.Is(cause, errCanceled):
		o.State = task.Canceled
	case errors.Is(cause, errStopping):
		o.State = task.Waiting
	case errors.Is(cause, errLost):
		o.State = task.Waiting // the fence no longer fits, so nothing is recorded
	default:
		o.State, o.Error = task.Failed, task.ErrorOf(err)
	}
	level := slog.LevelInfo
	if o.State == task.Failed {
		level = slog.LevelWarn
	}
	w.o.Log.Log(context.WithoutCancel(ctx), level, "task ended", "task", t.ID, "kind", t.Kind, "name", t.Name, "state", o.State, "attempt", t.Attempt, "took", took, "error", err)
	w.mu.Lock()
	delete(w.running, t.ID)
	w.outcomes = append(w.outcomes, o)
	w.mu.Unlock()
	w.Wake()
}

// drain lets the handlers end, cancels them after the grace period, and
// records how they ended.
func (w *Worker) drain(base context.Context, cancelAll context.CancelCauseFunc, id task.WorkerID, handlers *sync.WaitGroup) error {
	ended := make(chan struct{})
	go func() { handlers.Wait(); close(ended) }()
	grace := time.NewTimer(w.o.Grace)
	defer grace.Stop()
	for waiting := true; waiting; {
		select {
		case <-ended:
			waiting = false
		case <-grace.C:
			cancelAll(errStopping)
		case <-w.wake:
		case <-time.After(reportInterval):
		}
		if errors.Is(context.Cause(base), errLost) {
			continue
		}
		if _, _, err := w.cycle(context.WithoutCancel(base), id, false); err != nil {
			w.o.Log.Warn("recording outcomes failed", "worker", id, "error", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(base), w.o.Lease)
	defer cancel()
	if err := w.queue.Unregister(ctx, id); err != nil {
		return fmt.Errorf("unregister the worker: %w", err)
	}
	return nil
}

// forget drops what belongs to the life that ended.
func (w *Worker) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outcomes = nil
	clear(w.reports)
}

// reporter collects the progress of one task.
type reporter struct {
	w  *Worker
	id task.ID
}

// Report keeps the newest state of a line until the next cycle writes it.
func (r reporter) Report(code, message string, unit task.Unit, done, total int64) {
	report := task.Report{TaskID: r.id, Code: code, Message: message, Unit: unit, Done: done}
	if total >= 0 {
		report.Total = &total
	}
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	r.w.keep(report)
}

// keep remembers a report for the next cycle. The caller holds mu.
func (w *Worker) keep(r task.Report) {
	lines := w.reports[r.TaskID]
	if lines == nil {
		lines = map[string]task.Report{}
		w.reports[r.TaskID] = lines
	}
	lines[r.Code] = r
}
