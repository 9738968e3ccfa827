package demand

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
)

func TestShareOfAHost(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 8: 6, 32: 24, 100: 75} {
		if got := newTurns(n).ofHost; got != want {
			t.Errorf("of %d turns: got %d, want %d", n, got, want)
		}
	}
}

// TestTurnsComeBack has many who take turns, change hosts and give up at any
// moment. No host ever has more than its share, and nothing is lost.
func TestTurnsComeBack(t *testing.T) {
	t.Parallel()
	all := newTurns(8)
	hosts := []string{"a", "b", "c"}
	check := func() {
		all.mu.Lock()
		defer all.mu.Unlock()
		held := 0
		for host, n := range all.held {
			if held += n; n < 1 || n > all.ofHost {
				t.Errorf("%s has %d turns", host, n)
			}
		}
		if all.free < 0 || all.free+held != 8 {
			t.Errorf("%d turns are free and %d held", all.free, held)
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
	all := newTurns(2)
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
		for waiting := 0; waiting <= i; {
			all.mu.Lock()
			waiting = all.waiting.Len()
			all.mu.Unlock()
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
