package db_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"ream/db"
	"ream/db/dbtest"
	"ream/fault"
	"ream/page"
	"ream/task"
)

// The rules of the engine, as plainly as they can be said: everything in one
// map, looked through from the start at each step. The engine must do the same.

// modelTask is a task as the rules see it.
type modelTask struct {
	id         task.ID
	kind       task.Kind
	group      task.GroupID
	parent     task.ID
	retryOf    task.ID
	priority   int
	position   int64
	reserves   map[string]task.Access
	granted    map[string]bool
	after      []task.ID
	admitted   bool // has one of the places of a group with a limit
	state      task.State
	attempt    int
	worker     task.WorkerID
	errorCode  string
	wasStarted bool
}

type modelGroup struct {
	id         task.GroupID
	maxRunning int
	retryOf    task.GroupID
	canceled   bool
	revision   int64
	final      *task.Group // what it was when it was first seen finished
}

type model struct {
	tasks   map[task.ID]*modelTask
	groups  map[task.GroupID]*modelGroup
	workers map[task.WorkerID]bool // those that are alive
}

func newModel() *model {
	return &model{tasks: map[task.ID]*modelTask{}, groups: map[task.GroupID]*modelGroup{}, workers: map[task.WorkerID]bool{}}
}

// inLine are the unfinished tasks in the order in which they are taken.
func (m *model) inLine(which func(*modelTask) bool) []*modelTask {
	var line []*modelTask
	for _, t := range m.tasks {
		if !t.state.Finished() && which(t) {
			line = append(line, t)
		}
	}
	slices.SortFunc(line, func(a, b *modelTask) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.position, b.position), cmp.Compare(a.id, b.id))
	})
	return line
}

// byPlace orders tasks as the lines of resources do, which know no priority.
func byPlace(line []*modelTask) []*modelTask {
	slices.SortFunc(line, func(a, b *modelTask) int {
		return cmp.Or(cmp.Compare(a.position, b.position), cmp.Compare(a.id, b.id))
	})
	return line
}

// blockers counts what a waiting task waits for, but for its group's gate.
func (m *model) blockers(t *modelTask) int {
	n := 0
	for r := range t.reserves {
		if !t.granted[r] {
			n++
		}
	}
	for _, id := range t.after {
		if m.tasks[id].state != task.Completed {
			n++
		}
	}
	return n
}

func (m *model) limited(t *modelTask) bool { return t.group != 0 && m.groups[t.group].maxRunning > 0 }

func (m *model) ready(t *modelTask) bool {
	return t.state == task.Waiting && m.blockers(t) == 0 && (!m.limited(t) || t.admitted)
}

// advance lets whoever can go on: it skips what comes after something that did
// not complete, grants resources, and fills the places of groups.
func (m *model) advance() {
	for again := true; again; {
		again = false
		for _, t := range m.tasks {
			if t.state != task.Waiting {
				continue
			}
			for _, id := range t.after {
				if s := m.tasks[id].state; s.Finished() && s != task.Completed {
					t.state, t.errorCode, again = task.Skipped, task.CodeSkipped, true
				}
			}
		}
	}
	resources := map[string]bool{}
	for _, t := range m.tasks {
		for r := range t.reserves {
			resources[r] = true
		}
	}
	for r := range resources {
		m.grant(r)
	}
	for _, g := range m.groups {
		if g.maxRunning == 0 {
			continue
		}
		admitted := len(m.inLine(func(t *modelTask) bool { return t.group == g.id && t.admitted }))
		for _, t := range m.inLine(func(t *modelTask) bool {
			return t.group == g.id && t.state == task.Waiting && !t.admitted && m.blockers(t) == 0
		}) {
			if admitted < g.maxRunning {
				t.admitted = true
				admitted++
			}
		}
	}
}

