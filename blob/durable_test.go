package blob

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ream/fault"
)

// TestFlushesAreShared has many wait while a flush runs: one more is enough for
// all of them.
func TestFlushesAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var flushes atomic.Int64
		d := flushing(func() error {
			flushes.Add(1)
			time.Sleep(time.Second)
			return nil
		})
		var all sync.WaitGroup
		commit := func() {
			all.Go(func() {
				if err := d.bytes(t.Context(), []Staged{{}}); err != nil {
					t.Errorf("bytes: %v", err)
				}
			})
		}
		commit()
		synctest.Wait()
		for range 50 {
			commit()
		}
		all.Wait()
		if n := flushes.Load(); n != 2 {
			t.Errorf("flushes: got %d, want 2", n)
		}
	})
}

// TestLossCountsAgainstAll fails a flush for one: all that was begun before is
// lost, and nothing that was begun after.
func TestLossCountsAgainstAll(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	next := failed
	d := flushing(func() error {
		err := next
		next = nil
		return err
	})
	before := Staged{mark: d.mark()}
	if err := d.bytes(t.Context(), []Staged{before}); !errors.Is(err, failed) || !fault.Is(err, fault.Unavailable) {
		t.Errorf("the flush that fails: got %v, want Unavailable because it failed", err)
	}
	if err := d.bytes(t.Context(), []Staged{before}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("begun before it: got %v, want Unavailable", err)
	}
	after := Staged{mark: d.mark()}
	if err := d.bytes(t.Context(), []Staged{after, before}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("one of them begun before it: got %v, want Unavailable", err)
	}
	if err := d.bytes(t.Context(), []Staged{after}); err != nil {
		t.Errorf("begun after it: %v", err)
	}
}

func TestFlushIsNotWaitedForWhenCanceled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := flushing(func() error {
			time.Sleep(time.Hour)
			return nil
		})
		var all sync.WaitGroup
		for range 2 { // the one that runs, and the one that is to come
			all.Go(func() {
				if err := d.bytes(t.Context(), nil); err != nil {
					t.Errorf("bytes: %v", err)
				}
			})
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := d.bytes(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want context.DeadlineExceeded", err)
		}
		all.Wait()
	})
}
