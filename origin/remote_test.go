package origin_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"ream/content"
	"ream/demand"
	"ream/fault"
	"ream/origin"
)

// TestKernelSends fails if a large file on disk is not handed to the
// connection in a way that lets the kernel send it.
func TestKernelSends(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"f": strings.Repeat("x", 100_000)})
	for _, part := range []string{"", "bytes=0-99998"} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/content/debian/stable/f", nil)
		if part != "" {
			r.Header.Set("Range", part)
		}
		w := &receiver{ResponseRecorder: httptest.NewRecorder()}
		s.ServeHTTP(w, r)
		if w.files != 1 {
			t.Errorf("range %q: got %d files from disk, want 1", part, w.files)
		}
	}
}

// receiver counts what it can read from as a file, as a connection does.
type receiver struct {
	*httptest.ResponseRecorder
	files int
}

func (r *receiver) ReadFrom(from io.Reader) (int64, error) {
	if limited, ok := from.(*io.LimitedReader); ok {
		if _, ok := limited.R.(*os.File); ok {
			r.files++
		}
	}
	return io.Copy(r.ResponseRecorder, from)
}

// faulty is a storage that fails.
type faulty struct {
	storage
	open error // of Open
	read error // after good bytes
	good int
}

func (f *faulty) Open(ctx context.Context, sha256 string, size int64) (io.ReadSeekCloser, error) {
	if f.open != nil {
		return nil, f.open
	}
	b, err := f.storage.Open(ctx, sha256, size)
	return &faultyBlob{ReadSeekCloser: b, f: f}, err
}

type faultyBlob struct {
	io.ReadSeekCloser
	f    *faulty
	read int
}

func (b *faultyBlob) Read(p []byte) (int, error) {
	if b.read >= b.f.good {
		return 0, b.f.read
	}
	n, err := b.ReadSeekCloser.Read(p[:min(len(p), b.f.good-b.read)])
	b.read += n
	return n, err
}

// TestStorageFails asks for files that cannot be read: unless a part of one is
// on its way already, the client gets an honest answer.
func TestStorageFails(t *testing.T) {
	t.Parallel()
	away := fault.New(fault.Unavailable, "the storage is away")
	large := strings.Repeat("x", 200_000)
	tests := map[string]struct {
		faulty faulty
		body   string
		header []string
		status int
		text   string
	}{
		"unavailable":                {faulty{open: away}, large, nil, 503, "the storage is away\n"},
		"missing":                    {faulty{open: fault.New(fault.NotFound, "no blob")}, large, nil, 500, "internal error\n"},
		"small, unavailable later":   {faulty{read: away}, "small", nil, 503, "the storage is away\n"},
		"small, missing later":       {faulty{read: fault.New(fault.NotFound, "no blob")}, "small", nil, 500, "internal error\n"},
		"large, unavailable later":   {faulty{read: away}, large, nil, 503, "the storage is away\n"},
		"large, cut at once":         {faulty{read: io.ErrUnexpectedEOF}, large, nil, 500, "internal error\n"},
		"large, cut soon":            {faulty{read: io.ErrUnexpectedEOF, good: 1000}, large, nil, 500, "internal error\n"},
		"large, unavailable soon":    {faulty{read: away, good: 50_000}, large, nil, 503, "the storage is away\n"},
		"a part, unavailable later":  {faulty{read: away}, large, []string{"Range", "bytes=5-9"}, 503, "the storage is away\n"},
		"parts, unavailable later":   {faulty{read: away}, large, []string{"Range", "bytes=5-9,20-30"}, 503, "the storage is away\n"},
		"large, defect in the midst": {faulty{read: errors.New("secret"), good: 150_000}, large, nil, 200, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := tt.faulty
			f.storage = newDisk(t)
			s := newShelfOn(t, &f, origin.Options{}, map[string]string{"f": tt.body})
			w := s.ask(t, "GET", "/content/debian/stable/f", tt.header...)
			checkStatus(t, w, tt.status)
			if tt.status == 200 {
				if w.Body.Len() != tt.faulty.good {
					t.Errorf("body: got %d bytes, want the %d that could be read", w.Body.Len(), tt.faulty.good)
				}
			} else {
				if got := w.Body.String(); got != tt.text {
					t.Errorf("body: got %q, want %q", got, tt.text)
				}
				for _, name := range []string{"ETag", "Repr-Digest", "Last-Modified", "Content-Range", "Content-Length"} {
					checkHeader(t, w, name, "")
				}
			}
			if !strings.Contains(s.logged(), "level=ERROR") || strings.Contains(w.Body.String(), "secret") {
				t.Errorf("log: got %q", s.logged())
			}
		})
	}
}

// TestBrokenOff has a real client notice that not all of a file came.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	f := faulty{storage: newDisk(t), read: errors.New("broken"), good: 150_000}
	s := newShelfOn(t, &f, origin.Options{}, map[string]string{"f": strings.Repeat("x", 200_000)})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	resp, err := server.Client().Get(server.URL + "/content/debian/stable/f")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Errorf("read %d bytes of %s without an error", n, resp.Header.Get("Content-Length"))
	}
}

// holding is a storage whose blobs give so many bytes, and no more before the
// reading is given up.
type holding struct {
	disk
	t       *testing.T
	good    int
	held    chan struct{} // closed when a Read waits for more
	reading atomic.Int32
	closed  atomic.Bool
}

func (h *holding) Open(ctx context.Context, sha256 string, size int64) (io.ReadSeekCloser, error) {
	b, err := h.disk.Open(ctx, sha256, size)
	return &heldBlob{b, h, ctx}, err
}

type heldBlob struct {
	io.ReadSeekCloser
	h   *holding
	ctx context.Context
}

