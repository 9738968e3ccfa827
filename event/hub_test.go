package event_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ream/event"
	"ream/fault"
	"ream/task"
)

const interval = 100 * time.Millisecond

// store is where the tests' snapshots come from. It counts what is read.
type store struct {
	mu     sync.Mutex
	states map[event.Topic]event.Snapshot
	reads  map[event.Topic]int
	calls  int
	err    error
	delay  time.Duration
}

func newStore() *store {
	return &store{states: map[event.Topic]event.Snapshot{}, reads: map[event.Topic]int{}}
}

func (s *store) read(ctx context.Context, topics []event.Topic) (map[event.Topic]event.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.err != nil {
		return nil, s.err
	}
	found := map[event.Topic]event.Snapshot{}
	for _, t := range topics {
		s.reads[t]++
		if state, ok := s.states[t]; ok {
			found[t] = state
		}
	}
	if s.delay > 0 {
		s.mu.Unlock()
		time.Sleep(s.delay) // fake time, in a bubble: the state may change meanwhile
		s.mu.Lock()
	}
	return found, ctx.Err()
}

// set gives a group a revision, and tells no one.
func (s *store) set(topic event.Topic, revision int64, finished bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states[topic] = group(revision, finished)
}

func (s *store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *store) readsOf(topic event.Topic) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads[topic]
}

func group(revision int64, finished bool) *task.Group {
	g := &task.Group{Tally: task.Counts{Revision: revision, Running: 1}}
	if finished {
		g.Tally.Running, g.Tally.Completed = 0, 1
	}
	return g
}

func revision(s event.Snapshot) int64 { return s.(*task.Group).Tally.Revision }

// start runs a hub until the test ends, and then looks for what it left behind.
func start(t *testing.T, s *store, log *slog.Logger) *event.Hub {
	t.Helper()
	h := event.New(s.read, interval, log)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if n := h.Subscribers(); n != 0 {
			t.Errorf("%d subscribers are left", n)
		}
	})
	return h
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func subscribe(t *testing.T, h *event.Hub, topic event.Topic) <-chan event.Snapshot {
	t.Helper()
	c, err := h.Subscribe(t.Context(), topic)
	if err != nil {
		t.Fatalf("Subscribe(%s): %v", topic, err)
	}
	return c
}

// next takes a snapshot that has to be there or to come.
func next(t *testing.T, c <-chan event.Snapshot, want int64) {
	t.Helper()
	s, open := <-c
	if !open {
		t.Fatalf("closed, want revision %d", want)
	}
	if got := revision(s); got != want {
		t.Errorf("got revision %d, want %d", got, want)
	}
}

func closed(t *testing.T, c <-chan event.Snapshot) {
	t.Helper()
	if s, open := <-c; open {
		t.Errorf("got %v, want the channel closed", s)
	}
}

