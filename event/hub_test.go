package event_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ream/event"
	"ream/fault"
	"ream/task"
)

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
		"an end is told at once": func(t *testing.T, s *store, h *event.Hub) {
			s.set("group-1", 1, false)
			c := subscribe(t, h, "group-1")
			next(t, c, 1)
			began := time.Now()
			s.set("group-1", 2, true)
			h.Ended("group-1")
			next(t, c, 2)
			closed(t, c)
			if took := time.Since(began); took > 50*time.Millisecond {
				t.Errorf("it took %s, which is more than a fraction of the interval", took)
			}
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
		"a topic at rest is read rarely": func(t *testing.T, s *store, h *event.Hub) {
			s.set("group-1", 1, false)
			next(t, subscribe(t, h, "group-1"), 1)
			h.Changed("group-1")
			time.Sleep(4 * time.Second)
			if n := s.readsOf("group-1"); n != 2 {
				t.Errorf("%d reads, want 2", n)
			}
		},
		"who comes later gets the state alone": func(t *testing.T, s *store, h *event.Hub) {
			s.set("group-1", 1, false)
			first := subscribe(t, h, "group-1")
			next(t, first, 1)
			next(t, subscribe(t, h, "group-1"), 1)
			nothing(t, first)
			s.set("group-1", 2, false)
			next(t, subscribe(t, h, "group-1"), 2) // before anybody tells that it changed
			next(t, first, 2)
			s.set("group-1", 3, true)
			next(t, subscribe(t, h, "group-1"), 3)
			next(t, first, 3)
			closed(t, first)
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
		"what was not taken in time is counted": func(t *testing.T, s *store, h *event.Hub) {
			s.set("group-1", 1, false)
			c := subscribe(t, h, "group-1")
			next(t, c, 1)
			for revision := range int64(3) {
				s.set("group-1", 2+revision, false)
				h.Changed("group-1")
				time.Sleep(time.Second)
			}
			next(t, c, 4)
			if got, want := h.Stats(), (event.Stats{Subscribers: 1, Reads: 4, Topics: 4, Snapshots: 4, Conflated: 2}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
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
