package catalog

import (
	"context"
	"errors"
	"sync"

	"ream/db"
	"ream/fault"
	"ream/fetch"
	"ream/task"
)

const (
	failureBatch = 500 // how many failures are recorded at once
	awayAfter    = 20  // after how many files that upstream does not answer, one after the other, it is away
)

// brokenFile is that upstream does not give a file, or not as it should be.
type brokenFile struct{ err error }

func (b *brokenFile) Error() string { return b.err.Error() }

func (b *brokenFile) Unwrap() error { return b.err }

// failures records the files that a sync fails to get, batch after batch.
type failures struct {
	record func(context.Context, []task.Failure) error
	drop   func(context.Context) error

	mu   sync.Mutex
	next []task.Failure
}

// newFailures begins the list of a task's failures, without those of attempts
// before.
func (c *Catalog) newFailures(ctx context.Context, run *task.Run) (*failures, error) {
	change := func(ctx context.Context, f func(*db.Tx) error) error {
		return c.DB.InTx(ctx, func(tx *db.Tx) error {
			if err := tx.Hold(ctx, run.Fence()); err != nil {
				return err
			}
			return f(tx)
		})
	}
	f := &failures{record: func(ctx context.Context, all []task.Failure) error {
		return change(ctx, func(tx *db.Tx) error { return tx.AddFailures(ctx, run.Task.ID, all) })
	}, drop: func(ctx context.Context) error {
		return change(ctx, func(tx *db.Tx) error { return tx.DropFailures(ctx, run.Task.ID) })
	}}
	if run.Task.Attempt <= 1 {
		return f, nil
	}
	return f, f.drop(ctx)
}

// restart begins the list anew.
func (f *failures) restart(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = nil
	return f.drop(ctx)
}

// add records a failure, soon. It blocks while others are recorded, which keeps
// them in order.
func (f *failures) add(ctx context.Context, one task.Failure) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next = append(f.next, one); len(f.next) < failureBatch {
		return nil
	}
	return f.recordNext(ctx)
}

// flush records what is not recorded yet.
func (f *failures) flush(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.next) == 0 {
		return nil
	}
	return f.recordNext(ctx)
}

// recordNext records the batch. The caller holds mu.
func (f *failures) recordNext(ctx context.Context) error {
	if err := f.record(ctx, f.next); err != nil {
		return err
	}
	f.next = f.next[:0]
	return nil
}

// fail remembers why a unit is missing. That says nothing about others, which
// are fetched all the same, so that the next sync need not, unless upstream
// seems to be away altogether, or says that it wants to be left alone.
func (s *syncing) fail(ctx context.Context, w wanted, err error) error {
	s.mu.Lock()
	if s.failed == nil || w.line < s.failedLine {
		s.failed, s.failedLine = err, w.line
	}
	if later, ok := errors.AsType[*fetch.LaterError](err); ok && !later.File && s.over == nil {
		s.over = err
	}
	if kind := fault.KindOf(err); kind == fault.NotFound || kind == fault.BadInput || errors.Is(err, fetch.ErrRefused) {
		s.unanswered = 0
	} else if s.unanswered++; s.unanswered >= awayAfter && s.away == nil {
		s.away = err
	}
	s.mu.Unlock()
	// Clients are told what is wrong, but not the cause that is for the operator.
	s.c.Log.Debug("a file could not be fetched", "remote", s.remote.ID, "path", w.Path, "error", err)
	return s.failures.add(ctx, task.FailureOf(w.Path, s.address(w.Path), err))
}

// answered notes that upstream is not away.
func (s *syncing) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unanswered = 0
}

// end lets no more files be begun, because of a failure that is not of a file:
// of a disk, or of the database.
func (s *syncing) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over == nil {
		s.over = err
	}
}

// stopsBefore returns why a file is not begun; nil if it is. The last ones of the
// manifest are, though upstream seems to be away: that does not take long.
func (s *syncing) stopsBefore(w wanted) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over == nil && s.total-int64(w.line) >= awayAfter {
		return s.away
	}
	return s.over
}

// leaveOut notes that so many files are not begun.
func (s *syncing) leaveOut(files int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.untried += files
}

// isAway returns that files were not begun as upstream is away; nil if all were.
func (s *syncing) isAway() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.untried == 0 || s.away == nil {
		return nil
	}
	return fault.Wrap(s.away, fault.Unavailable, "%d files in a row could not be got, so %d of %d were not asked for: %s", awayAfter, s.untried, s.total, fault.Message(s.away))
}
