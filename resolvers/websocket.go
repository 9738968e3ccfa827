package resolvers

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/gorilla/websocket"
)

// The GraphQL protocols over WebSocket: the present one, by
// https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md, and the
// older one of subscriptions-transport-ws.
const (
	presentProtocol = "graphql-transport-ws"
	olderProtocol   = "graphql-ws"
)

// The close codes of the present protocol.
const (
	closeBadMessage      = 4400
	closeUnauthorized    = 4401
	closeNoProtocol      = 4406
	closeInitTimeout     = 4408
	closeDuplicateID     = 4409
	closeTooManyInits    = 4429
	closeServiceRestart  = websocket.CloseServiceRestart
	reasonInitTimeout    = "connection initialisation timeout" // gqlgen's words for it
	maxMessage           = 128 << 10
	maxSubscriptions     = 100
	socketInitTimeout    = 10 * time.Second
	socketWriteTimeout   = 10 * time.Second
	socketPingInterval   = 25 * time.Second
	socketClosingTimeout = time.Second
)

// newWebsocket is gqlgen's WebSocket transport over gorilla/websocket.
func newWebsocket() transport.Websocket {
	limit := int64(maxMessage)
	return transport.Websocket{
		Implementation:        sockets{upgrader: websocket.Upgrader{}},
		InitTimeout:           socketInitTimeout,
		PingPongInterval:      socketPingInterval,
		KeepAlivePingInterval: socketPingInterval,
		PayloadReadLimit:      &limit,
	}
}

// sockets accepts WebSockets from pages of this server and from programs.
type sockets struct{ upgrader websocket.Upgrader }

// Accept upgrades a request. Of the protocols that the client offers, the
// present one is chosen before the older one.
func (s sockets) Accept(w http.ResponseWriter, r *http.Request, o transport.WebsocketAcceptOptions) (transport.WebsocketConn, error) {
	upgrader := s.upgrader
	upgrader.Subprotocols = []string{presentProtocol, olderProtocol}
	conn, err := upgrader.Upgrade(w, r, o.ResponseHeader)
	if err != nil {
		return nil, err
	}
	c := &socket{conn: conn, ids: map[string]bool{}, present: conn.Subprotocol() == presentProtocol}
	if conn.Subprotocol() == "" {
		c.close(closeNoProtocol, "Subprotocol not acceptable: want graphql-transport-ws or graphql-ws")
		return nil, errors.New("the client offers no GraphQL protocol")
	}
	return c, nil
}

// socket is a connection that frees itself from clients that do not read, and
// holds clients of the present protocol to its rules.
type socket struct {
	conn    *websocket.Conn
	present bool

	writing sync.Mutex // gorilla allows one writer at a time
	closed  bool

	mu    sync.Mutex
	ready bool // connection_init was answered
	init  bool // connection_init was received
	ids   map[string]bool
}

