package plainhttp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ream/plainhttp"
)

// server answers requests on its connections as a test wants.
type server struct {
	net.Listener
	mu       sync.Mutex
	accepted int
	wg       sync.WaitGroup
}

// serve starts a server that hands each connection, with its number from 1, to
// answer, and closes it afterwards.
func serve(t *testing.T, answer func(n int, c *net.TCPConn, in *bufio.Reader)) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Listener: l}
	var open sync.Map
	s.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.accepted++
			n := s.accepted
			s.mu.Unlock()
			open.Store(c, true)
			s.wg.Go(func() {
				defer c.Close()
				answer(n, c.(*net.TCPConn), bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		open.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		s.wg.Wait()
	})
	return s
}

func (s *server) url(path string) string { return "http://" + s.Addr().String() + path }

// connections is how many were accepted.
func (s *server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// asked reads requests, and returns false once no more come.
func asked(in *bufio.Reader) bool {
	_, err := http.ReadRequest(in)
	return err == nil
}

// always answers every request in the same way.
func always(answer string) func(int, *net.TCPConn, *bufio.Reader) {
	return func(_ int, c *net.TCPConn, in *bufio.Reader) {
		for asked(in) {
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	}
}

func file(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func newTransport(t *testing.T) *plainhttp.Transport {
	p := &plainhttp.Transport{Dial: new(net.Dialer).DialContext, IdlePerHost: 4, Idle: 6, IdleTimeout: time.Minute, MaxHead: 64 << 10}
	t.Cleanup(p.CloseIdleConnections)
	return p
}

func get(ctx context.Context, rt http.RoundTripper, address string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return rt.RoundTrip(r)
}

// read gets a whole file.
func read(ctx context.Context, rt http.RoundTripper, address string) (string, error) {
	response, err := get(ctx, rt, address)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// wantFile gets a whole file, which has to be this one.
func wantFile(t *testing.T, rt http.RoundTripper, address, want string) {
	t.Helper()
	if got, err := read(t.Context(), rt, address); got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// TestAnswersAsWithNetHTTP gives two clients the same answers, twice on a
// connection where that stays, and expects both to understand the same.
func TestAnswersAsWithNetHTTP(t *testing.T) {
	t.Parallel()
	chunks := "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n"
	for name, answer := range map[string]string{
		"plain":                       file("hello"),
		"empty":                       file(""),
		"large":                       file(strings.Repeat("0123456789abcdef", 20_000)),
		"part":                        "HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\nContent-Range: bytes 3-4/5\r\n\r\nlo",
		"headers of many kinds":       "HTTP/1.1 200 OK\r\nvary: a\r\nVary: b\r\nX-é: c\r\nEtag:\t\"a\" \r\nEmpty:\r\nObs: caf\xe9\r\nContent-Length: 5\r\n\r\nhello",
		"folded header":               "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 5\r\n\r\nhello",
		"lines that end in LF":        "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
		"pragma":                      "HTTP/1.1 200 OK\r\nPragma: no-cache\r\nContent-Length: 5\r\n\r\nhello",
		"chunked":                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "\r\n",
		"chunked with a trailer":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n" + chunks + "A: b\r\n\r\n",
		"chunked, broken":             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nz\r\n",
		"chunked with a length":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + chunks + "\r\n",
		"other encoding":              "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
		"two lengths":                 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"the same length twice":       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		"length with a sign":          "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
		"length with zeros":           "HTTP/1.1 200 OK\r\nContent-Length: 005\r\n\r\nhello",
		"to the end: empty length":    "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello",
		"lines within the status":     "HTTP/1.1 200 OK\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nhello",
		"to the end: LF, then CRLF":   "HTTP/1.1 200 OK\nConnection: close\n\n\r\nContent-Length: 5\r\n\r\nhello",
		"length of too many digits":   "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
		"negative length":             "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello",
		"interim":                     "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + file("hello"),
		"other protocol":              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
		"nothing":                     "HTTP/1.1 204 No Content\r\n\r\n",
		"not modified":                "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
		"redirect":                    "HTTP/1.1 302 Found\r\nLocation: http://other/\r\nContent-Length: 5\r\n\r\nhello",
		"not found":                   "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello",
		"no reason":                   "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.0 that stays":         "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
		"no HTTP":                     "SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"status that is no number":    "HTTP/1.1 2x0 OK\r\nContent-Length: 5\r\n\r\nhello",
		"header without a colon":      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nHello\r\n\r\nhello",
		"to the end: name with space": "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
		"to the end: short":           "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello",
		"to the end: HTTP/1.0":        "HTTP/1.0 200 OK\r\n\r\nhello",
		"to the end: no length":       "HTTP/1.1 200 OK\r\n\r\nhello",
		"to the end: told to close":   "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
		"to the end: half a head":     "HTTP/1.1 200 OK\r\nContent-Le",
		"to the end: half an interim": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1",
		"to the end: half a chunk":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept := always(answer)
			s := serve(t, func(n int, c *net.TCPConn, in *bufio.Reader) {
				if !strings.HasPrefix(name, "to the end") {
					kept(n, c, in)
				} else if asked(in) {
					_, _ = io.WriteString(c, answer) // the client tells
				}
			})
			usual := &http.Transport{DisableCompression: true}
			defer usual.CloseIdleConnections()
			var told [2]string
			for i, rt := range []http.RoundTripper{usual, newTransport(t)} {
				before := s.connections()
				for range 2 {
					told[i] += tell(t, rt, s.url("/"))
				}
				told[i] += fmt.Sprintf("by %d connections", s.connections()-before)
			}
			if told[0] != told[1] {
				t.Errorf("got\n%.2000s\nwant\n%.2000s", told[1], told[0])
			}
		})
	}
}

// tell says all that a client understands of an answer.
func tell(t *testing.T, rt http.RoundTripper, address string) string {
	response, err := get(t.Context(), rt, address)
	if err != nil {
		return "no answer\n"
	}
	defer response.Body.Close()
	var body []byte
	if response.StatusCode != http.StatusSwitchingProtocols {
		body, err = io.ReadAll(response.Body)
	}
	return fmt.Sprintf("%s %s %d %q %d %v %v %q %v %v\n", response.Proto, response.Status, response.StatusCode, response.Header, response.ContentLength,
		response.TransferEncoding, response.Close, body, response.Trailer, err)
}

// TestRequestsAsWithNetHTTP expects both clients to send the same.
func TestRequestsAsWithNetHTTP(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var sent []string
	s := serve(t, func(_ int, c *net.TCPConn, in *bufio.Reader) {
		for {
			var lines []string
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if lines = append(lines, line); line == "\r\n" {
					break
				}
			}
			slices.Sort(lines[1:])
			mu.Lock()
			sent = append(sent, strings.Join(lines, ""))
			mu.Unlock()
			if _, err := io.WriteString(c, file("hello")); err != nil {
				return
			}
		}
	})
	usual := &http.Transport{DisableCompression: true}
	defer usual.CloseIdleConnections()
	plain := newTransport(t)
	for _, path := range []string{"", "/", "/a/b.deb", "//a//b", "/a?b=c&d", "?", "/a b", "/%41%2f%zz", "/é/ü?ö", "/a;b:c@d", "/a#b", "/%e9", "/+", "/\"<>\\^`{|}"} {
		for _, header := range []http.Header{
			{},
			{"User-Agent": {"ream/test"}, "Accept-Encoding": {"identity"}, "Authorization": {"Basic YTpi"}, "Range": {"bytes=5-"}, "If-Range": {`"a"`}},
			{"User-Agent": {""}, "X-Many": {"a", "b"}, "X-Café": {}},
		} {
			u, err := url.Parse(s.url(path))
			if err != nil {
				u = &url.URL{Scheme: "http", Host: s.Addr().String(), Path: path}
			}
			mu.Lock()
			sent = nil
			mu.Unlock()
			for _, rt := range []http.RoundTripper{usual, plain} {
				r := (&http.Request{Method: http.MethodGet, URL: u, Header: header.Clone()}).WithContext(t.Context())
				response, err := rt.RoundTrip(r)
				if err != nil {
					mu.Lock()
					sent = append(sent, "nothing")
					mu.Unlock()
					continue
				}
				_, _ = io.Copy(io.Discard, response.Body) // what was sent counts
				response.Body.Close()
			}
			mu.Lock()
			if len(sent) != 2 || sent[0] != sent[1] {
				t.Errorf("%q: got %q, want twice the same", path, sent)
			}
			mu.Unlock()
		}
	}
}

// TestRefused expects requests that are not plain, or that would be others than
// they look, not to be sent.
func TestRefused(t *testing.T) {
	t.Parallel()
	p := newTransport(t)
	p.Dial = func(context.Context, string, string) (net.Conn, error) {
		t.Error("it connects")
		return nil, errors.New("no")
	}
	for name, change := range map[string]func(*http.Request){
		"other method":     func(r *http.Request) { r.Method = http.MethodPost },
		"body":             func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("a")) },
		"TLS":              func(r *http.Request) { r.URL.Scheme = "https" },
		"no host":          func(r *http.Request) { r.URL.Host = "" },
		"international":    func(r *http.Request) { r.URL.Host = "bücher.example" },
		"zone":             func(r *http.Request) { r.URL.Host = "[fe80::1%25lo]" },
		"other host":       func(r *http.Request) { r.Host = "other" },
		"close":            func(r *http.Request) { r.Close = true },
		"upgrade":          func(r *http.Request) { r.Header.Set("Upgrade", "h2c") },
		"connection":       func(r *http.Request) { r.Header.Set("Connection", "close") },
		"name of a header": func(r *http.Request) { r.Header["A b"] = []string{"c"} },
		"line in a header": func(r *http.Request) { r.Header.Set("A", "b\r\nC: d") },
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://host/a", nil)
		if err != nil {
			t.Fatal(err)
		}
		change(r)
		if response, err := p.RoundTrip(r); err == nil {
			response.Body.Close()
			t.Errorf("%s: it is sent", name)
		}
	}
}

// TestHeadIsBounded expects a head without an end to be given up.
func TestHeadIsBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ int, c *net.TCPConn, in *bufio.Reader) {
		if !asked(in) {
			return
		}
		_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		for err == nil {
			_, err = io.WriteString(c, "A: "+strings.Repeat("b", 1000)+"\r\n")
		}
	})
	if _, err := read(t.Context(), newTransport(t), s.url("/")); err == nil || !strings.Contains(err.Error(), "more than 65536 bytes") {
		t.Errorf("got %v", err)
	}
	s = serve(t, func(_ int, c *net.TCPConn, in *bufio.Reader) {
		if !asked(in) {
			return
		}
		for err := error(nil); err == nil; {
			_, err = io.WriteString(c, "HTTP/1.1 103 Early Hints\r\n\r\n")
		}
	})
	if _, err := read(t.Context(), newTransport(t), s.url("/")); err == nil {
		t.Error("heads without an end are taken for an answer")
	}
}