func (b *heldBlob) Read(p []byte) (int, error) {
	b.h.reading.Add(1)
	defer b.h.reading.Add(-1)
	if b.h.closed.Load() {
		b.h.t.Error("it is read after it was closed")
	}
	if b.h.good == 0 {
		close(b.h.held)
		<-b.ctx.Done()
		return 0, b.ctx.Err()
	}
	n, err := b.ReadSeekCloser.Read(p[:min(len(p), b.h.good)])
	b.h.good -= n
	return n, err
}

func (b *heldBlob) Close() error {
	if b.h.reading.Load() > 0 {
		b.h.t.Error("it is closed while it is read")
	}
	b.h.closed.Store(true)
	return b.ReadSeekCloser.Close()
}

// storedSince are the records of what was stored after it was first asked for.
type storedSince struct {
	demand.Records
	size  int64
	asked atomic.Bool
}

func (s *storedSince) FindArtifacts(_ context.Context, digests []content.Digest) (map[content.Digest]int64, error) {
	if s.asked.CompareAndSwap(false, true) {
		return nil, nil
	}
	return map[content.Digest]int64{digests[0]: s.size}, nil
}

// leaving is a client that goes away when its storage has no more for it.
type leaving struct {
	*httptest.ResponseRecorder
	held <-chan struct{}
}

func (l leaving) Write(p []byte) (int, error) {
	if l.Body.Len() > 0 {
		<-l.held
		return 0, io.ErrClosedPipe
	}
	return l.ResponseRecorder.Write(p)
}

// TestLeavingWithinRanges has clients leave while a range of several is read, which
// http.ServeContent does not wait for.
func TestLeavingWithinRanges(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("x", 200_000)
	for _, onDemand := range []bool{false, true} {
		t.Run("on demand: "+strconv.FormatBool(onDemand), func(t *testing.T) {
			t.Parallel()
			h := &holding{disk: newDisk(t), t: t, good: 64 << 10, held: make(chan struct{})}
			var o origin.Options
			if onDemand {
				o.Demand = demand.New(&storedSince{size: int64(len(body))}, h, nil, demand.Options{})
				t.Cleanup(o.Demand.Close)
			}
			s := newShelfOn(t, h, o, map[string]string{"f": body})
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/content/debian/stable/f", nil)
			r.Header.Set("Range", "bytes=0-99999,100000-199998")
			s.ServeHTTP(leaving{httptest.NewRecorder(), h.held}, r)
			if !h.closed.Load() {
				t.Error("it was not closed")
			}
			if log := s.logged(); log != "" {
				t.Errorf("logged: %s", log)
			}
		})
	}
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789", 10_000)
	blobs := newRemote(t)
	s := newShelfOn(t, blobs, origin.Options{Redirect: blobs.Redirect}, map[string]string{"l.deb": large, "s.deb": "small"})
	etag := `"` + sum(large) + `"`
	tests := map[string]struct {
		method, path string
		header       []string
		status       int
	}{
		"large":                   {"GET", "l.deb", nil, 307},
		"a part":                  {"GET", "l.deb", []string{"Range", "bytes=3-5"}, 307},
		"small":                   {"GET", "s.deb", nil, 200},
		"only the header":         {"HEAD", "l.deb", nil, 200},
		"the client has it":       {"GET", "l.deb", []string{"If-None-Match", etag}, 304},
		"a part if it is of this": {"GET", "l.deb", []string{"Range", "bytes=3-5", "If-Range", etag}, 206},
		"if it is this":           {"GET", "l.deb", []string{"If-Match", etag}, 200},
		"if it is another":        {"GET", "l.deb", []string{"If-Match", `"x"`}, 412},
	}
	for name, tt := range tests {
		w := s.ask(t, tt.method, "/content/debian/stable/"+tt.path, tt.header...)
		if w.Code != tt.status {
			t.Errorf("%s: got %d, want %d", name, w.Code, tt.status)
		}
		if tt.status != http.StatusTemporaryRedirect {
			checkHeader(t, w, "Location", "")
			continue
		}
		checkHeader(t, w, "Cache-Control", "no-store")
		checkHeader(t, w, "ETag", "")
		checkHeader(t, w, "Last-Modified", "")
	}

	// A token stays with whom it is for: the store is at 127.0.0.1.
	for host, status := range map[string]int{"127.0.0.1": 200, "127.0.0.1:8080": 200, "0.0.1": 200, "LOCALHOST:80": 307, "7.0.0.1": 307, "[::1]:80": 307, "": 307} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/content/debian/stable/l.deb", nil)
		r.Host = host
		for _, authorization := range []string{"", "Bearer x"} {
			want := status
			if authorization == "" {
				want = 307
			} else {
				r.Header.Set("Authorization", authorization)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("asked at %q with %q: got %d, want %d", host, authorization, w.Code, want)
			}
		}
	}

	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	for part, want := range map[string]string{"": large, "bytes=3-5": "345"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/content/debian/stable/l.deb", nil)
		if err != nil {
			t.Fatal(err)
		}
		if part != "" {
			r.Header.Set("Range", part)
		}
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(body) != want || resp.ContentLength != int64(len(want)) {
			t.Errorf("range %q: got %d bytes, %v, want %d", part, len(body), err, len(want))
		}
		if got, want := resp.Header.Get("Content-Type"), "application/vnd.debian.binary-package"; got != want {
			t.Errorf("Content-Type: got %q, want %q", got, want)
		}
		if part != "" && resp.Header.Get("Content-Range") != "bytes 3-5/"+strconv.Itoa(len(large)) {
			t.Errorf("Content-Range: got %q", resp.Header.Get("Content-Range"))
		}
	}
}
