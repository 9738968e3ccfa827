package event_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ream/event"
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
