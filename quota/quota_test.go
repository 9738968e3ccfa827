package quota

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]string{
		"192.0.2.1:4711":          "192.0.2.1",
		"192.0.2.1":               "192.0.2.1",
		"[::ffff:192.0.2.1]:80":   "192.0.2.1",
		"[2001:db8:1:2:3::4]:80":  "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::]:1": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80":       "fe80::/64",
		"2001:db8:1:3::1":         "2001:db8:1:3::/64",
		"@":                       "@",
		"":                        "",
	} {
		if got := Address(remote); got != want {
			t.Errorf("%s: got %s, want %s", remote, got, want)
		}
	}
}

func TestClients(t *testing.T) {
	t.Parallel()
	var seen string
	h := ByAddress(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = ClientOf(r.Context()) }))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.RemoteAddr = "192.0.2.7:1"
	h.ServeHTTP(httptest.NewRecorder(), r)
	if seen != "192.0.2.7" {
		t.Errorf("got %q, want the address", seen)
	}
	if got := ClientOf(WithClient(WithClient(t.Context(), "192.0.2.7"), "token-1")); got != "token-1" {
		t.Errorf("got %q, want what was said last", got)
	}
	if got := ClientOf(t.Context()); got != "" {
		t.Errorf("got %q, want nobody", got)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	r := NewRate(10, 3)
	r.now = func() time.Time { return now }
	for i := range 3 {
		if wait := r.Take("a"); wait != 0 {
			t.Errorf("request %d of a burst of 3: got to wait for %s", i+1, wait)
		}
	}
	for range 2 { // what is refused does not count
		if wait := r.Take("a"); wait != 100*time.Millisecond {
			t.Errorf("after the burst: got %s, want 100ms", wait)
		}
	}
	if wait := r.Take("b"); wait != 0 {
		t.Errorf("another client: got to wait for %s", wait)
	}
	now = now.Add(100 * time.Millisecond)
	if wait := r.Take("a"); wait != 0 {
		t.Errorf("later: got to wait for %s", wait)
	}
	if wait := r.Take("a"); wait == 0 {
		t.Error("later: got two requests at once, want one")
	}
}

func TestNoRate(t *testing.T) {
	t.Parallel()
	r := NewRate(0, 0)
	for range 10_000 {
		if r.Take("a") != 0 {
			t.Fatal("got to wait")
		}
	}
}

func TestRateOfManyClients(t *testing.T) {
	t.Parallel()
	r := NewRate(1, 1)
	for i := range remembered + 1 {
		r.Take(fmt.Sprint(i))
	}
	if n := r.clients.Len(); n != remembered {
		t.Errorf("got %d clients in memory, want %d", n, remembered)
	}
}

func TestSeats(t *testing.T) {
	t.Parallel()
	s := NewSeats(2, 3)
	leave, _ := s.Take("a")
	if _, refused := s.Take("a"); refused != nil {
		t.Fatalf("second seat: got %+v", refused)
	}
	if _, refused := s.Take("a"); refused == nil || *refused != (Refused{Max: 2}) {
		t.Errorf("third seat of a client: got %+v, want 2 for each", refused)
	}
	if refused := s.Full("b"); refused != nil {
		t.Errorf("another client: got %+v", refused)
	}
	if _, refused := s.Take("b"); refused != nil {
		t.Errorf("another client: got %+v", refused)
	}
	if _, refused := s.Take("c"); refused == nil || *refused != (Refused{Max: 3, All: true}) {
		t.Errorf("fourth seat in all: got %+v, want 3 for all", refused)
	}
	leave()
	leave()
	if n := s.Taken(); n != 2 {
		t.Errorf("after one left twice: got %d seats taken, want 2", n)
	}
	if _, refused := s.Take("c"); refused != nil {
		t.Errorf("after one left: got %+v", refused)
	}
}

func TestSeatsWithoutBounds(t *testing.T) {
	t.Parallel()
	s := NewSeats(0, 0)
	var leaving sync.WaitGroup
	for i := range 1000 {
		leave, refused := s.Take(fmt.Sprint(i % 3))
		if refused != nil {
			t.Fatalf("got %+v", refused)
		}
		leaving.Go(leave)
	}
	leaving.Wait()
	if len(s.by) != 0 || s.Taken() != 0 {
		t.Errorf("got %d taken by %v, want none", s.Taken(), s.by)
	}
}
