package fetch_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ream/fault"
	"ream/fetch"
)

// cutOff announces all of a body and sends only its first bytes.
func cutOff(whole string, n int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
		fmt.Fprint(w, whole[:n])
		http.NewResponseController(w).Flush() //nolint:errcheck // the connection ends anyway
		panic(http.ErrAbortHandler)
	}
}

// file serves a body with ranges, as a good upstream does.
func file(whole string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(whole))
	}
}

// part answers whatever is asked with these bytes of ten.
func part(start int, bytes string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/10", start, start+len(bytes)-1))
		w.WriteHeader(http.StatusPartialContent)
		fmt.Fprint(w, bytes)
	}
}

func TestGetGoesOn(t *testing.T) {
	t.Parallel()
	const whole = "0123456789"
	old := now.Add(-time.Hour).Format(http.TimeFormat)
	date := now.Format(http.TimeFormat)
	for _, test := range []struct {
		name   string
		steps  []http.HandlerFunc
		ranges []string // asked for
		resets int
	}{
		{"by a strong ETag", []http.HandlerFunc{cutOff(whole, 4, "ETag", `"v1"`), file(whole, "ETag", `"v1"`)}, []string{"", "bytes=4-"}, 0},
		{"by an old Last-Modified", []http.HandlerFunc{cutOff(whole, 4, "Last-Modified", old, "Date", date), part(4, "456789", "Last-Modified", old, "Date", date)}, []string{"", "bytes=4-"}, 0},
		{"twice", []http.HandlerFunc{cutOff(whole, 2, "ETag", `"v1"`), status(503), cutOffPart(2, "2345", "ETag", `"v1"`), file(whole, "ETag", `"v1"`)}, []string{"", "bytes=2-", "bytes=2-", "bytes=6-"}, 0},
		{"anew without a validator", []http.HandlerFunc{cutOff(whole, 4), file(whole)}, []string{"", ""}, 1},
		{"anew by a weak ETag", []http.HandlerFunc{cutOff(whole, 4, "ETag", `W/"v1"`), file(whole)}, []string{"", ""}, 1},
		{"anew by a fresh Last-Modified", []http.HandlerFunc{cutOff(whole, 4, "Last-Modified", date, "Date", date), file(whole)}, []string{"", ""}, 1},
		{"anew if upstream has no ranges", []http.HandlerFunc{cutOff(whole, 4, "ETag", `"v1"`, "Accept-Ranges", "none"), file(whole)}, []string{"", ""}, 1},
		{"anew if upstream sends all", []http.HandlerFunc{cutOff(whole, 4, "ETag", `"v1"`), body(whole)}, []string{"", "bytes=4-"}, 1},
		{"anew if the file changed", []http.HandlerFunc{cutOff("abcdefghij", 4, "ETag", `"v0"`), file(whole, "ETag", `"v1"`)}, []string{"", "bytes=4-"}, 1},
		{"anew if a bad upstream goes on with a changed file", []http.HandlerFunc{cutOff("abcdefghij", 4, "ETag", `"v0"`), part(4, "456789", "ETag", `"v1"`), file(whole)}, []string{"", "bytes=4-", ""}, 1},
		{"anew if upstream goes on elsewhere", []http.HandlerFunc{cutOff(whole, 4, "ETag", `"v1"`), part(5, "56789", "ETag", `"v1"`), file(whole)}, []string{"", "bytes=4-", ""}, 1},
		{"anew if upstream refuses the range", []http.HandlerFunc{cutOff(whole, 4, "ETag", `"v1"`), status(416), file(whole)}, []string{"", "bytes=4-", ""}, 1},
		{"anew if the parts do not fit", []http.HandlerFunc{cutOff("abcdefghij", 4, "ETag", `"v1"`), file(whole, "ETag", `"v1"`), file(whole)}, []string{"", "bytes=4-", ""}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t, test.steps...)
			c, _ := newSource(t, fetch.Settings{})
			var s sink
			got, err := c.Get(t.Context(), exactly(up.URL+"/a", whole), &s)
			check(t, got, err, &s, whole)
			if s.resets != test.resets {
				t.Errorf("resets: got %d, want %d", s.resets, test.resets)
			}
			var ranges []string
			for _, r := range up.seen() {
				ranges = append(ranges, r.Header.Get("Range"))
				if asked := r.Header.Get("Range") != ""; asked != (r.Header.Get("If-Range") != "") {
					t.Errorf("Range %q comes with If-Range %q", r.Header.Get("Range"), r.Header.Get("If-Range"))
				}
			}
			if fmt.Sprint(ranges) != fmt.Sprint(test.ranges) {
				t.Errorf("ranges: got %q, want %q", ranges, test.ranges)
			}
		})
	}
}

