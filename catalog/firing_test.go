package catalog_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ream/catalog"
	"ream/content"
	"ream/db/dbtest"
	"ream/page"
	"ream/task"
)

// TestEachFiringHappensOnce lets several processes fire the same schedules over
// a month in which clocks are set forward. Processes die in the middle, and
// sometimes nobody is there for hours.
func TestEachFiringHappensOnce(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		m := newMonth(t)
		m.processes = []house{newHouse(t, filepath.Join(t.TempDir(), "ream.db"), m.clock)}
		m.run()
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		m := newMonth(t)
		address := dbtest.PostgresAddress(t)
		name := func(i int) string { return fmt.Sprintf("process %d", i) }
		for i := range 4 {
			m.processes = append(m.processes, newHouse(t, dbtest.Named(t, address, name(i)), m.clock))
		}
		m.cut = func(i int) { dbtest.Disconnect(t, address, name(i)) }
		m.run()
	})
}

// month is the simulation.
type month struct {
	t         *testing.T
	random    *rand.Rand
	clock     *clock
	end       time.Time
	processes []house   // the first one also does what the test needs
	cut       func(int) // takes a process its connections; nil if that cannot be
	plans     []planned
	deaths    atomic.Int64 // in the middle of something
}

// planned is a schedule and what each of its firings must queue.
type planned struct {
	name, cron, zone string
	operation        catalog.Operation
	work             string // its name
	tasks            int    // in it
	times            task.Times
}

func newMonth(t *testing.T) *month {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	m := &month{t: t, random: rand.New(rand.NewPCG(seed, 0)), clock: clockAt(t, "2026-03-15T00:00:00Z"), end: instant(t, "2026-04-15T00:00:00Z")}
	labeled := func(labels string) catalog.Selector { return catalog.Selector{Labels: &labels} }
	m.plans = []planned{
		{name: "often", cron: "0 */6 * * *", zone: "UTC", work: "sync 0 repositories",
			operation: catalog.Operation{Sync: &catalog.SyncRequest{Repositories: labeled("env=test"), Priority: task.Normal}}},
		{name: "nightly", cron: "30 2 * * *", zone: "Europe/Berlin", work: "sync a", tasks: 1,
			operation: syncOf("a")},
		{name: "weekdays", cron: "0 9 * * 1-5", zone: "America/New_York", work: "mirror 2 repositories", tasks: 6,
			operation: catalog.Operation{Mirror: &catalog.MirrorRequest{Repositories: labeled("env=prod"), Priority: task.Normal}}},
	}
	for i := range m.plans {
		p := &m.plans[i]
		var err error
		if p.times, err = task.ParseTimes(p.cron, p.zone); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *month) run() {
	h := m.processes[0]
	for _, name := range []string{"a", "b"} {
		h.repository(name, content.Label{Key: "env", Value: "prod"})
	}
	for _, p := range m.plans {
		if _, err := h.CreateSchedule(m.t.Context(), catalog.ScheduleInput{Name: p.name, Cron: p.cron, TimeZone: p.zone, Operation: p.operation}); err != nil {
			m.t.Fatal(err)
		}
	}
	want := map[string]int{}
	for tasks := 0; ; {
		due := m.advance()
		if due == nil {
			break
		}
		for _, p := range due {
			want[fired(p.work, m.clock.now())]++
			tasks += p.tasks
		}
		m.fire()
		for tasks > 0 {
			claimed := h.claim()
			if len(claimed) == 0 {
				m.t.Fatalf("at %s: %d tasks were not queued", m.clock.now(), tasks)
			}
			h.finish(task.Completed, claimed...)
			tasks -= len(claimed)
		}
	}
	got := h.fired()
	for _, all := range []map[string]int{got, want} {
		for firing := range all {
			if got[firing] != want[firing] {
				m.t.Errorf("%s: got %d times, want %d", firing, got[firing], want[firing])
			}
		}
	}
	m.t.Logf("%d firings, %d deaths", len(want), m.deaths.Load())
	if m.deaths.Load() == 0 {
		m.t.Error("no process died in the middle")
	}
}

// advance sets the clock to the next time of any schedule, and sometimes to
// hours after that. It returns what is due then, and nothing after the end.
func (m *month) advance() (due []planned) {
	last, next := m.clock.now(), m.end
	for _, p := range m.plans {
		if at := p.times.Next(last); at.Before(next) {
			next = at
		}
	}
	if m.random.IntN(20) == 0 {
		next = next.Add(time.Duration(m.random.IntN(int(20 * time.Hour))))
	}
	if !next.Before(m.end) {
		return nil
	}
	m.clock.set(next)
	for _, p := range m.plans {
		if !p.times.Next(last).After(next) {
			due = append(due, p)
		}
	}
	return due
}

// fire lets all processes fire at once. A fourth of them die at some moment.
func (m *month) fire() {
	var firing sync.WaitGroup
	for i, p := range m.processes {
		ctx, die := m.t.Context(), context.CancelFunc(func() {})
		if m.random.IntN(4) == 0 {
			ctx, die = context.WithTimeout(ctx, time.Duration(m.random.IntN(int(4*time.Millisecond))))
			if i > 0 && m.random.IntN(8) == 0 {
				firing.Go(func() { <-ctx.Done(); m.cut(i) })
			}
		}
		firing.Go(func() {
			defer die()
			if _, err := p.FireDue(ctx); err != nil {
				m.deaths.Add(1)
			}
		})
	}
	firing.Wait()
	// One is still there, and finds what the dead have left.
	for deadline := time.Now().Add(30 * time.Second); ; {
		next, err := m.processes[0].FireDue(m.t.Context())
		if err == nil && next.After(m.clock.now()) {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("at %s: got %s as the next, %v", m.clock.now(), next, err)
		}
	}
}

// fired is a piece of work by its name and when it was queued.
func fired(name string, at time.Time) string { return at.Format(time.RFC3339Nano) + " " + name }

// fired counts all groups, and all tasks that belong to none.
func (h house) fired() map[string]int {
	h.t.Helper()
	all := map[string]int{}
	for r := (page.Request{First: page.Limit}); ; {
		p, err := h.DB.Groups(h.t.Context(), r)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, item := range p.Items {
			all[fired(item.Node.Name, item.Node.CreatedAt)]++
			r.After = item.Key
		}
		if !p.HasNext {
			break
		}
	}
	for r := (page.Request{First: page.Limit}); ; {
		p, err := h.DB.Tasks(h.t.Context(), task.Filter{}, r)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, item := range p.Items {
			if item.Node.GroupID == 0 {
				all[fired(item.Node.Name, item.Node.CreatedAt)]++
			}
			r.After = item.Key
		}
		if !p.HasNext {
			return all
		}
	}
}
