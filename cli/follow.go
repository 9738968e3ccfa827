package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"ream/cli/client"
)

// How a lost connection is made again: soon, then ever more seldom, until the
// server has not been heard of for the patience.
const (
	firstDelay = 200 * time.Millisecond
	lastDelay  = 10 * time.Second
	patience   = 5 * time.Minute
)

// follower shows work until it has finished.
type follower struct {
	client *client.Client
	screen *screen
	now    func() time.Time
	// wait returns after a while, or with ctx's error when that ends.
	wait func(ctx context.Context, d time.Duration) error
}

func newFollower(c *client.Client, env Env) *follower {
	return &follower{client: c, screen: newScreen(env), now: time.Now, wait: pause}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// follow shows work until it has finished, and returns its last frame. It
// connects again when the connection is lost.
func (f *follower) follow(ctx context.Context, id string) (client.Work, error) {
	var last client.Work
	var lost time.Time // zero while the server is heard of
	delay := firstDelay
	for {
		err := f.client.Watch(ctx, id, func(w client.Work) error {
			last, lost, delay = w, time.Time{}, firstDelay
			return f.screen.show(w)
		})
		if err == nil || !passes(err) {
			return last, err
		}
		if lost.IsZero() {
			lost = f.now()
		}
		if f.now().Sub(lost) > patience {
			return last, fmt.Errorf("no answer for %s: %w. Follow it again with \"ream watch %s\"", duration(patience), err, id)
		}
		if err := f.screen.note(err.Error() + "; connecting again"); err != nil {
			return last, err
		}
		// Those that were cut off together do not come back together.
		if err := f.wait(ctx, delay/2+rand.N(delay/2)); err != nil {
			return last, err
		}
		delay = min(2*delay, lastDelay)
	}
}

// passes tells whether what went wrong may be well again by itself.
func passes(err error) bool {
	if refused, ok := errors.AsType[*client.Error](err); ok {
		return refused.Code == "UNAVAILABLE" || refused.Code == "RATE_LIMITED"
	}
	return errors.Is(err, client.ErrDropped)
}