// grant gives a resource to those at the head of its line.
func (m *model) grant(r string) {
	reserving := func(t *modelTask) bool { _, ok := t.reserves[r]; return ok }
	var held []task.Access
	for _, t := range m.inLine(reserving) {
		if t.granted[r] {
			held = append(held, t.reserves[r])
		}
	}
	for _, t := range byPlace(m.inLine(func(t *modelTask) bool { return reserving(t) && !t.granted[r] })) {
		if len(held) > 0 && (t.reserves[r] == task.Exclusive || held[0] == task.Exclusive) {
			return
		}
		t.granted[r] = true
		held = append(held, t.reserves[r])
	}
}

// add queues tasks, as their ids say. Spawned ones go into the middle of the
// lines: what was granted behind them is taken back from tasks that wait.
func (m *model) add(added []*modelTask, spawned bool) {
	for _, t := range added {
		m.tasks[t.id] = t
	}
	if spawned {
		for _, t := range m.inLine(func(t *modelTask) bool { return t.state == task.Waiting && t.position > added[0].position }) {
			for _, child := range added {
				for r := range child.reserves {
					if t.granted[r] {
						delete(t.granted, r)
						t.admitted = false
					}
				}
			}
		}
	}
	m.advance()
}

func (m *model) cancel(ids []task.ID) {
	for _, id := range ids {
		switch t := m.tasks[id]; t.state {
		case task.Waiting:
			t.state = task.Canceled
		case task.Running:
			t.state = task.Canceling
		}
	}
	m.advance()
}

func (m *model) family(id task.ID) []task.ID {
	ids := []task.ID{id}
	for i := 0; i < len(ids); i++ {
		for _, t := range m.tasks {
			if t.parent == ids[i] {
				ids = append(ids, t.id)
			}
		}
	}
	return ids
}

func (m *model) claim(room task.Vacancies) []task.ID {
	var ids []task.ID
	left := maps.Clone(room.Of)
	for _, t := range m.inLine(m.ready) {
		if len(ids) < room.Total && left[t.kind] > 0 {
			left[t.kind]--
			ids = append(ids, t.id)
		}
	}
	return ids
}

// drop is what becomes of a worker's tasks when it is given up.
func (m *model) drop(w task.WorkerID) {
	delete(m.workers, w)
	for _, t := range m.tasks {
		if t.worker != w || t.state != task.Running && t.state != task.Canceling {
			continue
		}
		switch {
		case t.state == task.Canceling:
			t.state = task.Canceled
		case t.attempt >= 3:
			t.state, t.errorCode = task.Failed, task.CodeWorkerLost
		default:
			t.state, t.worker = task.Waiting, 0
		}
	}
	m.advance()
}

func (m *model) counts(group task.GroupID) task.Counts {
	var c task.Counts
	for _, t := range m.tasks {
		if t.group == group {
			c.Add(t.state, 1)
		}
	}
	return c
}

// rehearsal does random things to a database and to the model, and compares.
type rehearsal struct {
	t      *testing.T
	ctx    context.Context //nolint:containedctx // of the test
	r      *rand.Rand
	m      *model
	store  *db.DB
	now    time.Time
	reopen func() *db.DB // another process
	raw    *sql.DB
	log    []string
}

var modelKinds = []task.Kind{"a", "b", "c"}

func (x *rehearsal) fatalf(format string, args ...any) {
	x.t.Helper()
	for _, line := range x.log[max(0, len(x.log)-25):] {
		x.t.Log(line)
	}
	x.t.Fatalf(format, args...)
}

func (x *rehearsal) must(err error) {
	x.t.Helper()
	if err != nil {
		x.fatalf("%v", err)
	}
}

func (x *rehearsal) note(format string, args ...any) {
	x.log = append(x.log, fmt.Sprintf(format, args...))
}

