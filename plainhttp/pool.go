package plainhttp

import (
	"slices"
	"sync"
	"time"
)

// pool keeps connections between requests. The zero pool is empty.
type pool struct {
	mu     sync.Mutex
	idle   map[string][]*conn // by address; those that wait for longest first
	count  int
	timer  *time.Timer // closes those that wait for too long; nil before it is needed
	closed bool        // until the next request
}

// take returns a connection that was kept, for no longer than may be, and still
// stands: it is open, and nothing came that was not asked for. It is nil if there is
// none.
func (p *pool) take(address string, timeout time.Duration) *conn {
	for {
		c := p.newest(address)
		if c == nil || time.Since(c.since) < timeout && isQuiet(c.raw) {
			return c
		}
		c.Close()
	}
}

func (p *pool) newest(address string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = false
	waiting := p.idle[address]
	if len(waiting) == 0 {
		return nil
	}
	c := waiting[len(waiting)-1]
	p.drop(address, len(waiting)-1)
	return c
}

// put keeps a connection, or closes it if the host has enough.
func (p *pool) put(c *conn) {
	t := c.transport
	c.since = time.Now().Round(0)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle[c.address]) >= t.IdlePerHost {
		c.Close()
		return
	}
	if p.count >= t.Idle {
		p.closeOldest()
	}
	if p.idle == nil {
		p.idle = map[string][]*conn{}
	}
	p.idle[c.address] = append(p.idle[c.address], c)
	p.count++
	if p.timer == nil {
		p.timer = time.AfterFunc(t.IdleTimeout, func() { p.closeOlder(t.IdleTimeout) })
	}
}

// drop takes a connection out.
func (p *pool) drop(address string, i int) {
	p.count--
	if p.idle[address] = slices.Delete(p.idle[address], i, i+1); len(p.idle[address]) == 0 {
		delete(p.idle, address)
	}
}

func (p *pool) closeOldest() {
	var oldest *conn
	for _, waiting := range p.idle {
		if oldest == nil || waiting[0].since.Before(oldest.since) {
			oldest = waiting[0]
		}
	}
	p.drop(oldest.address, 0)
	oldest.Close()
}

// closeOlder closes connections that have waited for too long, now and while any
// wait.
func (p *pool) closeOlder(timeout time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := timeout
	for address, waiting := range p.idle {
		for _, c := range slices.Clone(waiting) {
			left := timeout - time.Since(c.since)
			if left > 0 {
				next = min(next, left)
				break
			}
			p.drop(address, 0)
			c.Close()
		}
	}
	if p.count > 0 {
		p.timer.Reset(next)
	} else {
		p.timer = nil
	}
}

// close closes all connections that wait, and those that come before the next
// request.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, waiting := range p.idle {
		for _, c := range waiting {
			c.Close()
		}
	}
	clear(p.idle)
	p.count = 0
}
