package demand

import (
	"container/list"
	"context"
	"errors"
	"sync"
)

// shares are how much there is of something that hosts take. A host has at most
// three times as much of it as is left free, but may have one in any case: however
// much it keeps for long because it stalls, it leaves some to other hosts, and they
// to others again.
type shares struct {
	free int
	held map[string]int // by host
}

// turns are how many fetches go on at once, and how many wait.
type turns struct {
	mu sync.Mutex
	shares
	places  shares     // to wait in
	waiting *list.List // of *waiter, the first first; none of them could have a turn now
}

// waiter is who waits for a turn of one of some hosts.
type waiter struct {
	hosts []string
	place string      // the one of hosts whose place to wait it has
	given chan string // one of hosts
}

// errCrowded is that no more may wait for a turn.
var errCrowded = errors.New("too many wait for a turn")

func newTurns(n, waiting int) *turns {
	return &turns{shares: newShares(n), places: newShares(waiting), waiting: list.New()}
}

func newShares(n int) shares { return shares{free: n, held: map[string]int{}} }

// turn is one that is taken, or not yet.
type turn struct {
	of   *turns
	host string
	held bool
}

// next takes a turn of the first of the hosts that may have one more, and waits
// for one of any of them if none may. What was held before is given back, but
// changes the host at once if it can. It fails only with ctx, or with errCrowded,
// and holds nothing then.
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
	place, ok := t.of.places.take(hosts)
	if !ok {
		t.of.mu.Unlock()
		return errCrowded
	}
	w := &waiter{hosts, place, make(chan string, 1)}
	waiting := t.of.waiting.PushBack(w)
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
		t.of.remove(waiting)
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

// take takes one for the first of the hosts that may have one. The caller of this
// and of what follows holds mu.
func (s *shares) take(hosts []string) (host string, ok bool) {
	if s.free == 0 {
		return "", false
	}
	for _, host := range hosts {
		if s.held[host] < max(1, 3*(s.free-1)) {
			s.free--
			s.held[host]++
			return host, true
		}
	}
	return "", false
}

func (s *shares) putBack(host string) {
	s.free++
	if s.held[host]--; s.held[host] == 0 {
		delete(s.held, host)
	}
}

// remove takes who waits off the others.
func (t *turns) remove(waiting *list.Element) {
	t.places.putBack(t.waiting.Remove(waiting).(*waiter).place)
}

// give gives what is free to the first who may have it. One turn that is put back
// may serve two: it is free, and its host has fewer than it might.
func (t *turns) give() {
	var next *list.Element
	for e := t.waiting.Front(); e != nil && t.free > 0; e = next {
		next = e.Next()
		w := e.Value.(*waiter)
		if host, ok := t.take(w.hosts); ok {
			t.remove(e)
			w.given <- host
		}
	}
}
