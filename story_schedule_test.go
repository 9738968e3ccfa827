package main_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	ream "ream"
	"ream/db/dbtest"
)

// stoppedClock stands still until it is let go.
type stoppedClock struct {
	mu    sync.Mutex
	at    time.Time
	since time.Time // when it was let go; zero before
}

func (c *stoppedClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since.IsZero() {
		return c.at
	}
	return c.at.Add(time.Since(c.since))
}

func (c *stoppedClock) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since = time.Now()
}

// eachServerByClock runs a story against servers whose clock is the test's.
func eachServerByClock(t *testing.T, at time.Time, story func(t *testing.T, p *program, c *stoppedClock)) {
	t.Parallel()
	addresses := map[string]func(*testing.T) string{
		"sqlite": func(t *testing.T) string { return filepath.Join(t.TempDir(), "ream.db") },
	}
	if os.Getenv(dbtest.Variable) != "" {
		addresses["postgres"] = dbtest.PostgresAddress
	}
	for name, address := range addresses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := &stoppedClock{at: at}
			ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
			ready, ended := make(chan string, 1), make(chan error, 1)
			database, dir := address(t), t.TempDir()
			go func() {
				ended <- ream.ServeByClock(ctx, clock.now, t.Output(), func(address string) { ready <- address },
					"--listen", "127.0.0.1:0", "--data", dir, "--database", database)
			}()
			t.Cleanup(func() {
				stop()
				if err := <-ended; err != nil {
					t.Errorf("the server ended: %v", err)
				}
			})
			select {
			case address := <-ready:
				story(t, &program{t: t, address: address}, clock)
			case err := <-ended:
				ended <- err
				t.Fatal("the server did not start")
			}
		})
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for deadline := time.After(time.Minute); !is(); {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// schedule is what the stories ask of one.
type schedule struct {
	ID           string
	Paused       bool
	NextFiringAt *time.Time
	LastFiredAt  *time.Time
	LastWork     *struct{ ID string }
	LastError    *struct{ Code, Message string }
}

const scheduleFields = `{ id paused nextFiringAt lastFiredAt lastWork { ... on Work { id } } lastError { code message } }`

func (p *program) schedule(id string) schedule {
	p.t.Helper()
	return query[struct{ Schedule schedule }](p, `query($id: ID!) { schedule(id: $id) `+scheduleFields+` }`, map[string]any{"id": id}).Schedule
}

func TestScheduleMirrorsWhenItIsTime(t *testing.T) {
	almost := time.Date(2026, 3, 29, 0, 59, 59, 800_000_000, time.UTC)
	eachServerByClock(t, almost, func(t *testing.T, p *program, clock *stoppedClock) {
		up := newUpstream(t, map[string][]byte{"a": []byte("one")})
		p.repository("files", up.URL+"/PULP_MANIFEST")
		// A time that clocks pass over: it stands for the change, at 1:00 UTC.
		s := query[struct{ CreateSchedule schedule }](p, `mutation { createSchedule(input: {name: "nightly", cron: "30 2 * * *", timeZone: "Europe/Berlin",
			operation: {mirror: {repositories: {names: ["files"]}}}}) `+scheduleFields+` }`, nil).CreateSchedule
		if due := almost.Add(200 * time.Millisecond); s.NextFiringAt == nil || !s.NextFiringAt.Equal(due) || s.LastFiredAt != nil {
			t.Fatalf("new: got %+v, want it to fire at %s", s, due)
		}
		clock.start()
		eventually(t, "the schedule fires", func() bool { s = p.schedule(s.ID); return s.LastFiredAt != nil })
		if s.LastWork == nil || s.LastError != nil || !s.NextFiringAt.Equal(time.Date(2026, 3, 30, 0, 30, 0, 0, time.UTC)) {
			t.Fatalf("fired: got %+v with %+v", s, s.LastError)
		}
		if got := p.follow(s.LastWork.ID); got.State != "COMPLETED" {
			t.Errorf("its work: got %+v", got)
		}
		response, err := http.Get(p.address + "/content/files/a")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("what it mirrored: got %s", response.Status)
		}
	})
}

