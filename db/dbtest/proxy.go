package dbtest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Proxy stands between a PostgreSQL server and those who use it, and fails as
// networks do.
type Proxy struct {
	listener net.Listener
	server   string // host:port

	mu    sync.Mutex
	mode  mode
	lines map[*line]struct{}
	moved *sync.Cond // the mode changed, or a line was closed
	tasks sync.WaitGroup
}

// mode is what a proxy does with what it is given.
type mode int

const (
	forwards mode = iota
	refuses       // closes every connection
	swallows      // takes everything, and forwards nothing
	mutes         // forwards what is asked, and swallows the answers
	holds         // forwards it later
)

// line is a connection through the proxy.
type line struct {
	client, server net.Conn
	dead, mute     bool // what it is given is lost; what the server says is
	closed         bool
}

// NewProxy returns a proxy before the server of a postgres:// URL, and the URL
// of the same database through it. The proxy ends with the test.
func NewProxy(t *testing.T, address string) (*Proxy, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("the address is no URL")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: listener, server: u.Host, lines: map[*line]struct{}{}}
	p.moved = sync.NewCond(&p.mu)
	p.tasks.Go(p.accept)
	t.Cleanup(func() {
		listener.Close()
		p.become(refuses)
		p.tasks.Wait()
	})
	u.Host = listener.Addr().String()
	return p, u.String()
}

// Refuse closes all connections, and every new one at once, as a server does
// that is gone.
func (p *Proxy) Refuse() { p.become(refuses) }

// Swallow takes everything and forwards nothing, as a network does that lost
// its way. Connections of that time stay dead for ever, and nobody is told.
func (p *Proxy) Swallow() { p.become(swallows) }

// Mute forwards what the server is asked, and swallows what it answers. Like
// Swallow, it leaves dead connections.
func (p *Proxy) Mute() { p.become(mutes) }

// Hold forwards nothing until Restore.
func (p *Proxy) Hold() { p.become(holds) }

// Restore lets the proxy forward again.
func (p *Proxy) Restore() { p.become(forwards) }

func (p *Proxy) become(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	for l := range p.lines {
		switch m {
		case refuses:
			p.close(l)
		case swallows:
			l.dead = true
		case mutes:
			l.mute = true
		}
	}
	p.moved.Broadcast()
}

// close closes both ends of a line. The caller holds mu.
func (p *Proxy) close(l *line) {
	l.closed = true
	l.client.Close()
	if l.server != nil {
		l.server.Close()
	}
	delete(p.lines, l)
	p.moved.Broadcast()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		l := &line{client: client, dead: p.mode == swallows, mute: p.mode == mutes}
		p.lines[l] = struct{}{}
		if p.mode == refuses {
			p.close(l)
		}
		p.mu.Unlock()
		p.tasks.Go(func() { p.serve(l) })
	}
}

func (p *Proxy) serve(l *line) {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.close(l)
	}()
	if l.dead {
		_, _ = io.Copy(io.Discard, l.client)
		return
	}
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	p.mu.Lock()
	l.server = server
	if l.closed {
		server.Close()
	}
	p.mu.Unlock()
	var back sync.WaitGroup
	back.Go(func() { p.forward(l, l.client, server) })
	p.forward(l, server, l.client)
	back.Wait()
}

// forward carries what comes from one end to the other, until one is closed.
func (p *Proxy) forward(l *line, to, from net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && p.passes(l, from) {
			_, err = to.Write(buffer[:n])
		}
		if err != nil {
			// The end of one side is the end of the other, unless it does not get through.
			if p.passes(l, from) {
				p.mu.Lock()
				p.close(l)
				p.mu.Unlock()
			}
			return
		}
	}
}

// passes waits while the proxy holds, and reports whether what comes from one
// end gets through to the other.
func (p *Proxy) passes(l *line, from net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.mode == holds && !l.closed {
		p.moved.Wait()
	}
	return !l.closed && !l.dead && !(l.mute && from == l.server)
}
