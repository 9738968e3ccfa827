package worker

import (
	"context"
	"log/slog"
	"time"
)

// Schedules are what a scheduler fires.
type Schedules interface {
	// FireDue fires all that are due and returns when the next one is, which is
	// past while another process fires it; the zero time if none is planned.
	FireDue(context.Context) (next time.Time, err error)
}

// Bounds of how long a scheduler waits. After an error, and while another
// process fires what is due, it looks again soon: the other one may have died.
// It never waits long, because clocks are set and notices are lost.
const (
	soon    = time.Second
	longest = time.Minute
)

// Scheduler fires schedules when they are due. Any number of processes may
// have one for the same schedules.
type Scheduler struct {
	schedules Schedules
	now       func() time.Time
	log       *slog.Logger
	wake      chan struct{}
}

// NewScheduler returns a scheduler that fires once it runs, by the clock now.
func NewScheduler(schedules Schedules, now func() time.Time, log *slog.Logger) *Scheduler {
	return &Scheduler{schedules: schedules, now: now, log: log, wake: make(chan struct{}, 1)}
}

// Wake tells the scheduler that schedules changed. It never blocks.
func (s *Scheduler) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run fires schedules until ctx ends.
func (s *Scheduler) Run(ctx context.Context) error {
	for {
		wait := longest
		next, err := s.schedules.FireDue(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.log.Warn("firing schedules failed", "error", err)
			wait = soon
		case !next.IsZero():
			if wait = next.Sub(s.now()); wait <= 0 {
				wait = soon
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-time.After(min(wait, longest)):
		}
	}
}
