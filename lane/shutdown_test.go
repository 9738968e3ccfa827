package lane_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"

	"ream/lane"
)

// TestShutdown ends a server in the midst of a request.
func TestShutdown(t *testing.T) {
	t.Parallel()
	began, end := make(chan struct{}, 1), make(chan struct{})
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/content/slow" {
			began <- struct{}{}
			<-end
		}
		_, _ = io.WriteString(w, "fine")
	})
	idle, slow, passed := s.dial(t), s.dial(t), s.dial(t)
	idle.ask(plainly, "fine")
	passed.ask("GET /content/a?b HTTP/1.1\r\nHost: ream\r\n\r\n", "fine")
	slow.send("GET /content/slow HTTP/1.1\r\nHost: ream\r\n\r\n")
	<-began
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("shutting down ended with %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(t.Context()) }()
	idle.ended()
	passed.ended()
	if c, err := net.Dial("tcp", s.address); err == nil {
		_ = c.Close()
		t.Error("it still listens")
	}
	select {
	case err := <-ended:
		t.Fatalf("it ended before the request, with %v", err)
	default:
	}
	close(end)
	response, body := slow.receive("GET")
	if body != "fine" || !response.Close {
		t.Errorf("got %q, and the connection stays: %t", body, !response.Close)
	}
	slow.ended()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestShutdownOfNewConnections answers those who have just come.
func TestShutdownOfNewConnections(t *testing.T) {
	t.Parallel()
	s := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") })
	c, other := s.dial(t), s.dial(t)
	other.ask(plainly, "fine") // so that the first one is accepted as well
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(t.Context()) }()
	other.ended()
	c.send(plainly)
	if response, body := c.receive("GET"); body != "fine" || !response.Close {
		t.Errorf("got %q, and the connection stays: %t", body, !response.Close)
	}
	c.ended()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// holding is a listener that holds what it accepted for a while, as a machine does
// that is busy.
type holding struct {
	net.Listener
	accepted, let chan struct{}
}

func (h *holding) Accept() (net.Conn, error) {
	c, err := h.Listener.Accept()
	if err == nil {
		h.accepted <- struct{}{}
		<-h.let
	}
	return c, err
}

// TestShutdownWhileAccepting waits for a connection that nobody has seen yet.
func TestShutdownWhileAccepting(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &holding{l, make(chan struct{}), make(chan struct{})}
	s := &lane.Server{Prefix: "/content/", HTTP: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "fine") }),
	}}
	served := make(chan error, 1)
	go func() { served <- s.Serve(h) }()
	c := (&running{address: l.Addr().String()}).dial(t)
	c.send(plainly)
	<-h.accepted
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("shutting down ended with %v", err)
	}
	close(h.let)
	if _, body := c.receive("GET"); body != "fine" {
		t.Errorf("got %q", body)
	}
	c.ended()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("serving ended with %v", err)
	}
}
