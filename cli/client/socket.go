package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// The server pings every 25 seconds: one that is silent for longer than
// socketSilence is gone.
const (
	socketSilence = 75 * time.Second
	socketWrite   = 10 * time.Second
	socketDial    = 15 * time.Second
)

// closeForbidden is the code with which a server ends the connection of those
// who may not ask, or not any more.
const closeForbidden = 4403

// ErrDropped is what ends Watch when the connection is lost before the work
// has finished. Watching again shows the present state first.
var ErrDropped = errors.New("the connection was lost")

// message is one of the protocol graphql-transport-ws.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// Watch subscribes to a task or a group and calls each with its present state
// and with every change, until the work has finished. It returns an *Error if
// the server refuses, an error that wraps ErrDropped if the server cannot be
// reached any more, or what each or ctx returns.
//
// It speaks the protocol itself because genqlient's own client takes the
// server's pings and errors for answers, and ends.
func (c *Client) Watch(ctx context.Context, id string, each func(Work) error) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return dropped(ctx, err)
	}
	defer conn.Close()
	// Closing ends a read that waits.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := subscribe(conn, id); err != nil {
		return dropped(ctx, err)
	}
	finished := false
	for {
		m, err := receive(conn)
		if err != nil {
			return dropped(ctx, err)
		}
		switch m.Type {
		case "ping":
			if err := send(conn, message{Type: "pong"}); err != nil {
				return dropped(ctx, err)
			}
		case "next":
			w, err := work(m.Payload)
			if err != nil {
				return err
			}
			if err := each(w); err != nil {
				return err
			}
			finished = w.GetFinished()
		case "error":
			return refused(m.Payload)
		case "complete":
			if !finished {
				return dropped(ctx, errors.New("the server ended the subscription"))
			}
			// A server that is told goodbye need not log a broken connection.
			goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
			_ = conn.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(time.Second))
			return nil
		}
	}
}

// dial connects and waits until the server is ready for a subscription.
func (c *Client) dial(ctx context.Context) (*websocket.Conn, error) {
	address := c.URL("/graphql")
	dialer := websocket.Dialer{
		Proxy:            http.ProxyFromEnvironment,
		HandshakeTimeout: socketDial,
		Subprotocols:     []string{"graphql-transport-ws"},
	}
	conn, answer, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(address, "http"), nil)
	if err != nil {
		if answer != nil {
			return nil, fmt.Errorf("%s answered %s", address, answer.Status)
		}
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	err = send(conn, c.introduction())
	for err == nil {
		var m message
		if m, err = receive(conn); err == nil && m.Type == "connection_ack" {
			return conn, nil
		}
	}
	return nil, errors.Join(err, conn.Close())
}

// introduction is the first message, in which a socket says who asks.
func (c *Client) introduction() message {
	m := message{Type: "connection_init"}
	if c.token != "" {
		m.Payload, _ = json.Marshal(map[string]string{"Authorization": c.authorization()}) // strings never fail
	}
	return m
}

func subscribe(conn *websocket.Conn, id string) error {
	payload, err := json.Marshal(struct {
		Query     string        `json:"query"`
		Operation string        `json:"operationName"`
		Variables __FollowInput `json:"variables"`
	}{Follow_Operation, "Follow", __FollowInput{Id: id}})
	if err != nil {
		return err
	}
	return send(conn, message{ID: "1", Type: "subscribe", Payload: payload})
}

func send(conn *websocket.Conn, m message) error {
	if err := conn.SetWriteDeadline(time.Now().Add(socketWrite)); err != nil {
		return err
	}
	return conn.WriteJSON(m)
}

func receive(conn *websocket.Conn) (message, error) {
	var m message
	if err := conn.SetReadDeadline(time.Now().Add(socketSilence)); err != nil {
		return m, err
	}
	return m, conn.ReadJSON(&m)
}

// work reads a frame.
func work(payload []byte) (Work, error) {
	var frame struct {
		Data   FollowResponse `json:"data"`
		Errors []answered     `json:"errors"`
	}
	if err := json.Unmarshal(payload, &frame); err != nil {
		return nil, fmt.Errorf("read a frame: %w", err)
	}
	if err := failure(frame.Errors); err != nil {
		return nil, err
	}
	w, ok := frame.Data.TaskOrGroup.(Work)
	if !ok {
		return nil, errors.New("the server sent a frame without a task")
	}
	return w, nil
}

// refused is why the server does not accept a subscription.
func refused(payload []byte) error {
	var all []answered
	if err := json.Unmarshal(payload, &all); err != nil || len(all) == 0 {
		return &Error{Code: "INTERNAL", Message: "the server refused the subscription"}
	}
	return failure(all)
}

// dropped says why a connection ended: ctx, or what happened to it.
func dropped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if closed, ok := errors.AsType[*websocket.CloseError](err); ok && closed.Text != "" {
		if closed.Code == closeForbidden {
			return &Error{Code: "UNAUTHENTICATED", Message: closed.Text}
		}
		return fmt.Errorf("%w: %s", ErrDropped, closed.Text)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return fmt.Errorf("%w: %w", ErrDropped, err)
}
