package origin_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ream/content"
	"ream/fault"
	"ream/origin"
)

func TestServeFileHeaders(t *testing.T) {
	t.Parallel()
	eachStorage(t, testServeFileHeaders)
}

func testServeFileHeaders(t *testing.T, blobs storage) {
	large := strings.Repeat("large ", 20_000)
	s := newShelfOn(t, blobs, origin.Options{}, map[string]string{"pool/a.deb": "a small file", "big.iso": large, "empty.txt": ""})
	tests := []struct{ name, path, body, contentType string }{
		{"small", "pool/a.deb", "a small file", "application/vnd.debian.binary-package"},
		{"large", "big.iso", large, "application/x-iso9660-image"},
		{"empty", "empty.txt", "", "text/plain; charset=utf-8"},
	}
	for _, tt := range tests {
		for _, method := range []string{"GET", "HEAD"} {
			t.Run(tt.name+" "+method, func(t *testing.T) {
				t.Parallel()
				w := s.ask(t, method, "/content/debian/stable/"+tt.path)
				checkStatus(t, w, http.StatusOK)
				raw := sha256.Sum256([]byte(tt.body))
				checkHeader(t, w, "Content-Type", tt.contentType)
				checkHeader(t, w, "Content-Length", strconv.Itoa(len(tt.body)))
				checkHeader(t, w, "ETag", `"`+sum(tt.body)+`"`)
				checkHeader(t, w, "Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(raw[:])+":")
				checkHeader(t, w, "Last-Modified", "Sun, 01 Nov 2026 12:00:00 GMT")
				checkHeader(t, w, "Cache-Control", "no-cache")
				checkHeader(t, w, "Accept-Ranges", "bytes")
				checkHeader(t, w, "X-Content-Type-Options", "nosniff")
				policy := "" // for what browsers only save
				if tt.name == "empty" {
					policy = "sandbox; default-src 'none'; frame-ancestors 'none'"
				}
				checkHeader(t, w, "Content-Security-Policy", policy)
				want := tt.body
				if method == "HEAD" {
					want = ""
				}
				if got := w.Body.String(); got != want {
					t.Errorf("body: got %d bytes, want %d", len(got), len(want))
				}
			})
		}
	}
}

func TestConditionsAndRanges(t *testing.T) {
	t.Parallel()
	eachStorage(t, testConditionsAndRanges)
}

func testConditionsAndRanges(t *testing.T, blobs storage) {
	const small = "0123456789"
	large := strings.Repeat(small, 10_000)
	s := newShelfOn(t, blobs, origin.Options{}, map[string]string{"s": small, "l": large})
	etag := map[string]string{"s": `"` + sum(small) + `"`, "l": `"` + sum(large) + `"`}
	const date, before, after = "Sun, 01 Nov 2026 12:00:00 GMT", "Sat, 31 Oct 2026 12:00:00 GMT", "Sun, 01 Nov 2026 12:00:01 GMT"
	huge := strings.Repeat("9", 20)
	for _, file := range []string{"s", "l"} {
		body := map[string]string{"s": small, "l": large}[file]
		tests := []struct {
			name   string
			header []string
			status int
			body   string
		}{
			{"same etag", []string{"If-None-Match", etag[file]}, 304, ""},
			{"weak etag", []string{"If-None-Match", "W/" + etag[file]}, 304, ""},
			{"one of many etags", []string{"If-None-Match", `"x", ` + etag[file]}, 304, ""},
			{"any etag", []string{"If-None-Match", "*"}, 304, ""},
			{"other etag", []string{"If-None-Match", `"x"`}, 200, body},
			{"etag before date", []string{"If-None-Match", `"x"`, "If-Modified-Since", date}, 200, body},
			{"not modified", []string{"If-Modified-Since", date}, 304, ""},
			{"not modified, as dates once were", []string{"If-Modified-Since", "Sunday, 01-Nov-26 12:00:00 GMT"}, 304, ""},
			{"modified", []string{"If-Modified-Since", before}, 200, body},
			{"the client's is newer", []string{"If-Modified-Since", after}, 200, body},
			{"the client's has no date", []string{"If-Modified-Since", "yesterday"}, 200, body},
			{"etag before newer date", []string{"If-None-Match", etag[file], "If-Modified-Since", after}, 304, ""},
			{"if-match same", []string{"If-Match", etag[file]}, 200, body},
			{"if-match other", []string{"If-Match", `"x"`}, 412, ""},
			{"if-match fails before if-none-match", []string{"If-Match", `"x"`, "If-None-Match", etag[file]}, 412, ""},
			{"unmodified", []string{"If-Unmodified-Since", date}, 200, body},
			{"no longer unmodified", []string{"If-Unmodified-Since", before}, 412, ""},
			{"first bytes", []string{"Range", "bytes=0-3"}, 206, "0123"},
			{"last bytes", []string{"Range", "bytes=-2"}, 206, "89"},
			{"from", []string{"Range", "bytes=" + strconv.Itoa(len(body)-1) + "-"}, 206, "9"},
			{"range of the same", []string{"Range", "bytes=1-2", "If-Range", etag[file]}, 206, "12"},
			{"range of another", []string{"Range", "bytes=1-2", "If-Range", `"x"`}, 200, body},
			{"range beyond", []string{"Range", "bytes=900000-"}, 416, "invalid range: failed to overlap\n"},
			{"range the wrong way round", []string{"Range", "bytes=5-2"}, 416, "invalid range\n"},
			{"no last bytes", []string{"Range", "bytes=-0"}, 416, "invalid range: failed to overlap\n"},
			{"no last bytes, at length", []string{"Range", "bytes= - 00 ,-+0"}, 416, "invalid range: failed to overlap\n"},
			{"no last bytes, and some", []string{"Range", "bytes=-0,2-4"}, 206, "234"},
			{"huge last", []string{"Range", "bytes=" + strconv.Itoa(len(body)-2) + "-" + huge}, 206, "89"},
			{"huge first", []string{"Range", "bytes=" + huge + "-"}, 416, "invalid range: failed to overlap\n"},
			{"huge first and last", []string{"Range", "bytes=" + huge + "-" + huge}, 416, "invalid range: failed to overlap\n"},
			{"huge suffix", []string{"Range", "bytes=-" + huge}, 206, body},
			{"negative last", []string{"Range", "bytes=5--" + huge}, 416, "invalid range\n"},
			{"unit in capitals", []string{"Range", "Bytes=0-3"}, 206, "0123"},
			{"unknown unit", []string{"Range", "lines=1-2"}, 200, body},
			{"no range", []string{"Range", "0-3"}, 200, body},
			{"too many ranges", []string{"Range", "bytes=5-5" + strings.Repeat(",5-5", 16)}, 200, body},
			{"ranges longer than a large file", []string{"Range", "bytes=0-" + strings.Repeat(",0-", 15)}, 200, body},
			{"two headers", []string{"Range", "bytes=0-3", "Range", "bytes=4-5"}, 200, body},
		}
		for _, tt := range tests {
			t.Run(file+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				w := s.ask(t, "GET", "/content/debian/stable/"+file, tt.header...)
				checkStatus(t, w, tt.status)
				if got := w.Body.String(); got != tt.body {
					t.Errorf("body: got %.40q (%d bytes), want %.40q (%d bytes)", got, len(got), tt.body, len(tt.body))
				}
				if digest := w.Header().Get("Repr-Digest"); (digest == "") != (tt.status >= 300) {
					t.Errorf("Repr-Digest: got %q with status %d", digest, tt.status)
				}
				if tt.status < 400 {
					checkHeader(t, w, "ETag", etag[file])
				}
				if tt.status == 416 {
					checkHeader(t, w, "Content-Range", fmt.Sprintf("bytes */%d", len(body)))
				}
			})
		}
	}
}