func TestScheduleFromBeginningToEnd(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, map[string][]byte{"a": []byte("one")})
		p.repository("files", up.URL+"/PULP_MANIFEST")
		create := `mutation { createSchedule(input: {name: "monthly", cron: "@monthly", paused: true, operation: {sync: {repositories: {names: ["files"]}}}}) ` + scheduleFields + ` }`
		s := query[struct{ CreateSchedule schedule }](p, create, nil).CreateSchedule
		if !s.Paused || s.NextFiringAt != nil {
			t.Errorf("new and paused: got %+v", s)
		}
		if _, errs := ask[any](p, create, nil); len(errs) != 1 || errs[0].Extensions.Code != "CONFLICT" {
			t.Errorf("the same again: got %+v, want a conflict", errs)
		}
		fire := `mutation($id: ID!) { fireSchedule(id: $id) { ... on Work { id } } }`
		work := query[struct{ FireSchedule struct{ ID string } }](p, fire, map[string]any{"id": s.ID}).FireSchedule.ID
		if got := p.follow(work); got.State != "COMPLETED" {
			t.Errorf("fired by hand: got %+v", got)
		}
		resume := `mutation($id: ID!) { updateSchedule(input: {id: $id, paused: false}) ` + scheduleFields + ` }`
		if s = query[struct{ UpdateSchedule schedule }](p, resume, map[string]any{"id": s.ID}).UpdateSchedule; s.LastWork.ID != work || s.NextFiringAt == nil {
			t.Errorf("resumed: got %+v", s)
		}
		names := query[struct {
			Schedules struct{ Nodes []struct{ Name string } }
		}](p, `{ schedules { nodes { name } } }`, nil).Schedules.Nodes
		if len(names) != 2 || names[0].Name != "purge history" || names[1].Name != "monthly" {
			t.Errorf("all: got %+v", names)
		}
		query[any](p, `mutation($id: ID!) { deleteSchedule(id: $id) { id } }`, map[string]any{"id": s.ID})
		if _, errs := ask[any](p, fire, map[string]any{"id": s.ID}); len(errs) != 1 || errs[0].Extensions.Code != "NOT_FOUND" {
			t.Errorf("deleted: got %+v, want NOT_FOUND", errs)
		}

		// Purged work is gone, and what refers to it says so.
		purge := query[struct{ Purge struct{ ID string } }](p, `mutation { purge(input: {olderThanDays: 0}) { ... on Work { id } } }`, nil).Purge.ID
		if got := p.follow(purge); got.State != "COMPLETED" {
			t.Errorf("purge: got %+v", got)
		}
		left := query[struct {
			Task  any
			Tasks struct{ Nodes []struct{ Kind string } }
		}](p, `query($id: ID!) { task(id: $id) { id } tasks { nodes { kind } } }`, map[string]any{"id": work})
		if left.Task != nil || len(left.Tasks.Nodes) != 1 || left.Tasks.Nodes[0].Kind != "history.purge" {
			t.Errorf("after the purge: got %+v, want the purge alone", left)
		}
	})
}

func TestScheduleErrorsNameTheField(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		for argument, field := range map[string]string{
			`cron: "61 * * * *", operation: {purge: {olderThanDays: 1}}`:                                 "cron",
			`cron: "@daily", timeZone: "Mars", operation: {purge: {olderThanDays: 1}}`:                   "timeZone",
			`cron: "@daily", operation: {sync: {repositories: {names: ["x"]}}}`:                          "operation.sync.repositories.names",
			`cron: "@daily", operation: {mirror: {repositories: {all: true}, path: "p"}}`:                "operation.mirror.path",
			`cron: "@daily", operation: {sync: {repositories: {all: true}, idempotencyKey: "anything"}}`: "operation.sync.idempotencyKey",
		} {
			_, errs := ask[any](p, `mutation { createSchedule(input: {name: "n", `+argument+`}) { id } }`, nil)
			if len(errs) != 1 || errs[0].Extensions.Code != "BAD_INPUT" || errs[0].Extensions.Field != field || strings.Contains(errs[0].Message, "SELECT") {
				t.Errorf("%s: got %+v, want field %s", argument, errs, field)
			}
		}
	})
}
