package fetch

import (
	"context"
	"io"
	"net/http"
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

// discard closes the body of a response that is not wanted. What is short is read
// first, so that the connection can be used again: a page that tells its length may
// have more than others.
func (w *watch) discard(response *http.Response) {
	most := int64(4 << 10)
	if n := response.ContentLength; n <= 64<<10 {
		most = max(most, n)
	}
	w.begin()
	io.CopyN(io.Discard, response.Body, most) //nolint:errcheck // then the connection is closed
	w.end()
	response.Body.Close()
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