// TestRangesOfNothing asks for parts of an empty file, which has none that could be
// told.
func TestRangesOfNothing(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"f": ""})
	for _, r := range []string{"bytes=-5", "bytes=-0", "bytes=0-", "bytes=0-4", "bytes=-5,-6"} {
		w := s.ask(t, "GET", "/content/debian/stable/f", "Range", r)
		checkStatus(t, w, http.StatusOK)
		checkHeader(t, w, "Content-Length", "0")
		checkHeader(t, w, "Content-Range", "")
	}
}

func TestHeadHasNoRange(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"s": "0123456789", "l": strings.Repeat("0123456789", 10_000)})
	for file, length := range map[string]string{"s": "10", "l": "100000"} {
		for _, r := range []string{"bytes=0-3", "bytes=900000-"} {
			w := s.ask(t, "HEAD", "/content/debian/stable/"+file, "Range", r)
			checkStatus(t, w, http.StatusOK)
			checkHeader(t, w, "Content-Length", length)
			checkHeader(t, w, "Content-Range", "")
		}
	}
}

func TestSeveralRanges(t *testing.T) {
	t.Parallel()
	eachStorage(t, testSeveralRanges)
}

func testSeveralRanges(t *testing.T, blobs storage) {
	s := newShelfOn(t, blobs, origin.Options{}, map[string]string{"f.txt": "0123456789"})
	w := s.ask(t, "GET", "/content/debian/stable/f.txt", "Range", "bytes=0-1,8-9")
	checkStatus(t, w, http.StatusPartialContent)
	if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, "multipart/byteranges; boundary=") {
		t.Errorf("Content-Type: got %q, want multipart/byteranges", got)
	}
	for _, want := range []string{"bytes 0-1/10", "bytes 8-9/10", "\r\n\r\n01\r\n", "\r\n\r\n89\r\n", "text/plain"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("body lacks %q:\n%s", want, w.Body)
		}
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{
		"dir/sub/f.txt": "f", "a b+c~1.txt": "spaces", "ü/ß.txt": "umlauts", "100%?.txt": "signs", "a:b": "colon",
	})
	tests := []struct {
		name, method, target string
		status               int
		text                 string // part of the body, or all of Location
	}{
		{"file", "GET", "/content/debian/stable/dir/sub/f.txt", 200, "f"},
		{"query is ignored", "GET", "/content/debian/stable/dir/sub/f.txt?x=1", 200, "f"},
		{"escaped", "GET", "/content/debian/stable/a%20b%2bc%7E1.txt", 200, "spaces"},
		{"unescaped plus", "GET", "/content/debian/stable/a%20b+c~1.txt", 200, "spaces"},
		{"not ASCII", "GET", "/content/debian/stable/%C3%BC/%C3%9F.txt", 200, "umlauts"},
		{"percent and question mark", "GET", "/content/debian/stable/100%25%3F.txt", 200, "signs"},
		{"distribution", "GET", "/content/debian/stable", 302, "./stable/"},
		{"directory", "GET", "/content/debian/stable/dir?after=x", 302, "./dir/?after=x"},
		{"directory with umlaut", "HEAD", "/content/debian/stable/%C3%BC", 302, "./%C3%BC/"},
		{"root", "GET", "/content/", 404, "name a distribution"},
		{"elsewhere", "GET", "/other", 404, "not found"},
		{"above a distribution", "GET", "/content/debian/", 404, "no distribution serves this path"},
		{"longer name", "GET", "/content/debian/stable2/dir/sub/f.txt", 404, "no distribution serves this path"},
		{"no file", "GET", "/content/debian/stable/dir/none", 404, "not found"},
		{"no directory", "GET", "/content/debian/stable/none/", 404, "not found"},
		{"file as directory", "GET", "/content/debian/stable/dir/sub/f.txt/", 404, "not found"},
		{"part of a name", "GET", "/content/debian/stable/di", 404, "not found"},
		{"not published", "GET", "/content/unpublished/f", 404, "nothing has been published"},
		{"dots", "GET", "/content/debian/stable/dir/../dir/sub/f.txt", 200, "f"},
		{"dots to another distribution", "GET", "/content/other/../debian/stable/dir/sub/f.txt", 200, "f"},
		{"dots out", "GET", "/content/debian/stable/../../../etc/passwd", 404, "no distribution serves this path"},
		{"escaped dots", "GET", "/content/debian/stable/%2e%2e/f", 404, "no distribution serves this path"},
		{"dot", "GET", "/content/debian/stable/./dir/sub/f.txt", 200, "f"},
		{"dot at the end", "GET", "/content/debian/stable/dir/sub/.", 302, "././"},
		{"two slashes", "GET", "/content/debian/stable//dir/sub/f.txt", 200, "f"},
		{"two slashes and an escape", "GET", "/content/debian/stable//a%20b%2bc~1.txt", 200, "spaces"},
		{"two slashes at the end", "GET", "/content/debian/stable//", 200, "a:b"},
		{"two slashes at the start", "GET", "/content//debian/stable/dir/sub/f.txt", 200, "f"},
		{"two slashes alone", "GET", "/content//", 404, "name a distribution"},
		{"NUL", "GET", "/content/debian/stable/a%00b", 404, "not found"},
		{"NUL in the distribution", "GET", "/content/a%00b/c", 404, "not found"},
		{"not UTF-8", "GET", "/content/debian/stable/%ff", 404, "not found"},
		{"backslash", "GET", "/content/debian/stable/dir%5Csub", 404, "not found"},
		{"too long", "GET", "/content/debian/stable/" + strings.Repeat("a/", 2000) + "f", 404, "not found"},
		{"POST", "POST", "/content/debian/stable/dir/sub/f.txt", 405, "only GET and HEAD"},
		{"OPTIONS", "OPTIONS", "/content/debian/stable/", 405, "only GET and HEAD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := s.ask(t, tt.method, tt.target)
			checkStatus(t, w, tt.status)
			switch {
			case tt.status == 302:
				checkHeader(t, w, "Location", tt.text)
			case !strings.Contains(w.Body.String(), tt.text):
				t.Errorf("body: got %q, want %q in it", w.Body, tt.text)
			}
			if tt.status == 405 {
				checkHeader(t, w, "Allow", "GET, HEAD")
			}
			if log := s.logged(); log != "" {
				t.Errorf("logged: %s", log)
			}
		})
	}
}

