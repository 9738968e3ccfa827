package event_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ream/event"
)

// TestCrowd lets many subscribers come, go and dawdle while groups advance.
// The bubble ends only if no goroutine is left.
func TestCrowd(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { crowd(t, seed) })
		})
	}
}

func crowd(t *testing.T, seed uint64) {
	const topics, subscribers = 5, 60
	s := newStore()
	s.delay = time.Duration(seed) * time.Millisecond
	h := start(t, s, quiet())
	ends := map[event.Topic]int64{}
	for i := range topics {
		topic := event.Topic(fmt.Sprintf("group-%d", i))
		ends[topic] = int64(20 + 30*i)
		s.set(topic, 0, false)
	}
	var all sync.WaitGroup
	for topic, end := range maps.All(ends) {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(end)))
			for revision := int64(1); revision <= end; revision++ {
				time.Sleep(time.Duration(random.IntN(40)) * time.Millisecond)
				s.set(topic, revision, revision == end)
				if random.IntN(10) > 0 { // some notices get lost
					h.Changed(topic)
				}
				if random.IntN(100) == 0 {
					h.ChangedAll()
				}
			}
		})
		for i := range subscribers {
			all.Go(func() {
				random := rand.New(rand.NewPCG(seed+100, uint64(end)*1000+uint64(i)))
				time.Sleep(time.Duration(random.IntN(4000)) * time.Millisecond)
				follow(t, h, topic, end, random)
			})
		}
	}
	all.Wait()
	if n := h.Subscribers(); n != 0 {
		t.Errorf("%d subscribers are left", n)
	}
}

// follow subscribes and checks what comes. Every third subscriber leaves early.
func follow(t *testing.T, h *event.Hub, topic event.Topic, end int64, random *rand.Rand) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	leaves := random.IntN(3) == 0
	if leaves {
		time.AfterFunc(time.Duration(random.IntN(1000))*time.Millisecond, cancel)
	}
	c, err := h.Subscribe(ctx, topic)
	if err != nil {
		if !leaves || !errors.Is(err, context.Canceled) {
			t.Errorf("Subscribe(%s): %v", topic, err)
		}
		return
	}
	last, finals := int64(-1), 0
	for snapshot := range c {
		if finals > 0 {
			t.Errorf("%s: revision %d came after the final one", topic, revision(snapshot))
		}
		if got := revision(snapshot); got < last {
			t.Errorf("%s: revision %d came after %d", topic, got, last)
		}
		last = revision(snapshot)
		if snapshot.Finished() {
			finals++
		}
		if random.IntN(3) == 0 {
			time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
		}
	}
	if ctx.Err() == nil && (finals != 1 || last != end) {
		t.Errorf("%s: %d final snapshots, the last revision was %d of %d", topic, finals, last, end)
	}
}

// BenchmarkDeliver is the cost of a change with a thousand subscribers who
// follow it, until all of them have it.
func BenchmarkDeliver(b *testing.B) {
	s := newStore()
	h := event.New(s.read, time.Microsecond, quiet())
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = h.Run(ctx) })
	defer running.Wait()
	defer cancel()
	s.set("group-1", 0, false)
	taken := make(chan struct{}, 1000)
	for range 1000 {
		c, err := h.Subscribe(ctx, "group-1")
		if err != nil {
			b.Fatal(err)
		}
		<-c
		running.Go(func() {
			for range c {
				select {
				case taken <- struct{}{}:
				case <-ctx.Done():
				}
			}
		})
	}
	revision := int64(0)
	for b.Loop() {
		revision++
		s.set("group-1", revision, false)
		h.Changed("group-1")
		for range 1000 {
			<-taken
		}
	}
}
