package db_test

import (
	"testing"
	"time"

	"ream/db"
	"ream/db/dbtest"
	"ream/fault"
	"ream/page"
	"ream/task"
)

// dueSchedule creates a schedule that was due a minute ago.
func dueSchedule(t *testing.T, d *db.DB, name string) *task.Schedule {
	t.Helper()
	due := time.Now().Add(-time.Minute).Round(time.Microsecond).UTC()
	s := &task.Schedule{Name: name, Cron: "@daily", TimeZone: "UTC", Operation: []byte(`{"sync":{}}`), NextAt: &due}
	if err := d.InTx(t.Context(), func(tx *db.Tx) error { return tx.CreateSchedule(t.Context(), s) }); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchedulesAreKept(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := dueSchedule(t, d, "s")
		at := s.NextAt.Add(time.Hour)
		s.LastAt, s.NextAt, s.LastWork, s.LastError = s.NextAt, &at, "task-1", &task.Error{Code: "SKIPPED", Message: "why"}
		if err := d.InTx(t.Context(), func(tx *db.Tx) error { return tx.RecordFiring(t.Context(), s) }); err != nil {
			t.Fatal(err)
		}
		byID, err := d.SchedulesByID(t.Context(), []task.ScheduleID{s.ID, s.ID + 100})
		if err != nil || byID[1] != nil {
			t.Fatalf("got %v, %v", byID, err)
		}
		byName, err := d.ScheduleByName(t.Context(), "s")
		if err != nil {
			t.Fatal(err)
		}
		list, err := d.Schedules(t.Context(), page.Request{Last: 1})
		if err != nil || len(list.Items) != 1 || !list.HasPrevious {
			t.Fatalf("the last page: got %+v, %v", list, err)
		}
		for _, got := range []*task.Schedule{byID[0], byName, list.Items[0].Node} {
			if got.Name != "s" || got.Cron != s.Cron || string(got.Operation) != string(s.Operation) || !got.NextAt.Equal(at) || !got.LastAt.Equal(*s.LastAt) ||
				got.LastWork != s.LastWork || *got.LastError != *s.LastError || !got.CreatedAt.Equal(s.CreatedAt) {
				t.Errorf("got %+v, want %+v", got, s)
			}
		}
		if _, err := d.ScheduleByName(t.Context(), "S"); !fault.Is(err, fault.NotFound) {
			t.Errorf("by another name: got %v, want NOT_FOUND", err)
		}
	})
}

func TestDueScheduleIsHeldByOne(t *testing.T) {
	t.Parallel()
	d := dbtest.Postgres(t) // SQLite has one writer
	first, second := dueSchedule(t, d, "first"), dueSchedule(t, d, "second")
	var take func(want ...*task.Schedule)
	take = func(want ...*task.Schedule) {
		if err := d.InTx(t.Context(), func(tx *db.Tx) error {
			s, due, err := tx.LockDueSchedule(t.Context())
			switch {
			case err != nil:
				return err
			case len(want) == 0 && due:
				t.Errorf("while all are held: got %s", s.Name)
			case len(want) > 0 && (!due || s.ID != want[0].ID):
				t.Errorf("got %+v, want %s", s, want[0].Name)
			case len(want) > 0:
				take(want[1:]...) // another transaction, as of another process
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	take(first, second)
}

func TestScheduleChangesAreTold(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		told := 0
		d.OnChange(func(c db.Changes) {
			if c.Schedules {
				told++
			}
		})
		s := dueSchedule(t, d, "s")
		for i, change := range []func(*db.Tx) error{
			func(tx *db.Tx) error { return tx.UpdateSchedule(t.Context(), s) },
			func(tx *db.Tx) error { return tx.DeleteSchedule(t.Context(), s.ID) },
		} {
			if err := d.InTx(t.Context(), change); err != nil {
				t.Fatal(err)
			}
			if told != i+2 {
				t.Errorf("told %d times after change %d", told, i+2)
			}
		}
	})
}

func TestScheduleChangesAreToldToOtherProcesses(t *testing.T) {
	t.Parallel()
	address := dbtest.PostgresAddress(t)
	here, there := listen(t, address), listen(t, address)
	dueSchedule(t, here.DB, "s")
	there.await("of the schedule", func(c db.Changes) bool { return c.Schedules && !c.All })
}

func TestTryUndoesAlone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		answer := func(tx *db.Tx, key string) error { return tx.Answer(t.Context(), key, "request", "task-1") }
		if err := d.InTx(t.Context(), func(tx *db.Tx) error {
			if err := answer(tx, "before"); err != nil {
				return err
			}
			err := tx.Try(t.Context(), func() error {
				if err := answer(tx, "undone"); err != nil {
					return err
				}
				return answer(tx, "before") // refused by the database
			})
			if !fault.Is(err, fault.Conflict) {
				t.Errorf("got %v, want a conflict", err)
			}
			return tx.Try(t.Context(), func() error { return answer(tx, "after") })
		}); err != nil {
			t.Fatal(err)
		}
		if err := d.InTx(t.Context(), func(tx *db.Tx) error {
			for key, want := range map[string]string{"before": "task-1", "undone": "", "after": "task-1"} {
				if got, err := tx.Answered(t.Context(), key, "request"); err != nil || got != want {
					t.Errorf("%s: got %q, %v, want %q", key, got, err, want)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
}
