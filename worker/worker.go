// Package worker claims tasks under a lease, runs their handlers, and records
// how they ended. It knows neither the database nor what the work does.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"sync"
	"sync/atomic"
	"time"

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
	// Tend keeps the queue observable and fast.
	Tend(context.Context) error
	// Cycle records outcomes and reports and claims tasks for which there is
	// room. Tasks that it returns with an error are claimed all the same.
	Cycle(ctx context.Context, worker task.WorkerID, outcomes []task.Outcome, reports []task.Report, room task.Vacancies) ([]*task.Task, error)
	// HeldBy are the fences of the tasks that the worker has claimed.
	HeldBy(context.Context, task.WorkerID) ([]task.Fence, error)
	// CanceledOf are the worker's running tasks that were canceled.
	CanceledOf(context.Context, task.WorkerID) ([]task.ID, error)
}

// Options are what a worker needs to know. Zero durations mean the defaults.
type Options struct {
	Slots    int // tasks that run at once
	Lanes    int // cycles that are under way at once: 2 keep a server busy that can do two things; 1 if 0
	Version  string
	Handlers map[task.Kind]task.Handler // only tasks of these kinds are taken
	Limits   map[task.Kind]task.Limits
	Log      *slog.Logger
	Started  func(*task.Task)                            // is told of each task that starts; nobody is if nil
	Ended    func(*task.Task, task.State, time.Duration) // is told of each run of a task that ended, and how long it took; WAITING if it was returned. Nobody is if nil

	Alone    bool          // no other process uses the queue, so nobody gives this worker up
	Lease    time.Duration // after which a silent worker is given up; 10 s
	Poll     time.Duration // how long an idle worker waits if nobody wakes it; 1 s
	Grace    time.Duration // how long tasks may still run after Run's context ended; 10 s
	Patience time.Duration // how long a handler may take to return once it was canceled; 1.5 s
	Pause    time.Duration // before a handler that the database let down is called again, at first; 100 ms
}

// tick is how often a busy worker writes progress and looks after its tasks.
const tick = 250 * time.Millisecond

// Worker runs tasks.
type Worker struct {
	queue    Queue
	o        Options
	wake     chan struct{}
	canceled atomic.Bool // running tasks may have been canceled

	cycling sync.RWMutex // held, shared, from a claim to the start of what was claimed

	mu       sync.Mutex
	running  map[task.ID]*run
	taken    map[task.Kind]int // slots in use, by kind
	asked    task.Vacancies    // what the cycles under way may claim
	outcomes []task.Outcome
	reports  map[task.ID]map[string]task.Report // changed since they were last written
	written  time.Time
	writing  bool       // a lane is writing reports
	wrote    *sync.Cond // it has written them
}

// New returns a worker that takes tasks from queue once it runs.
func New(queue Queue, o Options) *Worker {
	o.Lease = orDefault(o.Lease, 10*time.Second)
	o.Poll = orDefault(o.Poll, time.Second)
	o.Grace = orDefault(o.Grace, 10*time.Second)
	o.Patience = orDefault(o.Patience, 1500*time.Millisecond)
	o.Pause = orDefault(o.Pause, 100*time.Millisecond)
	o.Lanes = max(o.Lanes, 1)
	if o.Started == nil {
		o.Started = func(*task.Task) {}
	}
	if o.Ended == nil {
		o.Ended = func(*task.Task, task.State, time.Duration) {}
	}
	w := &Worker{queue: queue, o: o, wake: make(chan struct{}, 1), running: map[task.ID]*run{}, taken: map[task.Kind]int{}, asked: task.Vacancies{Of: map[task.Kind]int{}},
		reports: map[task.ID]map[string]task.Report{}}
	w.wrote = sync.NewCond(&w.mu)
	return w
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// Stats are how busy a worker is.
type Stats struct {
	Slots int
	Taken map[task.Kind]int // slots in use; also by handlers that were left behind
}

// Stats tells how busy the worker is.
func (w *Worker) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Stats{Slots: w.o.Slots, Taken: maps.Clone(w.taken)}
}

