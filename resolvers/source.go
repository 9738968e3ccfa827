package resolvers

import (
	"context"
	"sync"
)

// source is what fields ask the store for, each with a key of its own. While a
// response is made, the keys of many fields become one question, and what was
// answered is remembered. It is safe for concurrent use.
type source[K comparable, V any] struct {
	read func(Store, context.Context, []K) ([]V, []error) // in the order of the keys; no errors if there are none
}

// sourceOf returns the source that a function of the store reads, which answers
// for all keys or for none.
func sourceOf[K comparable, V any](read func(Store, context.Context, []K) ([]V, error)) *source[K, V] {
	return &source[K, V]{func(s Store, ctx context.Context, keys []K) ([]V, []error) {
		values, err := read(s, ctx, keys)
		if err == nil {
			return values, nil
		}
		errs := make([]error, len(keys))
		for i := range errs {
			errs[i] = err
		}
		return make([]V, len(keys)), errs
	}}
}

// load waits for what a key stands for.
func (s *source[K, V]) load(ctx context.Context, key K) (V, error) { return s.of(ctx).load(ctx, key) }

// of is the source's loader for the response that is being made.
func (s *source[K, V]) of(ctx context.Context) *loader[K, V] {
	all := ctx.Value(loadersKey{}).(*loaders)
	all.mu.Lock()
	defer all.mu.Unlock()
	if l, ok := all.made[s]; ok {
		return l.(*loader[K, V])
	}
	l := newLoader(&all.lookups, func(ctx context.Context, keys []K) ([]V, []error) { return s.read(all.store, ctx, keys) })
	if all.made == nil {
		all.made = map[any]any{}
	}
	all.made[s] = l
	return l
}

// loaders are those of a response: an answer must not outlive a change that the
// client was told of. They are made when they are first needed, since most
// responses need few.
type loaders struct {
	store   Store
	lookups lookups

	mu   sync.Mutex
	made map[any]any // by the source
}

type loadersKey struct{}

// withLoaders returns a context in which sources read a store, and know nothing yet.
func withLoaders(ctx context.Context, s Store) context.Context {
	return context.WithValue(ctx, loadersKey{}, &loaders{store: s})
}
