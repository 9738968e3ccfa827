package blob

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// fewer is how many requests are made again at once of those that an overloaded
// store has refused. Those behind them wait, and so are no load to it.
const fewer = 4

// The pauses before a request is made again grow from firstPause to
// longestPause times that.
const (
	firstPause   = time.Second
	longestPause = 16
)

// persist makes a request of an upload, and makes it again when the store is
// overloaded or restarts: until patience is at its end, or ctx. The client of the
// store has tried a few times by then, for seconds, which is as long as those who
// read may wait.
func (s *S3) persist(ctx context.Context, request func() error) error {
	err := request()
	began := time.Now()
	for pause := s.pause; isPassing(err); pause = min(2*pause, longestPause*s.pause) {
		if time.Since(began)+pause > s.patience {
			return err
		}
		if err := wait(ctx, pause/2+rand.N(pause/2+1)); err != nil {
			return err
		}
		select {
		case s.again <- struct{}{}:
		case <-ctx.Done():
			return ended(ctx)
		}
		err = request()
		<-s.again
	}
	return err
}

// wait waits for a time, unless ctx ends.
func wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}

func ended(ctx context.Context) error {
	return fmt.Errorf("wait for the store: %w", context.Cause(ctx))
}
