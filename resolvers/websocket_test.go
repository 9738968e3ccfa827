package resolvers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/gorilla/websocket"

	"ream/fault"
)

// probe is a raw client: it says exactly what it is told.
type probe struct {
	t    *testing.T
	conn *websocket.Conn
}

func dial(t *testing.T, s *stubServer, protocols ...string) probe {
	t.Helper()
	d := websocket.Dialer{Subprotocols: protocols}
	conn, response, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	t.Cleanup(func() { _ = conn.Close() })
	return probe{t, conn}
}

func (p probe) say(messages ...string) probe {
	p.t.Helper()
	for _, m := range messages {
		if err := p.conn.WriteMessage(websocket.TextMessage, []byte(m)); err != nil {
			p.t.Fatalf("say %s: %v", m, err)
		}
	}
	return p
}

// expect reads what the server says. A number stands for a close code.
func (p probe) expect(want ...any) probe {
	p.t.Helper()
	for _, want := range want {
		_ = p.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, got, err := p.conn.ReadMessage()
		code, isCode := want.(int)
		switch closed, isClosed := errors.AsType[*websocket.CloseError](err); {
		case isCode && (!isClosed || closed.Code != code):
			p.t.Fatalf("got %s (%v), want close code %d", got, err, code)
		case !isCode && err != nil:
			p.t.Fatalf("got %v, want %s", err, want)
		case !isCode && string(got) != want:
			p.t.Fatalf("got %s, want %s", got, want)
		}
	}
	return p
}

const (
	sayInit   = `{"type":"connection_init"}`
	hearAck   = `{"type":"connection_ack"}`
	silence1  = `{"id":"1","type":"subscribe","payload":{"query":"subscription{silence}"}}`
	complete1 = `{"id":"1","type":"complete"}`
)

func count(id string, n int) string {
	return fmt.Sprintf(`{"id":%q,"type":"subscribe","payload":{"query":"subscription{count(n:%d)}"}}`, id, n)
}

func counted(id string, n int) string {
	return fmt.Sprintf(`{"id":%q,"type":"next","payload":{"data":{"count":%d}}}`, id, n)
}