// newTasks makes up a batch.
func (x *rehearsal) newTasks(n int) []task.New {
	tasks := make([]task.New, n)
	for i := range tasks {
		t := task.New{Kind: modelKinds[x.r.IntN(len(modelKinds))], Name: "t", Priority: []task.Priority{task.High, task.Normal, task.Normal, task.Low}[x.r.IntN(4)]}
		for range x.r.IntN(3) {
			t.Reservations = append(t.Reservations, task.Reservation{Resource: "r-" + strconv.Itoa(x.r.IntN(6)), Access: x.r.IntN(2) == 0})
		}
		for range x.r.IntN(2) {
			if i > 0 {
				t.After = append(t.After, x.r.IntN(i))
			}
		}
		tasks[i] = t
	}
	return tasks
}

// enter puts a batch that the engine numbered into the model.
func (x *rehearsal) enter(ids []task.ID, tasks []task.New, group task.GroupID, parent *modelTask) {
	added := make([]*modelTask, len(tasks))
	for i, n := range tasks {
		t := &modelTask{id: ids[i], kind: n.Kind, group: group, retryOf: n.RetryOf, priority: map[task.Priority]int{task.High: 1, task.Normal: 2, task.Low: 3}[n.Priority],
			position: int64(ids[i]), reserves: map[string]task.Access{}, granted: map[string]bool{}, state: task.Waiting}
		if parent != nil {
			t.parent, t.position = parent.id, parent.position
		}
		for _, r := range n.Reservations {
			t.reserves[r.Resource] = t.reserves[r.Resource] || r.Access
		}
		for _, at := range n.After {
			t.after = append(t.after, ids[at])
		}
		added[i] = t
	}
	x.m.add(added, parent != nil)
}

// members are the IDs of a group's tasks, oldest first.
func (x *rehearsal) members(id task.GroupID) []task.ID {
	var ids []task.ID
	for after := ""; ; {
		p, err := x.store.TasksOf(x.ctx, task.MemberOf, []int64{int64(id)}, task.Filter{}, page.Request{First: 100, After: after})
		x.must(err)
		for _, item := range p[0].Items {
			ids, after = append(ids, item.Node.ID), item.Key
		}
		if !p[0].HasNext {
			return ids
		}
	}
}

func (x *rehearsal) enqueueOne() {
	tasks := x.newTasks(1)
	var id task.ID
	x.must(x.store.InTx(x.ctx, func(tx *db.Tx) (err error) { id, err = tx.Enqueue(x.ctx, tasks[0]); return err }))
	x.note("enqueue %s", id)
	x.enter([]task.ID{id}, tasks, 0, nil)
}

func (x *rehearsal) enqueueGroup() {
	g := task.NewGroup{Name: "g", Tasks: x.newTasks(x.r.IntN(8))}
	if x.r.IntN(2) == 0 {
		g.MaxRunning = 1 + x.r.IntN(3)
	}
	var id task.GroupID
	x.must(x.store.InTx(x.ctx, func(tx *db.Tx) (err error) { id, err = tx.EnqueueGroup(x.ctx, g); return err }))
	x.note("enqueue %s of %d, limit %d", id, len(g.Tasks), g.MaxRunning)
	x.m.groups[id] = &modelGroup{id: id, maxRunning: g.MaxRunning}
	if len(g.Tasks) > 0 {
		x.enter(x.members(id), g.Tasks, id, nil)
	}
}

