package db_test

import (
	"fmt"
	"testing"

	"ream/db"
	"ream/db/dbtest"
	"ream/task"
)

// TestProgressAfterTheEnd holds up the progress of a task after it was seen
// running, and lets it end meanwhile, with its group: whoever saw the group
// finished saw the last of it.
func TestProgressAfterTheEnd(t *testing.T) {
	t.Parallel()
	address := dbtest.PostgresAddress(t)
	e := engine{DB: dbtest.Open(t, address, db.Options{}), t: t}.register()
	id := e.group(task.New{Kind: "a"})
	running := e.claim(1)[0]
	raw, err := openRaw(t, address).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	// The line that is about to be reported belongs to somebody else for now.
	execute(t, raw, fmt.Sprintf(`INSERT INTO task_report(task_id, code, message, done, unit, started_at, updated_at) VALUES (%d, 'items', '', 0, 'ITEMS', 0, 0)`, running.ID))
	reporter := openRaw(t, address)
	reported := make(chan error, 1)
	go func() {
		_, err := e.Cycle(t.Context(), e.worker, nil, []task.Report{{TaskID: running.ID, Code: "items", Unit: task.Items, Done: 5}}, task.Vacancies{})
		reported <- err
	}()
	waits(t, reporter, `query LIKE '%INSERT INTO task_report%'`)
	finished := make(chan *task.Group, 1)
	go func() {
		e.finish(task.Completed, running)
		groups, err := e.GroupsByID(t.Context(), []task.GroupID{id})
		if err != nil {
			t.Error(err)
		}
		finished <- groups[0]
	}()
	select {
	case group := <-finished:
		finished <- group
	case <-waiting(t, reporter, `query LIKE '%DELETE FROM task_queue%'`):
	}
	if err := raw.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-reported; err != nil {
		t.Fatal(err)
	}
	seen := <-finished
	groups, err := e.GroupsByID(t.Context(), []task.GroupID{id})
	if err != nil {
		t.Fatal(err)
	}
	if !seen.Finished() || seen.Progress.ItemsDone != groups[0].Progress.ItemsDone {
		t.Errorf("the finished group's progress went on from %+v to %+v", seen.Progress, groups[0].Progress)
	}
}