// cutOffPart answers with the rest of ten bytes, and breaks off.
func cutOffPart(start int, bytes string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-9/10", start))
		w.Header().Set("Content-Length", strconv.Itoa(10-start))
		w.WriteHeader(http.StatusPartialContent)
		fmt.Fprint(w, bytes)
		http.NewResponseController(w).Flush() //nolint:errcheck // the connection ends anyway
		panic(http.ErrAbortHandler)
	}
}

// TestGetNeverMixes gets bytes whose digest nobody tells, which only what their
// upstream says of them can tell from those of another version, although it goes on
// without regard to If-Range.
func TestGetNeverMixes(t *testing.T) {
	t.Parallel()
	const whole = "0123456789"
	date := now.Format(http.TimeFormat)
	old, recent := now.Add(-time.Hour).Format(http.TimeFormat), now.Add(-3*time.Second).Format(http.TimeFormat)
	for _, test := range []struct {
		name          string
		first, second []string // headers
	}{
		{"another ETag", []string{"ETag", `"v0"`}, []string{"ETag", `"v1"`}},
		{"a weak ETag", []string{"ETag", `"v0"`}, []string{"ETag", `W/"v1"`}},
		{"the same ETag, but weak", []string{"ETag", `"v0"`}, []string{"ETag", `W/"v0"`}},
		{"no ETag", []string{"ETag", `"v0"`}, nil},
		{"a date instead of an ETag", []string{"ETag", `"v0"`, "Last-Modified", old}, []string{"Last-Modified", old, "Date", date}},
		{"a later date", []string{"Last-Modified", old, "Date", date}, []string{"Last-Modified", recent, "Date", date}},
		{"no date", []string{"Last-Modified", old, "Date", date}, nil},
		{"an ETag beside the date", []string{"Last-Modified", old, "Date", date}, []string{"Last-Modified", old, "Date", date, "ETag", `W/"v1"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t, cutOff("abcdefghij", 4, test.first...), part(4, "456789", test.second...), file(whole))
			c, _ := newSource(t, fetch.Settings{})
			var s sink
			got, err := c.Get(t.Context(), anything(up.URL+"/a"), &s)
			check(t, got, err, &s, whole)
			if n := len(up.seen()); n != 3 {
				t.Errorf("requests: got %d, want 3: the second one goes on", n)
			}
		})
	}
}

// TestGetGoesOnWithADigest gets a rest of which upstream does not say what it is of:
// the digest of the whole tells.
func TestGetGoesOnWithADigest(t *testing.T) {
	t.Parallel()
	const whole = "0123456789"
	up := newUpstream(t, cutOff(whole, 4, "ETag", `"v0"`), part(4, "456789"))
	c, _ := newSource(t, fetch.Settings{})
	var s sink
	got, err := c.Get(t.Context(), exactly(up.URL+"/a", whole), &s)
	check(t, got, err, &s, whole)
	if s.resets != 0 {
		t.Errorf("resets: got %d, want 0", s.resets)
	}
}

func TestGetBreaksOff(t *testing.T) {
	t.Parallel()
	up := newUpstream(t, cutOff("0123456789", 4))
	c, _ := newSource(t, fetch.Settings{})
	_, err := c.Get(t.Context(), exactly(up.URL+"/a", "0123456789"), &sink{})
	if got, want := fault.Message(err), up.URL+"/a: the connection ended in the middle (tried 5 times)"; got != want || !fault.Is(err, fault.Unavailable) {
		t.Errorf("Get: got %v, want Unavailable %q", err, want)
	}
}

// raw answers with bytes that may be no HTTP, and resets the connection if there are
// none.
func raw(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		if answer == "" {
			under := conn
			if secure, ok := conn.(*tls.Conn); ok {
				under = secure.NetConn()
			}
			under.(*net.TCPConn).SetLinger(0) //nolint:errcheck // the client tells
			under.Close()
		}
		io.WriteString(conn, answer) //nolint:errcheck // the client may have enough
	}
}

// TestGetSaysWhatIsWrong has upstreams that are broken in usual ways, whichever
// transport asks them.
func TestGetSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cert, key := a.certificate("127.0.0.1")
	const invalid = "its answer is not valid HTTP"
	for name, test := range map[string]struct{ answer, reason string }{
		"reset":                  {"", "the connection was reset"},
		"no HTTP":                {"SSH-2.0-secret\r\n", invalid},
		"no status":              {"HTTP/1.1 secret\r\n\r\n", invalid},
		"another version":        {"HTTP/a.b 200 OK\r\n\r\n", invalid},
		"a header without colon": {"HTTP/1.1 200 OK\r\nsecret\r\n\r\n", invalid},
		"two lengths":            {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", invalid},
		"a length below zero":    {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", invalid},
		"another encoding":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: secret\r\n\r\nhello", invalid},
		"a bad chunk":            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret\r\n", invalid},
		"a chunk without end":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello,secret\r\n", invalid},
		"a long line":            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + strings.Repeat("a", 1<<16) + "\r\nhello\r\n", invalid},
		"long headers":           {"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 300<<10) + "\r\n\r\n", "its headers have more than 256 KiB"},
		"many headers":           {"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("a", 200)+"\r\n", 2000) + "\r\n", "its headers have more than 256 KiB"},
		"early end":              {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "the connection ended in the middle"},
	} {
		for _, up := range []*upstream{newUpstream(t, raw(test.answer)), a.listen(cert, key, nil, raw(test.answer))} {
			t.Run(name+" by "+up.URL[:5], func(t *testing.T) {
				t.Parallel()
				s, _ := newSource(t, fetch.Settings{URL: up.URL, CACert: a.pem, Attempts: 1})
				_, err := s.Get(t.Context(), anything(up.URL+"/a"), &sink{})
				if got, want := fault.Message(err), up.URL+"/a: "+test.reason+" (tried 1 times)"; got != want || !fault.Is(err, fault.Unavailable) {
					t.Errorf("Get: got %v, want Unavailable %q", err, want)
				}
			})
		}
	}
	t.Run("many headers by HTTP/2", func(t *testing.T) {
		t.Parallel()
		up, ca := secureUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
			for range 2000 {
				w.Header().Add("A", strings.Repeat("a", 200))
			}
		})
		s, _ := newSource(t, fetch.Settings{URL: up.URL, CACert: ca, Attempts: 1})
		_, err := s.Get(t.Context(), anything(up.URL+"/a"), &sink{})
		if want := up.URL + "/a: its headers have more than 256 KiB (tried 1 times)"; fault.Message(err) != want {
			t.Errorf("Get: got %v, want %q", err, want)
		}
	})
	t.Run("no route", func(t *testing.T) {
		t.Parallel()
		const everybody = "http://255.255.255.255" // of whom none can be connected to
		s, _ := newSource(t, fetch.Settings{Attempts: 1})
		_, err := s.Get(t.Context(), anything(everybody), &sink{})
		if want := everybody + ": the host cannot be reached: there is no route to it (tried 1 times)"; fault.Message(err) != want {
			t.Errorf("Get: got %v, want %q", err, want)
		}
	})
}

// TestGetOfLargeFile breaks off more often than attempts are allowed, but each
// of them comes further.
func TestGetOfLargeFile(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	whole := strings.Repeat("0123456789abcdef", 8*mib/16)
	serve := func(bytes int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			http.ServeContent(&cutWriter{w, bytes}, r, "", time.Time{}, strings.NewReader(whole))
		}
	}
	for attempts := 1; attempts <= 2; attempts++ {
		up := newUpstream(t, serve(mib+100, "ETag", `"v1"`))
		s, w := newSource(t, fetch.Settings{Attempts: attempts})
		var into sink
		got, err := s.Get(t.Context(), exactly(up.URL, whole), &into)
		check(t, got, err, &into, whole)
		if len(up.seen()) != 8 || into.resets != 0 || len(w.took) != 7 {
			t.Errorf("got %d requests, %d resets and %d pauses, want 8, 0 and 7", len(up.seen()), into.resets, len(w.took))
		}
	}

	for name, handler := range map[string]http.HandlerFunc{"too few bytes": serve(mib/2, "ETag", `"v1"`), "from the start each time": serve(mib + 100)} {
		up := newUpstream(t, handler)
		s, _ := newSource(t, fetch.Settings{Attempts: 2})
		if _, err := s.Get(t.Context(), exactly(up.URL, whole), &sink{}); !fault.Is(err, fault.Unavailable) || len(up.seen()) != 2 {
			t.Errorf("%s: got %v after %d requests, want Unavailable after 2", name, err, len(up.seen()))
		}
	}
}

// TestGetOfLargeFileThatNeverGoesOn gets many bytes each time, which are never
// those after the ones before.
func TestGetOfLargeFileThatNeverGoesOn(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	whole := strings.Repeat("0123456789abcdef", 4*mib/16)
	for name, goOn := range map[string]http.HandlerFunc{
		"refuses the range": status(http.StatusRequestedRangeNotSatisfiable),
		"goes on with another file": func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("If-Range")
			file(whole, "ETag", `"v2"`)(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case requests.Add(1) > 10:
					w.WriteHeader(http.StatusNotFound) // so that it ends
				case r.Header.Get("Range") != "":
					goOn(w, r)
				default:
					file(whole, "ETag", `"v1"`)(&cutWriter{w, 2 * mib}, r)
				}
			})
			s, _ := newSource(t, fetch.Settings{Attempts: 4})
			_, err := s.Get(t.Context(), exactly(up.URL, whole), &sink{})
			if n := len(up.seen()); !fault.Is(err, fault.Unavailable) || n != 4 {
				t.Errorf("got %v after %d requests, want Unavailable after 4", err, n)
			}
		})
	}
}

// cutWriter ends the connection after some bytes.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		w.ResponseWriter.Write(p[:w.left])                   //nolint:errcheck // the connection ends anyway
		http.NewResponseController(w.ResponseWriter).Flush() //nolint:errcheck // the same
		panic(http.ErrAbortHandler)
	}
	w.left -= len(p)
	return w.ResponseWriter.Write(p)
}

// stall sends some bytes and then nothing until the client goes away.
func stall(whole string, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(whole)))
		if n > 0 {
			fmt.Fprint(w, whole[:n])
			http.NewResponseController(w).Flush() //nolint:errcheck // the test tells
		}
		<-r.Context().Done()
	}
}

func TestGetStalls(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		sent    int
		message string
	}{
		{"before the head", 0, "it does not answer in time"},
		{"in the body", 4, "no bytes arrived for too long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, _ := newSource(t, fetch.Settings{Stall: 2 * time.Second, Attempts: 2})
			up := newUpstream(t, stall("0123456789", test.sent))
			_, err := c.Get(t.Context(), exactly(up.URL+"/a", "0123456789"), &sink{})
			if got, want := fault.Message(err), up.URL+"/a: "+test.message+" (tried 2 times)"; got != want || !fault.Is(err, fault.Unavailable) {
				t.Errorf("Get: got %v, want Unavailable %q", err, want)
			}

			up = newUpstream(t, stall("0123456789", test.sent), body("0123456789"))
			var s sink
			got, err := c.Get(t.Context(), exactly(up.URL+"/a", "0123456789"), &s)
			check(t, got, err, &s, "0123456789")
		})
	}
}

// TestGetGivesUp has downloads that are not to wait for an upstream that stalls:
// it is asked once, whichever limit is the shorter.
func TestGetGivesUp(t *testing.T) {
	t.Parallel()
	for _, limits := range [][2]time.Duration{{time.Hour, 10 * time.Millisecond}, {10 * time.Millisecond, time.Hour}} {
		up := newUpstream(t, stall("0123456789", 0))
		s, w := newSource(t, fetch.Settings{Stall: limits[0]})
		request := exactly(up.URL+"/a", "0123456789")
		request.Stall = limits[1]
		_, err := s.Get(t.Context(), request, &sink{})
		if got, want := fault.Message(err), up.URL+"/a: it does not answer in time (tried 1 times)"; got != want || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Get: got %v, want %q", err, want)
		}
		if _, ok := errors.AsType[*fetch.AgainError](err); ok || len(up.seen()) > 1 || len(w.took) > 0 {
			t.Errorf("it was asked %d times, and may be again: %t", len(up.seen()), ok)
		}
	}
}

// slowSink takes longer for a write than a download may stall.
type slowSink struct{ sink }

func (s *slowSink) Write(p []byte) (int, error) {
	<-time.After(time.Hour)
	return s.sink.Write(p)
}

func TestSlowSinkIsNoStall(t *testing.T) {
	t.Parallel()
	whole := strings.Repeat("0123456789", 10_000) // several reads
	up := newUpstream(t, body(whole))
	synctest.Test(t, func(t *testing.T) {
		c := fetch.New(loopback(&waits{}))
		defer c.Close()
		var s slowSink
		got, err := sourceOf(t, c, fetch.Settings{Attempts: 1}).Get(t.Context(), exactly(up.URL+"/a", whole), &s)
		check(t, got, err, &s.sink, whole)
	})
}

func TestGetCanceled(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		sent int
	}{{"before the head", 0}, {"in the body", 4}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			held := stall("0123456789", test.sent)
			up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				if test.sent == 0 {
					cancel()
				}
				held(w, r)
			})
			// The default stall limit of 30 s would fail the test's time limit.
			c, _ := newSource(t, fetch.Settings{})
			began := time.Now()
			_, err := c.Get(ctx, anything(up.URL), &cancelingSink{cancel: cancel})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Get: got %v, want context.Canceled", err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("Get returned after %v, want at once", took)
			}
			if n := len(up.seen()); n != 1 {
				t.Errorf("requests: got %d, want 1", n)
			}
		})
	}
	t.Run("in a pause", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		up := newUpstream(t, status(503))
		config := loopback(&waits{})
		config.Backoff = func(int) time.Duration { cancel(); return time.Hour }
		config.Wait = nil // the real one
		c := sourceOf(t, fetch.New(config), fetch.Settings{})
		if _, err := c.Get(ctx, anything(up.URL), &sink{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Get: got %v, want context.Canceled", err)
		}
	})
}

// cancelingSink cancels the download at its first bytes.
type cancelingSink struct {
	sink
	cancel context.CancelFunc
}

func (s *cancelingSink) Write(p []byte) (int, error) {
	s.cancel()
	return s.sink.Write(p)
}
