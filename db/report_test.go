package db_test

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"ream/content"
	"ream/db"
	"ream/db/dbtest"
	"ream/task"
)

// report writes lines of progress, as a cycle does that records and claims
// nothing.
func (e engine) report(reports ...task.Report) {
	e.t.Helper()
	if _, err := e.Cycle(e.t.Context(), e.worker, nil, reports, task.Vacancies{}); err != nil {
		e.t.Fatal(err)
	}
}

// progress is that of a group and of one of its members.
func (e engine) progress(group task.GroupID, member *task.Task) (ofGroup, ofTask task.Progress) {
	e.t.Helper()
	groups, err := e.GroupsByID(e.t.Context(), []task.GroupID{group})
	if err != nil {
		e.t.Fatal(err)
	}
	tasks, err := e.TasksByID(e.t.Context(), []task.ID{member.ID})
	if err != nil {
		e.t.Fatal(err)
	}
	ofGroup, ofTask = groups[0].Progress, tasks[0].Progress
	ofGroup.Since, ofTask.Since = nil, nil
	return ofGroup, ofTask
}

// TestProgressBeyondAllBounds reports what no upstream can have: it counts for
// no more than a manifest may name, and for no less than nothing.
func TestProgressBeyondAllBounds(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		group := e.group(task.New{Kind: "a"}, task.New{Kind: "a"})
		running := e.claim(2)
		evil, ordinary := running[0], running[1]
		line := func(of *task.Task, code string, unit task.Unit, done, total int64) task.Report {
			return task.Report{TaskID: of.ID, Code: code, Unit: unit, Done: done, Total: &total}
		}
		e.report(line(evil, "bytes", task.Bytes, 0, math.MaxInt64), line(evil, "more", task.Bytes, math.MaxInt64, math.MaxInt64), line(evil, "items", task.Items, math.MinInt64, -1))
		e.report(line(ordinary, "bytes", task.Bytes, 3, 5), line(ordinary, "items", task.Items, 1, 2))
		ofGroup, ofTask := e.progress(group, evil)
		const most = content.MaxTotal
		if want := (task.Progress{BytesDone: most, BytesTotal: 2 * most}); ofTask != want {
			t.Errorf("the task's: got %+v, want %+v", ofTask, want)
		}
		if want := (task.Progress{BytesDone: most + 3, BytesTotal: 2*most + 5, ItemsDone: 1, ItemsTotal: 2}); ofGroup != want {
			t.Errorf("the group's: got %+v, want %+v", ofGroup, want)
		}
		e.report(line(evil, "bytes", task.Bytes, 0, 0), line(evil, "more", task.Bytes, 0, 0))
		if got, _ := e.progress(group, evil); got != (task.Progress{BytesDone: 3, BytesTotal: 5, ItemsDone: 1, ItemsTotal: 2}) {
			t.Errorf("the group's, once it says otherwise: got %+v", got)
		}
	})
}

// TestProgressOfManyBeyondAllBounds lets a group have more lines than a sum of
// such numbers can hold.
func TestProgressOfManyBeyondAllBounds(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		group := e.group(task.New{Kind: "a"}, task.New{Kind: "a"})
		running := e.claim(2)
		lines := func(of *task.Task, done int64) (all []task.Report) {
			for i := range 1100 {
				all = append(all, task.Report{TaskID: of.ID, Code: fmt.Sprint(i), Unit: task.Bytes, Done: done})
			}
			return all
		}
		all := task.Progress{BytesDone: math.MaxInt64, BytesTotal: math.MaxInt64}
		for range 2 {
			for _, one := range running {
				e.report(lines(one, content.MaxTotal)...)
				if ofGroup, ofTask := e.progress(group, one); ofGroup != all || ofTask != all {
					t.Errorf("got %+v and %+v, want all that there can be", ofGroup, ofTask)
				}
			}
		}
		for _, one := range running {
			e.report(lines(one, 0)...)
		}
		if ofGroup, ofTask := e.progress(group, running[0]); ofGroup != (task.Progress{}) || ofTask != (task.Progress{}) {
			t.Errorf("got %+v and %+v, want nothing", ofGroup, ofTask)
		}
	})
}

// TestGroupWhoseSumIsNoInteger reads a group whose bytes SQLite added up to more
// than an integer holds.
func TestGroupWhoseSumIsNoInteger(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ream.db")
	e := engine{DB: dbtest.Open(t, path, db.Options{}), t: t}.register()
	group := e.group(task.New{Kind: "a"})
	running := e.claim(1)[0]
	if _, err := openRaw(t, path).ExecContext(t.Context(), `UPDATE task_group SET bytes_total = 9223372036854775807 + 5`); err != nil {
		t.Fatal(err)
	}
	if got, _ := e.progress(group, running); got.BytesTotal != math.MaxInt64 {
		t.Errorf("got %+v", got)
	}
	e.report(task.Report{TaskID: running.ID, Code: "bytes", Unit: task.Bytes, Done: 5})
	if got, _ := e.progress(group, running); got.BytesTotal != math.MaxInt64 || got.BytesDone != 5 {
		t.Errorf("once more is added: got %+v", got)
	}
}

// TestWhatCannotBeWrittenIsAlone lets a task report, and end with, a text that
// PostgreSQL does not take. Nobody else's progress or end waits for it.
func TestWhatCannotBeWrittenIsAlone(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		group := e.group(task.New{Kind: "a"}, task.New{Kind: "a"}, task.New{Kind: "a"})
		running := e.claim(2)
		bad, good := running[0], running[1]
		line := func(of *task.Task, message string) task.Report {
			return task.Report{TaskID: of.ID, Code: "bytes", Message: message, Unit: task.Bytes, Done: 5}
		}
		failed := func(of *task.Task, message string) task.Outcome {
			return task.Outcome{Fence: fence(of), State: task.Failed, Error: &task.Error{Code: "BAD_INPUT", Message: message}}
		}
		claimed, err := e.Cycle(t.Context(), e.worker, []task.Outcome{failed(bad, "\x00"), failed(good, "no")}, []task.Report{line(bad, "\x00"), line(good, "Bytes")}, room(1))
		if err != nil || len(claimed) != 1 {
			t.Fatalf("got %d tasks, %v, want one", len(claimed), err)
		}
		if ofGroup, ofTask := e.progress(group, good); ofTask.BytesDone != 5 || ofGroup.BytesDone < 5 {
			t.Errorf("progress: got %+v of the good one, %+v of the group", ofTask, ofGroup)
		}
		tasks, err := e.TasksByID(t.Context(), []task.ID{bad.ID, good.ID})
		if err != nil {
			t.Fatal(err)
		}
		if got := tasks[0]; got.State != task.Failed || got.Error == nil {
			t.Errorf("the bad one: got %s with %+v, want FAILED", got.State, got.Error)
		}
		if got := tasks[1]; got.State != task.Failed || got.Error == nil || got.Error.Message != "no" {
			t.Errorf("the good one: got %s with %+v, want FAILED", got.State, got.Error)
		}
	})
}

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
