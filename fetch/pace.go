package fetch

import (
	"io"
	"time"

	"golang.org/x/time/rate"
)

// newRate returns a limit of bytes per second; nil for 0. Up to an eighth of a
// second's bytes, but a kilobyte at least, may come at once.
func newRate(bytesPerSecond int64) *rate.Limiter {
	if bytesPerSecond == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytesPerSecond), int(max(1<<10, min(bytesPerSecond/8, 1<<20))))
}

// pacedReader reads no faster than the limits let it.
type pacedReader struct {
	from   io.Reader
	limits []*rate.Limiter
	most   int // bytes at once
	wait   func(time.Duration) error
}

// newPacedReader leaves out limits that are nil, and reads as it is without
// any.
func newPacedReader(from io.Reader, wait func(time.Duration) error, limits ...*rate.Limiter) io.Reader {
	r := &pacedReader{from: from, wait: wait, most: 1 << 20}
	for _, l := range limits {
		if l != nil {
			r.limits = append(r.limits, l)
			r.most = min(r.most, l.Burst())
		}
	}
	if len(r.limits) == 0 {
		return from
	}
	return r
}

func (r *pacedReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p[:min(len(p), r.most)])
	for _, l := range r.limits {
		if delay := l.ReserveN(time.Now(), n).Delay(); delay > 0 {
			if err := r.wait(delay); err != nil {
				return n, err
			}
		}
	}
	return n, err
}
