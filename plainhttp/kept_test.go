//go:build unix

package plainhttp_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ream/plainhttp"
)

// TestKeptConnections expects a request to be sent again where the server gave a
// connection up between requests, and on no other.
func TestKeptConnections(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		second      func(c *net.TCPConn, in *bufio.Reader) // what becomes of the first connection after its first answer
		told        bool                                   // whether the client can know before its next request
		connections int
		fails       bool
	}{
		"stays":                        {onlyHello, false, 1, false},
		"closed":                       {func(*net.TCPConn, *bufio.Reader) {}, true, 2, false},
		"reset":                        {func(c *net.TCPConn, _ *bufio.Reader) { reset(c) }, true, 2, false},
		"closed at the next request":   {func(_ *net.TCPConn, in *bufio.Reader) { asked(in) }, false, 2, false},
		"reset at the next request":    {func(c *net.TCPConn, in *bufio.Reader) { asked(in); reset(c) }, false, 2, false},
		"closed in the next head":      {func(c *net.TCPConn, in *bufio.Reader) { asked(in); say(c, "HTTP/1.1 200") }, false, 1, true},
		"answer that nobody asked for": {func(c *net.TCPConn, in *bufio.Reader) { say(c, file("wrong")); asked(in) }, true, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(n int, conn *net.TCPConn, in *bufio.Reader) {
				if n > 1 {
					onlyHello(conn, in)
				} else if asked(in) {
					say(conn, file("hello"))
					c.second(conn, in)
				}
			})
			p := newTransport(t)
			var first net.Conn
			p.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				if first == nil {
					first = conn
				}
				return conn, err
			}
			wantFile(t, p, s.url("/"), "hello")
			if c.told {
				waitForMore(t, first)
			}
			got, err := read(t.Context(), p, s.url("/"))
			if (err != nil) != c.fails || err == nil && got != "hello" {
				t.Errorf("got %q, %v", got, err)
			}
			if n := s.connections(); n != c.connections {
				t.Errorf("got %d connections, want %d", n, c.connections)
			}
		})
	}
}

func onlyHello(c *net.TCPConn, in *bufio.Reader) { always(file("hello"))(0, c, in) }

// say sends what the client tells of.
func say(c *net.TCPConn, text string) { _, _ = io.WriteString(c, text) }

// reset has a connection end by a reset.
func reset(c *net.TCPConn) { _ = c.SetLinger(0) } // the client tells

// waitForMore waits until something came over a connection that is kept, or its end.
func waitForMore(t *testing.T, c net.Conn) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Read(func(fd uintptr) bool {
		_, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return err != unix.EAGAIN
	}); err != nil && !errors.Is(err, net.ErrClosed) { // it came with what was read, and was seen
		t.Fatal(err)
	}
}

// TestNewConnectionsFail expects no request to be sent again that failed on a new
// connection: whoever asks decides.
func TestNewConnectionsFail(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ int, _ *net.TCPConn, in *bufio.Reader) { asked(in) })
	if _, err := read(t.Context(), newTransport(t), s.url("/")); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want that it ended", err)
	}
	if n := s.connections(); n != 1 {
		t.Errorf("it asked %d times", n)
	}
}

var errEnough = errors.New("enough")

// TestContexts ends a request's context at all of its steps.
func TestContexts(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{}, 1)
	s := serve(t, func(_ int, c *net.TCPConn, in *bufio.Reader) {
		for {
			r, err := in.ReadString('\n')
			if err != nil {
				return
			}
			for line := r; line != "\r\n"; {
				if line, err = in.ReadString('\n'); err != nil {
					return
				}
			}
			answer := file("hello")
			switch {
			case strings.HasPrefix(r, "GET /head"):
				answer = ""
			case strings.HasPrefix(r, "GET /half-head"):
				answer = "HTTP/1.1 200 OK\r\nContent-"
			case strings.HasPrefix(r, "GET /body"):
				answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"
			case strings.HasPrefix(r, "GET /chunk"):
				answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
			}
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
			begun <- struct{}{}
		}
	})
	p := newTransport(t)
	for _, path := range []string{"/head", "/half-head", "/body", "/chunk"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			<-begun
			cancel(errEnough)
		}()
		if _, err := read(ctx, p, s.url(path)); !errors.Is(err, errEnough) {
			t.Errorf("%s: got %v, want why the context ended", path, err)
		}
	}
	before := s.connections()
	for range 3 {
		// A context that ended before costs nothing, and one that ends when everything
		// was read takes no connection with it.
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errEnough)
		if _, err := read(ctx, p, s.url("/")); !errors.Is(err, errEnough) {
			t.Errorf("ended before: got %v", err)
		}
		ctx, cancel = context.WithCancelCause(t.Context())
		if got, err := read(ctx, p, s.url("/")); got != "hello" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		<-begun
		cancel(errEnough)
	}
	if n := s.connections() - before; n != 1 {
		t.Errorf("got %d connections for what was read to its end, want 1", n)
	}
}

