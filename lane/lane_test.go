package lane_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"ream/lane"
)

// plainly is a request for what a test's handler answers.
const plainly = "GET /content/a HTTP/1.1\r\nHost: ream\r\n\r\n"

// lines collects what a server logs.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// running is a server under test.
type running struct {
	*lane.Server
	address string
	log     *lines
	served  chan error
}

// start starts a server, which is shut down at the end of the test.
func start(t *testing.T, s *http.Server) *running {
	t.Helper()
	return startBounded(t, 0, s)
}

// startBounded is start with at most so many connections.
func startBounded(t *testing.T, conns int, s *http.Server) *running {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	logged := &lines{}
	s.ErrorLog = log.New(logged, "", 0)
	r := &running{&lane.Server{HTTP: s, Prefix: "/content/", MaxConns: conns}, l.Addr().String(), logged, make(chan error, 1)}
	go func() { r.served <- r.Serve(l) }()
	t.Cleanup(func() {
		if err := r.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("shut down: %v", err)
		}
		if err := <-r.served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serving ended with %v", err)
		}
	})
	return r
}

// answering is a server with a handler.
func answering(t *testing.T, h http.HandlerFunc) *running {
	t.Helper()
	return start(t, &http.Server{Handler: h})
}

// client is a connection to a server.
type client struct {
	t *testing.T
	*net.TCPConn
	in *bufio.Reader
}

func (r *running) dial(t *testing.T) *client {
	t.Helper()
	return r.dialFrom(t, "127.0.0.1")
}

// dialFrom is dial from an address of this machine.
func (r *running) dialFrom(t *testing.T, from string) *client {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.DialContext(t.Context(), "tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return &client{t, c.(*net.TCPConn), bufio.NewReader(c)}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads an answer to a method.
func (c *client) receive(method string) (*http.Response, string) {
	c.t.Helper()
	response, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response, string(body)
}

// ask sends a request and expects a body.
func (c *client) ask(request, body string) {
	c.t.Helper()
	c.send(request)
	method, _, _ := strings.Cut(request, " ")
	if _, got := c.receive(method); got != body {
		c.t.Errorf("got %q for %q, want %q", got, request, body)
	}
}

// ended expects the server to close the connection.
func (c *client) ended() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.in); len(rest) > 0 || err != nil {
		c.t.Errorf("got %q, %v instead of the end", rest, err)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.Method+" "+r.RequestURI+" "+string(body))
	})
	tests := []struct{ name, request, answer string }{
		{"plain", plainly, "GET /content/a "},
		{"of HTTP/1.0 that keeps the connection", "GET /content/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /content/a "},
		{"with a query", "GET /content/a?b=c HTTP/1.1\r\nHost: ream\r\n\r\n", "GET /content/a?b=c "},
		{"with an escape", "GET /content/%61 HTTP/1.1\r\nHost: ream\r\n\r\n", "GET /content/%61 "},
		{"for something else", "GET /other HTTP/1.1\r\nHost: ream\r\n\r\n", "GET /other "},
		{"absolute", "GET http://ream/content/a HTTP/1.1\r\nHost: ream\r\n\r\n", "GET http://ream/content/a "},
		{"with an unknown header", "GET /content/a HTTP/1.1\r\nHost: ream\r\nX-Other: b\r\n\r\n", "GET /content/a "},
		{"with a header twice", "GET /content/a HTTP/1.1\r\nHost: ream\r\nAccept: a\r\nAccept: b\r\n\r\n", "GET /content/a "},
		{"of lines without returns", "GET /content/a HTTP/1.1\nHost: ream\n\n", "GET /content/a "},
		{"with a body", "GET /content/a HTTP/1.1\r\nHost: ream\r\nContent-Length: 3\r\n\r\nxyz", "GET /content/a xyz"},
		{"with a body in chunks", "POST /content/a HTTP/1.1\r\nHost: ream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n", "POST /content/a xyz"},
		{"that is long", "GET /content/" + strings.Repeat("a", 3000) + " HTTP/1.1\r\nHost: ream\r\n\r\n", "GET /content/" + strings.Repeat("a", 3000) + " "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := s.dial(t)
			for range 2 { // and plain ones around it
				c.ask(plainly, "GET /content/a ")
				c.ask(tt.request, tt.answer)
			}
		})
		t.Run(tt.name+", in pieces", func(t *testing.T) {
			t.Parallel()
			c := s.dial(t)
			if err := c.SetNoDelay(true); err != nil {
				t.Fatal(err)
			}
			request := tt.request[:len(tt.request)-1]
			for len(request) > 0 {
				n := min(len(request), 1+len(tt.request)/50)
				c.send(request[:n])
				request = request[n:]
			}
			c.ask(tt.request[len(tt.request)-1:], tt.answer)
		})
		t.Run(tt.name+", three at once", func(t *testing.T) {
			t.Parallel()
			c := s.dial(t)
			c.send(plainly + tt.request + plainly)
			for _, want := range []string{"GET /content/a ", tt.answer, "GET /content/a "} {
				if _, got := c.receive("GET"); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") })
	tests := []struct {
		name, request string
		status        int
	}{
		{"without a host", "GET /content/a HTTP/1.1\r\n\r\n", 400},
		{"with two hosts", "GET /content/a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		{"with a space before the colon", "GET /content/a HTTP/1.1\r\nHost: a\r\nAccept : b\r\n\r\n", 400},
		{"with a zero byte in a header", "GET /content/a HTTP/1.1\r\nHost: a\r\nAccept: \x00\r\n\r\n", 400},
		{"with a folded header", "GET /content/a HTTP/1.1\r\nHost: a\r\n Accept: b\r\n\r\n", 400},
		{"with two lengths", "GET /content/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		{"with an unknown coding", "GET /content/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
		{"of another protocol", "GET /content/a HTTP/3.0\r\nHost: a\r\n\r\n", 505},
		{"without a protocol", "GET /content/a\r\n\r\n", 400},
		{"that expects something", "GET /content/a HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n", 417},
		{"with a header that is too large", "GET /content/a HTTP/1.1\r\nHost: a\r\nAccept: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", 431},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := s.dial(t)
			c.ask(plainly, "fine")
			go func() { _, _ = io.WriteString(c, tt.request) }() // which the server may not read to its end
			if response, body := c.receive("GET"); response.StatusCode != tt.status {
				t.Errorf("got %d with %q, want %d", response.StatusCode, body, tt.status)
			}
		})
	}
}

// TestOtherProtocols gives a connection away that has brought plain requests.
func TestOtherProtocols(t *testing.T) {
	t.Parallel()
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			_, _ = io.WriteString(w, "fine")
			return
		}
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_, _ = io.Copy(conn, buffered)
	})
	c := s.dial(t)
	c.ask(plainly, "fine")
	c.send("GET /content/echo HTTP/1.1\r\nHost: ream\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst ")
	if response, err := http.ReadResponse(c.in, nil); err != nil || response.StatusCode != 101 {
		t.Fatal(response, err)
	}
	c.send("second")
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c.in); string(got) != "first second" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "quiet") {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "begun")
		panic("oh")
	})
	quiet := s.dial(t)
	quiet.send("GET /content/quiet HTTP/1.1\r\nHost: ream\r\n\r\n")
	quiet.ended()
	if got := s.log.String(); got != "" {
		t.Errorf("logged %q", got)
	}
	loud := s.dial(t)
	loud.send(plainly)
	loud.ended()
	if got := s.log.String(); !strings.Contains(got, "panic serving "+loud.LocalAddr().String()+": oh\n") || !strings.Contains(got, "lane_test.go") {
		t.Errorf("logged %q", got)
	}
}

