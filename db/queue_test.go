package db_test

import (
	"testing"
	"time"

	"ream/access"
	"ream/content"
	"ream/db"
	"ream/task"
)

// TestQueueWithinALimit has tasks about two repositories, and about none, in all
// states: who is limited to one of the two learns nothing of the others.
func TestQueueWithinALimit(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		about := map[string]content.RepositoryID{}
		e.tx(func(tx *db.Tx) error {
			for _, name := range []string{"mine", "theirs"} {
				r := &content.Repository{Name: name, Format: content.File, Labels: []content.Label{{Key: "team", Value: name}}}
				if err := tx.CreateRepository(t.Context(), r); err != nil {
					return err
				}
				about[name] = r.ID
			}
			return nil
		})
		began := e.Now()
		for _, name := range []string{"theirs", "mine", "", "mine", "mine", "mine", "theirs"} {
			e.enqueue(task.New{Kind: "a", Name: "test " + name, Priority: task.Normal, RepositoryID: int64(about[name])})
		}
		claimed := e.claim(5)
		e.finish(task.Completed, claimed[0], claimed[1], claimed[2])
		e.finish(task.Failed, claimed[3])

		var before int64
		for _, c := range []struct {
			limit access.Limit
			want  task.Counts
		}{
			{"team=mine", task.Counts{Waiting: 1, Running: 1, Completed: 1, Failed: 1}},
			{"team=theirs", task.Counts{Waiting: 1, Completed: 1}},
			{"team", task.Counts{Waiting: 2, Running: 1, Completed: 2, Failed: 1}},
			{"team=nobody", task.Counts{}},
		} {
			got, err := e.Within(c.limit).Queue(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got.Tally.Revision <= before {
				t.Errorf("%s: revision: got %d after %d", c.limit, got.Tally.Revision, before)
			}
			before = got.Tally.Revision
			got.Tally.Revision = 0
			if got.Tally != c.want || len(got.Workers) != 1 {
				t.Errorf("%s: got %+v and %d workers, want %+v", c.limit, got.Tally, len(got.Workers), c.want)
			}
			if waits := got.OldestWaiting; (waits != nil) != (c.want.Waiting > 0) || waits != nil && waits.Before(began.Truncate(time.Microsecond)) {
				t.Errorf("%s: the oldest waits since %v", c.limit, waits)
			}
			if want := float64(c.want.Finished()) / 60; got.PerSecond != want {
				t.Errorf("%s: got %v tasks a second, want %v", c.limit, got.PerSecond, want)
			}
			if samples, err := e.Within(c.limit).Samples(t.Context()); err != nil || len(samples) > 0 {
				t.Errorf("%s: got %v, %v, want no samples", c.limit, samples, err)
			}
		}
	})
}
