package lane_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"ream/lane"
)

// other is an address of this machine that another client comes from, on Linux.
const other = "127.0.0.2"

// passing is a request that net/http answers.
const passing = "GET /other HTTP/1.1\r\nHost: ream\r\n\r\n"

// try sends a request, and reports whether it is answered.
func (c *client) try(request string) bool {
	if _, err := io.WriteString(c, request); err != nil {
		return false
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err == nil
}

// TestFloods has one client hold as many connections as it can, in every way that
// leaves them idle.
func TestFloods(t *testing.T) {
	t.Parallel()
	const most, flood = 16, 150
	for name, hold := range map[string]func(*client){
		"that bring nothing":                func(*client) {},
		"after a request":                   func(c *client) { c.try(plainly) },
		"after a request that is not plain": func(c *client) { c.try(passing) },
		"with the beginning of a request":   func(c *client) { _, _ = io.WriteString(c, "GET /content/a HT") },
		"with the beginning of a second":    func(c *client) { c.try(passing); _, _ = io.WriteString(c, "GET /") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startBounded(t, most, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") })})
			attack := func() {
				for range flood {
					hold(s.dial(t))
				}
				s.dial(t) // which is idle whatever the server is in the midst of
			}
			attack()
			calm := s.dialFrom(t, other)
			calm.ask(plainly, "fine")
			calm.ask(passing, "fine")
			attack()
			calm.ask(passing, "fine")
			s.dialFrom(t, other).ask(plainly, "fine") // so that all others are accepted
			const came = 2*(flood+1) + 2
			if l := s.Load(); l.Open > most || l.Max != most || l.Closed != int64(came-l.Open) {
				t.Errorf("got %+v of %d connections", l, came)
			}
			if got := s.log.String(); !strings.Contains(got, "there are 16 connections, as many as there may be") || !strings.Contains(got, "of 127.0.0.1:") {
				t.Errorf("logged %q", got)
			}
		})
	}
}

// TestLongestIdle closes connections in the right order.
func TestLongestIdle(t *testing.T) {
	t.Parallel()
	s := startBounded(t, 4, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") })})
	first := s.dialFrom(t, other)
	a, b, c := s.dial(t), s.dial(t), s.dial(t)
	d := s.dialFrom(t, other)
	a.ended() // the longest of the client with three
	e := s.dial(t)
	b.ended() // of one that is about to have three
	f := s.dialFrom(t, other)
	first.ended()
	for _, kept := range []*client{c, d, e, f} {
		kept.ask(plainly, "fine")
	}
	if l := s.Load(); l != (lane.Load{Open: 4, Max: 4, Closed: 3}) {
		t.Errorf("got %+v", l)
	}
}

// TestNoneIdle closes new connections while requests are under way on all others,
// whoever answers them.
func TestNoneIdle(t *testing.T) {
	t.Parallel()
	began, end, idle := make(chan struct{}), make(chan struct{}), make(chan struct{}, 2)
	hijacked := make(chan net.Conn, 1)
	s := startBounded(t, 3, &http.Server{
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateIdle {
				idle <- struct{}{}
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/taken" {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
				}
				hijacked <- conn
				return
			}
			began <- struct{}{}
			<-end
			_, _ = io.WriteString(w, "fine")
		}),
	})
	plain, passed, taken := s.dial(t), s.dial(t), s.dial(t)
	plain.send(plainly)
	<-began
	passed.send(passing)
	<-began
	taken.send("GET /taken HTTP/1.1\r\nHost: ream\r\n\r\n")
	conn := <-hijacked
	s.dial(t).ended()
	s.dialFrom(t, other).ended()
	close(end)
	for _, c := range []*client{plain, passed} {
		if _, body := c.receive("GET"); body != "fine" {
			t.Errorf("got %q", body)
		}
	}
	<-idle
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	taken.ended()
	if l := s.Load(); l != (lane.Load{Open: 2, Max: 3, Closed: 2}) {
		t.Errorf("got %+v", l)
	}
	calm := s.dialFrom(t, other) // in the place of the one that was taken
	calm.send(plainly)
	<-began
	calm.receive("GET")
	passed.send(passing)
	<-began
	passed.receive("GET")
	<-idle
}
