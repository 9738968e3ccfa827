package resolvers

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"ream/task"
)

// Gather returns a store that puts what many requests ask at the same time as
// one question: for tasks and groups by their ids, which crowds of clients look
// at. Nobody gets an answer that was read before they asked. All who use what it
// returns must be allowed to see the same.
func Gather(s Store) Store {
	return &gathering{Store: s, tasks: newGatherer(s.TasksByID), groups: newGatherer(s.GroupsByID)}
}

type gathering struct {
	Store
	tasks  *gatherer[task.ID, *task.Task]
	groups *gatherer[task.GroupID, *task.Group]
}

// TasksByID is the store's, for several requests at once.
func (g *gathering) TasksByID(ctx context.Context, ids []task.ID) ([]*task.Task, error) {
	return g.tasks.ask(ctx, ids)
}

// GroupsByID is the store's, for several requests at once.
func (g *gathering) GroupsByID(ctx context.Context, ids []task.GroupID) ([]*task.Group, error) {
	return g.groups.ask(ctx, ids)
}

// gatherer lets a few questions be put at once. Who comes meanwhile joins the
// one that comes next. It is safe for concurrent use.
type gatherer[K comparable, V any] struct {
	read func(context.Context, []K) ([]V, error) // in the order of the keys
	most int                                     // at once

	mu      sync.Mutex
	running int
	next    *gathered[K, V] // nil if nobody waits
}

// gathered is a question of several requests.
type gathered[K comparable, V any] struct {
	ctx    context.Context // of who came first, without its end
	keys   []K
	place  map[K]int
	values []V
	err    error
	done   chan struct{} // closed when there is an answer
}

// gatherMost is how many keys a request may have to join others.
const gatherMost = 100

func newGatherer[K comparable, V any](read func(context.Context, []K) ([]V, error)) *gatherer[K, V] {
	return &gatherer[K, V]{read: read, most: max(1, runtime.GOMAXPROCS(0)/2)}
}

// ask answers in the order of the keys. It ends with ctx, which ends only its
// own waiting if others ask as well.
func (g *gatherer[K, V]) ask(ctx context.Context, keys []K) ([]V, error) {
	if len(keys) > gatherMost {
		return g.read(ctx, keys)
	}
	g.mu.Lock()
	if g.running < g.most {
		g.running++
		g.mu.Unlock()
		defer g.turn()
		return g.read(ctx, keys)
	}
	if g.next == nil {
		g.next = &gathered[K, V]{ctx: context.WithoutCancel(ctx), place: map[K]int{}, done: make(chan struct{})}
	}
	q := g.next
	places := make([]int, len(keys))
	for i, key := range keys {
		at, joined := q.place[key]
		if !joined {
			at = len(q.keys)
			q.place[key], q.keys = at, append(q.keys, key)
		}
		places[i] = at
	}
	g.mu.Unlock()
	select {
	case <-q.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if q.err != nil {
		return nil, q.err
	}
	values := make([]V, len(keys))
	for i, at := range places {
		values[i] = q.values[at]
	}
	return values, nil
}

// turn lets those who wait have their turn, once a question is answered.
func (g *gatherer[K, V]) turn() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next == nil {
		g.running--
	} else {
		go g.putNext()
	}
}

// putNext puts the question of those who wait, and of those who are about to
// come: whoever can run by now does so first.
func (g *gatherer[K, V]) putNext() {
	runtime.Gosched()
	g.mu.Lock()
	q := g.next
	g.next = nil
	if q == nil { // another turn took it
		g.running--
		g.mu.Unlock()
		return
	}
	g.mu.Unlock()
	defer g.turn()
	defer close(q.done)
	defer func() {
		if v := recover(); v != nil {
			q.err = panicErrorOf(v)
		}
	}()
	q.values, q.err = g.read(q.ctx, q.keys)
	if q.err == nil && len(q.values) != len(q.keys) {
		q.err = fmt.Errorf("%d answers for %d keys", len(q.values), len(q.keys))
	}
}
