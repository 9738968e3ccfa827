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
	"ream/fault"
	"ream/task"
	"ream/worker"
)

// breaking is a database whose connection breaks once, after a commit.
type breaking struct {
	*db.DB
	broken atomic.Bool
}

func (b *breaking) Cycle(ctx context.Context, w task.WorkerID, outcomes []task.Outcome, reports []task.Report, room task.Vacancies) ([]*task.Task, error) {
	claimed, err := b.DB.Cycle(ctx, w, outcomes, reports, room)
	if err == nil && len(claimed) > 0 && b.broken.CompareAndSwap(false, true) {
		return nil, errors.New("the connection broke")
	}
	return claimed, err
}

// run runs a worker until the test ends.
func run(t *testing.T, q worker.Queue, handlers map[task.Kind]task.Handler) {
	t.Helper()
	runLimited(t, q, handlers, nil)
}

func runLimited(t *testing.T, q worker.Queue, handlers map[task.Kind]task.Handler, limits map[task.Kind]task.Limits) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	w := worker.New(q, worker.Options{Slots: 4, Handlers: handlers, Limits: limits, Lanes: 2, Log: slog.New(slog.DiscardHandler),
		Poll: 10 * time.Millisecond, Grace: time.Minute, Patience: 50 * time.Millisecond, Pause: time.Millisecond})
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

// TestTaskWhoseWordsCannotBeWritten lets a task report, and fail with, a text
// that PostgreSQL does not take. Another one begins and ends meanwhile.
func TestTaskWhoseWordsCannotBeWritten(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		reported, free := make(chan struct{}), make(chan struct{})
		bad := enqueue(t, d, "bad")
		run(t, d, map[task.Kind]task.Handler{
			"bad": func(_ context.Context, r *task.Run) error {
				r.Progress.Report("a", "\x00", task.Items, 1, 2)
				close(reported)
				<-free
				return fault.New(fault.BadInput, "\x00")
			},
			"good": func(_ context.Context, r *task.Run) error {
				r.Progress.Report("a", "A", task.Items, 1, 1)
				return nil
			},
		})
		<-reported
		if got := finished(t, d, enqueue(t, d, "good")); got.State != task.Completed || got.Progress.ItemsDone != 1 {
			t.Errorf("the good one: got %s with %+v", got.State, got.Progress)
		}
		close(free)
		if got := finished(t, d, bad); got.State != task.Failed || got.Error == nil {
			t.Errorf("the bad one: got %s with %+v", got.State, got.Error)
		}
	})
}

// TestUnknownKindIsLeftToOthers is what a cluster needs whose processes are
// upgraded one after the other.
func TestUnknownKindIsLeftToOthers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		unknown, known := enqueue(t, d, "new"), enqueue(t, d, "a")
		ok := func(context.Context, *task.Run) error { return nil }
		run(t, d, map[task.Kind]task.Handler{"a": ok})
		finished(t, d, known)
		if found, err := d.TasksByID(t.Context(), []task.ID{unknown}); err != nil || found[0].State != task.Waiting {
			t.Fatalf("a task that the worker cannot do: got %v, %v", found[0].State, err)
		}
		run(t, d, map[task.Kind]task.Handler{"new": ok})
		if got := finished(t, d, unknown); got.State != task.Completed {
			t.Errorf("got %s", got.State)
		}
	})
}

func TestLongWorkLeavesSlotsToOthers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var long []task.ID
		for range 20 {
			long = append(long, enqueue(t, d, "long"))
		}
		quick := enqueue(t, d, "quick")
		release := make(chan struct{})
		var running, most atomic.Int32
		runLimited(t, d, map[task.Kind]task.Handler{
			"long": func(context.Context, *task.Run) error {
				most.Store(max(most.Load(), running.Add(1)))
				<-release
				running.Add(-1)
				return nil
			},
			"quick": func(context.Context, *task.Run) error { return nil },
		}, map[task.Kind]task.Limits{"long": {Slots: 3}})
		finished(t, d, quick)
		close(release)
		for _, id := range long {
			finished(t, d, id)
		}
		if got := most.Load(); got != 3 {
			t.Errorf("%d of the long ones ran at once, want 3", got)
		}
	})
}

// TestDatabaseThatWasAway lets handlers return what they get from a database
// that is away for a while, or for ever.
func TestDatabaseThatWasAway(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		away := func(calls *atomic.Int64, times int64) task.Handler {
			return func(context.Context, *task.Run) error {
				if calls.Add(1) > times {
					return nil
				}
				f := fault.New(fault.Unavailable, "away")
				f.Passing = true
				return f
			}
		}
		var once, always atomic.Int64
		run(t, d, map[task.Kind]task.Handler{"once": away(&once, 1), "always": away(&always, 1000)})
		if got := finished(t, d, enqueue(t, d, "once")); got.State != task.Completed || got.Attempt != 1 || once.Load() != 2 {
			t.Errorf("away once: got %s at attempt %d after %d calls, want COMPLETED at attempt 1 after 2", got.State, got.Attempt, once.Load())
		}
		if got := finished(t, d, enqueue(t, d, "always")); got.State != task.Failed || got.Error == nil || got.Error.Code != "UNAVAILABLE" || always.Load() != 10 {
			t.Errorf("always away: got %s with %+v after %d calls, want FAILED after 10", got.State, got.Error, always.Load())
		}
	})
}

