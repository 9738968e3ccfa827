package resolvers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/gorilla/websocket"

	"ream/quota"
)

// closeTimeout is how long a client may take to receive a close frame, and
// then to answer it.
const closeTimeout = time.Second

// socket is one connection, as gqlgen uses it. It keeps clients to the protocol
// and frees itself of those that do not read. NextReader and drain are for the
// goroutine that serves the request; everything else may be called concurrently.
type socket struct {
	conn     *websocket.Conn
	options  WebsocketOptions
	talk     *conversation
	stopping func() error // not nil once the server stops
	stopped  <-chan struct{}
	overrun  bool // a message was too long to be read

	writing sync.Mutex // gorilla allows one writer of messages

	mu      sync.Mutex
	client  string       // as quota knows it
	expired func() error // why Init's context ended, nil while it has not; unset before Init
	closing bool         // a close frame was sent or received, or nobody is there to get it
	ending  Close        // why, once it is closing
}

var _ interface {
	transport.WebsocketConn
	transport.WebsocketReadDeadliner
} = (*socket)(nil)

// newSocket takes conn over, for a request with that context; free must be called.
func newSocket(ctx context.Context, conn *websocket.Conn, o WebsocketOptions) *socket {
	s := &socket{
		conn:     conn,
		options:  o,
		talk:     newConversation(conn.Subprotocol() == olderProtocol, o.MaxSubscriptions),
		stopping: ctx.Err,
		stopped:  ctx.Done(),
		client:   quota.ClientOf(ctx),
	}
	conn.SetReadLimit(o.MaxMessage)
	_ = conn.SetReadDeadline(time.Now().Add(o.InitTimeout))
	if s.talk.older {
		conn.SetPongHandler(func(string) error { return s.awaitPong() })
	}
	return s
}

// admit keeps what Init's context says: who the client is, and that it has to
// leave, and why.
func (s *socket) admit(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client, s.expired = quota.ClientOf(ctx), func() error { return context.Cause(ctx) }
}

// NextReader returns the next message that gqlgen is to see.
func (s *socket) NextReader() (int, io.Reader, error) {
	for {
		kind, text, err := s.read()
		if err != nil {
			return 0, nil, s.readFailed(err)
		}
		if !s.pace() {
			return 0, nil, transport.ErrWebsocketClosed
		}
		v := s.talk.received(kind == websocket.TextMessage, text)
		if v.initialized {
			_ = s.SetReadDeadline(time.Time{})
			if s.talk.older {
				_ = s.awaitPong()
			}
		}
		switch {
		case v.code != 0:
			s.sayClose(v.code, v.reason)
			return 0, nil, transport.ErrWebsocketClosed
		case v.reply != nil:
			if err := s.write(v.reply); err != nil {
				return 0, nil, err
			}
		case v.forward != nil:
			return kind, bytes.NewReader(v.forward), nil
		}
	}
}

// pace counts a message of the client. One that says too much at once is heard
// later, and what it says next waits in the network. It reports whether the
// server goes on meanwhile.
func (s *socket) pace() bool {
	s.mu.Lock()
	client := s.client
	s.mu.Unlock()
	for wait := s.options.Rate.Take(client); wait > 0; wait = s.options.Rate.Take(client) {
		select {
		case <-time.After(wait):
		case <-s.stopped:
			return false
		}
	}
	return true
}

func (s *socket) read() (int, []byte, error) {
	kind, r, err := s.conn.NextReader()
	if err != nil {
		return 0, nil, err
	}
	text, err := io.ReadAll(r)
	return kind, text, err
}

