package catalog_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"ream/catalog"
	"ream/content"
	"ream/db"
	"ream/db/dbtest"
	"ream/fault"
	"ream/page"
	"ream/task"
)

// clock is what tests set. It is safe for concurrent use.
type clock struct{ micros atomic.Int64 }

func clockAt(t *testing.T, s string) *clock {
	t.Helper()
	c := &clock{}
	c.set(instant(t, s))
	return c
}

func instant(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func (c *clock) now() time.Time          { return time.UnixMicro(c.micros.Load()).UTC() }
func (c *clock) set(t time.Time)         { c.micros.Store(t.UnixMicro()) }
func (c *clock) advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

// house is a catalog with a worker, on a database whose clock is the test's.
type house struct {
	*catalog.Catalog
	t      *testing.T
	clock  *clock
	worker task.WorkerID
}

// eachHouse runs a test on a fresh database of every kind, from the beginning
// of 2026 on.
func eachHouse(t *testing.T, f func(h house)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(newHouse(t, filepath.Join(t.TempDir(), "ream.db"), clockAt(t, "2026-01-01T00:00:00Z")))
	})
	if os.Getenv(dbtest.Variable) != "" {
		t.Run("postgres", func(t *testing.T) {
			t.Parallel()
			f(newHouse(t, dbtest.PostgresAddress(t), clockAt(t, "2026-01-01T00:00:00Z")))
		})
	}
}

func newHouse(t *testing.T, address string, c *clock) house {
	t.Helper()
	d := dbtest.Open(t, address, db.Options{Now: c.now})
	h := house{Catalog: &catalog.Catalog{DB: d, Log: slog.New(slog.DiscardHandler)}, t: t, clock: c}
	var err error
	if h.worker, err = d.Register(t.Context(), task.Worker{Host: "here", PID: 1, Slots: 10}); err != nil {
		t.Fatal(err)
	}
	return h
}

// repository creates a repository with a remote.
func (h house) repository(name string, labels ...content.Label) *content.Repository {
	h.t.Helper()
	remote, err := h.CreateRemote(h.t.Context(), input(name))
	if err != nil {
		h.t.Fatal(err)
	}
	r, err := h.CreateRepository(h.t.Context(), catalog.RepositoryInput{Name: name, Format: content.File, Remote: remote.ID, Labels: labels})
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// claim takes all tasks that are ready.
func (h house) claim() []*task.Task {
	h.t.Helper()
	all := map[task.Kind]int{}
	for kind := range h.Handlers() {
		all[kind] = 1000
	}
	claimed, err := h.DB.Cycle(h.t.Context(), h.worker, nil, nil, task.Vacancies{Total: 1000, Of: all})
	if err != nil {
		h.t.Fatal(err)
	}
	return claimed
}

func (h house) finish(state task.State, tasks ...*task.Task) {
	h.t.Helper()
	outcomes := make([]task.Outcome, len(tasks))
	for i, t := range tasks {
		outcomes[i] = task.Outcome{Fence: task.Fence{Task: t.ID, Worker: t.WorkerID, Attempt: t.Attempt}, State: state}
	}
	if _, err := h.DB.Cycle(h.t.Context(), h.worker, outcomes, nil, task.Vacancies{}); err != nil {
		h.t.Fatal(err)
	}
}

// tasks are all tasks, oldest first.
func (h house) tasks() []*task.Task {
	h.t.Helper()
	p, err := h.DB.Tasks(h.t.Context(), task.Filter{}, page.Request{First: page.Limit})
	if err != nil {
		h.t.Fatal(err)
	}
	return nodes(p)
}

func (h house) groups() []*task.Group {
	h.t.Helper()
	p, err := h.DB.Groups(h.t.Context(), page.Request{First: page.Limit})
	if err != nil {
		h.t.Fatal(err)
	}
	return nodes(p)
}

func nodes[T any](p *page.Of[T]) []T {
	var all []T
	for _, item := range p.Items {
		all = append(all, item.Node)
	}
	return all
}

func wantFault(t *testing.T, err error, kind fault.Kind, message string) {
	t.Helper()
	if !fault.Is(err, kind) || fault.Message(err) != message {
		t.Errorf("got error %v, want %s %q", err, kind, message)
	}
}