// TestDatabaseThatDoesNotAnswer loses the network between a worker and its
// database, of which nobody is told: the worker gives its tasks up when the
// lease is over, and begins anew when the network is back.
func TestDatabaseThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	proxy, address := dbtest.NewProxy(t, dbtest.PostgresAddress(t))
	d := dbtest.Open(t, address, db.Options{})
	started, canceled := make(chan struct{}, 9), make(chan error, 9)
	var calls atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	w := worker.New(d, worker.Options{Slots: 4, Lanes: 2, Log: slog.New(slog.DiscardHandler), Lease: 2 * time.Second, Poll: 10 * time.Millisecond, Grace: time.Minute,
		Handlers: map[task.Kind]task.Handler{"a": func(ctx context.Context, _ *task.Run) error {
			if calls.Add(1) > 1 {
				return nil
			}
			started <- struct{}{}
			<-ctx.Done()
			canceled <- context.Cause(ctx)
			return ctx.Err()
		}}})
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	id := enqueue(t, d, "a")
	<-started
	proxy.Swallow()
	began := time.Now()
	select {
	case cause := <-canceled:
		t.Logf("canceled after %s: %v", time.Since(began), cause)
	case <-time.After(20 * time.Second):
		t.Fatal("the task goes on although its lease is over")
	}
	proxy.Restore()
	if got := finished(t, d, id); got.State != task.Completed || got.Attempt != 2 {
		t.Errorf("got %s at attempt %d, want COMPLETED at 2", got.State, got.Attempt)
	}
	t.Logf("completed after %s", time.Since(began))
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the worker ended: %v", err)
	}
}

// watched is a database that fails for a while, and tells when it was asked to
// recover the tasks of others.
type watched struct {
	*db.DB
	fails  atomic.Bool // the next time
	failed chan time.Time
	asked  chan time.Time
}

func (q *watched) Heartbeat(ctx context.Context, id task.WorkerID) (bool, error) {
	if q.fails.CompareAndSwap(true, false) {
		q.failed <- time.Now()
		return false, errors.New("away")
	}
	return q.DB.Heartbeat(ctx, id)
}

func (q *watched) Recover(context.Context, time.Duration) (int, error) {
	q.asked <- time.Now()
	return 0, nil
}

// TestOthersMayCatchTheirBreath waits, after the database was away, for the
// heartbeats of the others, which were kept from it as well.
func TestOthersMayCatchTheirBreath(t *testing.T) {
	t.Parallel()
	const lease = 2 * time.Second
	q := &watched{DB: dbtest.SQLite(t), failed: make(chan time.Time, 1), asked: make(chan time.Time, 100)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	w := worker.New(q, worker.Options{Slots: 1, Log: slog.New(slog.DiscardHandler), Lease: lease})
	go func() { ended <- w.Run(ctx) }()
	asked := <-q.asked // all is well
	q.fails.Store(true)
	failed := <-q.failed
	for asked.Before(failed) {
		asked = <-q.asked
	}
	if wait := asked.Sub(failed); wait < lease/2 {
		t.Errorf("it looked for lost workers %s after a heartbeat failed, want %s or more", wait, lease/2)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the worker ended: %v", err)
	}
}

// TestWorkerThatIsAloneKeepsItsTasks cannot write to its database for longer
// than a lease, as when the disk is full: nobody else can take its tasks.
func TestWorkerThatIsAloneKeepsItsTasks(t *testing.T) {
	t.Parallel()
	const lease = 100 * time.Millisecond
	q := &watched{DB: dbtest.SQLite(t), failed: make(chan time.Time), asked: make(chan time.Time, 1000)}
	id := enqueue(t, q.DB, "a")
	ctx, stop := context.WithCancel(t.Context())
	w := worker.New(q, worker.Options{Slots: 1, Alone: true, Log: slog.New(slog.DiscardHandler), Lease: lease, Poll: 10 * time.Millisecond,
		Handlers: map[task.Kind]task.Handler{"a": func(ctx context.Context, _ *task.Run) error {
			for began := time.Now(); time.Since(began) < 2*lease; {
				q.fails.Store(true)
				<-q.failed
			}
			return ctx.Err()
		}}})
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	if got := finished(t, q.DB, id); got.State != task.Completed || got.Attempt != 1 {
		t.Errorf("got %s at attempt %d, want COMPLETED at 1", got.State, got.Attempt)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the worker ended: %v", err)
	}
}

// slow is a database that takes its time to write the first progress.
type slow struct {
	*db.DB
	t       *testing.T
	writing atomic.Bool
	written atomic.Bool
	first   chan struct{} // closed when the first progress is being written
}

func (q *slow) Cycle(ctx context.Context, w task.WorkerID, outcomes []task.Outcome, reports []task.Report, room task.Vacancies) ([]*task.Task, error) {
	if len(outcomes) > 0 && q.writing.Load() && !q.written.Load() {
		q.t.Error("a task ends while its progress is still being written")
	}
	first := len(reports) > 0 && q.writing.CompareAndSwap(false, true)
	if first {
		close(q.first)
		time.Sleep(300 * time.Millisecond) // in which the other lane could overtake
	}
	claimed, err := q.DB.Cycle(ctx, w, outcomes, reports, room)
	if first {
		q.written.Store(true)
	}
	return claimed, err
}

func TestLastProgressIsWrittenBeforeTheEnd(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q := &slow{DB: d, t: t, first: make(chan struct{})}
		run(t, q, map[task.Kind]task.Handler{"a": func(_ context.Context, r *task.Run) error {
			r.Progress.Report("items", "Items", task.Items, 1, 2)
			<-q.first
			r.Progress.Report("items", "Items", task.Items, 2, 2)
			return nil
		}})
		if got := finished(t, d, enqueue(t, d, "a")); got.State != task.Completed || got.Progress.ItemsDone != 2 {
			t.Errorf("got %s with %d of 2 items", got.State, got.Progress.ItemsDone)
		}
	})
}

