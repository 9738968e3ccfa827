package db_test

import (
	"testing"

	"ream/db"
	"ream/db/dbtest"
	"ream/fault"
	"ream/page"
	"ream/task"
)

// engine is a database with a registered worker.
type engine struct {
	*db.DB
	t      *testing.T
	worker task.WorkerID
}

func eachEngine(t *testing.T, f func(t *testing.T, e engine)) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		id, err := d.Register(t.Context(), task.Worker{Host: "here", PID: 1, Version: "test", Slots: 10})
		if err != nil {
			t.Fatal(err)
		}
		f(t, engine{d, t, id})
	})
}

func (e engine) tx(f func(*db.Tx) error) {
	e.t.Helper()
	if err := e.InTx(e.t.Context(), f); err != nil {
		e.t.Fatal(err)
	}
}

func (e engine) group(tasks ...task.New) (id task.GroupID) {
	e.t.Helper()
	e.tx(func(tx *db.Tx) (err error) {
		id, err = tx.EnqueueGroup(e.t.Context(), task.NewGroup{Name: "group", Tasks: tasks})
		return err
	})
	return id
}

func (e engine) enqueue(t task.New) (id task.ID) {
	e.t.Helper()
	e.tx(func(tx *db.Tx) (err error) { id, err = tx.Enqueue(e.t.Context(), t); return err })
	return id
}

func (e engine) claim(limit int) []*task.Task {
	e.t.Helper()
	tasks, err := e.Cycle(e.t.Context(), e.worker, nil, nil, room(limit))
	if err != nil {
		e.t.Fatal(err)
	}
	return tasks
}

// room is that for tasks of every kind that the tests use.
func room(n int) task.Vacancies {
	v := task.Vacancies{Total: n, Of: map[task.Kind]int{}}
	for _, kind := range []task.Kind{"a", "b", "c", "parent", "child", "later"} {
		v.Of[kind] = n
	}
	return v
}

func (e engine) finish(state task.State, tasks ...*task.Task) {
	e.t.Helper()
	var outcomes []task.Outcome
	for _, t := range tasks {
		outcomes = append(outcomes, task.Outcome{Fence: fence(t), State: state})
	}
	if _, err := e.Cycle(e.t.Context(), e.worker, outcomes, nil, task.Vacancies{}); err != nil {
		e.t.Fatal(err)
	}
}

func fence(t *task.Task) task.Fence {
	return task.Fence{Task: t.ID, Worker: t.WorkerID, Attempt: t.Attempt}
}

func (e engine) state(id task.ID) task.State {
	e.t.Helper()
	tasks, err := e.TasksByID(e.t.Context(), []task.ID{id})
	if err != nil {
		e.t.Fatal(err)
	}
	return tasks[0].State
}

// counts reads a group's counts and checks them against a recount.
func (e engine) counts(id task.GroupID) task.Counts {
	e.t.Helper()
	groups, err := e.GroupsByID(e.t.Context(), []task.GroupID{id})
	if err != nil {
		e.t.Fatal(err)
	}
	got := groups[0].Tally
	members, err := e.TasksOf(e.t.Context(), task.MemberOf, []int64{int64(id)}, task.Filter{}, page.Request{First: page.Limit})
	if err != nil {
		e.t.Fatal(err)
	}
	want := task.Counts{Revision: got.Revision}
	for _, m := range members[0].Items {
		want.Add(m.Node.State, 1)
	}
	if got != want {
		e.t.Errorf("counts of %s: got %+v, a recount says %+v", id, got, want)
	}
	return got
}

func exclusive(resources ...string) []task.Reservation { return reserve(task.Exclusive, resources) }
func shared(resources ...string) []task.Reservation    { return reserve(task.Shared, resources) }

func reserve(a task.Access, resources []string) []task.Reservation {
	var rs []task.Reservation
	for _, r := range resources {
		rs = append(rs, task.Reservation{Resource: r, Access: a})
	}
	return rs
}

func ids(tasks []*task.Task) []task.ID {
	var out []task.ID
	for _, t := range tasks {
		out = append(out, t.ID)
	}
	return out
}

func TestGroupRunsToTheEnd(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		id := e.group(task.New{Kind: "a", Name: "one"}, task.New{Kind: "a", Name: "two"}, task.New{Kind: "a", Name: "three"})
		if got := e.counts(id); got.Waiting != 3 {
			t.Fatalf("counts of a new group: got %+v", got)
		}
		claimed := e.claim(2)
		if got := e.counts(id); got.Waiting != 1 || got.Running != 2 {
			t.Errorf("counts with two claimed: got %+v", got)
		}
		e.finish(task.Completed, claimed...)
		e.finish(task.Failed, e.claim(5)...)
		got := e.counts(id)
		if got.Completed != 2 || got.Failed != 1 || got.Unfinished() != 0 {
			t.Errorf("counts at the end: got %+v", got)
		}
		groups, err := e.GroupsByID(t.Context(), []task.GroupID{id, id + 1})
		if err != nil {
			t.Fatal(err)
		}
		if g := groups[0]; g.State() != task.Failed || g.FinishedAt == nil || g.StartedAt == nil {
			t.Errorf("group at the end: got %+v in state %s", g, g.State())
		}
		if groups[1] != nil {
			t.Errorf("a group that does not exist: got %+v", groups[1])
		}
		queue, err := e.Queue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if q := queue.Tally; q.Completed != 2 || q.Failed != 1 || q.Total() != 3 || queue.OldestWaiting != nil || len(queue.Workers) != 1 {
			t.Errorf("queue at the end: got %+v", queue)
		}
	})
}

