package fetch_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
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
		{"seconds", "601", 0, 0, 601 * time.Second},
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

// TestAgain has downloads that go on from what one of a single attempt told.
func TestAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		first http.HandlerFunc
		want  time.Duration // after which it may be asked again; -1 if it may not
	}{
		{"fails", status(http.StatusInternalServerError), time.Second},
		{"says when", status(http.StatusServiceUnavailable, "Retry-After", "3"), 3 * time.Second},
		{"lies", body("hallo"), time.Second},
		{"has nothing", status(http.StatusNotFound), -1},
		{"refuses", status(http.StatusForbidden), -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t, test.first, body("hello"))
			s, w := newSource(t, fetch.Settings{})
			request := exactly(up.URL, "hello")
			request.Attempts = 1
			_, err := s.Get(t.Context(), request, &sink{})
			again, ok := errors.AsType[*fetch.AgainError](err)
			if err == nil || ok != (test.want >= 0) || len(up.seen()) != 1 {
				t.Fatalf("got %v after %d requests", err, len(up.seen()))
			}
			if !ok {
				return
			}
			if want := now.Add(test.want); !again.NotBefore.Equal(want) {
				t.Errorf("it may be asked from %v on, want %v", again.NotBefore, want)
			}
			var into sink
			request.NotBefore = again.NotBefore
			got, err := s.Get(t.Context(), request, &into)
			check(t, got, err, &into, "hello")
			if !slices.Equal(w.took, []time.Duration{test.want}) {
				t.Errorf("there were pauses of %v, want %v", w.took, test.want)
			}
		})
	}
	up := newUpstream(t, body("hallo"))
	s, _ := newSource(t, fetch.Settings{})
	_, err := s.Get(t.Context(), exactly(up.URL, "hello"), &sink{})
	if _, ok := errors.AsType[*fetch.AgainError](err); ok || !fault.Is(err, fault.BadInput) {
		t.Errorf("who lies twice: got %v", err)
	}
}

// getAfter gets a file, before which the source's client made these pauses in all.
func getAfter(t *testing.T, s *fetch.Source, w *waits, url string, want ...time.Duration) {
	t.Helper()
	var into sink
	got, err := s.Get(t.Context(), exactly(url, "hello"), &into)
	check(t, got, err, &into, "hello")
	if !slices.Equal(w.took, want) {
		t.Errorf("pauses: got %v, want %v", w.took, want)
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
	getAfter(t, s, w, up.URL+"/b", 90*time.Second)
}

// TestRetryLaterOfAnotherHost has an upstream whose files are elsewhere: what that
// asks for says nothing of upstream itself.
func TestRetryLaterOfAnotherHost(t *testing.T) {
	t.Parallel()
	elsewhere := newUpstream(t, status(http.StatusTooManyRequests, "Retry-After", "3600"))
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, body("hello"))
	s, _ := newSource(t, fetch.Settings{})
	_, err := s.Get(t.Context(), exactly(up.URL+"/a", "hello"), &sink{})
	if later, ok := errors.AsType[*fetch.LaterError](err); !ok || !later.File {
		t.Errorf("got %v, want that it is about the file", err)
	}
	var into sink
	got, err := s.Get(t.Context(), exactly(up.URL+"/b", "hello"), &into)
	check(t, got, err, &into, "hello")
}

// TestRetryLaterWaitsInNobodysWay has an upstream that wants to be left alone while
// others wait for its only connection: who waits for that to pass does not keep
// those from learning of it who would not wait.
func TestRetryLaterWaitsInNobodysWay(t *testing.T) {
	t.Parallel()
	answer, queued := make(chan struct{}), make(chan struct{})
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		close(queued)
		<-answer
		status(http.StatusTooManyRequests, "Retry-After", "100")(w, r)
	}, body("hello"))
	waiting, passed := make(chan struct{}), make(chan struct{})
	var waits waits
	config := loopback(&waits)
	var once sync.Once
	config.Wait = func(ctx context.Context, d time.Duration) error {
		once.Do(func() { close(waiting) })
		<-passed
		return waits.wait(ctx, d)
	}
	c := fetch.New(config)
	defer c.Close()
	s := sourceOf(t, c, fetch.Settings{Connections: 1, Attempts: 1})
	get := func(patience time.Duration) <-chan error {
		ended := make(chan error, 1)
		go func() {
			request := exactly(up.URL, "hello")
			request.Patience = patience
			_, err := s.Get(t.Context(), request, &sink{})
			ended <- err
		}()
		return ended
	}
	first := get(0)
	<-queued
	patient := get(0)
	impatient := get(5 * time.Second)
	close(answer)
	<-first
	if _, ok := errors.AsType[*fetch.LaterError](<-impatient); !ok {
		t.Error("who would not wait was not told so")
	}
	<-waiting
	close(passed)
	if err := <-patient; err != nil {
		t.Errorf("who waited got %v", err)
	}
}

// TestRetryLaterAgainAndAgain has an upstream that never answers otherwise: nobody
// waits for longer than they would for one such answer.
func TestRetryLaterAgainAndAgain(t *testing.T) {
	t.Parallel()
	up := newUpstream(t, status(http.StatusTooManyRequests, "Retry-After", "4"))
	var waits waits
	config := loopback(&waits)
	c := fetch.New(config)
	defer c.Close()
	s := sourceOf(t, c, fetch.Settings{Connections: 1, Attempts: 3})
	for range 20 {
		before := waits.now()
		request := exactly(up.URL, "hello")
		request.Patience = 5 * time.Second
		if _, err := s.Get(t.Context(), request, &sink{}); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("got %v", err)
		}
		if took := waits.now().Sub(before); took > 15*time.Second {
			t.Fatalf("it took %s", took)
		}
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
	getAfter(t, s, w, up.URL+"/b", 90*time.Second)
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