// frame is what the rules look at in a message.
type frame struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// NextReader returns the next message. It closes the socket with the
// protocol's code if the message breaks the rules.
func (c *socket) NextReader() (int, io.Reader, error) {
	for {
		kind, r, err := c.conn.NextReader()
		if err != nil {
			return 0, nil, c.readError(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return 0, nil, c.readError(err)
		}
		if !c.present {
			return kind, bytes.NewReader(text), nil
		}
		v := c.check(kind, text)
		switch {
		case v.code != 0:
			c.close(v.code, v.reason)
			return 0, nil, transport.ErrWebsocketClosed
		case v.reply != nil:
			if err := c.WriteJSON(v.reply); err != nil {
				return 0, nil, err
			}
		case !v.dropped:
			return kind, bytes.NewReader(text), nil
		}
	}
}

func (c *socket) readError(err error) error {
	if errors.Is(err, websocket.ErrReadLimit) {
		c.close(websocket.CloseMessageTooBig, "the message is too big")
	}
	if _, ok := errors.AsType[*websocket.CloseError](err); ok || errors.Is(err, net.ErrClosed) {
		return transport.ErrWebsocketClosed
	}
	return err
}

// verdict is what becomes of a message. The zero verdict hands it to gqlgen.
type verdict struct {
	code    int    // not 0: the message breaks the protocol
	reason  string // why
	reply   any    // not nil: what answers it here
	dropped bool   // it needs no answer
}

// check holds a message to the protocol.
func (c *socket) check(kind int, text []byte) verdict {
	var f frame
	if kind != websocket.TextMessage || json.Unmarshal(text, &f) != nil {
		return verdict{code: closeBadMessage, reason: "Invalid message received"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch f.Type {
	case "connection_init":
		if c.init {
			return verdict{code: closeTooManyInits, reason: "Too many initialisation requests"}
		}
		if p := bytes.TrimSpace(f.Payload); len(p) > 0 && p[0] != '{' && !bytes.Equal(p, []byte("null")) {
			return verdict{code: closeBadMessage, reason: "The payload of connection_init is no object"}
		}
		c.init = true
	case "ping":
		if !c.ready { // gqlgen answers pings only after the init
			return verdict{reply: frame{Type: "pong"}}
		}
	case "pong":
		return verdict{dropped: !c.ready}
	case "subscribe":
		switch {
		case !c.ready:
			return verdict{code: closeUnauthorized, reason: "Unauthorized"}
		case f.ID == "" || len(f.Payload) == 0:
			return verdict{code: closeBadMessage, reason: "subscribe needs an id and a payload"}
		case c.ids[f.ID]:
			return verdict{code: closeDuplicateID, reason: "Subscriber for " + shortened(f.ID) + " already exists"}
		case len(c.ids) >= maxSubscriptions:
			return verdict{reply: tooMany(f.ID)}
		}
		c.ids[f.ID] = true
	case "complete":
		delete(c.ids, f.ID)
	default:
		return verdict{code: closeBadMessage, reason: "Invalid message received"}
	}
	return verdict{}
}

// tooMany answers a subscription over the limit, and leaves the others alone.
func tooMany(id string) any {
	return map[string]any{"type": "error", "id": id, "payload": []any{map[string]any{
		"message":    "too many subscriptions on one socket",
		"extensions": map[string]any{"code": "RATE_LIMITED"},
	}}}
}

// shortened keeps a reason within the 123 bytes that a close frame has.
func shortened(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// WriteJSON sends a message. A client that takes nothing for the write
// timeout loses the connection, so that it holds nothing up.
func (c *socket) WriteJSON(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(socketWriteTimeout)); err != nil {
		return err
	}
	if err := c.conn.WriteMessage(websocket.TextMessage, text); err != nil {
		c.closed = true
		return errors.Join(err, c.conn.Close())
	}
	c.sent(text)
	return nil
}

// sent keeps the books of what the server ends by itself.
func (c *socket) sent(text []byte) {
	if !c.present || !bytes.Contains(text, []byte(`"type":"c`)) && !bytes.Contains(text, []byte(`"type":"error"`)) {
		return
	}
	var f frame
	if json.Unmarshal(text, &f) != nil || !slices.Contains([]string{"connection_ack", "complete", "error"}, f.Type) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.Type == "connection_ack" {
		c.ready = true
		return
	}
	delete(c.ids, f.ID)
}

// WriteClose sends a close frame with the protocol's codes in place of
// gqlgen's.
func (c *socket) WriteClose(code int, reason string) error {
	if c.present {
		switch {
		case reason == reasonInitTimeout:
			code, reason = closeInitTimeout, "Connection initialisation timeout"
		case code == websocket.CloseProtocolError:
			code = closeBadMessage
		case code == websocket.CloseNormalClosure:
			// gqlgen closes so only when the server ends the connection. Clients
			// reconnect after a while on this code, and at once on a normal one.
			code, reason = closeServiceRestart, "Service restart"
		}
	}
	c.close(code, reason)
	return nil
}

func (c *socket) close(code int, reason string) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	message := websocket.FormatCloseMessage(code, reason)
	// A client that is gone does not get it, which is no failure.
	_ = c.conn.WriteControl(websocket.CloseMessage, message, time.Now().Add(socketClosingTimeout))
	_ = c.conn.Close()
}

// Close ends the connection without a close frame.
func (c *socket) Close() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.closed = true
	return c.conn.Close()
}

// Subprotocol is the protocol that was agreed on.
func (c *socket) Subprotocol() string { return c.conn.Subprotocol() }

// SetReadLimit bounds messages; a larger one ends the connection.
func (c *socket) SetReadLimit(limit int64) { c.conn.SetReadLimit(limit) }

// SetReadDeadline is when the client must have been heard of.
func (c *socket) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }
