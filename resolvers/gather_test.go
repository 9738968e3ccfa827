package resolvers

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestGathererAsksTogether has many requests come while a question is put: one
// more is enough for all of them, and is put after they came.
func TestGathererAsksTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var questions [][]int
		g := newGatherer(func(_ context.Context, keys []int) ([]time.Time, error) {
			mu.Lock()
			questions = append(questions, slices.Clone(keys))
			mu.Unlock()
			read := make([]time.Time, len(keys))
			for i, key := range keys {
				read[i] = time.Now().Add(time.Duration(key))
			}
			time.Sleep(time.Second)
			return read, nil
		})
		g.most = 1
		var all sync.WaitGroup
		ask := func(keys ...int) {
			came := time.Now()
			all.Go(func() {
				got, err := g.ask(t.Context(), keys)
				if err != nil || len(got) != len(keys) {
					t.Errorf("%v: got %v, %v", keys, got, err)
					return
				}
				for i, key := range keys {
					if read := got[i].Add(-time.Duration(key)); read.Before(came) {
						t.Errorf("%v: what was read %v before they were asked for", keys, came.Sub(read))
					}
				}
			})
			synctest.Wait()
		}
		ask(1)
		time.Sleep(time.Millisecond)
		ask(2, 3)
		time.Sleep(time.Millisecond)
		ask(3, 1, 2)
		ask()
		many := make([]int, gatherMost+1)
		ask(many...)
		all.Wait()
		ask(4)
		all.Wait()
		want := [][]int{{1}, many, {2, 3, 1}, {4}}
		if !slices.EqualFunc(questions, want, slices.Equal) {
			t.Errorf("questions: got %v, want %v", questions, want)
		}
	})
}

// TestGathererFails lets questions fail in all ways: everybody who asked is
// told, and who asks next has an answer.
func TestGathererFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("failed")
		g := newGatherer(func(ctx context.Context, keys []string) ([]string, error) {
			time.Sleep(time.Second)
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case slices.Contains(keys, "fail"):
				return nil, failed
			case slices.Contains(keys, "panic"):
				panic("not today")
			case slices.Contains(keys, "few"):
				return nil, nil
			}
			return keys, nil
		})
		g.most = 1
		var all sync.WaitGroup
		ask := func(ctx context.Context, key string, check func(got []string, err error) bool) {
			all.Go(func() {
				if got, err := g.ask(ctx, []string{key}); !check(got, err) {
					t.Errorf("%s: got %v, %v", key, got, err)
				}
			})
			synctest.Wait()
		}
		fails := func(_ []string, err error) bool { return err != nil }
		answers := func(got []string, err error) bool { return err == nil && len(got) == 1 }
		for _, way := range []string{"fail", "panic", "few"} {
			ask(t.Context(), "first", answers)
			ask(t.Context(), way, fails)
			ask(t.Context(), "beside it", fails)
			time.Sleep(time.Second + time.Millisecond)
			ask(t.Context(), "after it", answers)
			all.Wait()
		}
		// Who goes away takes nobody along.
		ask(t.Context(), "first", answers)
		leaving, leave := context.WithCancel(t.Context())
		ask(leaving, "leaving", func(_ []string, err error) bool { return errors.Is(err, context.Canceled) })
		ask(t.Context(), "staying", answers)
		leave()
		all.Wait()
	})
}

// TestGathererOfMany has crowds ask, several questions at once.
func TestGathererOfMany(t *testing.T) {
	t.Parallel()
	g := newGatherer(func(_ context.Context, keys []int) ([]int, error) { return slices.Clone(keys), nil })
	g.most = 3
	var all sync.WaitGroup
	for n := range 50 {
		all.Go(func() {
			for i := range 200 {
				if got, err := g.ask(t.Context(), []int{n, i}); err != nil || !slices.Equal(got, []int{n, i}) {
					t.Errorf("got %v, %v, want %d and %d", got, err, n, i)
					return
				}
			}
		})
	}
	all.Wait()
	eventually(t, "no question is left", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.running == 0 && g.next == nil
	})
}