func TestEmptyGroupIsFinishedAtBirth(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		groups, err := e.GroupsByID(t.Context(), []task.GroupID{e.group()})
		if err != nil {
			t.Fatal(err)
		}
		if g := groups[0]; !g.Finished() || g.FinishedAt == nil || g.State() != task.Completed {
			t.Errorf("empty group: got %+v in state %s", g, g.State())
		}
	})
}

func TestReservationsAreFirstComeFirstServed(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		first := e.enqueue(task.New{Kind: "a", Reservations: exclusive("r")})
		second := e.enqueue(task.New{Kind: "a", Reservations: shared("r")})
		third := e.enqueue(task.New{Kind: "a", Reservations: shared("r", "other")})
		fourth := e.enqueue(task.New{Kind: "a", Reservations: exclusive("r")})
		fifth := e.enqueue(task.New{Kind: "a", Reservations: shared("r")})
		blockers, err := e.BlockedBy(t.Context(), fifth, page.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if len(blockers.Items) != 2 || blockers.Items[0].Node.ID != first || blockers.Items[1].Node.ID != fourth {
			t.Errorf("the fifth is blocked by %+v, want the two exclusive ones", blockers.Items)
		}
		for _, want := range [][]task.ID{{first}, {second, third}, {fourth}, {fifth}} {
			got := e.claim(10)
			if len(got) != len(want) || got[0].ID != want[0] || got[len(got)-1].ID != want[len(want)-1] {
				t.Fatalf("ready: got %v, want %v", ids(got), want)
			}
			if again := e.claim(10); len(again) != 0 {
				t.Fatalf("ready while %v run: got %v, want nothing", want, ids(again))
			}
			e.finish(task.Completed, got...)
		}
	})
}

func TestAfter(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		chain := []task.New{{Kind: "a"}, {Kind: "a", After: []int{0}}, {Kind: "a", After: []int{0, 1}}}
		good := e.group(chain...)
		for range chain {
			claimed := e.claim(10)
			if len(claimed) != 1 {
				t.Fatalf("ready: got %v, want one", ids(claimed))
			}
			e.finish(task.Completed, claimed...)
		}
		if got := e.counts(good); got.Completed != 3 {
			t.Errorf("a chain that completes: got %+v", got)
		}
		bad := e.group(chain...)
		e.finish(task.Failed, e.claim(10)...)
		if got := e.counts(bad); got.Failed != 1 || got.Skipped != 2 || got.Unfinished() != 0 {
			t.Errorf("a chain whose first fails: got %+v", got)
		}
	})
}

func TestSpawnedWorkTakesItsParentsPlace(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		id := e.group(task.New{Kind: "parent", Reservations: exclusive("p")})
		parent := e.claim(1)[0]
		var backlog []task.ID
		for range 5 {
			backlog = append(backlog, e.enqueue(task.New{Kind: "later", Reservations: exclusive("x")}))
		}
		var children []task.ID
		e.tx(func(tx *db.Tx) (err error) {
			children, err = tx.Spawn(t.Context(), fence(parent), "children", []task.New{
				{Kind: "child", Reservations: exclusive("x", "y")}, {Kind: "child", Reservations: exclusive("y", "p")}})
			return err
		})
		if got := e.counts(id); got.Waiting != 2 || got.Running != 1 {
			t.Errorf("counts with children: got %+v", got)
		}
		e.finish(task.Completed, parent)
		// The first of the backlog had been granted x but had not started.
		want := append(children, backlog...)
		for _, next := range want {
			claimed := e.claim(1)
			if len(claimed) != 1 || claimed[0].ID != next {
				t.Fatalf("ready: got %v, want %v", ids(claimed), next)
			}
			e.finish(task.Completed, claimed...)
		}
		if got := e.counts(id); got.Completed != 3 || got.Unfinished() != 0 {
			t.Errorf("counts at the end: got %+v", got)
		}
	})
}

func TestCancel(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		id := e.group(task.New{Kind: "a", Reservations: exclusive("r")}, task.New{Kind: "a", Reservations: exclusive("r")}, task.New{Kind: "a", After: []int{0}})
		running := e.claim(1)[0]
		for range 2 { // twice is the same as once
			if err := e.CancelGroup(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			if got := e.counts(id); got.Canceling != 1 || got.Canceled != 2 {
				t.Errorf("counts of a canceled group: got %+v", got)
			}
		}
		canceled, err := e.CanceledOf(t.Context(), e.worker)
		if err != nil || len(canceled) != 1 || canceled[0] != running.ID {
			t.Errorf("canceled tasks of the worker: got %v, %v", canceled, err)
		}
		err = e.InTx(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Spawn(t.Context(), fence(running), "children", []task.New{{Kind: "child"}})
			return err
		})
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("spawn of a canceled task: got %v, want a conflict", err)
		}
		e.finish(task.Completed, running)
		if got := e.counts(id); got.Canceled != 3 {
			t.Errorf("counts at the end: got %+v", got)
		}
		next := e.enqueue(task.New{Kind: "a", Reservations: exclusive("r")})
		if claimed := e.claim(1); len(claimed) != 1 || claimed[0].ID != next {
			t.Errorf("after the cancel the resource is not free: got %v", ids(claimed))
		}
	})
}

