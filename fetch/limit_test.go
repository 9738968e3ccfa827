package fetch_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"ream/fault"
	"ream/fetch"
)

// crowd is an upstream that counts who is there at once. It lets nobody go
// before as many came as are expected, and a little longer for those who come
// too many.
type crowd struct {
	expected int
	full     chan struct{}

	mu        sync.Mutex
	now, most int
}

func (c *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/elsewhere" {
		http.Redirect(w, r, "/a", http.StatusFound)
		return
	}
	c.mu.Lock()
	c.now++
	c.most = max(c.most, c.now)
	if c.most == c.expected && c.now == c.most {
		time.AfterFunc(20*time.Millisecond, func() { close(c.full) })
		c.expected = -1
	}
	c.mu.Unlock()
	select {
	case <-c.full:
	case <-r.Context().Done():
	}
	c.mu.Lock()
	c.now--
	c.mu.Unlock()
	fmt.Fprint(w, "hello")
}

func TestConnections(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		perHost       int
		first, second int // connections of two sources; 0 for no limit of their own
		path          string
		most          int
	}{
		{"of a source", 0, 3, 3, "/a", 6},
		{"of the host, shared by sources", 4, 3, 3, "/a", 4},
		{"of the host alone", 5, 0, 0, "/a", 5},
		{"through redirects", 2, 0, 0, "/elsewhere", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			guests := &crowd{expected: test.most, full: make(chan struct{})}
			up := newUpstream(t, guests.ServeHTTP)
			config := loopback(&waits{})
			config.HostConnections = test.perHost
			c := fetch.New(config)
			var group errgroup.Group
			for i := range 20 {
				settings := fetch.Settings{Connections: []int{test.first, test.second}[i%2]}
				group.Go(func() error {
					// Whoever asks by the same name and settings shares the limit.
					s, err := c.Source(fmt.Sprintf("remote-%d", i%2), settings)
					if err != nil {
						return err
					}
					var into sink
					got, err := s.Get(t.Context(), exactly(up.URL+test.path, "hello"), &into)
					if err == nil && got.Size != 5 {
						err = fmt.Errorf("got %d bytes", got.Size)
					}
					return err
				})
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			guests.mu.Lock()
			defer guests.mu.Unlock()
			if guests.most != test.most { // fewer would have waited for ever
				t.Errorf("at once: got %d, want %d", guests.most, test.most)
			}
		})
	}
}

// TestSlotsComeBack fails in each way that an attempt may fail, with one
// connection.
func TestSlotsComeBack(t *testing.T) {
	t.Parallel()
	gone := newUpstream(t)
	gone.Close()
	up := newUpstream(t, status(404), redirect("http://localhost:1/"), redirect("nonsense://"), redirect(gone.URL), status(403), body("wrong"), cutOff("hello", 2), body("hello"))
	config := loopback(&waits{})
	config.HostConnections = 1
	s := sourceOf(t, fetch.New(config), fetch.Settings{Connections: 1, Attempts: 1})
	for range 7 {
		if _, err := s.Get(t.Context(), exactly(up.URL, "hello"), &sink{}); err == nil {
			t.Fatal("it worked")
		}
	}
	var into sink
	got, err := s.Get(t.Context(), exactly(up.URL, "hello"), &into)
	check(t, got, err, &into, "hello")
}

