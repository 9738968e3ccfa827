package demand

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// TestShareOfAHost has hosts that stall, one after the other: each takes all the
// turns that it may have, and keeps them.
func TestShareOfAHost(t *testing.T) {
	t.Parallel()
	for n, want := range map[int][]int{1: {1}, 2: {1, 1}, 3: {2, 1}, 4: {3, 1}, 5: {3, 1, 1}, 8: {6, 1, 1}, 32: {24, 6, 1, 1}, 100: {75, 18, 5, 1, 1}} {
		all := newTurns(n, 1)
		var got []int
		for all.free > 0 {
			host := fmt.Sprint(len(got))
			for ok := true; ok; {
				_, ok = all.take([]string{host})
			}
			got = append(got, all.held[host])
		}
		if !slices.Equal(got, want) {
			t.Errorf("of %d turns: got %v, want %v", n, got, want)
		}
	}
}

// TestTurnsComeBack has many who take turns, change hosts and give up at any
// moment. No host ever has more than its share, and nothing is lost.
func TestTurnsComeBack(t *testing.T) {
	t.Parallel()
	all := newTurns(8, 100)
	hosts := []string{"a", "b", "c"}
	check := func() {
		all.mu.Lock()
		defer all.mu.Unlock()
		held := 0
		for host, n := range all.held {
			if held += n; n < 1 || n > 6 {
				t.Errorf("%s has %d turns", host, n)
			}
		}
		if all.free < 0 || all.free+held != 8 {
			t.Errorf("%d turns are free and %d held", all.free, held)
		}
		if n := all.waiting.Len(); all.places.free+n != 100 {
			t.Errorf("%d places to wait in are free, and %d wait", all.places.free, n)
		}
		for e := all.waiting.Front(); e != nil; e = e.Next() {
			if host, ok := all.take(e.Value.(*waiter).hosts); ok {
				t.Errorf("who waits could have a turn of %s", host)
				all.putBack(host)
			}
		}
	}
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			for j := range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				if (i+j)%3 == 0 {
					go cancel()
				}
				one := &turn{of: all}
				for _, want := range [][]string{hosts[:1+(i+j)%2], hosts[j%3:], {hosts[i%3]}} {
					if err := one.next(ctx, want); (err == nil) != one.held || one.held && !slices.Contains(want, one.host) {
						t.Errorf("wanted one of %v: got %v, %v %s", want, err, one.held, one.host)
					}
					check()
					if !one.held {
						break
					}
				}
				one.leave()
				cancel()
			}
		})
	}
	group.Wait()
	if check(); all.free != 8 || all.waiting.Len() != 0 {
		t.Errorf("%d turns are free, and %d wait", all.free, all.waiting.Len())
	}
}

// TestTurnsAreFair gives a turn to who waited first, of those who may have it.
func TestTurnsAreFair(t *testing.T) {
	t.Parallel()
	all := newTurns(2, 10)
	first, second := &turn{of: all}, &turn{of: all}
	for one, host := range map[*turn]string{first: "a", second: "b"} {
		if err := one.next(t.Context(), []string{host}); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan string)
	for i, host := range []string{"b", "a", "c"} {
		go func() {
			one := &turn{of: all}
			if err := one.next(t.Context(), []string{host}); err != nil {
				t.Error(err)
			}
			got <- host
			one.leave()
		}()
		for waiters(all) <= i {
			runtime.Gosched()
		}
	}
	first.leave() // which is nothing to the first who waits, as b has its share
	if host := <-got; host != "a" {
		t.Errorf("%s was next", host)
	}
	if host := <-got; host != "c" {
		t.Errorf("%s came after a", host)
	}
	second.leave()
	if host := <-got; host != "b" {
		t.Errorf("%s was last", host)
	}
}

// TestCrowd has more who wait than may: those of a host that few wait for may all
// the same, and so may others in the place of who gave up.
func TestCrowd(t *testing.T) {
	t.Parallel()
	all := newTurns(1, 8)
	holder := &turn{of: all}
	if err := holder.next(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	waiting, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	var group sync.WaitGroup
	wait := func(n int, host string) {
		for range n {
			before := waiters(all)
			group.Go(func() {
				if err := (&turn{of: all}).next(waiting, []string{host}); !errors.Is(err, context.Canceled) {
					t.Errorf("who waits for %s: got %v", host, err)
				}
			})
			for waiters(all) == before {
				runtime.Gosched()
			}
		}
	}
	refused := func(hosts ...string) {
		t.Helper()
		if err := (&turn{of: all}).next(t.Context(), hosts); !errors.Is(err, errCrowded) {
			t.Errorf("one more for %v: got %v", hosts, err)
		}
	}
	wait(6, "a")
	refused("a")
	wait(1, "b")
	refused("a", "b")
	wait(1, "c")
	refused("d")
	giveUp()
	group.Wait()
	var cancel context.CancelFunc
	waiting, cancel = context.WithCancel(t.Context())
	wait(6, "a")
	cancel()
	group.Wait()
	holder.leave()
	if all.free != 1 || all.places.free != 8 {
		t.Errorf("%d turns are free, and %d places to wait in", all.free, all.places.free)
	}
}

func waiters(all *turns) int {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.waiting.Len()
}