// TestHandlersThatExit closes the connection of a handler that ends its goroutine.
func TestHandlersThatExit(t *testing.T) {
	t.Parallel()
	s := answering(t, func(http.ResponseWriter, *http.Request) { runtime.Goexit() })
	c := s.dial(t)
	c.send(plainly)
	c.ended()
}

// TestSilence expects connections to be closed on which nothing comes.
func TestSilence(t *testing.T) {
	t.Parallel()
	const long, short = 2 * time.Second, 50 * time.Millisecond
	for name, limits := range map[string]*http.Server{
		"limits of their own":     {ReadHeaderTimeout: long, IdleTimeout: short},
		"the limit of all":        {ReadTimeout: long},
		"one that stands for one": {ReadHeaderTimeout: long, ReadTimeout: short},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "fine") })
			s := start(t, limits)
			s.dial(t).ended()
			idle := s.dial(t)
			idle.ask(plainly, "fine")
			idle.ended()
			slow := s.dial(t)
			slow.send(plainly[:10])
			if response, _ := slow.receive("GET"); response.StatusCode != http.StatusBadRequest { // as net/http has it
				t.Errorf("got %d", response.StatusCode)
			}
			slow.ended()
		})
	}
}

// failing is a listener that fails at first, as if there were too many files open.
type failing struct {
	net.Listener
	times int
}

type temporary struct{ error }

func (temporary) Timeout() bool   { return false }
func (temporary) Temporary() bool { return true }

func (f *failing) Accept() (net.Conn, error) {
	if f.times--; f.times >= 0 {
		return nil, temporary{errors.New("too many open files")}
	}
	return f.Listener.Accept()
}

func TestListenersThatFail(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	logged := &lines{}
	s := &lane.Server{Prefix: "/content/", HTTP: &http.Server{
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "fine") }),
		ErrorLog: log.New(logged, "", 0),
	}}
	served := make(chan error, 1)
	go func() { served <- s.Serve(&failing{l, 2}) }()
	c := (&running{address: l.Addr().String()}).dial(t)
	c.ask(plainly, "fine")
	c.ask("GET /other HTTP/1.1\r\nHost: ream\r\n\r\n", "fine")
	if got := logged.String(); strings.Count(got, "too many open files") != 2 {
		t.Errorf("logged %q", got)
	}
	_ = l.Close() // which nobody asked for
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		t.Errorf("serving ended with %v", err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("serving again ended with %v", err)
	}
}

// TestOtherNetworks serves connections that are not TCP.
func TestOtherNetworks(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/socket"
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &lane.Server{Prefix: "/content/", HTTP: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "fine") }),
	}}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, plainly); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != 200 {
		t.Fatal(response, err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("serving ended with %v", err)
	}
}