// nothing checks that no snapshot comes before time passes.
func nothing(t *testing.T, c <-chan event.Snapshot) {
	t.Helper()
	synctest.Wait()
	select {
	case s, open := <-c:
		t.Errorf("got %v (open %t), want nothing", s, open)
	default:
	}
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, s *store, h *event.Hub){
		"first the state, then each change, then the end": func(t *testing.T, s *store, h *event.Hub) {
			s.set("group-1", 1, false)
			c := subscribe(t, h, "group-1")
			next(t, c, 1)
			nothing(t, c)
			for revision := int64(2); revision < 5; revision++ {
				s.set("group-1", revision, revision == 4)
				h.Changed("group-1")
				next(t, c, revision)
			}
			closed(t, c)
		},
		"a finished topic is one snapshot": func(t *testing.T, s *store, h *event.Hub) {
			s.set("group-1", 9, true)
			c := subscribe(t, h, "group-1")
			next(t, c, 9)
			closed(t, c)
		},
		"an unknown topic is not found": func(t *testing.T, _ *store, h *event.Hub) {
			if _, err := h.Subscribe(t.Context(), "group-1"); !fault.Is(err, fault.NotFound) {
				t.Errorf("got %v, want NOT_FOUND", err)
			}
		},
		"a topic that vanishes ends": func(t *testing.T, s *store, h *event.Hub) {
			s.set("group-1", 1, false)
			c := subscribe(t, h, "group-1")
			next(t, c, 1)
			s.mu.Lock()
			clear(s.states)
			s.mu.Unlock()
			h.Changed("group-1")
			closed(t, c)
		},
		"a change without a subscriber is not read": func(t *testing.T, s *store, h *event.Hub) {
			s.set("group-1", 1, false)
			h.Changed("group-1")
			time.Sleep(time.Second)
			if n := s.readsOf("group-1"); n != 0 {
				t.Errorf("%d reads, want 0", n)
			}
		},
		"older revisions are left out": func(t *testing.T, s *store, h *event.Hub) {
			s.set("group-1", 5, false)
			c := subscribe(t, h, "group-1")
			next(t, c, 5)
			s.set("group-1", 4, false)
			h.Changed("group-1")
			time.Sleep(time.Second)
			nothing(t, c)
			s.set("group-1", 6, true)
			h.Changed("group-1")
			next(t, c, 6)
			closed(t, c)
		},
		"tasks and the queue": func(t *testing.T, s *store, h *event.Hub) {
			s.mu.Lock()
			s.states["task-1"] = &task.Task{State: task.Running}
			s.states[event.Queue] = &task.Queue{}
			s.mu.Unlock()
			tasks, queue := subscribe(t, h, "task-1"), subscribe(t, h, event.Queue)
			<-tasks
			<-queue
			s.mu.Lock()
			s.states["task-1"] = &task.Task{State: task.Failed}
			s.mu.Unlock()
			h.Changed("task-1", event.Queue)
			if got := (<-tasks).(*task.Task).State; got != task.Failed {
				t.Errorf("got %s, want FAILED", got)
			}
			closed(t, tasks)
			<-queue
			nothing(t, queue)
		},
		"the end of the context closes": func(t *testing.T, s *store, h *event.Hub) {
			s.set("group-1", 1, false)
			ctx, cancel := context.WithCancel(t.Context())
			c, err := h.Subscribe(ctx, "group-1")
			if err != nil {
				t.Fatal(err)
			}
			next(t, c, 1)
			cancel()
			closed(t, c)
			if _, err := h.Subscribe(ctx, "group-1"); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want canceled", err)
			}
		},
		"everything may have changed": func(t *testing.T, s *store, h *event.Hub) {
			s.set("group-1", 1, false)
			s.set("group-2", 1, false)
			one, two := subscribe(t, h, "group-1"), subscribe(t, h, "group-2")
			next(t, one, 1)
			next(t, two, 1)
			s.set("group-1", 2, false)
			s.set("group-2", 2, true)
			h.ChangedAll()
			next(t, one, 2)
			next(t, two, 2)
			closed(t, two)
		},
		"a lost notice is made up for": func(t *testing.T, s *store, h *event.Hub) {
			s.set("group-1", 1, false)
			c := subscribe(t, h, "group-1")
			next(t, c, 1)
			s.set("group-1", 2, true)
			began := time.Now()
			next(t, c, 2)
			closed(t, c)
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("took %s, want about 5 s", took)
			}
		},
		"a slow subscriber gets the newest": func(t *testing.T, s *store, h *event.Hub) {
			s.set("group-1", 1, false)
			c := subscribe(t, h, "group-1")
			for revision := int64(2); revision <= 50; revision++ {
				s.set("group-1", revision, false)
				h.Changed("group-1")
				time.Sleep(interval)
			}
			time.Sleep(interval)
			synctest.Wait()
			next(t, c, 50)
		},
		"a change during the first read is not lost": func(t *testing.T, s *store, h *event.Hub) {
			s.delay = 20 * time.Millisecond
			s.set("group-1", 1, false)
			go func() {
				time.Sleep(10 * time.Millisecond)
				s.set("group-1", 2, true)
				h.Changed("group-1")
			}()
			c := subscribe(t, h, "group-1")
			next(t, c, 1)
			began := time.Now()
			next(t, c, 2)
			closed(t, c)
			if took := time.Since(began); took > 2*interval {
				t.Errorf("the last snapshot took %s", took)
			}
		},
		"a read that was under way is not for newcomers": func(t *testing.T, s *store, h *event.Hub) {
			s.delay = 20 * time.Millisecond
			s.set("group-1", 1, false)
			first := subscribe(t, h, "group-1")
			next(t, first, 1)
			time.Sleep(time.Second)
			h.Changed("group-1")
			time.Sleep(10 * time.Millisecond) // the read has begun
			s.set("group-1", 2, false)
			next(t, subscribe(t, h, "group-1"), 2)
		},
	}
	for name, run := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStore()
				run(t, s, start(t, s, quiet()))
			})
		})
	}
}

func TestReadsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		h := start(t, s, quiet())
		var subscribers sync.WaitGroup
		s.set("group-1", 0, false)
		for range 1000 {
			subscribers.Go(func() {
				for range subscribe(t, h, "group-1") {
				}
			})
		}
		synctest.Wait()
		time.Sleep(interval)
		before := s.readsOf("group-1")
		for revision := int64(1); revision <= 1000; revision++ { // for a second
			s.set("group-1", revision, false)
			h.Changed("group-1")
			time.Sleep(time.Millisecond)
		}
		if reads := s.readsOf("group-1") - before; reads < 9 || reads > 12 {
			t.Errorf("%d reads a second, want 10", reads)
		}
		s.set("group-1", 1001, true)
		h.Changed("group-1")
		began := time.Now()
		subscribers.Wait()
		if took := time.Since(began); took > interval {
			t.Errorf("the last snapshot took %s, want at most %s", took, interval)
		}
	})
}

func TestTopicsAreReadTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		h := start(t, s, quiet())
		for i := range 100 {
			topic := event.Topic(fmt.Sprintf("group-%d", i))
			s.set(topic, 1, false)
			go func() {
				for range subscribe(t, h, topic) {
				}
			}()
		}
		time.Sleep(time.Second)
		s.mu.Lock()
		before := s.calls
		s.mu.Unlock()
		h.ChangedAll()
		time.Sleep(interval)
		s.mu.Lock()
		defer s.mu.Unlock()
		if calls := s.calls - before; calls != 1 {
			t.Errorf("%d calls for a change of all topics, want 1", calls)
		}
	})
}

// lines counts log records.
type lines struct {
	mu    sync.Mutex
	texts []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.texts = append(l.texts, string(p))
	return len(p), nil
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log lines
		s := newStore()
		h := start(t, s, slog.New(slog.NewTextHandler(&log, nil)))
		s.set("group-1", 1, false)
		c := subscribe(t, h, "group-1")
		next(t, c, 1)

		s.fail(errors.New("the database is away"))
		s.set("group-1", 2, true)
		h.Changed("group-1")
		time.Sleep(time.Minute)
		nothing(t, c)
		s.mu.Lock()
		calls := s.calls
		s.mu.Unlock()
		if calls < 5 || calls > 30 {
			t.Errorf("%d calls in a minute of failure, want a few", calls)
		}
		s.set("group-2", 7, false)
		late := make(chan (<-chan event.Snapshot))
		go func() { late <- subscribe(t, h, "group-2") }()

		s.fail(nil)
		next(t, c, 2)
		closed(t, c)
		next(t, <-late, 7)

		log.mu.Lock()
		defer log.mu.Unlock()
		if len(log.texts) != 2 || !strings.Contains(log.texts[0], "the database is away") {
			t.Errorf("log is %q, want one line for the failure and one for its end", log.texts)
		}
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.set("group-1", 1, false)
		h := event.New(s.read, interval, quiet())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		c := subscribe(t, h, "group-1")
		next(t, c, 1)
		s.fail(errors.New("away"))
		waiting := make(chan error)
		go func() {
			_, err := h.Subscribe(t.Context(), "group-2")
			waiting <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		closed(t, c)
		if err := <-waiting; !fault.Is(err, fault.Unavailable) {
			t.Errorf("got %v for who waited, want UNAVAILABLE", err)
		}
		if _, err := h.Subscribe(t.Context(), "group-1"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("got %v afterwards, want UNAVAILABLE", err)
		}
		h.Changed("group-1")
		h.ChangedAll()
	})
}

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