func TestWebsocketProtocol(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		say    []string
		expect []any
	}{
		"malformed JSON before init":   {[]string{`{`}, []any{4400}},
		"malformed JSON after init":    {[]string{sayInit, `{`}, []any{hearAck, 4400}},
		"unknown type before init":     {[]string{`{"type":"x"}`}, []any{4400}},
		"unknown type after init":      {[]string{sayInit, `{"type":"x"}`}, []any{hearAck, 4400}},
		"no object":                    {[]string{`[]`}, []any{4400}},
		"older protocol's type":        {[]string{sayInit, `{"type":"start","id":"1","payload":{"query":"{echo}"}}`}, []any{hearAck, 4400}},
		"second init":                  {[]string{sayInit, sayInit}, []any{hearAck, 4429}},
		"subscribe before init":        {[]string{silence1}, []any{4401}},
		"init payload is a string":     {[]string{`{"type":"connection_init","payload":"x"}`}, []any{4400}},
		"init payload is null":         {[]string{`{"type":"connection_init","payload":null}`}, []any{hearAck}},
		"init payload is an object":    {[]string{`{"type":"connection_init","payload":{"a":1}}`}, []any{hearAck}},
		"duplicate id":                 {[]string{sayInit, silence1, silence1}, []any{hearAck, 4409}},
		"subscribe without id":         {[]string{sayInit, `{"type":"subscribe","payload":{"query":"{echo}"}}`}, []any{hearAck, 4400}},
		"subscribe with number as id":  {[]string{sayInit, `{"id":1,"type":"subscribe","payload":{"query":"{echo}"}}`}, []any{hearAck, 4400}},
		"subscribe without payload":    {[]string{sayInit, `{"id":"1","type":"subscribe"}`}, []any{hearAck, 4400}},
		"subscribe without query":      {[]string{sayInit, `{"id":"1","type":"subscribe","payload":{}}`}, []any{hearAck, 4400}},
		"complete without id":          {[]string{sayInit, `{"type":"complete"}`}, []any{hearAck, 4400}},
		"complete of an unknown id":    {[]string{sayInit, complete1, count("1", 0)}, []any{hearAck, complete1}},
		"ping before init":             {[]string{`{"type":"ping","payload":{"a":1}}`, sayInit}, []any{`{"type":"pong","payload":{"a":1}}`, hearAck}},
		"ping after init":              {[]string{sayInit, `{"type":"ping","payload":{"a":1}}`}, []any{hearAck, `{"type":"pong","payload":{"a":1}}`}},
		"pong at any time":             {[]string{`{"type":"pong"}`, sayInit, `{"type":"pong"}`, count("1", 0)}, []any{hearAck, complete1}},
		"query":                        {[]string{sayInit, `{"id":"q","type":"subscribe","payload":{"query":"{echo(n:4)}"}}`}, []any{hearAck, `{"id":"q","type":"next","payload":{"data":{"echo":4}}}`, `{"id":"q","type":"complete"}`}},
		"mutation":                     {[]string{sayInit, `{"id":"q","type":"subscribe","payload":{"query":"mutation{change(n:4)}"}}`}, []any{hearAck, `{"id":"q","type":"next","payload":{"data":{"change":4}}}`, `{"id":"q","type":"complete"}`}},
		"subscription":                 {[]string{sayInit, count("a", 2)}, []any{hearAck, counted("a", 1), counted("a", 2), `{"id":"a","type":"complete"}`}},
		"error is the last of its id":  {[]string{sayInit, `{"id":"1","type":"subscribe","payload":{"query":"{x}"}}`, `{"type":"ping"}`}, []any{hearAck, `{"id":"1","type":"error","payload":[{"message":"Cannot query field \"x\" on type \"Query\".","locations":[{"line":1,"column":2}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`, `{"type":"pong"}`}},
		"id again, after a complete":   {[]string{sayInit, silence1, complete1, count("1", 1)}, []any{hearAck, counted("1", 1), complete1}},
		"message of the size allowed":  {[]string{sayInit, `{"type":"ping","payload":{"a":"` + strings.Repeat("x", 100<<10) + `"}}`}, []any{hearAck, `{"type":"pong","payload":{"a":"` + strings.Repeat("x", 100<<10) + `"}}`}},
		"message that is too long":     {[]string{sayInit, strings.Repeat(" ", 2<<20)}, []any{hearAck, 1009}},
		"nothing is read after an end": {[]string{`{`, sayInit, count("1", 1)}, []any{4400}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStubServer(t, NewWebsocket(WebsocketOptions{}))
			dial(t, s, currentProtocol).say(test.say...).expect(test.expect...)
		})
	}
}

// TestWebsocketIDs uses an id again once its subscription ended, by itself or
// by a request that was rejected.
func TestWebsocketIDs(t *testing.T) {
	t.Parallel()
	p := dial(t, newStubServer(t, NewWebsocket(WebsocketOptions{})), currentProtocol).say(sayInit).expect(hearAck)
	for range 20 {
		p.say(count("1", 1)).expect(counted("1", 1), complete1)
		p.say(`{"id":"1","type":"subscribe","payload":{"query":"{"}}`).
			expect(`{"id":"1","type":"error","payload":[{"message":"Expected Name, found \u003cEOF\u003e","locations":[{"line":1,"column":2}],"extensions":{"code":"GRAPHQL_PARSE_FAILED"}}]}`)
		p.say(silence1, complete1)
	}
}

func TestWebsocketBinaryMessage(t *testing.T) {
	t.Parallel()
	p := dial(t, newStubServer(t, NewWebsocket(WebsocketOptions{})), currentProtocol)
	if err := p.conn.WriteMessage(websocket.BinaryMessage, []byte(sayInit)); err != nil {
		t.Fatal(err)
	}
	p.expect(4400)
}

func TestWebsocketOlderProtocol(t *testing.T) {
	t.Parallel()
	start := func(id string, query string) string {
		return fmt.Sprintf(`{"id":%q,"type":"start","payload":{"query":%q}}`, id, query)
	}
	const ka = `{"type":"ka"}`
	tests := map[string]struct {
		say    []string
		expect []any
	}{
		"subscription":      {[]string{sayInit, start("a", "subscription{count(n:1)}")}, []any{hearAck, ka, `{"id":"a","type":"data","payload":{"data":{"count":1}}}`, `{"id":"a","type":"complete"}`}},
		"stop":              {[]string{sayInit, start("a", "subscription{silence}"), `{"id":"a","type":"stop"}`, start("a", "{echo(n:2)}")}, []any{hearAck, ka, `{"id":"a","type":"data","payload":{"data":{"echo":2}}}`, `{"id":"a","type":"complete"}`}},
		"terminate":         {[]string{sayInit, `{"type":"connection_terminate"}`}, []any{hearAck, ka, 1000}},
		"current type":      {[]string{sayInit, count("1", 1)}, []any{hearAck, ka, 4400}},
		"start first":       {[]string{start("a", "{echo}")}, []any{4401}},
		"payload no object": {[]string{`{"type":"connection_init","payload":1}`}, []any{4400}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStubServer(t, NewWebsocket(WebsocketOptions{}))
			dial(t, s, olderProtocol).say(test.say...).expect(test.expect...)
		})
	}
}