// pick returns one of the tasks in some state, or nil.
func (x *rehearsal) pick(states ...task.State) *modelTask {
	var ids []task.ID
	for id, t := range x.m.tasks {
		if slices.Contains(states, t.state) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	return x.m.tasks[ids[x.r.IntN(len(ids))]]
}

func (x *rehearsal) fence(t *modelTask) task.Fence {
	return task.Fence{Task: t.id, Worker: t.worker, Attempt: t.attempt}
}

func (x *rehearsal) spawn() {
	parent := x.pick(task.Running, task.Canceling)
	if parent == nil {
		return
	}
	tasks := x.newTasks(1 + x.r.IntN(3))
	var ids []task.ID
	err := x.store.InTx(x.ctx, func(tx *db.Tx) (err error) {
		ids, err = tx.Spawn(x.ctx, x.fence(parent), "children", tasks)
		return err
	})
	x.note("%s spawns %v: %v", parent.id, ids, err)
	if parent.state == task.Canceling || parent.group != 0 && x.m.groups[parent.group].canceled {
		if !fault.Is(err, fault.Conflict) {
			x.fatalf("spawn by a canceled task or in a canceled group: got %v, want a conflict", err)
		}
		return
	}
	x.must(err)
	group := parent.group
	if group == 0 {
		found, err := x.store.TasksByID(x.ctx, ids[:1])
		x.must(err)
		group = found[0].GroupID
		if group == 0 || x.m.groups[group] != nil {
			x.fatalf("children of a lone task are in %s, want a new group", group)
		}
		x.m.groups[group] = &modelGroup{id: group}
	}
	x.enter(ids, tasks, group, parent)
}

func (x *rehearsal) registerWorker() task.WorkerID {
	id, err := x.store.Register(x.ctx, task.Worker{Host: "h", PID: 1, Slots: 9})
	x.must(err)
	x.m.workers[id] = true
	return id
}

func (x *rehearsal) someWorker() task.WorkerID {
	if len(x.m.workers) < 3 {
		return x.registerWorker()
	}
	ids := slices.Sorted(maps.Keys(x.m.workers))
	return ids[x.r.IntN(len(ids))]
}

// cycle is a turn of a worker: some of its tasks end somehow, and it claims.
func (x *rehearsal) cycle() {
	w := x.someWorker()
	var outcomes []task.Outcome
	for _, t := range x.m.inLine(func(t *modelTask) bool {
		return t.worker == w && (t.state == task.Running || t.state == task.Canceling)
	}) {
		if x.r.IntN(3) == 0 {
			continue
		}
		o := task.Outcome{Fence: x.fence(t), State: task.Completed}
		switch x.r.IntN(8) {
		case 0:
			o.State, o.Error = task.Failed, &task.Error{Code: "BAD_INPUT", Message: "no"}
		case 1:
			o.State = task.Waiting
		case 2: // of a life that is over
			stale := o
			stale.Fence.Attempt--
			outcomes = append(outcomes, stale)
			continue
		}
		outcomes = append(outcomes, o)
	}
	room := task.Vacancies{Total: x.r.IntN(6), Of: map[task.Kind]int{}}
	for _, kind := range modelKinds {
		if x.r.IntN(5) > 0 {
			room.Of[kind] = x.r.IntN(4)
		}
	}
	claimed, err := x.store.Cycle(x.ctx, w, outcomes, nil, room)
	x.must(err)
	x.note("%s: outcomes %v, claims %v", w, outcomes, ids(claimed))
	// First what did not complete, then what did: as the engine does.
	for _, completed := range []bool{false, true} {
		for _, o := range outcomes {
			if t := x.m.tasks[o.Fence.Task]; (o.State == task.Completed) == completed && o.Fence == x.fence(t) {
				x.end(t, o)
			}
		}
		x.m.advance() // at once: a batch is one transaction
	}
	want := x.m.claim(room)
	// A canceled task that claims to have completed ends after the claim.
	if got := ids(claimed); !slices.Equal(got, want) {
		x.fatalf("claimed with room %+v: got %v, want %v", room, got, want)
	}
	for _, id := range want {
		t := x.m.tasks[id]
		t.state, t.worker, t.wasStarted = task.Running, w, true
		t.attempt++
	}
	x.late()
}

// end is what becomes of a task that a worker has done with. A canceled one
// that completed all the same is recorded after the claim: see late.
func (x *rehearsal) end(t *modelTask, o task.Outcome) {
	switch {
	case t.state == task.Canceling && o.State == task.Completed:
		t.state = "surprising"
		return
	case t.state == task.Canceling:
		t.state = task.Canceled
	case o.State == task.Waiting:
		t.state, t.worker = task.Waiting, 0
		t.attempt--
	default:
		t.state = o.State
		if o.Error != nil {
			t.errorCode = o.Error.Code
		}
	}
}

// late records the canceled tasks whose handlers completed all the same.
func (x *rehearsal) late() {
	for _, t := range x.m.tasks {
		if t.state == "surprising" {
			t.state = task.Canceled
		}
	}
	x.m.advance()
}

func (x *rehearsal) cancel() {
	if x.r.IntN(2) == 0 {
		t := x.pick(task.Waiting, task.Running, task.Canceling, task.Completed)
		if t == nil {
			return
		}
		x.note("cancel %s", t.id)
		x.must(x.store.CancelTask(x.ctx, t.id))
		x.m.cancel(x.m.family(t.id))
		return
	}
	groups := slices.Sorted(maps.Keys(x.m.groups))
	if len(groups) == 0 {
		return
	}
	g := x.m.groups[groups[x.r.IntN(len(groups))]]
	x.note("cancel %s", g.id)
	x.must(x.store.CancelGroup(x.ctx, g.id))
	if left := x.m.inLine(func(t *modelTask) bool { return t.group == g.id && t.state != task.Canceling }); len(left) > 0 {
		g.canceled = true
		var all []task.ID
		for _, t := range left {
			all = append(all, t.id)
		}
		x.m.cancel(all)
	}
}

// lose lets a worker fall silent until its lease is over.
func (x *rehearsal) lose() {
	if len(x.m.workers) == 0 {
		return
	}
	w := x.someWorker()
	x.note("%s is lost", w)
	x.silence(w)
	if _, err := x.store.Recover(x.ctx, time.Minute); err != nil {
		x.fatalf("%v", err)
	}
	if alive, err := x.store.Heartbeat(x.ctx, w); err != nil || alive {
		x.fatalf("heartbeat of a lost worker: got %v, %v", alive, err)
	}
	x.m.drop(w)
}

// silence makes a worker's last heartbeat an old one.
func (x *rehearsal) silence(w task.WorkerID) {
	_, err := x.raw.ExecContext(x.ctx, fmt.Sprintf("UPDATE worker SET heartbeat_at = heartbeat_at - 120000000 WHERE id = %d", w))
	x.must(err)
}

func (x *rehearsal) stopWorker() {
	if len(x.m.workers) == 0 {
		return
	}
	w := x.someWorker()
	x.note("%s stops", w)
	x.must(x.store.Unregister(x.ctx, w))
	x.m.drop(w)
}

func (x *rehearsal) restart() {
	x.note("restart")
	x.must(x.store.Close())
	x.store = x.reopen()
}

func (x *rehearsal) retry() {
	if x.r.IntN(2) == 0 {
		t := x.pick(task.Failed, task.Canceled, task.Skipped, task.Completed, task.Running)
		if t == nil {
			return
		}
		var again task.ID
		err := x.store.InTx(x.ctx, func(tx *db.Tx) (err error) { again, err = tx.RetryTask(x.ctx, t.id); return err })
		x.note("retry %s: %s %v", t.id, again, err)
		if t.state == task.Completed || !t.state.Finished() {
			if !fault.Is(err, fault.Conflict) {
				x.fatalf("retry of %s, which is %s: got %v, want a conflict", t.id, t.state, err)
			}
			return
		}
		x.must(err)
		if twin := x.m.tasks[again]; twin != nil {
			if twin.retryOf != t.id || twin.state.Finished() || twin.state == task.Canceling {
				x.fatalf("retry of %s: got %s, which is no unfinished retry of it", t.id, again)
			}
			return
		}
		x.enterRetries([]task.ID{again}, 0)
		return
	}
	groups := slices.Sorted(maps.Keys(x.m.groups))
	if len(groups) == 0 {
		return
	}
	g := x.m.groups[groups[x.r.IntN(len(groups))]]
	var again task.GroupID
	err := x.store.InTx(x.ctx, func(tx *db.Tx) (err error) { again, err = tx.RetryGroup(x.ctx, g.id); return err })
	x.note("retry %s: %s %v", g.id, again, err)
	if c := x.m.counts(g.id); c.Unfinished() > 0 || c.Completed == c.Total() {
		if !fault.Is(err, fault.Conflict) {
			x.fatalf("retry of %s, with %+v: got %v, want a conflict", g.id, c, err)
		}
		return
	}
	x.must(err)
	if twin := x.m.groups[again]; twin != nil {
		if twin.retryOf != g.id || twin.canceled || x.m.counts(again).Unfinished() == 0 {
			x.fatalf("retry of %s: got %s, which is no unfinished retry of it", g.id, again)
		}
		return
	}
	x.m.groups[again] = &modelGroup{id: again, maxRunning: g.maxRunning, retryOf: g.id}
	want := map[task.ID]bool{}
	for _, t := range x.m.tasks {
		if t.group == g.id && t.state != task.Completed && !x.respawned(t) {
			want[t.id] = true
		}
	}
	members := x.members(again)
	x.enterRetries(members, again)
	for _, id := range members {
		if t := x.m.tasks[id]; !want[t.retryOf] {
			x.fatalf("retry of %s: %s does %s again", g.id, id, t.retryOf)
		}
	}
	if len(members) != len(want) {
		x.fatalf("retry of %s: got %d members, want %d", g.id, len(members), len(want))
	}
}

// respawned tells whether a task will be spawned again by a retry of its group.
func (x *rehearsal) respawned(t *modelTask) bool {
	for p := x.m.tasks[t.parent]; p != nil; p = x.m.tasks[p.parent] {
		if p.group == t.group && p.state != task.Completed {
			return true
		}
	}
	return false
}

// enterRetries puts retries into the model: like what they do again.
func (x *rehearsal) enterRetries(again []task.ID, group task.GroupID) {
	found, err := x.store.TasksByID(x.ctx, again)
	x.must(err)
	index := map[task.ID]int{}
	tasks := make([]task.New, len(found))
	for i, t := range found {
		old := x.m.tasks[t.RetryOf]
		index[old.id] = i
		n := task.New{Kind: old.kind, Priority: t.Priority, RetryOf: old.id}
		for r, access := range old.reserves {
			n.Reservations = append(n.Reservations, task.Reservation{Resource: r, Access: access})
		}
		for _, id := range old.after {
			if at, ok := index[id]; ok {
				n.After = append(n.After, at)
			}
		}
		tasks[i] = n
	}
	x.enter(again, tasks, group, nil)
}

// compare checks everything that can be seen against the model.
func (x *rehearsal) compare() {
	all := slices.Sorted(maps.Keys(x.m.tasks))
	for chunk := range slices.Chunk(all, 500) {
		found, err := x.store.TasksByID(x.ctx, chunk)
		x.must(err)
		for i, got := range found {
			want := x.m.tasks[chunk[i]]
			code := ""
			if got.Error != nil {
				code = got.Error.Code
			}
			if got.State != want.state || got.GroupID != want.group || got.ParentID != want.parent || got.RetryOf != want.retryOf || code != want.errorCode ||
				!want.state.Finished() && (got.Attempt != want.attempt || got.WorkerID != want.worker) {
				x.fatalf("%s: got %s %q of %s by %s, attempt %d; want %s %q of %s by %s, attempt %d", got.ID, got.State, code, got.GroupID, got.WorkerID, got.Attempt,
					want.state, want.errorCode, want.group, want.worker, want.attempt)
			}
		}
	}
	x.compareGroups()
	x.compareLines()
}

func (x *rehearsal) compareGroups() {
	var sum task.Counts
	add := func(c task.Counts) {
		for _, s := range []task.State{task.Waiting, task.Running, task.Completed, task.Failed, task.Canceling, task.Canceled, task.Skipped} {
			n := map[task.State]int{task.Waiting: c.Waiting, task.Running: c.Running, task.Completed: c.Completed, task.Failed: c.Failed,
				task.Canceling: c.Canceling, task.Canceled: c.Canceled, task.Skipped: c.Skipped}[s]
			sum.Add(s, n)
		}
	}
	add(x.m.counts(0))
	all := slices.Sorted(maps.Keys(x.m.groups))
	found, err := x.store.GroupsByID(x.ctx, all)
	x.must(err)
	for i, got := range found {
		g, want := x.m.groups[all[i]], x.m.counts(all[i])
		add(want)
		if got.Tally.Revision < g.revision {
			x.fatalf("the revision of %s shrank from %d to %d", g.id, g.revision, got.Tally.Revision)
		}
		if last := got.Tally.Revision; last == g.revision && want != without(got.Tally) {
			x.fatalf("the counts of %s changed without its revision", g.id)
		}
		g.revision = got.Tally.Revision
		if without(got.Tally) != want || (got.CanceledAt != nil) != g.canceled || (got.FinishedAt != nil) != (want.Unfinished() == 0) {
			x.fatalf("%s: got %+v canceled %v finished %v; want %+v canceled %v", g.id, got.Tally, got.CanceledAt != nil, got.FinishedAt != nil, want, g.canceled)
		}
		if !got.Finished() {
			continue
		}
		if g.final == nil {
			g.final = got
		}
		if g.final.Tally != got.Tally || !g.final.FinishedAt.Equal(*got.FinishedAt) {
			x.fatalf("%s changed after it was finished: from %+v to %+v", g.id, g.final, got)
		}
	}
	queue, err := x.store.Queue(x.ctx)
	x.must(err)
	if without(queue.Tally) != sum {
		x.fatalf("the queue's counts: got %+v, want %+v", queue.Tally, sum)
	}
}

func without(c task.Counts) task.Counts { c.Revision = 0; return c }

// compareLines checks what only the tables tell: who holds what, and that what
// blocks each task was counted right.
func (x *rehearsal) compareLines() {
	rows, err := x.raw.QueryContext(x.ctx, `SELECT task_id, blocked_by, gate FROM task_queue`)
	x.must(err)
	defer rows.Close()
	n := 0
	for rows.Next() {
		var id task.ID
		var blocked, gate int
		x.must(rows.Scan(&id, &blocked, &gate))
		n++
		t := x.m.tasks[id]
		want, wantGate := x.m.blockers(t), 0
		if x.m.limited(t) {
			wantGate = 2
			if !t.admitted {
				wantGate = 1
				want++
			}
		}
		if t.state.Finished() || blocked != want || gate != wantGate {
			x.fatalf("%s, %s: blocked by %d at gate %d, want %d at %d", id, t.state, blocked, gate, want, wantGate)
		}
	}
	x.must(rows.Err())
	if want := len(x.m.inLine(func(*modelTask) bool { return true })); n != want {
		x.fatalf("the queue has %d tasks, want %d", n, want)
	}
	held, err := x.raw.QueryContext(x.ctx, `SELECT v.task_id, r.name, v.exclusive, v.granted FROM reservation v JOIN resource r ON r.id = v.resource_id`)
	x.must(err)
	defer held.Close()
	holders := map[string][]task.Access{}
	for held.Next() {
		var id task.ID
		var name string
		var exclusive, granted bool
		x.must(held.Scan(&id, &name, &exclusive, &granted))
		t := x.m.tasks[id]
		if t.state.Finished() || bool(t.reserves[name]) != exclusive || t.granted[name] != granted {
			x.fatalf("%s, %s, on %s: exclusive %v granted %v, want %v %v", id, t.state, name, exclusive, granted, t.reserves[name], t.granted[name])
		}
		if granted {
			holders[name] = append(holders[name], task.Access(exclusive))
		}
	}
	x.must(held.Err())
	for name, who := range holders {
		if len(who) > 1 && slices.Contains(who, task.Exclusive) {
			x.fatalf("%s is held exclusively and by %d", name, len(who))
		}
	}
}

// finish lets all work end, and checks that nothing is left.
func (x *rehearsal) finish() {
	everything := task.Vacancies{Total: 1000, Of: map[task.Kind]int{"a": 1000, "b": 1000, "c": 1000}}
	for _, w := range slices.Sorted(maps.Keys(x.m.workers)) {
		x.must(x.store.Unregister(x.ctx, w))
		x.m.drop(w)
	}
	w := x.registerWorker()
	for len(x.m.inLine(func(*modelTask) bool { return true })) > 0 {
		claimed, err := x.store.Cycle(x.ctx, w, nil, nil, everything)
		x.must(err)
		want := x.m.claim(everything)
		if got := ids(claimed); !slices.Equal(got, want) || len(got) == 0 {
			x.fatalf("at the end: claimed %v, want %v", got, want)
		}
		var outcomes []task.Outcome
		for _, t := range claimed {
			x.m.tasks[t.ID].state, x.m.tasks[t.ID].worker = task.Completed, w
			x.m.tasks[t.ID].attempt++
			outcomes = append(outcomes, task.Outcome{Fence: fence(t), State: task.Completed})
		}
		x.m.advance()
		_, err = x.store.Cycle(x.ctx, w, outcomes, nil, task.Vacancies{})
		x.must(err)
	}
	x.compare()
}

// modelVariable is for how long TestModel runs on each database, as Go writes
// durations; a moment if it is unset.
const modelVariable = "REAM_TEST_MODEL"

// TestModel does thousands of random things and compares the engine with the
// rules after each. The seed is printed; REAM_TEST_SEED repeats a run.
func TestModel(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("REAM_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	limit, err := time.ParseDuration(cmp.Or(os.Getenv(modelVariable), "3s"))
	if err != nil {
		t.Fatal(err)
	}
	for name, address := range modelDatabases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			end := time.Now().Add(limit)
			for round := uint64(0); time.Now().Before(end); round++ {
				rehearse(t, address(t), seed+round)
			}
		})
	}
}

