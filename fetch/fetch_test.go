package fetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ream/fault"
	"ream/fetch"
)

// sink keeps what is downloaded.
type sink struct {
	bytes.Buffer
	resets int
}

func (s *sink) Reset() error {
	s.resets++
	s.Buffer.Reset()
	return nil
}

// now is when the tests' clients begin.
var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// waits are the pauses that a client made, and its clock, which only they move.
type waits struct {
	mu   sync.Mutex
	took []time.Duration
	all  time.Duration
}

func (w *waits) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return now.Add(w.all)
}

func (w *waits) wait(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.took = append(w.took, d)
	w.all += d
	return ctx.Err()
}

// loopback is a client's configuration that lets it connect to the tests'
// upstreams, and takes no time for pauses.
func loopback(w *waits) fetch.Config {
	all, err := fetch.ParseNetworks("all")
	if err != nil {
		panic(err)
	}
	return fetch.Config{
		UserAgent: "ream/test",
		Networks:  all,
		Backoff:   func(attempt int) time.Duration { return time.Duration(attempt) * time.Second },
		Wait:      w.wait,
		Now:       w.now,
	}
}

// newSource returns a source with these settings, and its pauses.
func newSource(t testing.TB, settings fetch.Settings) (*fetch.Source, *waits) {
	t.Helper()
	w := &waits{}
	return sourceOf(t, fetch.New(loopback(w)), settings), w
}

func sourceOf(t testing.TB, c *fetch.Client, settings fetch.Settings) *fetch.Source {
	t.Helper()
	s, err := c.Source("remote-1", settings)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// upstream answers its nth request by the nth step, and later ones by the last.
type upstream struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
}

func newUpstream(t *testing.T, steps ...http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewServer(u.handler(steps))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) handler(steps []http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.requests = append(u.requests, r.Clone(context.WithoutCancel(r.Context())))
		step := steps[min(len(u.requests), len(steps))-1]
		u.mu.Unlock()
		step(w, r)
	}
}

func (u *upstream) seen() []*http.Request {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.requests)
}

func body(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s) }
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// anything asks for bytes of which nothing is known.
func anything(url string) fetch.Request { return fetch.Request{URL: url, Size: -1} }

// exactly asks for known bytes.
func exactly(url, body string) fetch.Request {
	return fetch.Request{URL: url, Size: int64(len(body)), SHA256: digest(body)}
}

func check(t *testing.T, got fetch.Result, err error, s *sink, want string) {
	t.Helper()
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	if s.String() != want {
		t.Errorf("body: got %.80q, want %.80q", s.String(), want)
	}
	if got.Size != int64(len(want)) || got.SHA256 != digest(want) {
		t.Errorf("result: got %+v, want %d bytes, %s", got, len(want), digest(want))
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		steps []http.HandlerFunc
		waits []time.Duration
	}{
		{"at once", []http.HandlerFunc{body("hello")}, nil},
		{"after two failures", []http.HandlerFunc{status(500), status(503), body("hello")}, []time.Duration{time.Second, 2 * time.Second}},
		{"after a timeout of upstream", []http.HandlerFunc{status(408), body("hello")}, []time.Duration{time.Second}},
		{"after as many seconds as asked for", []http.HandlerFunc{status(429, "Retry-After", "7"), body("hello")}, []time.Duration{7 * time.Second}},
		{"after the date asked for", []http.HandlerFunc{status(503, "Retry-After", now.Add(9*time.Second).Format(http.TimeFormat)), body("hello")}, []time.Duration{9 * time.Second}},
		{"after two minutes, as asked for", []http.HandlerFunc{status(429, "Retry-After", "120"), body("hello")}, []time.Duration{2 * time.Minute}},
		{"after a senseless Retry-After", []http.HandlerFunc{status(429, "Retry-After", "soon"), body("hello")}, []time.Duration{time.Second}},
		{"after other bytes", []http.HandlerFunc{body("jello"), body("hello")}, []time.Duration{time.Second}},
		{"after too few bytes", []http.HandlerFunc{body("hell"), body("hello")}, []time.Duration{time.Second}},
		{"after too many bytes", []http.HandlerFunc{body("hello!"), body("hello")}, []time.Duration{time.Second}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t, test.steps...)
			c, w := newSource(t, fetch.Settings{})
			var s sink
			got, err := c.Get(t.Context(), exactly(up.URL+"/a", "hello"), &s)
			check(t, got, err, &s, "hello")
			if !slices.Equal(w.took, test.waits) {
				t.Errorf("pauses: got %v, want %v", w.took, test.waits)
			}
			if agent := up.seen()[0].UserAgent(); agent != "ream/test" {
				t.Errorf("user agent: got %q", agent)
			}
		})
	}
}

