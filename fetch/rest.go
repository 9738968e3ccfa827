package fetch

import (
	"context"
	"sync"
	"time"

	"ream/fault"
)

const (
	maxRetryAfter = 2 * time.Minute // how long a download waits at most for an upstream that wants to be left alone
	maxRest       = 24 * time.Hour  // how long one is left alone at most: what says more is likely wrong
)

// LaterError is in the error, an Unavailable one, of a file that upstream is not
// asked for, or not again, since it wants to be left alone for longer than the
// download waits.
type LaterError struct {
	Until time.Time
	File  bool // it is about that file; others may be asked for
}

func (e *LaterError) Error() string {
	return "it wants to be left alone until " + e.Until.UTC().Format(time.RFC3339)
}

// rest is how long an upstream wants to be left alone: by all who ask in the same
// way, if it answers 429, or as for one file, which may be all that is not there
// for a while.
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

// await returns once the file may be asked for, or fails with a LaterError if that
// is not soon.
func (d *download) await(ctx context.Context) error {
	for {
		until, why := d.s.rest.get()
		file := false
		if its, reason := d.rest.get(); its.After(until) {
			until, why, file = its, reason, true
		}
		left := until.Sub(d.s.c.config.Now())
		if left <= 0 {
			return nil
		}
		if left > d.req.patience() {
			err := &LaterError{until, file}
			return fault.Wrap(err, fault.Unavailable, "%s: %s: %v", d.name, why, err)
		}
		if err := d.s.c.config.Wait(ctx, left); err != nil {
			return err
		}
	}
}
