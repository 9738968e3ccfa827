package lane_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestClientsThatGoAway ends the context of a request whose client is gone.
func TestClientsThatGoAway(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		wait func(context.Context)
	}{
		{"itself", func(ctx context.Context) { <-ctx.Done() }},
		{"one derived", func(ctx context.Context) {
			ctx, cancel := context.WithCancel(context.WithValue(ctx, http.ServerContextKey, nil))
			defer cancel()
			<-ctx.Done()
		}},
		{"who asks again and again", func(ctx context.Context) {
			for ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
		}},
		{"a function", func(ctx context.Context) {
			ended := make(chan struct{})
			context.AfterFunc(ctx, func() { close(ended) })
			<-ended
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			began, ended := make(chan struct{}), make(chan error)
			s := answering(t, func(_ http.ResponseWriter, r *http.Request) {
				close(began)
				tt.wait(r.Context())
				ended <- r.Context().Err()
			})
			c := s.dial(t)
			c.send(plainly)
			<-began
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != context.Canceled {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestContexts uses a connection whose requests were watched further.
func TestContexts(t *testing.T) {
	t.Parallel()
	var kept []context.Context
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if ctx.Err() != nil || ctx.Value(http.ServerContextKey) == nil || ctx.Value(http.LocalAddrContextKey) == nil {
			t.Errorf("got a context with error %v, server %v, address %v", ctx.Err(), ctx.Value(http.ServerContextKey), ctx.Value(http.LocalAddrContextKey))
		}
		if r.Header.Get("Accept") != "" {
			select {
			case <-ctx.Done():
				t.Error("ended too early")
			default:
			}
			if ctx.Err() != nil || ctx.Value(http.ServerContextKey) == nil {
				t.Errorf("got error %v, server %v", ctx.Err(), ctx.Value(http.ServerContextKey))
			}
		}
		kept = append(kept, ctx)
		_, _ = io.WriteString(w, "fine")
	})
	const watched = "GET /content/a HTTP/1.1\r\nHost: ream\r\nAccept: */*\r\n\r\n"
	c := s.dial(t)
	for _, request := range []string{plainly, watched, watched, plainly} {
		c.ask(request, "fine")
	}
	if len(kept) != 4 {
		t.Fatalf("got %d requests", len(kept))
	}
	for _, ctx := range kept {
		if ctx.Err() != context.Canceled {
			t.Errorf("got %v for a request that has ended", ctx.Err())
		}
		<-ctx.Done()
	}
}

// TestRequestsThatComeEarly answers what clients send while the request before
// it is being answered, and watched.
func TestRequestsThatComeEarly(t *testing.T) {
	t.Parallel()
	began, end := make(chan struct{}, 3), make(chan struct{}, 3)
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		done := r.Context().Done()
		began <- struct{}{}
		<-end
		select {
		case <-done:
			t.Error("the context has ended")
		default:
		}
		_, _ = io.WriteString(w, "fine")
	})
	c := s.dial(t)
	c.send(plainly)
	<-began
	c.send(plainly + plainly)
	for range 3 {
		end <- struct{}{}
		if _, body := c.receive("GET"); body != "fine" {
			t.Errorf("got %q", body)
		}
	}
}

// TestServersThatEnd ends the contexts of requests with that of the server.
func TestServersThatEnd(t *testing.T) {
	t.Parallel()
	base, cancel := context.WithCancel(t.Context())
	began := make(chan struct{}, 1)
	s := start(t, &http.Server{
		BaseContext: func(net.Listener) context.Context { return base },
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			began <- struct{}{}
			<-r.Context().Done()
		}),
	})
	c := s.dial(t)
	c.send(plainly)
	<-began
	cancel()
	if response, _ := c.receive("GET"); response.StatusCode != 200 {
		t.Errorf("got %d", response.StatusCode)
	}
}