// TestDialing expects what ends while it connects to end with its cause, and
// failures to stay what they are.
func TestDialing(t *testing.T) {
	t.Parallel()
	p := newTransport(t)
	p.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Err: ctx.Err()}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errEnough)
	if _, err := read(ctx, p, "http://host/"); !errors.Is(err, errEnough) {
		t.Errorf("got %v, want why the context ended", err)
	}
	refused := &net.OpError{Op: "dial", Err: errors.New("refused")}
	var to []string
	p.Dial = func(_ context.Context, network, address string) (net.Conn, error) {
		to = append(to, network+" "+address)
		return nil, refused
	}
	for _, host := range []string{"host", "host:81", "host:", "[::1]", "[::1]:81"} {
		if _, err := read(t.Context(), p, "http://"+host+"/"); !errors.Is(err, refused) {
			t.Errorf("got %v, want the dialer's error", err)
		}
	}
	if got, want := strings.Join(to, ", "), "tcp host:80, tcp host:81, tcp host:80, tcp [::1]:80, tcp [::1]:81"; got != want {
		t.Errorf("it connects to %s, want %s", got, want)
	}
}

// TestKeepsSome expects as many connections to be kept as may be, and no longer.
func TestKeepsSome(t *testing.T) {
	t.Parallel()
	closed := make(chan int, 100)
	answer := func(n int, c *net.TCPConn, in *bufio.Reader) {
		always(file("hello"))(n, c, in)
		closed <- n
	}
	hosts := []*server{serve(t, answer), serve(t, answer)}
	p := newTransport(t)
	atOnce := func(s *server, n int) {
		var bodies []io.ReadCloser
		for range n {
			response, err := get(t.Context(), p, s.url("/"))
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, response.Body)
		}
		for _, b := range bodies {
			if got, err := io.ReadAll(b); string(got) != "hello" || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
			b.Close()
		}
	}
	wantClosed := func(n int) {
		t.Helper()
		for range n {
			<-closed
		}
		select {
		case <-closed:
			t.Error("one more is closed")
		default:
		}
	}
	atOnce(hosts[0], 5) // 4 stay
	wantClosed(1)
	atOnce(hosts[1], 4) // 6 stay in all: two of those that wait for longer do not
	wantClosed(2)
	atOnce(hosts[1], 4)
	atOnce(hosts[0], 2)
	if a, b := hosts[0].connections(), hosts[1].connections(); a != 5 || b != 4 {
		t.Errorf("got %d and %d connections, want 5 and 4", a, b)
	}
	response, err := get(t.Context(), p, hosts[0].url("/"))
	if err != nil {
		t.Fatal(err)
	}
	p.CloseIdleConnections()
	wantClosed(5)
	if got, err := io.ReadAll(response.Body); string(got) != "hello" || err != nil {
		t.Errorf("in use while others were closed: got %q, %v", got, err)
	}
	wantClosed(1) // as nothing is asked for any more
	response.Body.Close()

	short := &plainhttp.Transport{Dial: new(net.Dialer).DialContext, IdlePerHost: 4, Idle: 6, IdleTimeout: time.Millisecond, MaxHead: 64 << 10}
	wantFile(t, short, hosts[0].url("/"), "hello")
	wantClosed(1) // by itself
	wantFile(t, short, hosts[0].url("/"), "hello")
	wantClosed(1) // and so again
}

// TestUnreadBodies expects the connection of a body that was not read to be closed,
// and the body to say why it cannot be read any more.
func TestUnreadBodies(t *testing.T) {
	t.Parallel()
	s := serve(t, always(file("hello")))
	p := newTransport(t)
	for i := range 3 {
		response, err := get(t.Context(), p, s.url("/"))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(response.Body.Close(), response.Body.Close()); err != nil {
			t.Error(err)
		}
		if n, err := response.Body.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
			t.Errorf("after it is closed: got %d, %v", n, err)
		}
		if n := s.connections(); n != i+1 {
			t.Errorf("got %d connections, want %d", n, i+1)
		}
	}
}

// TestContextsAtRandom ends contexts while many use the same connections: nobody
// gets another's file, or an error without a cause.
func TestContextsAtRandom(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ int, c *net.TCPConn, in *bufio.Reader) {
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if name, ok := strings.CutPrefix(line, "GET /"); ok {
				name, _, _ = strings.Cut(name, " ")
				if _, err := io.WriteString(c, file(strings.Repeat(name, 1000))); err != nil {
					return
				}
			}
		}
	})
	p := newTransport(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			name := strings.Repeat(string(rune('a'+i)), 20)
			for range 200 {
				ctx, cancel := context.WithCancelCause(t.Context())
				timer := time.AfterFunc(rand.N(400*time.Microsecond), func() { cancel(errEnough) })
				got, err := read(ctx, p, s.url("/"+name))
				if err != nil && !errors.Is(err, errEnough) || err == nil && got != strings.Repeat(name, 1000) {
					t.Errorf("got %d bytes %.40q, %v", len(got), got, err)
				}
				timer.Stop()
				cancel(nil)
			}
		})
	}
	all.Wait()
}
