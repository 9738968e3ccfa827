package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// The ways to subscribe: the protocols of WebSockets, and server-sent events.
const (
	currentProtocol = "graphql-transport-ws"
	olderProtocol   = "graphql-ws"
	serverEvents    = "text/event-stream"
)

// eachProtocol runs part of a story once for each way to subscribe.
func eachProtocol(t *testing.T, f func(t *testing.T, protocol string)) {
	for _, protocol := range []string{currentProtocol, olderProtocol, serverEvents} {
		t.Run(strings.ReplaceAll(protocol, "/", " "), func(t *testing.T) { f(t, protocol) })
	}
}

// subscription is what a client sees of one.
type subscription struct {
	frames chan json.RawMessage // the data of each; closed at the end
	ended  error                // once frames is closed; nil if the server said that it is complete
}

// subscribe opens a subscription on a connection of its own, until ctx ends.
func (p *program) subscribe(ctx context.Context, protocol, document, id string) *subscription {
	p.t.Helper()
	request, err := json.Marshal(map[string]any{"query": document, "variables": map[string]any{"id": id}})
	if err != nil {
		p.t.Fatal(err)
	}
	open := p.openSocket
	if protocol == serverEvents {
		open = p.openEvents
	}
	next := open(ctx, protocol, request)
	s := &subscription{frames: make(chan json.RawMessage)}
	go func() {
		defer close(s.frames)
		for {
			data, err := next()
			if err != nil {
				if !errors.Is(err, errComplete) {
					s.ended = err
				}
				return
			}
			select {
			case s.frames <- data:
			case <-ctx.Done():
				s.ended = ctx.Err()
				return
			}
		}
	}()
	return s
}

// next waits for a frame, of which it reads the data into a T.
func next[T any](t *testing.T, s *subscription) T {
	t.Helper()
	var data T
	select {
	case frame, open := <-s.frames:
		if !open {
			t.Fatalf("the subscription ended: %v", s.ended)
		}
		if err := json.Unmarshal(frame, &data); err != nil {
			t.Fatalf("frame %s: %v", frame, err)
		}
	case <-time.After(patience):
		t.Fatalf("no frame came")
	}
	return data
}

// errComplete is how a subscription ends by itself.
var errComplete = errors.New("complete")

// dataOf is the data of a response without errors.
func dataOf(response []byte) (json.RawMessage, error) {
	var r struct{ Data, Errors json.RawMessage }
	if err := json.Unmarshal(response, &r); err != nil {
		return nil, err
	}
	if r.Errors != nil {
		return nil, fmt.Errorf("errors: %s", r.Errors)
	}
	return r.Data, nil
}

// openSocket subscribes over a WebSocket.
func (p *program) openSocket(ctx context.Context, protocol string, request []byte) func() (json.RawMessage, error) {
	p.t.Helper()
	conn := dial(p.t, p, protocol)
	context.AfterFunc(ctx, func() { conn.Close() })
	type message struct {
		ID      string          `json:"id,omitempty"`
		Type    string          `json:"type"`
		Payload json.RawMessage `json:"payload,omitempty"`
	}
	subscribe := "subscribe"
	if protocol == olderProtocol {
		subscribe = "start"
	}
	introduction := message{Type: "connection_init"}
	if p.token != "" {
		introduction.Payload = json.RawMessage(`{"Authorization":"Bearer ` + p.token + `"}`)
	}
	for _, m := range []message{introduction, {ID: "1", Type: subscribe, Payload: request}} {
		if err := conn.WriteJSON(m); err != nil {
			p.t.Fatal(err)
		}
	}
	return func() (json.RawMessage, error) {
		for {
			var m message
			if err := conn.ReadJSON(&m); err != nil {
				return nil, err
			}
			switch m.Type {
			case "next", "data":
				return dataOf(m.Payload)
			case "complete":
				return nil, errComplete
			case "error":
				return nil, fmt.Errorf("error: %s", m.Payload)
			case "ping":
				if err := conn.WriteJSON(message{Type: "pong"}); err != nil {
					return nil, err
				}
			}
		}
	}
}

// openEvents subscribes over server-sent events.
func (p *program) openEvents(ctx context.Context, _ string, request []byte) func() (json.RawMessage, error) {
	p.t.Helper()
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, p.address+"/graphql", bytes.NewReader(request))
	if err != nil {
		p.t.Fatal(err)
	}
	post.Header.Set("Content-Type", "application/json")
	post.Header.Set("Accept", serverEvents)
	response := p.send(post)
	p.t.Cleanup(func() { response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	return func() (json.RawMessage, error) {
		event := ""
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				event = name
			}
			data, ok := strings.CutPrefix(lines.Text(), "data:")
			switch {
			case ok && event == "complete":
				return nil, errComplete
			case ok:
				return dataOf([]byte(data))
			}
		}
		return nil, errors.Join(lines.Err(), io.ErrUnexpectedEOF)
	}
}

// dial opens a socket with one protocol.
func dial(t *testing.T, p *program, protocol string) *websocket.Conn {
	t.Helper()
	dialer := websocket.Dialer{}
	if protocol != "" {
		dialer.Subprotocols = []string{protocol}
	}
	conn, _, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(p.address, "http")+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// counts are those of a group's frame.
type counts struct {
	Waiting, Running, Completed, Failed, Canceling, Canceled, Skipped int
	Total, Finished, Unfinished                                       int
	Revision                                                          int64
}

// countsOfGroup follows the counts of a group.
const countsOfGroup = `subscription($id: ID!) { taskGroupCounts(id: $id) {
	waiting running completed failed canceling canceled skipped total finished unfinished revision } }`

// checkCounts reads all frames of countsOfGroup and returns the last one. In
// each the states sum to the total, the revision only grows, one frame is
// final, and then the server says that it is complete.
func checkCounts(t *testing.T, s *subscription, total int) (last counts) {
	t.Helper()
	last, _ = checkFrames(t, s, total)
	return last
}

// checkFrames is checkCounts, and tells how many frames there were.
func checkFrames(t *testing.T, s *subscription, total int) (last counts, frames int) {
	t.Helper()
	finals := 0
	for frame := range s.frames {
		var f struct{ TaskGroupCounts counts }
		if err := json.Unmarshal(frame, &f); err != nil {
			t.Fatal(err)
		}
		c := f.TaskGroupCounts
		finished, unfinished := c.Completed+c.Failed+c.Canceled+c.Skipped, c.Waiting+c.Running+c.Canceling
		if c.Total != total || c.Finished != finished || c.Unfinished != unfinished || finished+unfinished != total {
			t.Errorf("the counts do not sum up to %d: %+v", total, c)
		}
		if frames > 0 && c.Revision <= last.Revision {
			t.Errorf("revision %d comes after %d", c.Revision, last.Revision)
		}
		if unfinished == 0 {
			finals++
		}
		frames++
		last = c
	}
	if s.ended != nil || finals != 1 || last.Unfinished != 0 {
		t.Errorf("%d final frames in %d, the last %+v, then %v; want one, at last, and then the end", finals, frames, last, s.ended)
	}
	return last, frames
}
