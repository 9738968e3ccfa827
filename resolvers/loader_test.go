package resolvers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLoaderAsksOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var questions []int
		ctx := withLoaders(t.Context(), nil)
		l := sourceOf(func(_ Store, _ context.Context, keys []int) ([]int, error) {
			questions = append(questions, len(keys))
			return slices.Clone(keys), nil
		})
		const keys = 10_000
		var waiting sync.WaitGroup
		for key := range keys {
			waiting.Go(func() { // some steps from a list to its items' fields
				waiting.Go(func() {
					for range 2 {
						if got, err := l.load(ctx, key); got != key || err != nil {
							t.Errorf("%d: got %d, %v", key, got, err)
						}
					}
				})
			})
		}
		waiting.Wait()
		if !slices.Equal(questions, []int{keys}) {
			t.Errorf("got questions of %d keys, want one of all", questions)
		}
		if got, err := l.load(ctx, keys); got != keys || err != nil {
			t.Errorf("later: got %d, %v", got, err)
		}
		if !slices.Equal(questions, []int{keys, 1}) {
			t.Errorf("later: got questions of %d keys", questions)
		}
	})
}

// TestLoaderWaitsForLateKeys lets a key join just before the question would be
// put.
func TestLoaderWaitsForLateKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var questions [][]string
		ctx := withLoaders(t.Context(), nil)
		l := sourceOf(func(_ Store, _ context.Context, keys []string) ([]string, error) {
			questions = append(questions, keys)
			return keys, nil
		})
		wait := l.of(ctx).start(ctx, "early")
		time.Sleep(quiet - 1)
		if _, err := l.load(ctx, "late"); err != nil {
			t.Error(err)
		}
		if _, err := wait(); err != nil {
			t.Error(err)
		}
		if len(questions) != 1 {
			t.Errorf("got %q, want one question", questions)
		}
	})
}

func TestLoaderThatFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, s := range map[string]*source[int, int]{
		"broken":              sourceOf(func(Store, context.Context, []int) ([]int, error) { return nil, broken }),
		"panic: a defect":     sourceOf(func(Store, context.Context, []int) ([]int, error) { panic("a defect") }),
		"1 answers for 2 key": sourceOf(func(Store, context.Context, []int) ([]int, error) { return []int{1}, nil }),
	} {
		ctx := withLoaders(t.Context(), nil)
		first, second := s.of(ctx).start(ctx, 1), s.of(ctx).start(ctx, 2)
		for _, wait := range []func() (int, error){first, second} {
			if _, err := wait(); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v, want %s", err, name)
			}
		}
	}
	some := newLoader(new(lookups), func(context.Context, []int) ([]int, []error) { return []int{1, 0}, []error{nil, broken} })
	first, second := some.start(t.Context(), 1), some.start(t.Context(), 2)
	if got, err := first(); got != 1 || err != nil {
		t.Errorf("the key that is well: got %d, %v", got, err)
	}
	if _, err := second(); !errors.Is(err, broken) {
		t.Errorf("the key that is not: got %v", err)
	}
}
