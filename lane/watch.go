package lane

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// watch is the context of a request. It ends with the request, with the server's
// context, and when the client goes away. Most requests are answered before
// anybody could know of that: the connection is watched only once somebody
// asks for Done or Err.
type watch struct {
	context.Context // of the connection
	conn            *conn

	watched atomic.Pointer[watched]
	mu      sync.Mutex // held to start and to end
	over    bool
}

// watched is a context that somebody waits for.
type watched struct {
	context.Context
	cancel context.CancelFunc
	read   chan struct{} // closed when nobody reads the connection any more
}

// Done implements context.Context.
func (w *watch) Done() <-chan struct{} {
	if found := w.watched.Load(); found != nil {
		return found.Done()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if found := w.watched.Load(); found != nil {
		return found.Done()
	}
	ctx, cancel := context.WithCancel(w.Context)
	found := &watched{ctx, cancel, make(chan struct{})}
	if w.over {
		cancel()
		close(found.read)
	} else {
		w.conn.readUntil(time.Time{})
		go func() {
			defer close(found.read)
			w.conn.listen(cancel)
		}()
	}
	w.watched.Store(found)
	return found.Done()
}

// Err implements context.Context.
func (w *watch) Err() error {
	w.Done()
	return w.watched.Load().Err()
}

// Value implements context.Context. The contexts that others derive find the one
// that is watched by it.
func (w *watch) Value(key any) any {
	if found := w.watched.Load(); found != nil {
		return found.Value(key)
	}
	return w.Context.Value(key)
}

// end says that the handler has returned. Nobody reads the connection any more
// once it returns.
func (w *watch) end() {
	w.mu.Lock()
	w.over = true
	found := w.watched.Load()
	w.mu.Unlock()
	if found == nil {
		return
	}
	found.cancel()
	w.conn.readUntil(time.Unix(1, 0))
	<-found.read
}

// listen reads a byte, which comes only when the client sends more before it has
// its answer, and calls gone if there will be none.
func (c *conn) listen(gone func()) {
	var one [1]byte
	n, err := c.tcp.Read(one[:])
	if n > 0 {
		c.early = append(c.early, one[0])
	} else if err != nil {
		gone() // or the request has ended, which makes no difference
	}
}