// Wake tells the worker that tasks may have become ready. It never blocks.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// WakeCanceled tells the worker that running tasks may have been canceled. It
// never blocks.
func (w *Worker) WakeCanceled() {
	w.canceled.Store(true)
	w.Wake()
}

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
	id, err := w.register(ctx, task.Worker{Host: host, PID: os.Getpid(), Version: w.o.Version, Slots: w.o.Slots})
	switch {
	case ctx.Err() != nil && err != nil:
		return nil // it was stopped before it began
	case err != nil:
		return fmt.Errorf("register the worker: %w", err)
	}
	var handlers sync.WaitGroup
	// Handlers outlive ctx by the grace period.
	base, cancelAll := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancelAll(nil)
	working, stopWorking := context.WithCancelCause(ctx)
	defer stopWorking(nil)
	beating, stopBeating := context.WithCancel(context.WithoutCancel(ctx))
	beats := make(chan struct{}, 1)
	var heart sync.WaitGroup
	heart.Go(func() {
		w.beat(beating, id, beats, func() {
			stopWorking(errLost)
			cancelAll(errLost)
		})
	})
	heart.Go(func() { w.keepHouse(beating, beats) })
	var lanes sync.WaitGroup
	for range w.o.Lanes {
		lanes.Go(func() { w.loop(working, base, id, &handlers) })
	}
	lanes.Wait()
	if errors.Is(context.Cause(base), errLost) {
		err = errLost
	}
	err = errors.Join(err, w.drain(base, cancelAll, id, &handlers))
	stopBeating()
	heart.Wait()
	w.forget()
	return err
}

func (w *Worker) register(ctx context.Context, self task.Worker) (task.WorkerID, error) {
	ctx, cancel := context.WithTimeout(ctx, w.o.Lease)
	defer cancel()
	return w.queue.Register(ctx, self)
}

// beat keeps the lease until ctx ends, and calls lost as soon as it is over:
// the tasks are others' then, whether or not the database answers. It puts a
// token into beats when the heart beats well.
func (w *Worker) beat(ctx context.Context, id task.WorkerID, beats chan<- struct{}, lost func()) {
	ticker := time.NewTicker(w.o.Lease / 4)
	defer ticker.Stop()
	lease := time.AfterFunc(w.o.Lease, lost)
	defer lease.Stop()
	if w.o.Alone {
		lease.Stop()
	}
	var failed time.Time
	for {
		asked := time.Now()
		alive, err := w.heartbeat(ctx, id)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failed = time.Now()
			w.o.Log.Warn("heartbeat failed", "worker", id, "error", err)
		case !alive:
			lost()
			return
		default:
			if !w.o.Alone {
				lease.Reset(w.o.Lease - time.Since(asked))
			}
			// Others that were kept from the database as well first catch their breath.
			if time.Since(failed) > w.o.Lease/2 {
				select {
				case beats <- struct{}{}:
				default:
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (w *Worker) heartbeat(ctx context.Context, id task.WorkerID) (alive bool, err error) {
	limit := w.o.Lease / 4
	if w.o.Alone {
		limit = w.o.Lease
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return w.queue.Heartbeat(ctx, id)
}

// keepHouse does what any worker does for all, with every heartbeat, until ctx
// ends. The heart does not wait for it.
func (w *Worker) keepHouse(ctx context.Context, beats <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-beats:
		}
		if err := w.keepOrder(ctx); err != nil && ctx.Err() == nil {
			w.o.Log.Warn("keeping the queue in order failed", "error", err)
		}
	}
}

func (w *Worker) keepOrder(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.o.Lease)
	defer cancel()
	if !w.o.Alone {
		n, err := w.queue.Recover(ctx, w.o.Lease)
		if err != nil {
			return fmt.Errorf("look for lost workers: %w", err)
		}
		if n > 0 {
			w.o.Log.Info("tasks of lost workers recovered", "tasks", n)
		}
	}
	return w.queue.Tend(ctx)
}

// loop runs cycles: record what ended, claim what is ready.
func (w *Worker) loop(ctx, base context.Context, id task.WorkerID, handlers *sync.WaitGroup) {
	doubt := false // whether a claim may have been committed without our knowing
	var looked time.Time
	for ctx.Err() == nil {
		if doubt {
			doubt = w.returnUnknown(ctx, id) != nil
		}
		w.cycling.RLock()
		claimed, full, err := w.cycle(base, id, !doubt)
		for _, t := range claimed {
			w.start(base, t, handlers)
		}
		w.cycling.RUnlock()
		if err != nil {
			doubt = true
			w.o.Log.Warn("cycle failed", "worker", id, "error", err)
		}
		if w.canceled.Swap(false) || time.Since(looked) > w.o.Poll {
			looked = time.Now()
			if err := w.cancelCanceled(ctx, id); err != nil {
				w.canceled.Store(true)
				w.o.Log.Warn("looking for canceled tasks failed", "worker", id, "error", err)
			}
		}
		w.watch(time.Now())
		if err == nil && full {
			continue // there may be more than were asked for
		}
		wait := w.o.Poll
		if w.busy() {
			wait = min(wait, tick)
		}
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-time.After(wait):
		}
	}
}

// returnUnknown returns the tasks that the queue gave us but whose names never
// arrived, because the connection broke after the commit.
func (w *Worker) returnUnknown(ctx context.Context, id task.WorkerID) error {
	w.cycling.Lock() // no other lane has claimed what it has not started
	defer w.cycling.Unlock()
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

// cycle writes what is due and claims as many tasks as there is room for; full
// tells that it got as many. What could not be written is kept for the next
// cycle.
func (w *Worker) cycle(ctx context.Context, id task.WorkerID, claim bool) (claimed []*task.Task, full bool, err error) {
	w.mu.Lock()
	for w.writing && len(w.outcomes) > 0 {
		w.wrote.Wait() // a task's progress is written before its end
	}
	outcomes := w.outcomes
	w.outcomes = nil
	reports := w.dueReports(len(outcomes) > 0)
	w.writing = w.writing || len(reports) > 0
	var vacant task.Vacancies
	if claim {
		vacant = w.vacancies()
	}
	idle := len(outcomes) == 0 && len(reports) == 0 && vacant.Total <= 0
	if !idle {
		w.ask(vacant, 1)
	}
	w.mu.Unlock()
	if idle {
		return nil, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.o.Lease)
	defer cancel()
	claimed, err = w.queue.Cycle(ctx, id, outcomes, reports, vacant)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ask(vacant, -1)
	if len(reports) > 0 {
		w.writing = false
		w.wrote.Broadcast()
	}
	for _, t := range claimed {
		w.taken[t.Kind]++ // now, so that no other cycle counts on the slot
	}
	if err != nil {
		w.outcomes = append(outcomes, w.outcomes...)
		for _, r := range reports {
			if _, newer := w.reports[r.TaskID][r.Code]; !newer {
				w.keep(r)
			}
		}
	}
	return claimed, len(claimed) > 0 && len(claimed) == vacant.Total, err
}

// fewSlots are so few that one cycle may as well fill them all.
const fewSlots = 64

// vacancies is the room for one more cycle: what is left, but not so much that
// the other lanes would find nothing. The caller holds mu.
func (w *Worker) vacancies() task.Vacancies {
	v := task.Vacancies{Total: w.o.Slots - w.asked.Total, Of: make(map[task.Kind]int, len(w.o.Handlers))}
	for _, n := range w.taken {
		v.Total -= n
	}
	if w.o.Slots > fewSlots {
		v.Total = min(v.Total, (w.o.Slots+w.o.Lanes-1)/w.o.Lanes)
	}
	for kind := range w.o.Handlers {
		v.Of[kind] = v.Total
		if limit := w.o.Limits[kind].Slots; limit > 0 {
			v.Of[kind] = min(v.Total, limit-w.taken[kind]-w.asked.Of[kind])
		}
	}
	return v
}

// ask adds what a cycle may claim to what is asked for, or takes it away. The
// caller holds mu.
func (w *Worker) ask(v task.Vacancies, sign int) {
	w.asked.Total += sign * max(v.Total, 0)
	for kind, n := range v.Of {
		w.asked.Of[kind] += sign * max(n, 0)
	}
}

func (w *Worker) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.running) > 0 || len(w.outcomes) > 0
}

