package lane

import (
	"bytes"
	"io"
	"net"
	"sync"
)

// leftovers is a listener that accepts the connections that are left to
// net/http.
type leftovers struct {
	net.Listener // the one that all connections come from
	conns        chan net.Conn
	failures     chan error

	once   sync.Once
	closed chan struct{}
}

// leave waits until somebody accepts a connection, or closes it if nobody will.
// It does nothing with nil.
func (l *leftovers) leave(c net.Conn) {
	if c == nil {
		return
	}
	select {
	case l.conns <- c:
	case <-l.closed:
		_ = c.Close()
	}
}

// fail has Accept fail, so that its caller gives up, unless it has closed the
// listener.
func (l *leftovers) fail(err error) {
	select {
	case l.failures <- err:
	case <-l.closed:
	}
}

// Accept implements net.Listener.
func (l *leftovers) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case err := <-l.failures:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *leftovers) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		close(l.closed)
		err = l.Listener.Close()
	})
	return err
}

// leftover is a connection of which something was read already.
type leftover struct {
	*open
	read []byte // what comes first
}

// Read implements io.Reader.
func (l *leftover) Read(p []byte) (int, error) {
	if len(l.read) == 0 || len(p) == 0 {
		return l.TCPConn.Read(p)
	}
	n := copy(p, l.read)
	if l.read = l.read[n:]; len(l.read) == 0 {
		l.read = nil
	}
	return n, nil
}

// WriteTo implements io.WriterTo.
func (l *leftover) WriteTo(w io.Writer) (int64, error) {
	var n int64
	if len(l.read) > 0 {
		first := bytes.NewReader(l.read)
		l.read = nil
		var err error
		if n, err = first.WriteTo(w); err != nil {
			return n, err
		}
	}
	m, err := l.TCPConn.WriteTo(w)
	return n + m, err
}
