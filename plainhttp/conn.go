package plainhttp

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"syscall"
	"time"
)

// Sizes of a connection's buffers, in bytes: the head of an answer and the whole of
// a small file come in one read, and a request leaves in one write.
const (
	readBuffer  = 16 << 10
	writeBuffer = 2 << 10
)

// conn is a connection. One request at a time has it.
type conn struct {
	net.Conn
	transport *Transport
	address   string
	in        *bufio.Reader
	out       *bufio.Writer
	interrupt func()          // ends what waits for the network
	raw       syscall.RawConn // nil if it cannot be kept
	since     time.Time       // that it is kept, by the clock on the wall: a machine may sleep

	answered bool  // whether a byte came since the last request
	room     int64 // bytes that may still be read: of heads, and what comes in one read with them
}

func newConn(t *Transport, address string, nc net.Conn) *conn {
	c := &conn{Conn: nc, transport: t, address: address, out: bufio.NewWriterSize(nc, writeBuffer)}
	c.in = bufio.NewReaderSize(c, readBuffer)
	c.interrupt = func() { nc.Close() }
	if s, ok := nc.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn() // fails only once it is closed
	}
	return c
}

// Read implements io.Reader, for the buffer.
func (c *conn) Read(p []byte) (int, error) {
	if c.room == 0 {
		return 0, fmt.Errorf("plainhttp: the response's headers have more than %d bytes", c.transport.MaxHead)
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.room)])
	c.room -= int64(n)
	c.answered = c.answered || n > 0
	return n, err
}

// exchange sends a request and reads the head of its response, whose body then has
// the connection. If it fails, the connection cannot be used any more.
func (c *conn) exchange(r *http.Request) (*http.Response, error) {
	c.answered, c.room = false, c.transport.MaxHead
	b := &body{conn: c, request: r, leave: context.AfterFunc(r.Context(), c.interrupt)}
	response, err := c.send(r)
	if err != nil {
		b.leave()
		return nil, err
	}
	c.room = math.MaxInt64
	b.keep = !response.Close && response.StatusCode != http.StatusSwitchingProtocols && c.raw != nil
	if response.Body == http.NoBody {
		b.end(io.EOF)
		return response, nil
	}
	b.from = response.Body
	response.Body = b
	return response, nil
}

func (c *conn) send(r *http.Request) (*http.Response, error) {
	if err := r.Write(c.out); err != nil {
		return nil, err
	}
	if err := c.out.Flush(); err != nil {
		return nil, err
	}
	for {
		if _, err := c.in.Peek(1); err != nil {
			return nil, err
		}
		if response := c.readPlain(r); response != nil {
			return response, nil
		}
		response, err := http.ReadResponse(c.in, r)
		if err != nil || response.StatusCode/100 != 1 || response.StatusCode == http.StatusSwitchingProtocols {
			return response, err
		}
	}
}

// body is that of a response. It gives the connection back at its end.
type body struct {
	conn    *conn
	request *http.Request
	from    io.ReadCloser
	leave   func() bool // the request's context; false if that has ended
	keep    bool        // whether the connection may have another request
	err     error       // that it ended with
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.from.Read(p)
	if err != nil {
		b.end(err)
	}
	return n, b.err
}

// Close implements io.Closer.
func (b *body) Close() error {
	if b.err == nil {
		b.end(http.ErrBodyReadAfterClose)
	}
	return nil
}

// end keeps the connection if everything was read, and closes it otherwise.
func (b *body) end(err error) {
	b.err = err
	if err != io.EOF {
		b.err = cause(b.request.Context(), err)
	}
	if b.leave() && err == io.EOF && b.keep && b.conn.in.Buffered() == 0 {
		b.conn.transport.pool.put(b.conn)
		return
	}
	b.conn.Close()
}
