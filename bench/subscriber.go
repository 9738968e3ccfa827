package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"
)

// document is a subscription with one variable, $id, and the words in the
// frames that are final.
type document struct{ text, final string }

// following are documents as different clients have them.
var following = []document{
	{`subscription($id: ID!) { taskGroupCounts(id: $id) { waiting running completed failed total unfinished revision } }`, `"unfinished":0,`},
	{`subscription($id: ID!) { taskOrGroup(id: $id) { __typename ... on Work { id state finished counts { completed total } } } }`, `"finished":true`},
	{`subscription($id: ID!) { taskGroup(id: $id) { id name finished startedAt finishedAt progress { itemsDone itemsTotal } } }`, `"finished":true`},
	{`subscription($id: ID!) { taskGroup(id: $id) { finished counts { waiting running completed failed canceling canceled skipped total } } }`, `"finished":true`},
}

// unread is a document whose frames fill whatever lies between a server and a
// client that does not read.
var unread = document{`subscription($id: ID!) { taskGroup(id: $id) { ` + strings.Repeat("a", 16<<10) + `: name finished counts { completed } } }`, ""}

// unlimited lets one machine be a crowd.
const unlimited = "rate=0,sockets-per-client=0,sockets=0,subscriptions-per-client=0,subscriptions=0"

// subscriber is a client on a socket of its own.
type subscriber struct {
	conn   *websocket.Conn
	text   bytes.Buffer // of the last message
	final  []byte
	frames int
	finals int
	at     time.Time // when the first final frame came
}

// buffers are shared, since clients write only at their beginning.
var buffers sync.Pool

// callers counts connections, to give them addresses of their own: one address
// has too few ports for as many as come and go.
var callers atomic.Int64

// call opens a socket. Its client takes up to window bytes that it has not read;
// what the system gives if 0.
func (r *ream) call(ctx context.Context, window int) (*websocket.Conn, error) {
	from := net.IPv4(127, 0, 1, byte(1+callers.Add(1)%200))
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if window == 0 {
			return nil
		}
		if e := raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, window) }); e != nil {
			return e
		}
		return err
	}}
	ws := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, NetDialContext: dialer.DialContext, ReadBufferSize: 1 << 10, WriteBufferPool: &buffers, WriteBufferSize: 1 << 10}
	conn, response, err := ws.DialContext(ctx, "ws"+strings.TrimPrefix(r.address, "http")+"/graphql", nil)
	if err != nil && response != nil {
		err = fmt.Errorf("%w: %s", err, response.Status)
	}
	return conn, err
}

// message is one of graphql-transport-ws.
type message struct {
	ID      string          `json:"id,omitempty"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
}

// subscribeTo sends what a client sends first, in one go.
func subscribeTo(conn *websocket.Conn, d document, id string) error {
	payload, err := json.Marshal(map[string]any{"query": d.text, "variables": map[string]string{"id": id}})
	if err != nil {
		return err
	}
	for _, m := range []message{{Type: "connection_init"}, {ID: "1", Type: "subscribe", Payload: payload}} {
		if err := conn.WriteJSON(m); err != nil {
			return err
		}
	}
	return nil
}

// join opens a socket, subscribes to a group, and waits for the first frame.
func (r *ream) join(ctx context.Context, d document, id string) (*subscriber, error) {
	conn, err := r.call(ctx, 0)
	if err != nil {
		return nil, err
	}
	s := &subscriber{conn: conn, final: []byte(d.final)}
	if err := subscribeTo(conn, d, id); err != nil {
		return nil, err
	}
	for s.frames == 0 {
		if more, err := s.next(); err != nil || !more {
			return nil, fmt.Errorf("before the first frame: %w", err)
		}
	}
	return s, nil
}

// next reads one message, and tells whether there will be more. What it reads
// is looked at as little as can be: the client shares its cores with the server.
func (s *subscriber) next() (more bool, err error) {
	_, r, err := s.conn.NextReader()
	if err != nil {
		return false, err
	}
	s.text.Reset()
	if _, err := s.text.ReadFrom(r); err != nil {
		return false, err
	}
	switch text := s.text.Bytes(); {
	case bytes.HasPrefix(text, []byte(`{"id":"1","type":"next"`)):
		if bytes.Contains(text, []byte(`"errors":`)) {
			return false, fmt.Errorf("a frame with errors: %s", text)
		}
		s.frames++
		if bytes.Contains(text, s.final) {
			s.finals++
			s.at = time.Now()
		}
	case bytes.HasPrefix(text, []byte(`{"id":"1","type":"complete"`)):
		return false, nil
	case bytes.HasPrefix(text, []byte(`{"id":"1","type":"error"`)):
		return false, fmt.Errorf("refused: %s", text)
	case bytes.HasPrefix(text, []byte(`{"type":"ping"`)):
		return true, s.conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"pong"}`))
	}
	return true, nil
}

// follow reads on until the server says that the subscription is complete.
func (s *subscriber) follow() error {
	defer s.conn.Close()
	for {
		if more, err := s.next(); !more {
			return err
		}
	}
}

// crowd is many subscribers.
type crowd []*subscriber

// gather lets n subscribers join, with one document after the other, each to
// the group that of tells.
func (r *ream) gather(ctx context.Context, n int, of func(i int) string) (crowd, error) {
	all := make(crowd, n)
	joining, ctx := errgroup.WithContext(ctx)
	joining.SetLimit(32)
	for i := range all {
		joining.Go(func() (err error) {
			all[i], err = r.join(ctx, following[i%len(following)], of(i))
			return err
		})
	}
	return all, joining.Wait()
}

// follow reads until all subscriptions are complete. The function that it
// returns waits for that.
func (c crowd) follow() (wait func() error) {
	var following errgroup.Group
	for _, s := range c {
		following.Go(s.follow)
	}
	return following.Wait
}

// leave disconnects those who are still there.
func (c crowd) leave() {
	for _, s := range c {
		s.conn.Close()
	}
}
