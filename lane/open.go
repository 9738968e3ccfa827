package lane

import (
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"ream/quota"
)

// The states of a connection. Those from fresh on are idle: nothing is under way,
// since so many nanoseconds after it was accepted.
const (
	closed int64 = iota - 2 // for others, or as the server ends
	active                  // something is under way
	fresh                   // nothing has come yet
)

// open is a connection that counts, whoever serves it.
type open struct {
	*net.TCPConn
	server   *Server
	accepted time.Time
	remote   string // where it comes from
	client   string // whose it is
	state    atomic.Int64
}

func (s *Server) newOpen(tcp *net.TCPConn) *open {
	remote := tcp.RemoteAddr().String()
	return &open{TCPConn: tcp, server: s, accepted: time.Now(), remote: remote, client: quota.Address(remote)}
}

// begin says that something is under way. It reports false if the connection was
// closed before.
func (o *open) begin() bool {
	since := o.state.Load()
	return since >= fresh && o.state.CompareAndSwap(since, active)
}

// rest says that nothing is under way any more, and returns when that is.
func (o *open) rest() time.Time {
	since := time.Since(o.accepted) // which reads one clock, where time.Now reads two
	o.state.CompareAndSwap(active, max(int64(since), fresh+1))
	return o.accepted.Add(since)
}

// Close implements net.Conn.
func (o *open) Close() error {
	err := o.TCPConn.Close()
	o.server.mu.Lock()
	defer o.server.mu.Unlock()
	delete(o.server.conns, o)
	return err
}

// follow takes net/http's word for the states of the connections that it has, and
// passes it on. To net/http a request is under way once its head is complete.
func (s *Server) follow() {
	next := s.HTTP.ConnState
	s.HTTP.ConnState = func(c net.Conn, state http.ConnState) {
		if l, ok := c.(*leftover); ok {
			switch state {
			case http.StateNew, http.StateIdle:
				l.rest()
			case http.StateActive:
				l.begin() // or it is closed, which net/http finds out
			}
		}
		if next != nil {
			next(c, state)
		}
	}
}
