// Package lane answers plain requests with less work than net/http takes for
// them. A plain request is a GET or HEAD below one prefix that arrives as a
// whole, without a body, with headers that package clients send. At the first
// one that is anything else, the connection goes to net/http, with the bytes that
// were read of it. What handlers see and clients get is the same either way.
package lane

import (
	"context"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server answers plain requests itself, and has others answered by HTTP. Its
// methods are safe for concurrent use. It must not be copied, nor its fields be
// changed, once it serves.
type Server struct {
	// HTTP answers what is not plain. Its Handler, BaseContext, ConnContext,
	// ReadHeaderTimeout, IdleTimeout and ErrorLog hold for plain requests too.
	// Its ConnState hook hears only of connections that it gets.
	HTTP *http.Server

	// Prefix is where plain requests begin, such as "/content/". Handlers of what
	// lies there cannot hijack connections or set deadlines, send no trailers, and
	// leave Transfer-Encoding to the server.
	Prefix string

	ending atomic.Bool // no connection is kept
	date   atomic.Pointer[date]

	mu    sync.Mutex
	conns map[*conn]struct{} // those that HTTP has not got
}

// freshFor is how long a connection on which nothing has come yet may take to
// send its first request while the server shuts down: about as long as
// http.Server gives one.
const freshFor = 5 * time.Second

// Serve answers what comes over the connections that l accepts, until l fails, or
// Shutdown is called, after which it returns http.ErrServerClosed at once. It
// closes l.
func (s *Server) Serve(l net.Listener) error {
	base := context.Background()
	if s.HTTP.BaseContext != nil {
		base = s.HTTP.BaseContext(l)
	}
	base = context.WithValue(base, http.ServerContextKey, s.HTTP)
	left := &leftovers{Listener: l, conns: make(chan net.Conn), failures: make(chan error), closed: make(chan struct{})}
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		s.accept(base, left)
	}()
	err := s.HTTP.Serve(left)
	_ = left.Close() // HTTP does it too, but not before it has begun
	<-accepted
	return err
}

// Shutdown ends the server as http.Server.Shutdown does: it closes the
// listeners and the connections on which nothing is under way, and waits for the
// others, or for the context, whose error it returns.
func (s *Server) Shutdown(ctx context.Context) error {
	s.ending.Store(true)
	ended := make(chan error, 1)
	go func() { ended <- s.HTTP.Shutdown(ctx) }()
	err := s.drain(ctx)
	return firstOf(<-ended, err)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// drain waits for the connections that HTTP has not got.
func (s *Server) drain(ctx context.Context) error {
	wait := time.Millisecond
	for !s.closeIdle(time.Now()) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
			wait = min(2*wait, 500*time.Millisecond)
		}
	}
	return nil
}

// closeIdle closes connections on which nothing is under way, and reports whether
// none is left.
func (s *Server) closeIdle(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if now.Sub(c.accepted) > freshFor {
			c.state.CompareAndSwap(fresh, idle)
		}
		if c.state.CompareAndSwap(idle, closed) {
			_ = c.tcp.Close() // its goroutine finds out
		}
	}
	return len(s.conns) == 0
}

// accept serves connections until the listener is closed.
func (s *Server) accept(base context.Context, left *leftovers) {
	for {
		accepted, err := left.Listener.Accept()
		if err != nil {
			if !left.fail(err) {
				return
			}
			continue
		}
		tcp, ok := accepted.(*net.TCPConn)
		if !ok {
			left.leave(accepted)
			continue
		}
		c := s.newConn(base, tcp)
		s.mu.Lock()
		if s.conns == nil {
			s.conns = map[*conn]struct{}{}
		}
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		go func() {
			left.leave(c.serve())
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		}()
	}
}

func (s *Server) logf(format string, args ...any) {
	if s.HTTP.ErrorLog != nil {
		s.HTTP.ErrorLog.Printf(format, args...)
	} else {
		log.Printf(format, args...)
	}
}

// date is the text of a second.
type date struct {
	second int64
	text   string
}

// dateAt is a time as a Date header has it.
func (s *Server) dateAt(now time.Time) string {
	d, second := s.date.Load(), now.Unix()
	if d == nil || d.second != second {
		d = &date{second, now.UTC().Format(http.TimeFormat)}
		s.date.Store(d)
	}
	return d.text
}
