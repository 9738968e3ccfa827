package task_test

import (
	"math"
	"testing"
	"time"

	"ream/task"
)

// TestProgressOfTooMuch asks for the pace of what an upstream says to be more
// than a number of nanoseconds can tell.
func TestProgressOfTooMuch(t *testing.T) {
	t.Parallel()
	now := time.Now()
	since := now.Add(-time.Microsecond)
	p := task.Progress{BytesDone: math.MaxInt64 - 1, BytesTotal: math.MaxInt64, Since: &since}
	if got := p.BytesPerSecond(now); got <= 0 {
		t.Errorf("bytes per second: got %d", got)
	}
	since = now.Add(-time.Hour)
	p.BytesDone = 1
	if got, known := p.Remaining(now); !known || got <= 0 {
		t.Errorf("remaining: got %v, %t", got, known)
	}
}