func TestBrokenBlobs(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 100_000)
	tests := []struct {
		name, body string
		damage     func(path string) error
	}{
		{"small missing", "small", os.Remove},
		{"large missing", large, os.Remove},
		{"small cut short", "small", func(p string) error { return os.Truncate(p, 2) }},
		{"large cut short", large, func(p string) error { return os.Truncate(p, 99_999) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t)
			s := newShelfOn(t, d, origin.Options{}, map[string]string{"f": tt.body})
			if err := tt.damage(d.path(tt.body)); err != nil {
				t.Fatal(err)
			}
			w := s.ask(t, "GET", "/content/debian/stable/f")
			checkStatus(t, w, http.StatusInternalServerError)
			if got, want := w.Body.String(), "internal error\n"; got != want {
				t.Errorf("body: got %q, want %q", got, want)
			}
			checkHeader(t, w, "ETag", "")
			checkHeader(t, w, "Repr-Digest", "")
			if !strings.Contains(s.logged(), sum(tt.body)) {
				t.Errorf("log lacks the digest: %s", s.logged())
			}
		})
	}
}

func TestSmallFilesStayInMemory(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	s := newShelfOn(t, d, origin.Options{}, map[string]string{"f": "small"})
	for range 2 {
		for _, method := range []string{"GET", "HEAD"} {
			w := s.ask(t, method, "/content/debian/stable/f")
			checkStatus(t, w, http.StatusOK)
			checkHeader(t, w, "Content-Length", "5")
			if want := map[string]string{"GET": "small"}[method]; w.Body.String() != want {
				t.Errorf("%s: got %q, want %q", method, w.Body, want)
			}
		}
		_ = os.Remove(d.path("small")) // the second time it is gone
	}
}

func TestLookupFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		err    error
		status int
		body   string
	}{
		{"unavailable", fault.New(fault.Unavailable, "the database is away"), 503, "the database is away\n"},
		{"unknown", errors.New("secret"), 500, "internal error\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t, map[string]string{"f": "f"})
			s.library.failure = tt.err
			w := s.ask(t, "GET", "/content/debian/stable/f")
			checkStatus(t, w, tt.status)
			if got := w.Body.String(); got != tt.body {
				t.Errorf("body: got %q, want %q", got, tt.body)
			}
			if !strings.Contains(s.logged(), tt.err.Error()) {
				t.Errorf("log lacks %q: %s", tt.err, s.logged())
			}
			s.library.failure = nil
			checkStatus(t, s.ask(t, "GET", "/content/debian/stable/f"), 200)
		})
	}
}

// TestRequestsThatEnd expects nobody to take the answer to a request that was
// given up for a file: clients may have ended only their own side.
func TestRequestsThatEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		cause  error
		status int
	}{
		{"by the client", nil, 499},
		{"by the server", errors.New("it stops"), 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t, map[string]string{"f": "f"})
			s.library.failure = context.Canceled
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(tt.cause)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/content/debian/stable/f", nil))
			checkStatus(t, w, tt.status)
			if got := w.Header().Get("Cache-Control"); got != "no-cache" {
				t.Errorf("caches are told %q", got)
			}
		})
	}
}

