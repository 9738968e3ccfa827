package fetch_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"ream/fault"
	"ream/fetch"
	"ream/secret"
)

// TestRetryMuchLater has upstreams that want to be left alone for longer than
// anybody waits: they are, and are asked again after that.
func TestRetryMuchLater(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		retryAfter string
		patience   time.Duration
		attempts   int
		want       time.Duration
	}{
		{"seconds", "121", 0, 0, 121 * time.Second},
		{"an hour", "3600", 0, 0, time.Hour},
		{"at the only attempt", "3600", 0, 1, time.Hour},
		{"more than an hour", "20000", 0, 0, 20000 * time.Second},
		{"a date", now.Add(3 * time.Hour).Format(http.TimeFormat), 0, 0, 3 * time.Hour},
		{"a senseless number", "99999999999", 0, 0, 24 * time.Hour},
		{"a senseless date", now.AddDate(10, 0, 0).Format(http.TimeFormat), 0, 0, 24 * time.Hour},
		{"longer than the patience", "7", 6 * time.Second, 0, 7 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t, status(http.StatusTooManyRequests, "Retry-After", test.retryAfter), body("hello"))
			s, w := newSource(t, fetch.Settings{Attempts: test.attempts})
			until := now.Add(test.want)
			get := func(path string) (*sink, fetch.Result, error) {
				request := exactly(up.URL+path, "hello")
				request.Patience = test.patience
				var into sink
				got, err := s.Get(t.Context(), request, &into)
				return &into, got, err
			}
			refused := func(path string) {
				t.Helper()
				_, _, err := get(path)
				if want := up.URL + path + ": 429 Too Many Requests: it wants to be left alone until " + until.Format(time.RFC3339); !fault.Is(err, fault.Unavailable) || fault.Message(err) != want {
					t.Errorf("got %v, want Unavailable %q", err, want)
				}
				if later, ok := errors.AsType[*fetch.LaterError](err); !ok || !later.Until.Equal(until) || later.File || errors.Is(err, fetch.ErrRefused) {
					t.Errorf("got %#v, want one that tells %s", err, until)
				}
			}
			refused("/a")
			refused("/a")
			refused("/b")
			if n := len(up.seen()); n != 1 || len(w.took) > 0 {
				t.Fatalf("it was asked %d times, after pauses %v", n, w.took)
			}
			w.wait(t.Context(), test.want) //nolint:errcheck // the context is not over
			into, got, err := get("/a")
			check(t, got, err, into, "hello")
		})
	}
}

// TestRetryOneFileLater has an upstream that has not one of its files for a while:
// others are asked for at once.
func TestRetryOneFileLater(t *testing.T) {
	t.Parallel()
	up := newUpstream(t, status(http.StatusServiceUnavailable, "Retry-After", "90"), status(http.StatusServiceUnavailable, "Retry-After", "3600"), body("hello"))
	s, w := newSource(t, fetch.Settings{})
	_, err := s.Get(t.Context(), exactly(up.URL+"/a", "hello"), &sink{})
	until := now.Add(90*time.Second + time.Hour)
	if later, ok := errors.AsType[*fetch.LaterError](err); !ok || !later.File || !later.Until.Equal(until) || !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want that it is to be left alone until %s", err, until)
	}
	var into sink
	got, err := s.Get(t.Context(), exactly(up.URL+"/b", "hello"), &into)
	check(t, got, err, &into, "hello")
	if want := []time.Duration{90 * time.Second}; !slices.Equal(w.took, want) {
		t.Errorf("pauses: got %v, want %v", w.took, want)
	}
}

// TestRetryLaterIsForAll has other files of an upstream that wants to be left
// alone for a moment: they wait for it as well, whoever gets them.
func TestRetryLaterIsForAll(t *testing.T) {
	t.Parallel()
	up := newUpstream(t, status(http.StatusTooManyRequests, "Retry-After", "90"), body("hello"))
	s, w := newSource(t, fetch.Settings{Attempts: 1})
	if _, err := s.Get(t.Context(), exactly(up.URL+"/a", "hello"), &sink{}); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("the first: got %v", err)
	}
	var into sink
	got, err := s.Get(t.Context(), exactly(up.URL+"/b", "hello"), &into)
	check(t, got, err, &into, "hello")
	if want := []time.Duration{90 * time.Second}; !slices.Equal(w.took, want) {
		t.Errorf("pauses: got %v, want %v", w.took, want)
	}
}

// TestRetryLaterReachesThoseWhoWait has many files that wait for a connection of
// an upstream that then wants to be left alone.
func TestRetryLaterReachesThoseWhoWait(t *testing.T) {
	t.Parallel()
	up := newUpstream(t, status(http.StatusTooManyRequests, "Retry-After", "3600"))
	s, _ := newSource(t, fetch.Settings{Connections: 1})
	var group errgroup.Group
	for range 50 {
		group.Go(func() error {
			_, err := s.Get(t.Context(), anything(up.URL), &sink{})
			if _, ok := errors.AsType[*fetch.LaterError](err); !ok {
				t.Errorf("got %v", err)
			}
			return nil
		})
	}
	group.Wait() //nolint:errcheck // there is none
	if n := len(up.seen()); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}

// TestRetryLaterOfASource has two upstreams' settings, as of two accounts: what
// one of them is told does not hold for the other, nor for new settings.
func TestRetryLaterOfASource(t *testing.T) {
	t.Parallel()
	up := newUpstream(t, status(http.StatusTooManyRequests, "Retry-After", "3600"), body("hello"))
	c := fetch.New(loopback(&waits{}))
	defer c.Close()
	if _, err := sourceOf(t, c, fetch.Settings{}).Get(t.Context(), anything(up.URL), &sink{}); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("got %v", err)
	}
	other := sourceOf(t, c, fetch.Settings{URL: up.URL, Username: "me", Password: secret.New("secret")})
	var into sink
	got, err := other.Get(t.Context(), anything(up.URL), &into)
	check(t, got, err, &into, "hello")
}
