package resolvers

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"

	"ream/quota"
)

// closeTimeout is how long a client may take to receive a close frame, and
// then to answer it.
const closeTimeout = time.Second

// socket is one connection. It keeps clients to the protocol and frees itself
// of those that do not read. What reads is for the goroutine that serves it;
// everything else may be called concurrently.
type socket struct {
	conn    *websocket.Conn
	exec    graphql.GraphExecutor
	options *WebsocketOptions
	talk    *conversation
	base    context.Context // ends when the server stops, and with the connection
	ctx     context.Context // of the operations: Init's, until the socket closes; nil before
	overrun bool            // a message was too long to be read

	running sync.WaitGroup // operations

	writing sync.Mutex // gorilla allows one writer of messages

	mu      sync.Mutex
	client  string      // as quota knows it
	cancel  func()      // ends ctx; nil before Init
	pings   *time.Timer // when the client is asked next whether it is there; nil before Init
	closing bool        // a close frame was sent or received, or nobody is there to get it
	ending  Close       // why, once it is closing
}

// newSocket takes conn over; free must be called.
func newSocket(base context.Context, conn *websocket.Conn, exec graphql.GraphExecutor, o *WebsocketOptions) *socket {
	s := &socket{
		conn:    conn,
		exec:    exec,
		options: o,
		talk:    newConversation(conn.Subprotocol() == olderProtocol, o.MaxSubscriptions),
		base:    base,
		client:  quota.ClientOf(base),
	}
	conn.SetReadLimit(o.MaxMessage)
	_ = conn.SetReadDeadline(time.Now().Add(o.InitTimeout))
	if s.talk.older {
		conn.SetPongHandler(func(string) error { return s.awaitPong() })
	}
	return s
}

// serve listens to the client until either side ends the connection.
func (s *socket) serve() {
	defer context.AfterFunc(s.base, s.restart)()
	if s.conn.Subprotocol() == "" {
		s.sayClose(closeNoProtocol, "Subprotocol not acceptable")
	} else {
		s.listen()
	}
	s.drain()
	s.free()
}

// listen does what the client says.
func (s *socket) listen() {
	for {
		kind, text, err := s.read()
		if err != nil {
			s.readFailed(err)
			return
		}
		if !s.pace() {
			return
		}
		switch v := s.talk.received(kind == websocket.TextMessage, text); {
		case v.code != 0:
			s.sayClose(v.code, v.reason)
			return
		case v.init:
			var stays bool
			elsewhere(func() { stays = s.init(v.payload) })
			if !stays {
				return
			}
		case v.reply != nil:
			_ = s.write(v.reply)
		case v.alive:
			_ = s.awaitPong()
		case v.begin != nil:
			elsewhere(func() { s.begin(v.begin) })
		case v.end != nil:
			v.end.cancel()
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
		case <-s.base.Done():
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

// readFailed tells the client, if it is still there, why nothing more is read.
func (s *socket) readFailed(err error) {
	if e, ok := errors.AsType[*websocket.CloseError](err); ok {
		s.startClosing(Close{e.Code, "client"}) // gorilla answered the client's close frame
		return
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() && !s.talk.initialized() {
		s.sayClose(closeInitTimeout, "Connection initialisation timeout")
	}
	ending := Close{websocket.CloseAbnormalClosure, "client"}
	if s.overrun = errors.Is(err, websocket.ErrReadLimit); s.overrun { // gorilla sent the close frame
		ending = Close{websocket.CloseMessageTooBig, "server"}
	}
	if s.startClosing(ending) {
		s.options.Log.DebugContext(s.base, "websocket", "error", err)
	}
}

// write sends a message. A client that does not take it in time loses the
// connection.
func (s *socket) write(text []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.writeNext(text)
}

// writeNext is write for who holds writing.
func (s *socket) writeNext(text []byte) error {
	if s.isClosing() {
		return net.ErrClosed
	}
	// A deadline that the socket does not take shows in the write itself.
	_ = s.conn.SetWriteDeadline(time.Now().Add(s.options.WriteTimeout))
	err := s.conn.WriteMessage(websocket.TextMessage, text)
	if err != nil {
		s.options.traffic.writeFailed(err)
		s.free()
	}
	return err
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

// free gives the connection back to the system.
func (s *socket) free() {
	s.startClosing(Close{websocket.CloseAbnormalClosure, "server"})
	_ = s.conn.Close()
}

// startClosing ends the operations, and reports whether the socket was not
// closing before.
func (s *socket) startClosing(why Close) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.closing, s.ending = true, why
	if s.cancel != nil {
		s.cancel()
		s.pings.Stop()
	}
	return true
}

func (s *socket) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// setReadDeadline is when the client has to be heard of. A socket that closes
// keeps its own.
func (s *socket) setReadDeadline(t time.Time) error {
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