// getAtOnce downloads a file so many times at once, by so many sources in turn.
func getAtOnce(t *testing.T, c *fetch.Client, request fetch.Request, times, sources int, settings fetch.Settings) {
	t.Helper()
	var group errgroup.Group
	for i := range times {
		group.Go(func() error {
			s, err := c.Source(fmt.Sprint(i%sources), settings)
			if err != nil {
				return err
			}
			_, err = s.Get(t.Context(), request, &sink{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestBytesPerSecond(t *testing.T) {
	t.Parallel()
	whole := strings.Repeat("0123456789", 10_000) // 100 kB
	for _, test := range []struct {
		name               string
		perHost, perSource int64
		downloads          int // each by a source of its own
		least              time.Duration
	}{
		{"of a source", 0, 200_000, 1, 400 * time.Millisecond},
		{"of each source", 0, 200_000, 2, 400 * time.Millisecond},
		{"of the host, shared by sources", 400_000, 0, 2, 400 * time.Millisecond},
		{"the lower of both", 200_000, 400_000, 1, 400 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t, body(whole))
			synctest.Test(t, func(t *testing.T) {
				config := loopback(&waits{})
				config.HostBytesPerSecond = test.perHost
				c := fetch.New(config)
				defer c.Close()
				began := time.Now()
				getAtOnce(t, c, exactly(up.URL, whole), test.downloads, test.downloads, fetch.Settings{BytesPerSecond: test.perSource, Stall: 100 * time.Millisecond})
				// An eighth of a second's bytes come at once.
				if took, want := time.Since(began).Round(time.Millisecond), 375*time.Millisecond; took != want {
					t.Errorf("it took %v, want %v", took, want)
				}
			})
		})
	}
}

func TestTotal(t *testing.T) {
	t.Parallel()
	drip := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		for r.Context().Err() == nil {
			fmt.Fprint(w, ".")
			http.NewResponseController(w).Flush() //nolint:errcheck // the context tells
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	up := newUpstream(t, drip)
	s, _ := newSource(t, fetch.Settings{Stall: time.Minute, Total: 2 * time.Second})
	_, err := s.Get(t.Context(), anything(up.URL+"/a"), &sink{})
	if want := up.URL + "/a: it takes longer than 2s"; fault.Message(err) != want || !fault.Is(err, fault.Unavailable) {
		t.Errorf("a slow drip: got %v, want Unavailable %q", err, want)
	}
	if n := len(up.seen()); n != 1 {
		t.Errorf("requests: got %d, want 1: the time is over", n)
	}

	up = newUpstream(t, stall("0123456789", 4))
	s, _ = newSource(t, fetch.Settings{Stall: 60 * time.Millisecond, Total: 150 * time.Millisecond, Attempts: 10})
	_, err = s.Get(t.Context(), anything(up.URL+"/a"), &sink{})
	if want := up.URL + "/a: it takes longer than 150ms"; fault.Message(err) != want {
		t.Errorf("many short attempts: got %v, want %q", err, want)
	}
}

// TestTotalBeginsWithTheHost waits for longer than a file may take until its host
// may be asked for it.
func TestTotalBeginsWithTheHost(t *testing.T) {
	t.Parallel()
	whole := strings.Repeat("0123456789", 1_000_000) // more than comes at once
	up := newUpstream(t, body(whole))
	synctest.Test(t, func(t *testing.T) {
		config := loopback(&waits{})
		config.HostConnections = 1
		c := fetch.New(config)
		defer c.Close()
		first, second := sourceOf(t, c, fetch.Settings{}), sourceOf(t, c, fetch.Settings{Total: time.Minute})
		var group errgroup.Group
		began := make(chan struct{})
		group.Go(func() error {
			_, err := first.Get(t.Context(), exactly(up.URL, whole), &heldSink{began: began})
			return err
		})
		<-began
		group.Go(func() error {
			_, err := second.Get(t.Context(), exactly(up.URL, whole), &sink{})
			return err
		})
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// TestTotalWithoutThePace downloads what takes longer than it may only since it may
// not come faster: for others that share the limit, and for its own size.
func TestTotalWithoutThePace(t *testing.T) {
	t.Parallel()
	whole := strings.Repeat("0123456789", 4_000) // 2 s by itself
	for _, test := range []struct {
		name               string
		perHost, perSource int64
		sources, files     int // each of which a source gets
		total              time.Duration
	}{
		{"of files of a source", 0, 20_000, 1, 6, 4 * time.Second},
		{"of sources of a host", 20_000, 0, 6, 1, 4 * time.Second},
		{"of a file alone", 0, 20_000, 1, 1, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t, body(whole))
			synctest.Test(t, func(t *testing.T) {
				config := loopback(&waits{})
				config.HostBytesPerSecond = test.perHost
				c := fetch.New(config)
				defer c.Close()
				getAtOnce(t, c, exactly(up.URL, whole), test.sources*test.files, test.sources, fetch.Settings{BytesPerSecond: test.perSource, Total: test.total})
			})
		})
	}
}

// heldSink takes two minutes for its first bytes, once it told that they came.
type heldSink struct {
	sink
	began chan struct{}
}

func (s *heldSink) Write(p []byte) (int, error) {
	if s.began != nil {
		close(s.began)
		s.began = nil
		<-time.After(2 * time.Minute)
	}
	return s.sink.Write(p)
}

// TestSettingsChange asks for a source again, with other settings.
func TestSettingsChange(t *testing.T) {
	t.Parallel()
	c := fetch.New(loopback(&waits{}))
	first := sourceOf(t, c, credentials("http://a/"))
	if again := sourceOf(t, c, credentials("http://a/")); again != first {
		t.Error("the same settings lead to another source, which shares no limits")
	}
	if changed := sourceOf(t, c, credentials("http://b/")); changed == first {
		t.Error("other settings lead to the same source")
	}
}
