package catalog_test

import (
	"strings"
	"testing"
	"time"

	"ream/catalog"
	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/page"
	"ream/task"
)

// schedule creates a schedule that fires at half past every hour.
func (h house) schedule(o catalog.Operation) *task.Schedule {
	h.t.Helper()
	s, err := h.CreateSchedule(h.t.Context(), catalog.ScheduleInput{Name: "s", Cron: "30 * * * *", TimeZone: "UTC", Operation: o})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (h house) update(s *task.Schedule, change catalog.ScheduleChange) *task.Schedule {
	h.t.Helper()
	s, err := h.UpdateSchedule(h.t.Context(), s.ID, change)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// fire fires what is due and returns the schedule as it is then.
func (h house) fire(s *task.Schedule) *task.Schedule {
	h.t.Helper()
	if _, err := h.FireDue(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	return h.read(s)
}

func (h house) read(s *task.Schedule) *task.Schedule {
	h.t.Helper()
	found, err := h.DB.SchedulesByID(h.t.Context(), []task.ScheduleID{s.ID})
	if err != nil || found[0] == nil {
		h.t.Fatalf("%s: got %v, %v", s.ID, found[0], err)
	}
	return found[0]
}

func (h house) wantNext(s *task.Schedule, want string) {
	h.t.Helper()
	got := "never"
	if s.NextAt != nil {
		got = s.NextAt.Format(time.RFC3339)
	}
	if got != want {
		h.t.Errorf("next firing: got %s, want %s", got, want)
	}
}

func syncOf(names ...string) catalog.Operation {
	return catalog.Operation{Sync: &catalog.SyncRequest{Repositories: catalog.Selector{Names: names}, Mirror: true, Priority: task.Normal}}
}

func TestScheduleFires(t *testing.T) {
	eachHouse(t, func(h house) {
		h.repository("r")
		s := h.schedule(syncOf("r"))
		h.wantNext(s, "2026-01-01T00:30:00Z")
		next, err := h.FireDue(h.t.Context())
		if err != nil || !next.Equal(*s.NextAt) || len(h.tasks()) != 0 {
			h.t.Errorf("before it is due: got next %s, %v and %d tasks", next, err, len(h.tasks()))
		}
		h.clock.set(instant(h.t, "2026-01-01T00:30:00Z"))
		for range 2 { // the second finds nothing to do
			s = h.fire(s)
			h.wantNext(s, "2026-01-01T01:30:00Z")
		}
		tasks := h.tasks()
		if len(tasks) != 1 || tasks[0].Name != "sync r" || tasks[0].GroupID != 0 {
			h.t.Fatalf("got tasks %+v, want one sync of its own", tasks)
		}
		if s.LastWork != tasks[0].NodeID() || s.LastError != nil || s.LastAt == nil || !s.LastAt.Equal(h.clock.now()) {
			h.t.Errorf("after the firing: got %+v", s)
		}
	})
}

func TestScheduleSelectsAnewAtEachFiring(t *testing.T) {
	eachHouse(t, func(h house) {
		s := h.schedule(catalog.Operation{Mirror: &catalog.MirrorRequest{Repositories: catalog.Selector{Labels: new("env=prod")}, Priority: task.High}})
		for i, want := range []string{"mirror 0 repositories", "mirror a", "mirror 2 repositories"} {
			h.clock.advance(time.Hour)
			s = h.fire(s)
			groups := h.groups() // newest first
			if len(groups) != i+1 || groups[0].Name != want || s.LastWork != groups[0].NodeID() || groups[0].Counts().Total() != 3*i {
				h.t.Fatalf("firing %d: got %+v and %+v, want the group %q with three tasks for each repository", i, s, groups, want)
			}
			for !groups[0].Finished() {
				h.finish(task.Completed, h.claim()...)
				groups = h.groups()
			}
			h.repository(string(rune('a'+i)), content.Label{Key: "env", Value: "prod"})
		}
	})
}

func TestMissedFiringsAreOne(t *testing.T) {
	eachHouse(t, func(h house) {
		h.repository("r")
		s := h.schedule(syncOf("r"))
		h.clock.set(instant(h.t, "2026-01-03T12:10:00Z"))
		s = h.fire(s)
		h.wantNext(s, "2026-01-03T12:30:00Z")
		if tasks := h.tasks(); len(tasks) != 1 {
			h.t.Errorf("after two days away: got %d tasks, want 1", len(tasks))
		}
	})
}

func TestFiringIsSkippedWhileWorkIsUnfinished(t *testing.T) {
	eachHouse(t, func(h house) {
		h.repository("r")
		s := h.schedule(syncOf("r"))
		h.clock.advance(time.Hour)
		first := h.fire(s)
		running := h.claim()
		h.clock.advance(time.Hour)
		s = h.fire(s)
		want := task.Error{Code: "SKIPPED", Message: first.LastWork + ", which it queued before, was unfinished"}
		if s.LastError == nil || *s.LastError != want || s.LastWork != first.LastWork || !s.LastAt.Equal(h.clock.now()) || len(h.tasks()) != 1 {
			h.t.Errorf("while it runs: got %+v with %+v, want %+v", s, s.LastError, want)
		}
		h.wantNext(s, "2026-01-01T02:30:00Z")
		_, err := h.FireSchedule(h.t.Context(), s.ID)
		wantFault(h.t, err, fault.Conflict, first.LastWork+", which it queued last, is unfinished: wait for it or cancel it")
		h.finish(task.Failed, running...)
		h.clock.advance(time.Hour)
		if s = h.fire(s); s.LastError != nil || s.LastWork == first.LastWork || len(h.tasks()) != 2 {
			h.t.Errorf("after it failed: got %+v with %+v", s, s.LastError)
		}
	})
}

func TestFiringInVain(t *testing.T) {
	eachHouse(t, func(h house) {
		r := h.repository("r")
		other := h.repository("other")
		s := h.schedule(syncOf("other", "r"))
		if _, err := h.DeleteRepository(h.t.Context(), r.ID); err != nil {
			h.t.Fatal(err)
		}
		const message = `repositories.names: there is no repository "r"`
		_, err := h.FireSchedule(h.t.Context(), s.ID)
		wantFault(h.t, err, fault.Conflict, "its operation cannot be queued: "+message)
		h.clock.advance(time.Hour)
		s = h.fire(s)
		if want := (task.Error{Code: "BAD_INPUT", Message: message}); s.LastError == nil || *s.LastError != want || s.LastWork != "" || len(h.groups()) != 0 {
			h.t.Errorf("without the repository: got %+v with %+v", s, s.LastError)
		}
		h.wantNext(s, "2026-01-01T01:30:00Z")
		if _, err := h.UpdateRepository(h.t.Context(), other.ID, catalog.RepositoryChange{Name: new("r")}); err != nil {
			h.t.Fatal(err)
		}
		h.update(s, catalog.ScheduleChange{Operation: new(syncOf("r"))})
		h.clock.advance(time.Hour)
		if s = h.fire(s); s.LastError != nil || s.LastWork == "" {
			h.t.Errorf("with a repository again: got %+v with %+v", s, s.LastError)
		}
	})
}

// TestFiringOfWhatAnotherVersionStored fires schedules that this version of the
// program would have refused.
func TestFiringOfWhatAnotherVersionStored(t *testing.T) {
	eachHouse(t, func(h house) {
		for _, tt := range []struct {
			cron, operation string
			want            task.Error
			paused          bool
		}{
			{"@daily", `{"teleport":{}}`, task.Error{Code: "CONFLICT", Message: "this version of the program does not know the operation: run the newer one"}, false},
			{"@daily", `[]`, task.Error{Code: "INTERNAL", Message: "internal error; the server's log has the details under this schedule's id"}, false},
			{"@sometimes", `{"purge":{"olderThanDays":1}}`, task.Error{Code: "BAD_INPUT", Message: "paused, since its times cannot be told any more: cron: "}, true},
		} {
			s := &task.Schedule{Name: tt.operation, Cron: tt.cron, TimeZone: "UTC", Operation: []byte(tt.operation), NextAt: new(h.clock.now())}
			h.tx(func(tx *db.Tx) error { return tx.CreateSchedule(h.t.Context(), s) })
			s = h.fire(s)
			if s.LastError == nil || s.LastError.Code != tt.want.Code || !strings.HasPrefix(s.LastError.Message, tt.want.Message) || s.Paused != tt.paused || (s.NextAt == nil) != tt.paused {
				h.t.Errorf("%s: got %+v with %+v, want %+v", tt.operation, s, s.LastError, tt.want)
			}
		}
	})
}

func TestPausedScheduleFiresOnlyWhenTold(t *testing.T) {
	eachHouse(t, func(h house) {
		h.repository("r")
		s := h.schedule(syncOf("r"))
		s = h.update(s, catalog.ScheduleChange{Paused: new(true)})
		h.wantNext(s, "never")
		h.clock.advance(24 * time.Hour)
		if s = h.fire(s); len(h.tasks()) != 0 || s.LastAt != nil {
			h.t.Errorf("while paused: got %d tasks and %+v", len(h.tasks()), s)
		}
		work, err := h.FireSchedule(h.t.Context(), s.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		if s = h.read(s); s.LastWork != work.NodeID() || len(h.tasks()) != 1 || !s.Paused {
			h.t.Errorf("fired by hand: got %+v and %d tasks, want %s", s, len(h.tasks()), work.NodeID())
		}
		h.wantNext(s, "never")
		h.finish(task.Completed, h.claim()...)
		s = h.update(s, catalog.ScheduleChange{Paused: new(false)})
		h.wantNext(s, "2026-01-02T00:30:00Z")
		if h.fire(s); len(h.tasks()) != 1 {
			h.t.Error("what it missed while paused was made up for")
		}
	})
}

func TestUpdateSchedulePlansAnewOnlyForOtherTimes(t *testing.T) {
	eachHouse(t, func(h house) {
		h.repository("r")
		s := h.schedule(syncOf("r"))
		h.clock.advance(45 * time.Minute) // it is due, and was not fired yet
		s = h.update(s, catalog.ScheduleChange{Name: new("t"), Operation: new(syncOf("r")), Cron: new("30 * * * *")})
		h.wantNext(s, "2026-01-01T00:30:00Z")
		s = h.update(s, catalog.ScheduleChange{Cron: new("0 6 * * *"), TimeZone: new("Europe/Berlin")})
		h.wantNext(s, "2026-01-01T05:00:00Z")
		if s = h.read(s); s.Name != "t" || s.Cron != "0 6 * * *" || s.TimeZone != "Europe/Berlin" || s.CreatedAt.Equal(s.UpdatedAt) {
			h.t.Errorf("got %+v", s)
		}
	})
}

func TestSchedulesThatAreRefused(t *testing.T) {
	eachHouse(t, func(h house) {
		h.repository("r")
		s := h.schedule(syncOf("r"))
		publish := func(version int, names ...string) catalog.Operation {
			return catalog.Operation{Publish: &catalog.PublishRequest{Repositories: catalog.Selector{Names: names}, Version: version, Priority: task.Normal}}
		}
		tests := []struct {
			name           string
			in             catalog.ScheduleInput
			kind           fault.Kind
			field, message string
		}{
			{"name", catalog.ScheduleInput{Name: "", Operation: syncOf("r")}, fault.BadInput, "name", "want up to 200"},
			{"name taken", catalog.ScheduleInput{Name: "s", Operation: syncOf("r")}, fault.Conflict, "", `already a schedule named "s"`},
			{"cron", catalog.ScheduleInput{Name: "a", Cron: "* *", Operation: syncOf("r")}, fault.BadInput, "cron", "want minute"},
			{"zone", catalog.ScheduleInput{Name: "a", TimeZone: "Mars", Operation: syncOf("r")}, fault.BadInput, "timeZone", "Europe/Berlin"},
			{"no operation", catalog.ScheduleInput{Name: "a"}, fault.Conflict, "", "does not know the operation"},
			{"unknown repository", catalog.ScheduleInput{Name: "a", Operation: syncOf("x")}, fault.BadInput, "operation.sync.repositories.names", `no repository "x"`},
			{"labels", catalog.ScheduleInput{Name: "a", Operation: catalog.Operation{Sync: &catalog.SyncRequest{Repositories: catalog.Selector{Labels: new("a==b")}}}},
				fault.BadInput, "operation.sync.repositories.labels", "label term"},
			{"version of many", catalog.ScheduleInput{Name: "a", Operation: publish(1, "r", "r")}, fault.BadInput, "operation.publish.version", "one repository"},
			{"path", catalog.ScheduleInput{Name: "a", Operation: catalog.Operation{Mirror: &catalog.MirrorRequest{Repositories: catalog.Selector{Names: []string{"r"}}, Path: "/a"}}},
				fault.BadInput, "operation.mirror.path", ""},
			{"days", catalog.ScheduleInput{Name: "a", Operation: catalog.Operation{Purge: &catalog.PurgeRequest{OlderThanDays: -1}}},
				fault.BadInput, "operation.purge.olderThanDays", "want 0"},
		}
		for _, tt := range tests {
			if tt.in.Cron == "" {
				tt.in.Cron = "@daily"
			}
			if tt.in.TimeZone == "" {
				tt.in.TimeZone = "UTC"
			}
			_, err := h.CreateSchedule(h.t.Context(), tt.in)
			if !fault.Is(err, tt.kind) || !strings.Contains(fault.Message(err), tt.message) || tt.field != "" && !strings.HasPrefix(fault.Message(err), tt.field+": ") {
				h.t.Errorf("%s: got %v, want %s of %q that says %q", tt.name, err, tt.kind, tt.field, tt.message)
			}
		}
		// What is not there yet may come: the schedule can be made before.
		if _, err := h.CreateSchedule(h.t.Context(), catalog.ScheduleInput{Name: "early", Cron: "@daily", TimeZone: "UTC", Operation: publish(0, "r")}); err != nil {
			h.t.Errorf("publishing a repository without a version: %v", err)
		}
		_, err := h.UpdateSchedule(h.t.Context(), s.ID, catalog.ScheduleChange{Name: new("early")})
		wantFault(h.t, err, fault.Conflict, `there is already a schedule named "early"`)
		if _, err := h.DeleteSchedule(h.t.Context(), s.ID); err != nil {
			h.t.Fatal(err)
		}
		_, err = h.UpdateSchedule(h.t.Context(), s.ID, catalog.ScheduleChange{})
		wantFault(h.t, err, fault.NotFound, "there is no "+s.ID.String())
		_, err = h.FireSchedule(h.t.Context(), s.ID)
		wantFault(h.t, err, fault.NotFound, "there is no "+s.ID.String())
		_, err = h.DeleteSchedule(h.t.Context(), s.ID)
		wantFault(h.t, err, fault.NotFound, "there is no "+s.ID.String())
	})
}

func TestNewDatabasePurgesItsHistory(t *testing.T) {
	eachHouse(t, func(h house) {
		p, err := h.DB.Schedules(h.t.Context(), page.Request{})
		if err != nil || len(p.Items) != 1 {
			h.t.Fatalf("schedules of a new database: got %+v, %v", p, err)
		}
		s := p.Items[0].Node
		o, err := catalog.ParseOperation(s)
		if err != nil || o.Purge == nil || *o.Purge != (catalog.PurgeRequest{OlderThanDays: 30, Priority: task.Low}) {
			h.t.Errorf("its operation: got %+v, %v", o.Purge, err)
		}
		// The migration has the database's own clock.
		tomorrow := time.Now().UTC().Truncate(24 * time.Hour).Add(27*time.Hour + 30*time.Minute)
		if late := tomorrow.Sub(*s.NextAt); late != 0 && late != 24*time.Hour || s.CreatedAt.IsZero() {
			h.t.Errorf("its first firing: got %s, want %s", s.NextAt, tomorrow)
		}
		if err := s.Plan(*s.NextAt); err != nil {
			h.t.Fatal(err)
		}
		if want := tomorrow.Add(24 * time.Hour); s.NextAt.After(want) || s.NextAt.Before(tomorrow) {
			h.t.Errorf("its second firing: got %s, want %s", s.NextAt, want)
		}
	})
}