func TestWebsocketSubprotocol(t *testing.T) {
	t.Parallel()
	s := newStubServer(t, NewWebsocket(WebsocketOptions{}))
	if got := dial(t, s, olderProtocol, currentProtocol).conn.Subprotocol(); got != currentProtocol {
		t.Errorf("of both, got %s", got)
	}
	if got := dial(t, s, olderProtocol).conn.Subprotocol(); got != olderProtocol {
		t.Errorf("of the older one, got %s", got)
	}
	dial(t, s).expect(4406)
	dial(t, s, "soap").expect(4406)
}

func TestWebsocketOrigin(t *testing.T) {
	t.Parallel()
	s := newStubServer(t, NewWebsocket(WebsocketOptions{Origins: []string{"https://pages.example"}}))
	for origin, want := range map[string]int{
		"":                       http.StatusSwitchingProtocols,
		s.URL:                    http.StatusSwitchingProtocols,
		"https://pages.example":  http.StatusSwitchingProtocols,
		"https://evil.example":   http.StatusForbidden,
		"https://pages.example2": http.StatusForbidden,
		"null":                   http.StatusForbidden,
	} {
		d := websocket.Dialer{Subprotocols: []string{currentProtocol}}
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		conn, response, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http"), header)
		if response == nil {
			t.Fatalf("origin %q: %v", origin, err)
		}
		if response.StatusCode != want {
			t.Errorf("origin %q: got %d, want %d", origin, response.StatusCode, want)
		}
		_ = response.Body.Close()
		if err == nil {
			_ = conn.Close()
		}
	}
}

func TestWebsocketInit(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  error
		code int
	}{
		"forbidden":       {fault.New(fault.Forbidden, "no"), 4403},
		"unauthenticated": {fmt.Errorf("init: %w", fault.New(fault.Unauthenticated, "%s", strings.Repeat("é", 100))), 4403},
		"unavailable":     {fault.New(fault.Unavailable, "later"), 1013},
		"bad input":       {fault.Input("token", "is needed"), 4400},
		"internal":        {errors.New("a secret"), 1011},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStubServer(t, NewWebsocket(WebsocketOptions{
				Init: func(context.Context, transport.InitPayload) (context.Context, error) { return nil, test.err },
			}))
			dial(t, s, currentProtocol).say(sayInit, count("1", 1)).expect(test.code)
		})
	}
}

func TestWebsocketCredentials(t *testing.T) {
	t.Parallel()
	expire := make(chan context.CancelFunc, 1)
	s := newStubServer(t, NewWebsocket(WebsocketOptions{
		Init: func(ctx context.Context, payload transport.InitPayload) (context.Context, error) {
			if payload.Authorization() != "Bearer 1" {
				return nil, fault.New(fault.Unauthenticated, "the token is unknown")
			}
			ctx, cancel := context.WithCancel(ctx)
			expire <- cancel
			return ctx, nil
		},
	}))
	p := dial(t, s, currentProtocol).
		say(`{"type":"connection_init","payload":{"Authorization":"Bearer 1"}}`, silence1).
		expect(hearAck)
	(<-expire)()
	p.expect(4403)
	dial(t, s, currentProtocol).say(sayInit).expect(4403)
}

func TestWebsocketInitPanic(t *testing.T) {
	t.Parallel()
	s := newStubServer(t, NewWebsocket(WebsocketOptions{
		Init: func(context.Context, transport.InitPayload) (context.Context, error) { panic("init") },
	}))
	dial(t, s, currentProtocol).say(sayInit).expect(1011)
}

// eventually waits for what other goroutines bring about.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !is(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long until %s", what)
		}
	}
}
