package fetch

import (
	"context"
	"io"
	"time"
)

// watch gives an attempt up when upstream stands still. Only the time spent
// waiting for it counts, not the time that others take.
type watch struct {
	after  time.Duration
	giveUp context.CancelCauseFunc
	timer  *time.Timer
}

func (w *watch) begin() {
	if w.timer == nil {
		w.timer = time.AfterFunc(w.after, func() { w.giveUp(errStalled) })
		return
	}
	w.timer.Reset(w.after)
}

func (w *watch) end() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// discard closes a body that is not wanted. What is short is read first, so
// that the connection can be used again.
func (w *watch) discard(body io.ReadCloser) {
	w.begin()
	io.CopyN(io.Discard, body, 4<<10) //nolint:errcheck // then the connection is closed
	w.end()
	body.Close()
}

// watchedReader reads under a watch, and no more once the attempt is over.
type watchedReader struct {
	from    io.Reader
	watch   *watch
	stopped func() error
}

func (r *watchedReader) Read(p []byte) (int, error) {
	if err := r.stopped(); err != nil {
		return 0, err
	}
	r.watch.begin()
	defer r.watch.end()
	return r.from.Read(p)
}