func TestGetFails(t *testing.T) {
	t.Parallel()
	const long = 1 << 20
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for chunk := make([]byte, 1<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	for _, test := range []struct {
		name     string
		upstream http.HandlerFunc
		request  fetch.Request // without the URL
		kind     fault.Kind
		message  string // after the URL
		requests int
	}{
		{"not found", status(404), fetch.Request{Size: -1}, fault.NotFound, ": 404 Not Found", 1},
		{"gone", status(410), fetch.Request{Size: -1}, fault.NotFound, ": 410 Gone", 1},
		{"forbidden", status(403), fetch.Request{Size: -1}, fault.Unavailable, ": 403 Forbidden", 1},
		{"always failing", status(502), fetch.Request{Size: -1}, fault.Unavailable, ": 502 Bad Gateway (tried 5 times)", 5},
		{"part without being asked", status(206), fetch.Request{Size: -1}, fault.Unavailable, ": 206 Partial Content", 1},
		{"wrong digest", body("jello"), exactly("", "hello"), fault.BadInput, ": its SHA-256 is " + digest("jello") + ", but the metadata says " + digest("hello"), 2},
		{"too short", body("hell"), exactly("", "hello"), fault.BadInput, ": it has 4 bytes, but the metadata says 5", 2},
		{"too long", body("hello!"), exactly("", "hello"), fault.BadInput, ": it has more than the 5 bytes that the metadata says", 2},
		{"endless", endless, fetch.Request{Size: long}, fault.BadInput, ": it has more than the 1048576 bytes that the metadata says", 2},
		{"endless, of unknown size", endless, fetch.Request{Size: -1, MaxBytes: long}, fault.BadInput, ": it has more than 1048576 bytes", 1},
		{"more than allowed, and told", body("hello"), fetch.Request{Size: -1, MaxBytes: 4}, fault.BadInput, ": it has more than 4 bytes", 1},
		{"more than allowed, and asked for", body("hello"), fetch.Request{Size: 5, MaxBytes: 4}, fault.BadInput, ": it has more than 4 bytes", 1},
		{"redirect loop", redirect("/a"), fetch.Request{Size: -1}, fault.Unavailable, ": it has more than 10 redirects", 11},
		{"redirect to a file", redirect("file:///etc/hostname"), fetch.Request{Size: -1}, fault.Unavailable, ": it redirects to what is no http or https address", 1},
		{"redirect to nonsense", redirect("http://me:secret@[/?token=secret"), fetch.Request{Size: -1}, fault.Unavailable, ": it redirects to what is no http or https address", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t, test.upstream)
			c, _ := newSource(t, fetch.Settings{})
			test.request.URL = up.URL + "/a?token=secret"
			var s sink
			_, err := c.Get(t.Context(), test.request, &s)
			if !fault.Is(err, test.kind) {
				t.Errorf("Get: got %v, want %s", err, test.kind)
			}
			if got, want := fault.Message(err), up.URL+"/a"+test.message; got != want {
				t.Errorf("message: got %q, want %q", got, want)
			}
			if strings.Contains(fmt.Sprint(err), "secret") {
				t.Errorf("the error tells a secret: %v", err)
			}
			if n := len(up.seen()); n != test.requests {
				t.Errorf("requests: got %d, want %d", n, test.requests)
			}
			if s.Len() > long+1 {
				t.Errorf("sink: got %d bytes, want no more than one too many", s.Len())
			}
		})
	}
}