func TestCancelTaskTakesItsFamilyAlong(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		root := e.enqueue(task.New{Kind: "a"})
		parent := e.claim(1)[0]
		var children []task.ID
		e.tx(func(tx *db.Tx) (err error) {
			children, err = tx.Spawn(t.Context(), fence(parent), "children", []task.New{{Kind: "child"}})
			return err
		})
		if err := e.CancelTask(t.Context(), root); err != nil {
			t.Fatal(err)
		}
		if got := e.state(children[0]); got != task.Canceled {
			t.Errorf("child: got %s", got)
		}
		if got := e.state(root); got != task.Canceling {
			t.Errorf("parent: got %s", got)
		}
	})
}

func TestLostWorkerRecordsNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		id := e.group(task.New{Kind: "a", Reservations: exclusive("r")}, task.New{Kind: "b", After: []int{0}})
		stale := e.claim(1)[0]
		if n, err := e.Recover(t.Context(), 0); err != nil || n != 1 {
			t.Fatalf("recovered: got %d, %v", n, err)
		}
		if alive, err := e.Heartbeat(t.Context(), e.worker); err != nil || alive {
			t.Errorf("heartbeat of a lost worker: got %v, %v", alive, err)
		}
		e.finish(task.Failed, stale)
		if got := e.counts(id); got.Waiting != 2 {
			t.Errorf("counts after a stale outcome: got %+v", got)
		}
		err := e.InTx(t.Context(), func(tx *db.Tx) error { return tx.Hold(t.Context(), fence(stale)) })
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("hold with a stale fence: got %v, want a conflict", err)
		}
		for attempt := 2; attempt <= 3; attempt++ {
			again := e.register()
			claimed := again.claim(1)
			if len(claimed) != 1 || claimed[0].Attempt != attempt {
				t.Fatalf("claimed again: got %+v", claimed)
			}
			if _, err := e.Recover(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
		if got := e.counts(id); got.Failed != 1 || got.Skipped != 1 {
			t.Errorf("counts after the last attempt: got %+v", got)
		}
	})
}

func (e engine) register() engine {
	e.t.Helper()
	id, err := e.Register(e.t.Context(), task.Worker{Host: "there", PID: 2, Slots: 1})
	if err != nil {
		e.t.Fatal(err)
	}
	e.worker = id
	return e
}

func TestStoppedWorkerCountsNoAttempt(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		e.enqueue(task.New{Kind: "a"})
		e.finish(task.Waiting, e.claim(1)...)
		if again := e.claim(1); len(again) != 1 || again[0].Attempt != 1 {
			t.Errorf("claimed again: got %+v", again)
		}
	})
}

func TestDedupe(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		first := e.enqueue(task.New{Kind: "a", Dedupe: "sync 1", Reservations: exclusive("r")})
		if second := e.enqueue(task.New{Kind: "a", Dedupe: "sync 1", Reservations: exclusive("r")}); second != first {
			t.Errorf("an identical request while the task waits: got %v, want %v", second, first)
		}
		e.claim(1)
		if third := e.enqueue(task.New{Kind: "a", Dedupe: "sync 1", Reservations: exclusive("r")}); third == first {
			t.Error("an identical request while the task runs: got the running task")
		}
	})
}

func TestProgressSumsUp(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engine) {
		id := e.group(task.New{Kind: "a"}, task.New{Kind: "a"})
		claimed := e.claim(2)
		total := int64(10)
		report := func(i int, done int64) task.Report {
			return task.Report{TaskID: claimed[i].ID, Code: "bytes", Message: "Bytes", Unit: task.Bytes, Done: done, Total: &total}
		}
		for _, done := range []int64{1, 4} {
			if _, err := e.Cycle(t.Context(), e.worker, nil, []task.Report{report(0, done), report(1, 2*done)}, task.Vacancies{}); err != nil {
				t.Fatal(err)
			}
		}
		groups, err := e.GroupsByID(t.Context(), []task.GroupID{id})
		if err != nil {
			t.Fatal(err)
		}
		if p := groups[0].Progress; p.BytesDone != 12 || p.BytesTotal != 20 || p.ItemsTotal != 0 {
			t.Errorf("progress of the group: got %+v", p)
		}
		tasks, err := e.TasksByID(t.Context(), ids(claimed))
		if err != nil {
			t.Fatal(err)
		}
		if p := tasks[1].Progress; p.BytesDone != 8 || p.BytesTotal != 10 {
			t.Errorf("progress of a member: got %+v", p)
		}
	})
}
