package fetch_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/sync/errgroup"

	"ream/fault"
	"ream/fetch"
)

func TestReuse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, proto string
		start       func(t *testing.T, handler http.HandlerFunc) (up *upstream, ca string)
	}{
		{"HTTP/1.1", "HTTP/1.1", func(t *testing.T, handler http.HandlerFunc) (*upstream, string) { return newUpstream(t, handler), "" }},
		{"HTTP/2", "HTTP/2.0", func(t *testing.T, handler http.HandlerFunc) (*upstream, string) { return secureUpstream(t, handler) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var misses atomic.Int32
			up, ca := test.start(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/missing" && misses.Add(1) < 20 {
					http.Error(w, "nothing here", http.StatusServiceUnavailable)
					return
				}
				fmt.Fprint(w, "hello")
			})
			c := fetch.New(loopback(&waits{}))
			for i := range 10 { // sources that connect alike share connections
				s, err := c.Source(fmt.Sprint(i), fetch.Settings{URL: up.URL, CACert: ca, Attempts: 30})
				if err != nil {
					t.Fatal(err)
				}
				for _, path := range []string{"/a", "/b", "/missing"} {
					var into sink
					got, err := s.Get(t.Context(), exactly(up.URL+path, "hello"), &into)
					check(t, got, err, &into, "hello")
				}
			}
			connections := map[string]bool{}
			for _, r := range up.seen() {
				connections[r.RemoteAddr] = true
				if r.Proto != test.proto {
					t.Fatalf("protocol: got %s, want %s", r.Proto, test.proto)
				}
			}
			if len(connections) != 1 {
				t.Errorf("connections: got %d, want 1", len(connections))
			}
		})
	}
}

// TestReuseAfterErrors asks for files that are not there, of which upstream says so
// in pages: of a usual length, too long to be read, and of a length it does not tell.
func TestReuseAfterErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		length      int
		chunked     bool
		connections int
	}{
		{"of the longest", 64 << 10, false, 1},
		{"too long", 64<<10 + 1, false, 5},
		{"of unknown length", 2 << 10, true, 1},
		{"of unknown length, too long", 8 << 10, true, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
				if !test.chunked {
					w.Header().Set("Content-Length", strconv.Itoa(test.length))
				}
				w.WriteHeader(http.StatusNotFound)
				if test.chunked {
					http.NewResponseController(w).Flush() //nolint:errcheck // the client tells
				}
				w.Write(make([]byte, test.length)) //nolint:errcheck // the client may not read it
			})
			s, _ := newSource(t, fetch.Settings{})
			for range 5 {
				if _, err := s.Get(t.Context(), anything(up.URL), &sink{}); !fault.Is(err, fault.NotFound) {
					t.Fatalf("Get: got %v, want NotFound", err)
				}
			}
			connections := map[string]bool{}
			for _, r := range up.seen() {
				connections[r.RemoteAddr] = true
			}
			if len(connections) != test.connections {
				t.Errorf("connections: got %d, want %d", len(connections), test.connections)
			}
		})
	}
}

func TestHTTP2InParallel(t *testing.T) {
	t.Parallel()
	guests := &crowd{expected: 20, full: make(chan struct{})}
	up, ca := secureUpstream(t, guests.ServeHTTP)
	s, _ := newSource(t, fetch.Settings{URL: up.URL, CACert: ca})
	var group errgroup.Group
	for range 20 {
		group.Go(func() error {
			_, err := s.Get(t.Context(), exactly(up.URL, "hello"), &sink{})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// stream is a request by HTTP/2 that a test answers frame by frame.
type stream struct {
	t  *testing.T
	fr *http2.Framer
	id uint32
	// start is where the asked range begins.
	start int
}

// head begins a response to the whole of ten bytes, or to what was asked for.
func (s stream) head() {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	fields := []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "etag", Value: `"v1"`}, {Name: "content-length", Value: strconv.Itoa(10 - s.start)}}
	if s.start > 0 {
		fields[0].Value = "206"
		fields = append(fields, hpack.HeaderField{Name: "content-range", Value: fmt.Sprintf("bytes %d-9/10", s.start)})
	}
	for _, f := range fields {
		if err := e.WriteField(f); err != nil {
			s.t.Error(err)
		}
	}
	s.wrote(s.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: s.id, BlockFragment: block.Bytes(), EndHeaders: true}))
}

// send sends bytes of ten up to an end.
func (s stream) send(end int) {
	s.wrote(s.fr.WriteData(s.id, end == 10, []byte("0123456789"[s.start:end])))
}

func (s stream) wrote(err error) {
	if err != nil {
		s.t.Errorf("write a frame: %v", err)
	}
}

// step answers one request; the connection ends if it returns false.
type step func(s stream) bool

