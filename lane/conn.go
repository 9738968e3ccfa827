package lane

import (
	"bytes"
	"cmp"
	"context"
	"net"
	"net/http"
	"runtime/debug"
	"time"
)

const (
	inSize   = 2 << 10 // bytes of a request; longer ones are not plain
	outSize  = 4 << 10 // bytes of an answer that are written at once
	bodySize = 2 << 10 // bytes of a body whose length nobody told are kept to count them, as many as net/http keeps
)

// conn is a connection that has brought nothing but plain requests.
type conn struct {
	server *Server
	tcp    *net.TCPConn
	open   *open
	blank  *http.Request // what all requests of the connection have
	until  time.Time     // when reading ends; zero for never

	in     [inSize]byte
	header http.Header // of the answer
	out    []byte
	body   []byte
	both   [2][]byte // what is written at once

	early []byte // what came before the last request was answered
}

func (s *Server) newConn(base context.Context, o *open) *conn {
	ctx := context.WithValue(base, http.LocalAddrContextKey, o.LocalAddr())
	if s.HTTP.ConnContext != nil {
		ctx = s.HTTP.ConnContext(ctx, o.TCPConn)
	}
	blank := &http.Request{
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Body:       http.NoBody,
		RemoteAddr: o.remote,
	}
	return &conn{
		server: s,
		tcp:    o.TCPConn,
		open:   o,
		blank:  blank.WithContext(ctx),
		header: make(http.Header, fewHeaders),
		out:    make([]byte, 0, outSize),
	}
}

// serve answers requests as long as they are plain. It closes the connection,
// or returns it, with what has been read and is not answered.
func (c *conn) serve() net.Conn {
	left := false
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			c.server.logf("http: panic serving %v: %v\n%s", c.blank.RemoteAddr, p, debug.Stack())
		}
		if !left {
			_ = c.open.Close()
		}
	}()
	limits := c.server.HTTP
	c.expect(c.open.accepted, cmp.Or(limits.ReadHeaderTimeout, limits.ReadTimeout))
	for {
		n, err := c.tcp.Read(c.in[:])
		if err != nil || !c.open.begin() {
			return nil
		}
		x := c.parse(c.in[:n])
		if x == nil {
			left = true
			return c.leftover(c.in[:n])
		}
		if !c.answer(x) || c.server.ending.Load() {
			return nil
		}
		if c.early != nil {
			left = true
			return c.leftover(c.early)
		}
		c.expect(c.open.rest(), cmp.Or(limits.IdleTimeout, limits.ReadTimeout))
	}
}

// expect bounds how long the next request may take to come from now on, or lets it
// take any time if that is 0. A bound that is up to a sixteenth longer serves as well: it
// need not be set anew for each request.
func (c *conn) expect(now time.Time, timeout time.Duration) {
	if timeout <= 0 {
		if !c.until.IsZero() {
			c.readUntil(time.Time{})
		}
		return
	}
	longer := timeout + timeout/16
	if rest := c.until.Sub(now); rest < timeout || rest > longer {
		c.readUntil(now.Add(longer))
	}
}

// readUntil bounds reading.
func (c *conn) readUntil(t time.Time) {
	c.until = t
	_ = c.tcp.SetReadDeadline(t) // else reading fails as well
}

// leftover is the connection for net/http, of which it reads what is given first.
func (c *conn) leftover(read []byte) net.Conn {
	c.readUntil(time.Time{})
	c.server.pass(c.open)
	return &leftover{c.open, bytes.Clone(read)}
}

// answer has a request answered, and reports whether there may be another.
func (c *conn) answer(x *exchange) bool {
	if cap(c.out) > outSize { // as headers were large
		c.out = make([]byte, 0, outSize)
	}
	c.out, c.body = c.out[:0], c.body[:0]
	c.handle(x)
	kept := x.answer.finish()
	if len(c.header) > maxHeaders { // which clearing does not make smaller
		c.header = http.Header{}
	}
	clear(c.header) // now, as its values may hold whatever the request took
	return kept
}

// handle calls the handler. The request's context has ended before the client can
// have all of the answer.
func (c *conn) handle(x *exchange) {
	defer x.watch.end()
	c.server.HTTP.Handler.ServeHTTP(&x.answer, x.request)
}

// write sends what is in out, and then p.
func (c *conn) write(p []byte) error {
	var err error
	if len(p) == 0 {
		_, err = c.tcp.Write(c.out)
	} else {
		c.both = [2][]byte{c.out, p}
		buffers := net.Buffers(c.both[:])
		_, err = buffers.WriteTo(c.tcp)
		c.both = [2][]byte{}
	}
	c.out = c.out[:0]
	return err
}
