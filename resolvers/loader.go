package resolvers

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// loader turns lookups of single keys into one question to the store, and
// remembers the answers. It is safe for concurrent use.
type loader[K comparable, V any] struct {
	read    func(context.Context, []K) ([]V, []error) // in the order of the keys; no errors if there are none
	lookups *lookups

	mu    sync.Mutex
	asked map[K]answered[K, V] // nil until something is asked
	next  *question[K, V]      // that keys may join; nil if there is none
}

// lookups counts those of all loaders of a response. A question is put when
// there are no more for a while, whatever they are for: then the level of the
// response that it belongs to is complete. If it were put a fixed time after its
// first key, it would be split when the machine is busy, or when the level has
// thousands of fields.
type lookups struct{ atomic.Int64 }

// quiet is how long there are no more lookups after the last one of a level.
const quiet = time.Millisecond

// end waits until there are no more for now.
func (l *lookups) end() {
	for before := l.Load(); ; before = l.Load() {
		time.Sleep(quiet)
		for range turns {
			runtime.Gosched()
		}
		if l.Load() == before {
			return
		}
	}
}

// turns is how often others who can run are let to after the wait: if the whole
// process stood still, they are as late as the clock says it is.
const turns = 4

// question is what the store is asked at once.
type question[K comparable, V any] struct {
	keys   []K
	values []V
	errs   []error
	done   chan struct{} // closed when there is an answer
}

// answered is where the answer for a key is going to be.
type answered[K comparable, V any] struct {
	question *question[K, V]
	place    int
}

// newLoader returns a loader that knows nothing yet.
func newLoader[K comparable, V any](l *lookups, read func(context.Context, []K) ([]V, []error)) *loader[K, V] {
	return &loader[K, V]{read: read, lookups: l}
}

// load waits for what a key stands for.
func (l *loader[K, V]) load(ctx context.Context, key K) (V, error) { return l.start(ctx, key)() }

// start puts a key into the question that comes next, and returns a function that
// waits for the answer.
func (l *loader[K, V]) start(ctx context.Context, key K) func() (V, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, known := l.asked[key]
	if !known {
		l.lookups.Add(1)
		if l.next == nil {
			l.next = &question[K, V]{done: make(chan struct{})}
			go l.ask(ctx, l.next)
		}
		a = answered[K, V]{l.next, len(l.next.keys)}
		l.next.keys = append(l.next.keys, key)
		l.remember(key, a)
	}
	return a.wait
}

// remember notes where the answer for a key is going to be. Most loaders of a
// response are asked nothing. The caller holds mu.
func (l *loader[K, V]) remember(key K, a answered[K, V]) {
	if l.asked == nil {
		l.asked = map[K]answered[K, V]{}
	}
	l.asked[key] = a
}

// wait returns the answer.
func (a answered[K, V]) wait() (V, error) {
	<-a.question.done
	if a.question.errs != nil && a.question.errs[a.place] != nil {
		var none V
		return none, a.question.errs[a.place]
	}
	return a.question.values[a.place], nil
}

// loadAlone is load where nobody else asks for anything.
func (l *loader[K, V]) loadAlone(ctx context.Context, key K) (V, error) {
	l.mu.Lock()
	a, known := l.asked[key]
	if !known {
		a = answered[K, V]{question: &question[K, V]{keys: []K{key}, done: make(chan struct{})}}
		l.remember(key, a)
	}
	l.mu.Unlock()
	if !known {
		l.put(ctx, a.question)
	}
	return a.wait()
}

// ask puts a question once nothing joins it any more.
func (l *loader[K, V]) ask(ctx context.Context, q *question[K, V]) {
	l.lookups.end()
	l.mu.Lock()
	l.next = nil
	l.mu.Unlock()
	l.put(ctx, q)
}

// put puts a question that nothing joins any more.
func (l *loader[K, V]) put(ctx context.Context, q *question[K, V]) {
	defer close(q.done)
	defer func() {
		v := recover()
		if v == nil && len(q.values) != len(q.keys) {
			v = fmt.Sprintf("%d answers for %d keys", len(q.values), len(q.keys))
		}
		if v != nil {
			q.errs = make([]error, len(q.keys))
			for i := range q.errs {
				q.errs[i] = panicErrorOf(v)
			}
		}
	}()
	q.values, q.errs = l.read(ctx, q.keys)
}