func TestLookupsAreRemembered(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"dir/f": "f"})
	for range 3 {
		checkStatus(t, s.ask(t, "GET", "/content/debian/stable/dir/f"), 200)
		checkStatus(t, s.ask(t, "GET", "/content/debian/stable/dir"), 302)
		checkStatus(t, s.ask(t, "GET", "/content/debian/stable/none"), 404)
	}
	for what, want := range map[string]int{"serving": 1, "file": 3, "dir": 0} {
		if got := s.library.count(what); got != want {
			t.Errorf("lookups of %s: got %d, want %d", what, got, want)
		}
	}
}

func TestSwitch(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"f": "old", "gone": "gone"})
	s.publish(t, 2, map[string]string{"f": "new"})
	body := func() string { return s.ask(t, "GET", "/content/debian/stable/f").Body.String() }
	check := func(when, want string) {
		t.Helper()
		if got := body(); got != want {
			t.Errorf("%s: got %q, want %q", when, got, want)
		}
	}
	check("at first", "old")
	s.library.serve("debian/stable", 2)
	check("before the change is told", "old")
	s.Changed()
	check("after the change is told", "new")
	checkStatus(t, s.ask(t, "GET", "/content/debian/stable/gone"), 404)

	s.library.serve("debian/stable", 1)
	s.clock.add(999 * time.Millisecond)
	check("within a second", "new")
	s.clock.add(time.Millisecond)
	check("after a second, untold", "old")
}

// TestRollbackByDate has clients revalidate by date alone, as apt does, what a
// rollback replaced by older files.
func TestRollbackByDate(t *testing.T) {
	t.Parallel()
	old := map[string]string{"Release": "good", "large": strings.Repeat("good", 30_000)}
	s := newShelf(t, old)
	withdrawn := maps.Clone(old)
	for path := range withdrawn {
		withdrawn[path] = strings.ToUpper(withdrawn[path])
	}
	s.publish(t, 2, withdrawn)
	for path, f := range s.library.publications[2] {
		f.ModifiedAt = modified.Add(time.Hour)
		s.library.publications[2][path] = f
	}
	s.library.serve("debian/stable", 2)
	s.Changed()
	dates := map[string]string{}
	for path := range old {
		w := s.ask(t, "GET", "/content/debian/stable/"+path)
		dates[path] = w.Header().Get("Last-Modified")
		checkStatus(t, s.ask(t, "GET", "/content/debian/stable/"+path, "If-Modified-Since", dates[path]), http.StatusNotModified)
	}
	s.library.serve("debian/stable", 1)
	s.Changed()
	for path, want := range old {
		for _, method := range []string{"GET", "HEAD"} {
			w := s.ask(t, method, "/content/debian/stable/"+path, "If-Modified-Since", dates[path])
			checkStatus(t, w, http.StatusOK)
			checkHeader(t, w, "Last-Modified", modified.Format(http.TimeFormat))
			if method == "GET" && w.Body.String() != want {
				t.Errorf("%s: got %.10q, want %.10q", path, w.Body, want)
			}
		}
	}
}

func TestConcurrentSwitches(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"f": strings.Repeat("1", 1024)})
	s.publish(t, 2, map[string]string{"f": strings.Repeat("2", 1024)})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for range 100 {
				resp, err := server.Client().Get(server.URL + "/content/debian/stable/f")
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.Header.Get("ETag") != `"`+sum(string(body))+`"` {
					t.Errorf("got %.10q with ETag %s, error %v", body, resp.Header.Get("ETag"), err)
				}
			}
		})
	}
	for i := range 100 {
		s.library.serve("debian/stable", content.PublicationID(i%2+1))
		s.Changed()
	}
	clients.Wait()
}

func BenchmarkServe(b *testing.B) {
	s := newShelf(b, map[string]string{"pool/f.deb": strings.Repeat("x", 1024)})
	for name, tt := range map[string]struct {
		path string
		size int64
	}{
		"1KiB":    {"pool/f.deb", 1024},
		"nothing": {"pool/g.deb", int64(len("not found\n"))},
	} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/content/debian/stable/"+tt.path, nil)
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				s.ServeHTTP(w, r)
			}
			if w.written != int64(b.N)*tt.size {
				b.Fatalf("written: got %d bytes, want %d", w.written, int64(b.N)*tt.size)
			}
		})
	}
}

// discard is a ResponseWriter that costs nothing.
type discard struct {
	header  http.Header
	written int64
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(p []byte) (int, error) {
	d.written += int64(len(p))
	return len(p), nil
}
