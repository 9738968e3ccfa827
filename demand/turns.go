package demand

import (
	"container/list"
	"context"
	"sync"
)

// turns are how many fetches go on at once, in all and from one host. A host
// that stalls has some of them for long, and leaves the others to other hosts.
type turns struct {
	ofHost int

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

// newTurns returns so many turns, of which a host may have three quarters, and
// not the last one unless it is the only one.
func newTurns(n int) *turns {
	return &turns{ofHost: max(n-max(n/4, 1), 1), free: n, held: map[string]int{}, waiting: list.New()}
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
		if t.held[host] < t.ofHost {
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

// give gives a turn that was put back to the first who may have it.
func (t *turns) give() {
	for e := t.waiting.Front(); e != nil && t.free > 0; e = e.Next() {
		w := e.Value.(*waiter)
		if host, ok := t.take(w.hosts); ok {
			t.waiting.Remove(e)
			w.given <- host
			return
		}
	}
}
