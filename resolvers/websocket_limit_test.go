package resolvers

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/gorilla/websocket"

	"ream/quota"
)

func TestWebsocketInitTimeout(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{currentProtocol, olderProtocol} {
		s := newStubServer(t, NewWebsocket(WebsocketOptions{InitTimeout: 50 * time.Millisecond}))
		dial(t, s, protocol).expect(4408)
	}
	const patient = 1500 * time.Millisecond // a busy machine must find the time to say hello
	s := newStubServer(t, NewWebsocket(WebsocketOptions{InitTimeout: patient}))
	p := dial(t, s, currentProtocol).say(sayInit).expect(hearAck)
	<-time.After(patient) // the timeout is over, and ends nothing
	p.say(count("1", 0)).expect(complete1)
}

func TestWebsocketPings(t *testing.T) {
	t.Parallel()
	gone := func(t *testing.T, p probe) {
		t.Helper()
		for {
			if _, _, err := p.conn.ReadMessage(); err != nil {
				return
			}
		}
	}
	// A busy machine must find the time to answer.
	const patient, impatient = 1500 * time.Millisecond, 100 * time.Millisecond
	for name, test := range map[string]struct {
		protocol string
		interval time.Duration
		run      func(t *testing.T, s *stubServer, p probe)
	}{
		"attentive": {currentProtocol, patient, func(_ *testing.T, _ *stubServer, p probe) {
			for range 3 {
				p.expect(`{"type":"ping"}`).say(`{"type":"pong"}`)
			}
		}},
		"mute": {currentProtocol, impatient, func(t *testing.T, s *stubServer, p probe) {
			p.say(silence1)
			gone(t, p)
			eventually(t, "the mute client's subscription ends", func() bool { return s.live.Load() == 0 })
		}},
		"older": {olderProtocol, patient, func(_ *testing.T, _ *stubServer, p probe) {
			for range 3 {
				p.expect(`{"type":"ka"}`) // the client's library answers the pings between
			}
		}},
		"older and mute": {olderProtocol, impatient, func(t *testing.T, _ *stubServer, p probe) {
			p.conn.SetPingHandler(func(string) error { return nil })
			gone(t, p)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStubServer(t, NewWebsocket(WebsocketOptions{PingInterval: test.interval}))
			test.run(t, s, dial(t, s, test.protocol).say(sayInit).expect(hearAck))
		})
	}
}

func TestWebsocketRestart(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{currentProtocol, olderProtocol} {
		server, stop := context.WithCancel(t.Context())
		s := newStubServer(t, NewWebsocket(WebsocketOptions{
			Enter: func(ctx context.Context) (context.Context, func()) {
				ctx, cancel := context.WithCancel(ctx)
				context.AfterFunc(server, cancel)
				return ctx, cancel
			},
			Init: func(ctx context.Context, _ transport.InitPayload) (context.Context, error) { return ctx, nil },
		}))
		waiting := dial(t, s, protocol)
		running := dial(t, s, protocol).say(sayInit).expect(hearAck)
		if protocol == olderProtocol {
			running.expect(`{"type":"ka"}`)
		} else {
			running.say(silence1, count("2", 0)).expect(`{"id":"2","type":"complete"}`)
		}
		stop()
		running.expect(1012)
		waiting.expect(1012)
		eventually(t, "the subscription ends", func() bool { return s.live.Load() == 0 })
	}
}

func TestWebsocketClientLeaves(t *testing.T) {
	t.Parallel()
	s := newStubServer(t, NewWebsocket(WebsocketOptions{}))
	p := dial(t, s, currentProtocol).say(sayInit, silence1).expect(hearAck)
	eventually(t, "the subscription runs", func() bool { return s.live.Load() == 1 })
	_ = p.conn.Close()
	eventually(t, "the subscription ends", func() bool { return s.live.Load() == 0 })
}

func TestWebsocketDeafClient(t *testing.T) {
	t.Parallel()
	s := newStubServer(t, NewWebsocket(WebsocketOptions{WriteTimeout: 200 * time.Millisecond}))
	dial(t, s, currentProtocol).say(sayInit, `{"id":"1","type":"subscribe","payload":{"query":"subscription{flood}"}}`)
	eventually(t, "the flood begins", func() bool { return s.live.Load() == 1 })
	eventually(t, "the deaf client is let go", func() bool { return s.live.Load() == 0 })
}

func TestWebsocketSubscriptionLimit(t *testing.T) {
	t.Parallel()
	s := newStubServer(t, NewWebsocket(WebsocketOptions{MaxSubscriptions: 2}))
	p := dial(t, s, currentProtocol).say(sayInit, silence1, strings.Replace(silence1, `"1"`, `"2"`, 1), count("3", 1)).
		expect(hearAck, `{"id":"3","type":"error","payload":[{"message":"you have 2 operations under way on this socket (limit subscriptions-per-socket=2): end one first","extensions":{"code":"RATE_LIMITED","limit":"subscriptions-per-socket","maximum":2}}]}`)
	p.say(complete1)
	eventually(t, "the first subscription ends", func() bool { return s.live.Load() == 1 })
	for { // the place is free a moment later
		_, text, err := p.say(count("3", 0)).conn.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		var m message
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		if m.Type == "complete" {
			return
		}
	}
}

func TestWebsocketSocketLimit(t *testing.T) {
	t.Parallel()
	s := newStubServer(t, NewWebsocket(WebsocketOptions{Sockets: quota.NewSeats(0, 1)}))
	dial(t, s, currentProtocol).say(sayInit).expect(hearAck)
	d := websocket.Dialer{Subprotocols: []string{currentProtocol}}
	_, response, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http"), nil)
	if err == nil || response == nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got %v, want 503", err)
	}
	_ = response.Body.Close()
}

// TestWebsocketsAreFreed looks at the server's ends of sockets whose clients
// broke the protocol and then did nothing more.
func TestWebsocketsAreFreed(t *testing.T) {
	t.Parallel()
	seats := quota.NewSeats(0, 0)
	s := newStubServer(t, NewWebsocket(WebsocketOptions{Sockets: seats}))
	for range 20 {
		dial(t, s, currentProtocol).say(`{"type":"connection_init","payload":"x"}`)
	}
	eventually(t, "all sockets are freed", func() bool { return seats.Taken() == 0 })
}

// TestWebsocketUpgrade leaves other upgrades to other transports.
func TestWebsocketUpgrade(t *testing.T) {
	t.Parallel()
	s := newStubServer(t, NewWebsocket(WebsocketOptions{}), NewHTTP(HTTPOptions{}))
	for upgrade, want := range map[string]int{"h2c": http.StatusOK, "websocket": http.StatusBadRequest} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"?query={echo}", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", upgrade)
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("Upgrade: %s: got %d, want %d", upgrade, response.StatusCode, want)
		}
	}
}