// TestGetRefused tells an upstream that refuses a file from one that may not
// answer about any.
func TestGetRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		upstream http.HandlerFunc
		refused  bool
	}{
		{"bad request", status(400), true},
		{"forbidden", status(403), true},
		{"legal reasons", status(451), true},
		{"not modified", status(304), true},
		{"redirect loop", redirect("/a"), true},
		{"redirect to nonsense", redirect("nonsense://"), true},
		{"encoded", encoded(t, "gzip", "hello"), true},
		{"unauthorized", status(401), false},
		{"of the proxy", status(407), false},
		{"timeout", status(408), false},
		{"too many requests", status(429), false},
		{"unavailable", status(503), false},
		{"cut off", cutOff("hello", 2), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t, test.upstream)
			s, _ := newSource(t, fetch.Settings{})
			_, err := s.Get(t.Context(), anything(up.URL+"/a"), &sink{})
			if !fault.Is(err, fault.Unavailable) || errors.Is(err, fetch.ErrRefused) != test.refused {
				t.Errorf("Get: got %v, want Unavailable, refused %t", err, test.refused)
			}
		})
	}
}

func TestGetURL(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ url, message string }{
		{"", `the URL's scheme "" is not supported`},
		{"/etc/hostname", `the URL's scheme "" is not supported`},
		{"ftp://me:secret@host/a", `the URL's scheme "ftp" is not supported`},
		{"http://me:secret@[::1/a", "the URL is not valid"},
		{"http://me:sec ret@host:secret/a", "the URL is not valid"},
		{"http:///a", "the URL names no host"},
		{"https:a", "the URL names no host"},
		{"https://me:secret@host/a", "the URL holds a user name or password"},
		{"file:a", "the URL is no absolute path"},
		{"file://host/a", "the URL is no absolute path"},
		{"file://", "the URL is no absolute path"},
	} {
		c, _ := newSource(t, fetch.Settings{})
		_, err := c.Get(t.Context(), anything(test.url), &sink{})
		if !fault.Is(err, fault.BadInput) || !strings.HasPrefix(fault.Message(err), test.message) {
			t.Errorf("Get(%q): got %v, want BadInput %q", test.url, err, test.message)
		}
		if strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("Get(%q): the error tells a secret: %v", test.url, err)
		}
	}
}

func TestGetUnreachable(t *testing.T) {
	t.Parallel()
	up := newUpstream(t, body("hello"))
	address := up.URL + "/a?token=secret"
	up.Close()
	c, w := newSource(t, fetch.Settings{})
	_, err := c.Get(t.Context(), anything(address), &sink{})
	if got, want := fault.Message(err), up.URL+"/a: the connection was refused (tried 5 times)"; got != want || !fault.Is(err, fault.Unavailable) {
		t.Errorf("Get: got %v, want Unavailable %q", err, want)
	}
	if !strings.Contains(fmt.Sprint(err), "connection refused") || strings.Contains(fmt.Sprint(err), "secret") {
		t.Errorf("error for the log: got %v, want the cause without secrets", err)
	}
	if len(w.took) != 4 {
		t.Errorf("pauses: got %v, want 4", w.took)
	}
}

// hashing is a sink that hashes, in its own way so that it shows.
type hashing struct{ sink }

func (*hashing) SHA256() string { return digest("by the sink") }

// fullSink fails to write.
type fullSink struct{ sink }

var errFull = errors.New("full")

func (*fullSink) Write([]byte) (int, error) { return 0, errFull }

func TestSinks(t *testing.T) {
	t.Parallel()
	up := newUpstream(t, body("hello"))
	c, w := newSource(t, fetch.Settings{})
	var s hashing
	got, err := c.Get(t.Context(), fetch.Request{URL: up.URL, Size: 5, SHA256: strings.ToUpper(digest("by the sink"))}, &s)
	if err != nil || got.SHA256 != digest("by the sink") || s.String() != "hello" {
		t.Errorf("Get into a sink that hashes: got %+v, %v, want the sink's digest", got, err)
	}
	if _, err := c.Get(t.Context(), anything(up.URL), &fullSink{}); !errors.Is(err, errFull) || len(w.took) != 0 {
		t.Errorf("Get into a full sink: got %v after pauses %v, want its error at once", err, w.took)
	}
}