// drain lets the handlers end, cancels them after the grace period, and
// records how they ended. Handlers that do not return in time are left behind.
func (w *Worker) drain(base context.Context, cancelAll context.CancelCauseFunc, id task.WorkerID, handlers *sync.WaitGroup) error {
	ended := make(chan struct{})
	go func() { handlers.Wait(); close(ended) }()
	grace := time.NewTimer(w.o.Grace)
	defer grace.Stop()
	patience := make(<-chan time.Time)
	if context.Cause(base) != nil {
		patience = time.After(w.o.Patience)
	}
	for waiting := true; waiting; {
		select {
		case <-ended:
			waiting = false
		case <-grace.C:
			cancelAll(errStopping)
			patience = time.After(w.o.Patience)
		case <-patience:
			w.o.Log.Warn("handlers do not return: they are left behind", "worker", id)
			waiting = false
		case <-w.wake:
		case <-time.After(tick):
		}
		w.watch(time.Now())
		if errors.Is(context.Cause(base), errLost) {
			continue
		}
		if _, _, err := w.cycle(context.WithoutCancel(base), id, false); err != nil {
			w.o.Log.Warn("recording outcomes failed", "worker", id, "error", err)
		}
	}
	limit := w.o.Lease
	if errors.Is(context.Cause(base), errLost) {
		limit /= 4 // the others know already, or the database is away
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(base), limit)
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
	clear(w.running)
	clear(w.reports)
}