// readFailed tells gqlgen, and the client if it is still there, why nothing
// more is read.
func (s *socket) readFailed(err error) error {
	if e, ok := errors.AsType[*websocket.CloseError](err); ok {
		s.startClosing(Close{e.Code, "client"}) // gorilla answered the client's close frame
		return transport.ErrWebsocketClosed
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() && !s.talk.initialized() {
		s.sayClose(closeInitTimeout, "Connection initialisation timeout")
	}
	ending := Close{websocket.CloseAbnormalClosure, "client"}
	if s.overrun = errors.Is(err, websocket.ErrReadLimit); s.overrun { // gorilla sent the close frame
		ending = Close{websocket.CloseMessageTooBig, "server"}
	}
	if s.startClosing(ending) {
		return err
	}
	return transport.ErrWebsocketClosed
}

// WriteJSON sends a message of gqlgen's. A client that does not take it in time
// loses the connection.
func (s *socket) WriteJSON(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	text, err = s.talk.sent(text)
	if err != nil || text == nil {
		return err
	}
	return s.write(text)
}

func (s *socket) write(text []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.isClosing() {
		return transport.ErrWebsocketClosed
	}
	// A deadline that the socket does not take shows in the write itself.
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.options.WriteTimeout))
	err := s.conn.WriteMessage(websocket.TextMessage, text)
	if err == nil && s.talk.older {
		err = s.pingOlder(text)
	}
	if err != nil {
		s.options.traffic.writeFailed(err)
		s.free()
	}
	return err
}

// pingOlder sends a ping with each keep-alive message of the older protocol,
// which has no pings of its own.
func (s *socket) pingOlder(text []byte) error {
	if !bytes.Equal(text, []byte(`{"type":"ka"}`)) {
		return nil
	}
	return s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(s.options.WriteTimeout))
}

func (s *socket) awaitPong() error {
	return s.SetReadDeadline(time.Now().Add(2 * s.options.PingInterval))
}

// WriteClose closes the socket for gqlgen, which knows few reasons: its normal
// closure stands also for a context that ended.
func (s *socket) WriteClose(code int, reason string) error {
	s.mu.Lock()
	expired := s.expired
	s.mu.Unlock()
	switch {
	case code != transport.WebsocketCloseNormalClosure:
	case s.stopping() != nil:
		s.restart()
	case expired != nil:
		if cause := expired(); cause != nil {
			code, reason = closeForbidden, "Forbidden: "+cause.Error()
		}
	}
	s.sayClose(code, reason)
	return nil
}

// restart tells the client to come back later.
func (s *socket) restart() { s.sayClose(websocket.CloseServiceRestart, "Service restart") }

// drain waits a little for the client's answer to the close frame: to close a
// connection while something unread lies in it destroys what is on its way.
func (s *socket) drain() {
	if !s.isClosing() {
		return
	}
	if s.overrun {
		_ = s.conn.NetConn().SetReadDeadline(time.Now().Add(closeTimeout))
		_, _ = io.Copy(io.Discard, s.conn.NetConn())
		return
	}
	for {
		if _, _, err := s.conn.NextReader(); err != nil {
			return
		}
	}
}

// sayClose sends a close frame if none was sent, and lets reading end when the
// client answers it, or soon.
func (s *socket) sayClose(code int, reason string) {
	if !s.startClosing(Close{code, "server"}) {
		return
	}
	deadline := time.Now().Add(closeTimeout)
	// A write that is stuck must not hold the frame up for longer.
	_ = s.conn.NetConn().SetWriteDeadline(deadline)
	if s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, closeReason(reason)), deadline) != nil {
		s.free()
		return
	}
	_ = s.conn.SetReadDeadline(deadline)
}

// Close is called by gqlgen after WriteClose, which arranged for the end.
func (s *socket) Close() error {
	if !s.isClosing() {
		s.free()
	}
	return nil
}

// free gives the connection back to the system.
func (s *socket) free() {
	s.startClosing(Close{websocket.CloseAbnormalClosure, "server"})
	_ = s.conn.Close()
}

// startClosing reports whether the socket was not closing before.
func (s *socket) startClosing(why Close) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.closing, s.ending = true, why
	return true
}

func (s *socket) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// Subprotocol is what client and server speak.
func (s *socket) Subprotocol() string { return s.conn.Subprotocol() }

// SetReadDeadline is when the client has to be heard of. A socket that closes
// keeps its own.
func (s *socket) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil
	}
	return s.conn.SetReadDeadline(t)
}

// closeReason cuts a reason to what a close frame has room for.
func closeReason(s string) string {
	const room = 123
	if len(s) > room {
		s = s[:room-len("…")]
		for len(s) > 0 && s[len(s)-1] >= 0x80 { // a character may be cut in two
			s = s[:len(s)-1]
		}
		s += "…"
	}
	return s
}