func TestTasksThatDoNotEndAreEnded(t *testing.T) {
	t.Parallel()
	untilCanceled := func(ctx context.Context, _ *task.Run) error { <-ctx.Done(); return ctx.Err() }
	for _, c := range []struct {
		name    string
		handler task.Handler
		limits  task.Limits
		state   task.State
		code    string
	}{
		{"runs too long", untilCanceled, task.Limits{Deadline: 30 * time.Millisecond}, task.Failed, task.CodeTimedOut},
		{"makes no progress", untilCanceled, task.Limits{Stall: 30 * time.Millisecond}, task.Failed, task.CodeStalled},
		{"does not return", func(context.Context, *task.Run) error { select {} }, task.Limits{Deadline: 30 * time.Millisecond}, task.Failed, task.CodeTimedOut},
		{"makes progress", func(ctx context.Context, r *task.Run) error {
			for i := range int64(30) {
				r.Progress.Report("a", "A", task.Items, i, -1)
				time.Sleep(100 * time.Millisecond)
			}
			return ctx.Err()
		}, task.Limits{Stall: 2 * time.Second}, task.Completed, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.SQLite(t)
			id := enqueue(t, d, "a")
			ctx, stop := context.WithCancel(t.Context())
			w := worker.New(d, worker.Options{Slots: 4, Handlers: map[task.Kind]task.Handler{"a": c.handler}, Limits: map[task.Kind]task.Limits{"a": c.limits},
				Log: slog.New(slog.DiscardHandler), Poll: 10 * time.Millisecond, Grace: time.Millisecond, Patience: 20 * time.Millisecond})
			ended := make(chan error, 1)
			go func() { ended <- w.Run(ctx) }()
			got := finished(t, d, id)
			if got.State != c.state || c.code != "" && (got.Error == nil || got.Error.Code != c.code) {
				t.Errorf("got %s with %+v, want %s %s", got.State, got.Error, c.state, c.code)
			}
			stop()
			if err := <-ended; err != nil {
				t.Errorf("the worker ended: %v", err)
			}
		})
	}
}

func TestCancelOfATaskThatRuns(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for name, handler := range map[string]task.Handler{
			"stops":           func(ctx context.Context, _ *task.Run) error { <-ctx.Done(); return ctx.Err() },
			"does not return": func(context.Context, *task.Run) error { select {} },
		} {
			t.Run(name, func(t *testing.T) {
				started := make(chan struct{})
				kind := task.Kind(name)
				id := enqueue(t, d, kind)
				ctx, stop := context.WithCancel(t.Context())
				w := worker.New(d, worker.Options{Slots: 1, Log: slog.New(slog.DiscardHandler), Poll: 10 * time.Millisecond,
					Grace: time.Millisecond, Patience: 20 * time.Millisecond,
					Handlers: map[task.Kind]task.Handler{kind: func(ctx context.Context, r *task.Run) error { close(started); return handler(ctx, r) }}})
				ended := make(chan error, 1)
				go func() { ended <- w.Run(ctx) }()
				<-started
				if err := d.CancelTask(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				w.WakeCanceled()
				if got := finished(t, d, id); got.State != task.Canceled {
					t.Errorf("got %s with %+v", got.State, got.Error)
				}
				stop()
				if err := <-ended; err != nil {
					t.Errorf("the worker ended: %v", err)
				}
			})
		}
	})
}
