package fetch

import (
	"context"
	"sync"
	"time"

	"ream/fault"
)

const (
	maxRetryAfter = 5 * time.Minute // how long an attempt waits at most for an upstream that wants to be left alone
	maxRest       = 24 * time.Hour  // how long one is left alone at most: what says more is likely wrong
)

// LaterError is in the error, an Unavailable one that tells all of it, of a file
// that upstream is not asked for, or not again, since it wants to be left alone
// for longer than the download waits.
type LaterError struct {
	Until time.Time
	File  bool // it is about that file; others may be asked for
}

func (e *LaterError) Error() string { return "Retry-After" }

// rest is how long an upstream wants to be left alone: by all who ask in the same
// way, if it answers 429 itself, or as for one file, which may be all that is not
// there for a while, for as long as that download goes on.
type rest struct {
	mu    sync.Mutex
	until time.Time
	why   string
}

// extend notes what upstream says. What it said before holds as well.
func (r *rest) extend(until time.Time, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if until.After(r.until) {
		r.until, r.why = until, why
	}
}

func (r *rest) get() (until time.Time, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.until, r.why
}

// restOf is what a failure prolongs.
func (d *download) restOf(passing *passingError) *rest {
	if passing.ofAll {
		return &d.s.rest
	}
	return &d.rest
}

// resting is until when the file may not be asked for, if that has not passed, and
// whether that is about this file alone.
func (d *download) resting() (until time.Time, why string, file bool) {
	until, why = d.s.rest.get()
	if its, reason := d.rest.get(); its.After(until) {
		until, why, file = its, reason, true
	}
	if !until.After(d.s.c.config.Now()) {
		until = time.Time{}
	}
	return until, why, file
}

// await returns once the file may be asked for, or fails with a LaterError if that
// is not before a time.
func (d *download) await(ctx context.Context, patient time.Time) error {
	for {
		until, why, file := d.resting()
		if until.IsZero() {
			return nil
		}
		if until.After(patient) {
			return fault.Wrap(&LaterError{until, file}, fault.Unavailable, "%s: %s: it wants to be left alone until %s", d.name, why, until.UTC().Format(time.RFC3339))
		}
		if err := d.s.c.config.Wait(ctx, until.Sub(d.s.c.config.Now())); err != nil {
			return err
		}
	}
}

// enter waits until the source may be asked for one more file, by all that it
// says. Who waits for it to be asked again keeps nobody else from a connection.
func (d *download) enter(ctx context.Context) error {
	patient := d.s.c.config.Now().Add(d.req.patience())
	for {
		if err := d.await(ctx, patient); err != nil {
			return err
		}
		if err := d.s.slots.Acquire(ctx, 1); err != nil {
			return err
		}
		if until, _, _ := d.resting(); until.IsZero() {
			return nil
		}
		d.s.slots.Release(1)
	}
}