func modelDatabases(t *testing.T) map[string]func(*testing.T) string {
	t.Helper()
	databases := map[string]func(*testing.T) string{"sqlite": func(t *testing.T) string { t.Helper(); return t.TempDir() + "/ream.db" }}
	if os.Getenv(dbtest.Variable) != "" {
		databases["postgres"] = dbtest.PostgresAddress
	}
	return databases
}

// openRaw opens a database beside the engine, to see and to do what the engine
// does not offer. It is closed with the test.
func openRaw(t *testing.T, address string) *sql.DB {
	t.Helper()
	driver := "postgres"
	if address[0] == '/' {
		driver = "sqlite"
		address += "?_pragma=busy_timeout(10000)"
	}
	raw, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	return raw
}

func rehearse(t *testing.T, address string, seed uint64) {
	t.Helper()
	t.Logf("seed %d", seed)
	x := &rehearsal{t: t, ctx: t.Context(), r: rand.New(rand.NewPCG(seed, 1)), m: newModel(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	x.reopen = func() *db.DB {
		d, err := db.Open(x.ctx, address, db.Options{Now: func() time.Time { return x.now }})
		x.must(err)
		return d
	}
	x.store = x.reopen()
	defer func() { x.must(x.store.Close()) }()
	x.raw = openRaw(t, address)
	steps := []struct {
		weight int
		do     func()
	}{{6, x.enqueueOne}, {4, x.enqueueGroup}, {8, x.spawn}, {30, x.cycle}, {6, x.cancel}, {2, x.lose}, {1, x.stopWorker}, {1, x.restart}, {4, x.retry}}
	total := 0
	for _, s := range steps {
		total += s.weight
	}
	for range 300 {
		x.now = x.now.Add(time.Duration(x.r.Int64N(int64(2*time.Hour))) - time.Hour/2) // clocks jump, backwards too
		n := x.r.IntN(total)
		for _, s := range steps {
			if n -= s.weight; n < 0 {
				s.do()
				break
			}
		}
		x.compare()
	}
	x.finish()
}
