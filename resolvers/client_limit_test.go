package resolvers

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"ream/quota"
	"ream/task"
)

// asClient is the header by which the tests say which client asks.
const asClient = "X-Client"

// newLimitedServer is newServerWith these limits and no others.
func newLimitedServer(t *testing.T, limits string) *stubServer {
	t.Helper()
	var o Options
	if err := o.Limits.Set(limits); err != nil {
		t.Fatal(err)
	}
	return newServerWith(t, o)
}

// newServerWith serves the schema with a queue that never ends.
func newServerWith(t *testing.T, o Options) *stubServer {
	t.Helper()
	o.Log, o.Guard = slog.New(slog.DiscardHandler), openGuard{}
	h := NewHandler(Resolver{Store: &memory{}, Hub: endless{&task.Queue{}}, Now: time.Now}, o)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(quota.WithClient(asAdmin(r.Context()), r.Header.Get(asClient))))
	}))
	t.Cleanup(s.Close)
	t.Cleanup(h.EndStreams)
	return &stubServer{Server: s}
}

func TestRateOfRequests(t *testing.T) {
	t.Parallel()
	s := newLimitedServer(t, "rate=1,burst=3")
	send := func(client string) received {
		return request(t, s, http.MethodPost, "", `{"query":"{__typename}"}`, map[string]string{"Content-Type": mediaJSON, asClient: client})
	}
	began := time.Now()
	refused := 0
	for range 20 {
		got := send("a")
		if got.status == http.StatusOK {
			continue
		}
		refused++
		if wait, err := strconv.Atoi(got.header.Get("Retry-After")); got.status != http.StatusTooManyRequests || err != nil || wait != 1 ||
			!strings.Contains(got.text, `"code":"RATE_LIMITED"`) || !strings.Contains(got.text, "(limit rate=1)") {
			t.Fatalf("got %d, Retry-After %s: %s", got.status, got.header.Get("Retry-After"), got.text)
		}
	}
	if allowed := 3 + int(time.Since(began).Seconds()) + 1; 20-refused > allowed {
		t.Errorf("%d requests were answered, want at most %d", 20-refused, allowed)
	}
	if got := send("b"); got.status != http.StatusOK {
		t.Errorf("another client: got %d", got.status)
	}
}

// TestSlowBody sends half a request, and nothing more.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s := newLimitedServer(t, "duration=20ms")
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"query\":"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn) // ends with the connection
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") || !strings.Contains(string(answer), "(limit duration=20ms)") {
		t.Errorf("got %s, %v", answer, err)
	}
}

// TestRateOfMessages says more on a socket than is heard at once.
func TestRateOfMessages(t *testing.T) {
	t.Parallel()
	s := newLimitedServer(t, "rate=20,burst=2") // the upgrade and the first message
	p := dial(t, s, currentProtocol).say(sayInit).expect(hearAck)
	began := time.Now()
	for range 5 {
		p.say(`{"type":"ping"}`)
	}
	for range 5 {
		p.expect(`{"type":"pong"}`)
	}
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("five messages at 20 a second took %s", took)
	}
}

func TestSocketsOfAClient(t *testing.T) {
	t.Parallel()
	s := newLimitedServer(t, "sockets-per-client=2,sockets=3")
	dialAs := func(client string) (*websocket.Conn, int) {
		d := websocket.Dialer{Subprotocols: []string{currentProtocol}}
		conn, response, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http"), http.Header{asClient: {client}})
		if response == nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if conn != nil {
			t.Cleanup(func() { _ = conn.Close() })
		}
		return conn, response.StatusCode
	}
	first, _ := dialAs("a")
	for _, tt := range []struct {
		client string
		want   int
	}{{"a", http.StatusSwitchingProtocols}, {"a", http.StatusTooManyRequests}, {"b", http.StatusSwitchingProtocols}, {"b", http.StatusServiceUnavailable}} {
		if _, got := dialAs(tt.client); got != tt.want {
			t.Errorf("a socket of %s: got %d, want %d", tt.client, got, tt.want)
		}
	}
	_ = first.Close()
	eventually(t, "the place is free again", func() bool {
		_, got := dialAs("a")
		return got == http.StatusSwitchingProtocols
	})
}

func TestSubscriptionsOfAClient(t *testing.T) {
	t.Parallel()
	const (
		queue    = "subscription{queue{counts{total}}}"
		frame    = `{"id":"1","type":"next","payload":{"data":{"queue":{"counts":{"total":0}}}}}`
		tooMany  = `{"id":"1","type":"error","payload":[{"message":"you have 2 subscriptions open (limit subscriptions-per-client=2): end one first","extensions":{"code":"RATE_LIMITED","limit":"subscriptions-per-client","maximum":2}}]}`
		allTaken = `{"id":"1","type":"error","payload":[{"message":"all clients together have 3 subscriptions open (limit subscriptions=3): try again later","extensions":{"code":"RATE_LIMITED","limit":"subscriptions","maximum":3}}]}`
	)
	s := newLimitedServer(t, "subscriptions-per-client=2,subscriptions=3")
	subscribe := func(client string) probe {
		d := websocket.Dialer{Subprotocols: []string{currentProtocol}}
		conn, response, err := d.DialContext(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http"), http.Header{asClient: {client}})
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		t.Cleanup(func() { _ = conn.Close() })
		return probe{t, conn}.say(sayInit, `{"id":"1","type":"subscribe","payload":{"query":"`+queue+`"}}`).expect(hearAck)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	streamed := bufio.NewReader(events(t, ctx, s, queue).Body) // of nobody in particular
	for line := ""; line != "event: next\n"; {
		var err error
		if line, err = streamed.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	subscribe("").expect(frame)
	subscribe("").expect(tooMany)
	other := subscribe("b").expect(frame)
	subscribe("b").expect(allTaken)

	got := request(t, s, http.MethodPost, "", `{"query":"`+queue+`"}`, map[string]string{"Content-Type": mediaJSON, "Accept": mediaEvents})
	if !strings.Contains(got.text, "limit subscriptions-per-client=2") || !strings.Contains(got.text, "event: complete") {
		t.Errorf("as events: got %s", got.text)
	}
	other.say(`{"id":"1","type":"complete"}`)
	cancel()
	eventually(t, "the places are free again", func() bool {
		p := subscribe("")
		_, text, err := p.conn.ReadMessage()
		_ = p.conn.Close()
		return err == nil && string(text) == frame
	})
}
