package resolvers

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// events opens a stream by GET.
func events(t *testing.T, ctx context.Context, s *stubServer, query string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"?query="+url.QueryEscape(query), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", mediaEvents)
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func TestSSE(t *testing.T) {
	t.Parallel()
	const complete = "event: complete\ndata:\n\n"
	s := newStubServer(t, NewSSE(HTTPOptions{}), NewHTTP(HTTPOptions{}))
	for name, test := range map[string]struct{ query, want string }{
		"subscription": {"subscription{count(n:2)}", "event: next\ndata: {\"data\":{\"count\":1}}\n\nevent: next\ndata: {\"data\":{\"count\":2}}\n\n" + complete},
		"query":        {"{echo(n:1)}", "event: next\ndata: {\"data\":{\"echo\":1}}\n\n" + complete},
		"invalid":      {"{x}", "event: next\ndata: {\"errors\":[{\"message\":\"Cannot query field \\\"x\\\" on type \\\"Query\\\".\",\"locations\":[{\"line\":1,\"column\":2}],\"extensions\":{\"code\":\"GRAPHQL_VALIDATION_FAILED\"}}]}\n\n" + complete},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := map[string]string{"Accept": mediaEvents, "Content-Type": mediaJSON}
			post := request(t, s, http.MethodPost, "", `{"query":"`+test.query+`"}`, header)
			get := request(t, s, http.MethodGet, "?query="+url.QueryEscape(test.query), "", header)
			for method, got := range map[string]received{"POST": post, "GET": get} {
				if got.status != http.StatusOK || got.header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
					t.Errorf("%s: got %d, %s", method, got.status, got.header)
				}
				if want := ":\n\n" + test.want; got.text != want {
					t.Errorf("%s: got %q, want %q", method, got.text, want)
				}
			}
		})
	}
}

func TestSSEKeepAlive(t *testing.T) {
	t.Parallel()
	s := newStubServer(t, NewSSE(HTTPOptions{KeepAlive: 10 * time.Millisecond}))
	r := bufio.NewReader(events(t, t.Context(), s, "subscription{silence}").Body)
	for alive := 0; alive < 3; {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == ": alive\n" {
			alive++
		}
	}
}

func TestSSEClientLeaves(t *testing.T) {
	t.Parallel()
	s := newStubServer(t, NewSSE(HTTPOptions{}))
	ctx, cancel := context.WithCancel(t.Context())
	events(t, ctx, s, "subscription{silence}")
	eventually(t, "the subscription runs", func() bool { return s.live.Load() == 1 })
	cancel()
	eventually(t, "the subscription ends", func() bool { return s.live.Load() == 0 })
}

func TestSSEDeafClient(t *testing.T) {
	t.Parallel()
	s := newStubServer(t, NewSSE(HTTPOptions{WriteTimeout: 200 * time.Millisecond}))
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /?query=subscription{flood} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the flood begins", func() bool { return s.live.Load() == 1 })
	eventually(t, "the deaf client is let go", func() bool { return s.live.Load() == 0 })
}

// TestSSERestart ends streams without a "complete", so that clients come back.
func TestSSERestart(t *testing.T) {
	t.Parallel()
	s := newStubServer(t, NewSSE(HTTPOptions{}))
	body := events(t, t.Context(), s, "subscription{silence}").Body
	s.stop()
	text, err := io.ReadAll(body)
	if err != nil || strings.Contains(string(text), "complete") {
		t.Errorf("got %q, %v, want the end and nothing else", text, err)
	}
}
