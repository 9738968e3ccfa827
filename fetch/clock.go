package fetch

import (
	"context"
	"time"
)

// clock gives an attempt up when the time for all of them is over. It stands
// still while the download waits for its turn, or not to be too fast. A nil clock
// has no end.
type clock struct {
	left  time.Duration
	began time.Time
	timer *time.Timer
}

// newClock returns a clock that ends after a while; nil if that is 0.
func newClock(total time.Duration) *clock {
	if total == 0 {
		return nil
	}
	return &clock{left: total}
}

func (c *clock) begin(giveUp context.CancelCauseFunc) {
	if c == nil {
		return
	}
	c.began = time.Now()
	c.timer = time.AfterFunc(c.left, func() { giveUp(errTooLong) })
}

func (c *clock) end() {
	if c == nil {
		return
	}
	c.timer.Stop()
	c.left -= time.Since(c.began)
}