// serveHTTP2 answers the nth request, whatever its connection, by the nth
// step. It returns the address and the certificate to trust it by.
func serveHTTP2(t *testing.T, steps ...step) (address, ca string) {
	t.Helper()
	a := newAuthority(t)
	cert, key := a.certificate("127.0.0.1")
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	var group errgroup.Group
	t.Cleanup(func() { l.Close(); group.Wait() }) //nolint:errcheck // it returns none
	var asked atomic.Int32
	group.Go(func() error {
		for {
			conn, err := l.Accept()
			if err != nil {
				return nil
			}
			group.Go(func() error {
				defer conn.Close()
				stop := make(chan struct{})
				defer close(stop)
				go func() { // ends the connection with the test
					select {
					case <-t.Context().Done():
						conn.Close()
					case <-stop:
					}
				}()
				answerFrames(t, conn, func(s stream) bool { return steps[min(int(asked.Add(1)), len(steps))-1](s) })
				return nil
			})
		}
	})
	return "https://" + l.Addr().String(), a.pem
}

func answerFrames(t *testing.T, conn net.Conn, answer step) {
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	fr := http2.NewFramer(conn, conn)
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := fr.WriteSettings(); err != nil {
		return
	}
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				fr.WriteSettingsAck() //nolint:errcheck // the next read tells
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				fr.WritePing(true, f.Data) //nolint:errcheck // the next read tells
			}
		case *http2.MetaHeadersFrame:
			s := stream{t: t, fr: fr, id: f.StreamID}
			for _, field := range f.Fields {
				if field.Name == "range" {
					fmt.Sscanf(field.Value, "bytes=%d-", &s.start) //nolint:errcheck // 0 if it is none
				}
			}
			if !answer(s) {
				return
			}
		}
	}
}

func TestHTTP2Resets(t *testing.T) {
	t.Parallel()
	good := func(s stream) bool { s.head(); s.send(10); return true }
	reset := func(code http2.ErrCode) step {
		return func(s stream) bool { s.wrote(s.fr.WriteRSTStream(s.id, code)); return true }
	}
	resetAt := func(end int, code http2.ErrCode) step {
		return func(s stream) bool {
			s.head()
			s.send(end)
			s.wrote(s.fr.WriteRSTStream(s.id, code))
			return true
		}
	}
	goAwayAt := func(end int, code http2.ErrCode) step {
		return func(s stream) bool {
			if end > 0 {
				s.head()
				s.send(end)
			}
			s.wrote(s.fr.WriteGoAway(0, code, nil))
			return false
		}
	}
	for _, test := range []struct {
		name   string
		steps  []step
		pauses int // of attempts that we make; the transport makes some by itself
		resets int
	}{
		{"none", []step{good}, 0, 0},
		{"before the head", []step{reset(http2.ErrCodeInternal), good}, 1, 0},
		{"of a stream that was refused", []step{reset(http2.ErrCodeRefusedStream), good}, 0, 0},
		{"in the body", []step{resetAt(4, http2.ErrCodeInternal), good}, 1, 0},
		{"in the body, as if canceled", []step{resetAt(4, http2.ErrCodeCancel), good}, 1, 0},
		{"in the body, twice", []step{resetAt(4, http2.ErrCodeInternal), resetAt(7, http2.ErrCodeEnhanceYourCalm), good}, 2, 0},
		{"after the body, before its end", []step{func(s stream) bool {
			s.head()
			s.wrote(s.fr.WriteData(s.id, true, []byte("0123")))
			return true
		}, good}, 1, 0},
		{"by GOAWAY before the head", []step{goAwayAt(0, http2.ErrCodeNo), good}, 0, 0},
		{"by GOAWAY for an error before the head", []step{goAwayAt(0, http2.ErrCodeInternal), good}, 1, 0},
		{"by GOAWAY in the body", []step{goAwayAt(4, http2.ErrCodeNo), good}, 1, 0},
		{"by the end of the connection", []step{func(s stream) bool { s.head(); s.send(4); return false }, good}, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			address, ca := serveHTTP2(t, test.steps...)
			s, w := newSource(t, fetch.Settings{URL: address, CACert: ca})
			var into sink
			got, err := s.Get(t.Context(), exactly(address+"/a", "0123456789"), &into)
			check(t, got, err, &into, "0123456789")
			if len(w.took) != test.pauses || into.resets != test.resets {
				t.Errorf("got %d pauses and %d resets, want %d and %d", len(w.took), into.resets, test.pauses, test.resets)
			}
		})
	}
	t.Run("always", func(t *testing.T) {
		t.Parallel()
		address, ca := serveHTTP2(t, reset(http2.ErrCodeInternal))
		s, _ := newSource(t, fetch.Settings{URL: address, CACert: ca})
		_, err := s.Get(t.Context(), anything(address+"/a"), &sink{})
		if want := address + "/a: it reset the stream (tried 5 times)"; fault.Message(err) != want {
			t.Errorf("Get: got %v, want %q", err, want)
		}
	})
}
