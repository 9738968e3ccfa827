// Package lane answers plain requests with less work than net/http takes for
// them. A plain request is a GET or HEAD below one prefix that arrives as a
// whole, without a body, with headers that package clients send. At the first
// one that is anything else, the connection goes to net/http, with the bytes that
// were read of it. What handlers see and clients get is the same either way.
package lane

import (
	"cmp"
	"context"
	"errors"
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
	// HTTP answers what is not plain. Its Handler, which may not be nil, BaseContext,
	// ConnContext, ReadHeaderTimeout, IdleTimeout, ReadTimeout where it stands for
	// these, and ErrorLog hold for plain requests too; nothing else that it can be
	// told does. It asks BaseContext and ConnContext again for what it gets. Serve
	// puts a ConnState before its own.
	HTTP *http.Server

	// Prefix is where plain requests begin, such as "/content/". Handlers of what
	// lies there cannot hijack connections or set deadlines, flush by an
	// http.ResponseController alone, send no trailers, and leave Transfer-Encoding to
	// the server. The header of an answer is the next one's once they have returned.
	Prefix string

	// MaxConns is how many TCP connections may be open at once, those of HTTP and those
	// that handlers took over included; 0 for any number. A new one takes the place of
	// one on which no request is under way: of the client, by address as package quota
	// tells them, that has most, the one that is idle for longest. It is closed itself
	// if that is the one, as when no other is idle.
	MaxConns int

	ending atomic.Bool // no connection is kept
	date   atomic.Pointer[date]
	once   sync.Once // to follow HTTP

	mu        sync.Mutex
	accepting int            // how many listeners are asked for connections
	conns     map[*open]bool // with whether HTTP has them
	displaced int64          // connections that were closed for others
	told      time.Time      // that there were any
}

// freshFor is how long a connection on which nothing has come yet may take to
// send its first request while the server shuts down: about as long as
// http.Server gives one.
const freshFor = 5 * time.Second

// Serve answers what comes over the connections that l accepts, until l fails, or
// Shutdown is called, after which it returns http.ErrServerClosed at once. It
// closes l.
func (s *Server) Serve(l net.Listener) error {
	s.once.Do(s.follow)
	base := context.Background()
	if s.HTTP.BaseContext != nil {
		base = s.HTTP.BaseContext(l)
	}
	base = context.WithValue(base, http.ServerContextKey, s.HTTP)
	left := &leftovers{Listener: l, conns: make(chan net.Conn), failures: make(chan error), closed: make(chan struct{})}
	s.mu.Lock()
	s.accepting++
	s.mu.Unlock()
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		s.accept(base, left)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.accepting--
	}()
	err := s.HTTP.Serve(left) // which closes it
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
	return cmp.Or(<-ended, err)
}

// drain waits until nothing is accepted any more, and for the connections that
// HTTP has not got.
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
	ended := s.accepting == 0
	for o, passed := range s.conns {
		if passed {
			continue
		}
		ended = false
		state := o.state.Load()
		if (state > fresh || state == fresh && now.Sub(o.accepted) > freshFor) && o.state.CompareAndSwap(state, closed) {
			_ = o.TCPConn.Close() // its goroutine finds out
		}
	}
	return ended
}

// accept serves connections until the listener is closed. If it cannot for now,
// as when too many files are open, it waits a while: those whose connections go to
// HTTP are not to wait with it.
func (s *Server) accept(base context.Context, left *leftovers) {
	const least, most = 5 * time.Millisecond, time.Second
	wait := least
	for {
		accepted, err := left.Listener.Accept()
		if err != nil {
			//lint:ignore SA1019 net/http tells what passes by it as well
			if passing, ok := errors.AsType[net.Error](err); !ok || !passing.Temporary() {
				left.fail(err)
				return
			}
			s.logf("http: Accept error: %v; retrying in %v", err, wait)
			select {
			case <-time.After(wait):
			case <-left.closed:
				return
			}
			wait = min(2*wait, most)
			continue
		}
		wait = least
		tcp, ok := accepted.(*net.TCPConn)
		if !ok {
			left.leave(accepted)
			continue
		}
		o := s.newOpen(tcp)
		if !s.add(o) {
			_ = o.Close()
			continue
		}
		c := s.newConn(base, o)
		go func() { left.leave(c.serve()) }()
	}
}

// pass says that HTTP gets a connection.
func (s *Server) pass(o *open) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.conns[o]; ok {
		s.conns[o] = true
	}
}

func (s *Server) logf(format string, args ...any) {
	if s.HTTP.ErrorLog != nil {
		s.HTTP.ErrorLog.Printf(format, args...)
	} else {
		log.Printf(format, args...)
	}
}

// date is the header of a second.
type date struct {
	line  string
	until time.Time // the second's end
}

// dateLine is the line of the Date header.
func (s *Server) dateLine() string {
	d := s.date.Load()
	if d == nil || time.Until(d.until) <= 0 { // which reads one clock, where time.Now reads two
		now := time.Now()
		d = &date{"Date: " + now.UTC().Format(http.TimeFormat) + "\r\n", now.Add(time.Second - time.Duration(now.Nanosecond()))}
		s.date.Store(d)
	}
	return d.line
}
