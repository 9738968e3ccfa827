package demand

import (
	"container/list"
	"context"
	"sync"
)

// turns are how many fetches go on at once. A host has at most three times as
// many of them as are left free, but may have one in any case: however many it
// keeps for long because it stalls, it leaves some to other hosts, and they to
// others again.
type turns struct {
	mu      sync.Mutex
	free    int
	held    map[string]int // by host
	waiting *list.List     // of *waiter, the first first; none of them could have a turn now
}

// waiter is who waits for a turn of one of some hosts.
type waiter struct {
	hosts []string
	given chan string // one of hosts
}

func newTurns(n int) *turns {
	return &turns{free: n, held: map[string]int{}, waiting: list.New()}
}

// turn is one that is taken, or not yet.
type turn struct {
	of   *turns
	host string
	held bool
}

// next takes a turn of the first of the hosts that may have one more, and waits
// for one of any of them if none may. What was held before is given back, but
// changes the host at once if it can. It fails only with ctx, and holds nothing
// then.
func (t *turn) next(ctx context.Context, hosts []string) error {
	t.of.mu.Lock()
	had := t.held
	if had {
		t.of.putBack(t.host)
	}
	t.host, t.held = t.of.take(hosts)
	if had {
		t.of.give()
	}
	if t.held {
		t.of.mu.Unlock()
		return nil
	}
	w := &waiter{hosts, make(chan string, 1)}
	place := t.of.waiting.PushBack(w)
	t.of.mu.Unlock()
	select {
	case t.host = <-w.given:
		t.held = true
		return nil
	case <-ctx.Done():
	}
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	select {
	case host := <-w.given: // just now
		t.of.putBack(host)
		t.of.give()
	default:
		t.of.waiting.Remove(place)
	}
	return ctx.Err()
}

// leave gives the turn back, if it is held.
func (t *turn) leave() {
	if !t.held {
		return
	}
	t.held = false
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.of.putBack(t.host)
	t.of.give()
}

// take takes a turn of one of the hosts, if it may have one. The caller of this
// and of what follows holds mu.
func (t *turns) take(hosts []string) (host string, ok bool) {
	if t.free == 0 {
		return "", false
	}
	for _, host := range hosts {
		if t.held[host] < max(1, 3*(t.free-1)) {
			t.free--
			t.held[host]++
			return host, true
		}
	}
	return "", false
}

func (t *turns) putBack(host string) {
	t.free++
	if t.held[host]--; t.held[host] == 0 {
		delete(t.held, host)
	}
}

// give gives what is free to the first who may have it. One turn that is put back
// may serve two: it is free, and its host has fewer than it might.
func (t *turns) give() {
	var next *list.Element
	for e := t.waiting.Front(); e != nil && t.free > 0; e = next {
		next = e.Next()
		w := e.Value.(*waiter)
		if host, ok := t.take(w.hosts); ok {
			t.waiting.Remove(e)
			w.given <- host
		}
	}
}
