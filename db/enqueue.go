package db

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jmoiron/sqlx"

	"ream/fault"
	"ream/task"
)

// Enqueue queues a task that belongs to no group and returns its ID. While a
// task with the same Dedupe text waits, it returns that one's.
func (tx *Tx) Enqueue(ctx context.Context, t task.New) (task.ID, error) {
	ids, err := tx.enqueue(ctx, placement{}, []task.New{t})
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// EnqueueGroup queues tasks as the members of a new group. A group without
// members is finished at birth.
func (tx *Tx) EnqueueGroup(ctx context.Context, g task.NewGroup) (task.GroupID, error) {
	id, err := tx.createGroup(ctx, g)
	if err != nil {
		return 0, err
	}
	_, err = tx.enqueue(ctx, placement{group: id, limited: g.MaxRunning > 0}, g.Tasks)
	return id, err
}

func (tx *Tx) createGroup(ctx context.Context, g task.NewGroup) (task.GroupID, error) {
	ids, err := tx.nextIDs(ctx, "task_group", 1)
	if err != nil {
		return 0, err
	}
	id, now := task.GroupID(ids[0]), micros(tx.now())
	var finished *int64
	if len(g.Tasks) == 0 {
		finished = &now
	}
	_, err = tx.exec(ctx, `INSERT INTO task_group(id, name, max_running, retry_of, labels, created_at, finished_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		id, g.Name, orNull(g.MaxRunning), orNull(g.RetryOf), orNull(tx.limit()), now, finished)
	return id, err
}

// orNull is the argument for a column that is null instead of zero.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// Spawn queues children of a running task, in its place in line and in its
// group. If the task belongs to none, they form a new group with the given
// name. It returns a Conflict if the task or its group was canceled, or if the
// fence no longer fits.
func (tx *Tx) Spawn(ctx context.Context, parent task.Fence, name string, tasks []task.New) ([]task.ID, error) {
	if len(tasks) == 0 {
		return nil, nil
	}
	row, err := tx.fenced(ctx, parent, "")
	if err != nil {
		return nil, err
	}
	p := placement{group: row.Group, limited: row.Gate != gateNone, joins: row.Group != 0, parent: parent, position: row.Position}
	if p.group == 0 {
		if p.group, err = tx.createGroup(ctx, task.NewGroup{Name: name, Tasks: tasks}); err != nil {
			return nil, err
		}
	}
	return tx.enqueue(ctx, p, tasks)
}

// Hold checks that the fence fits and keeps its task running until the
// transaction ends, so that what else it changes belongs to a task that is
// still its worker's. It returns a Conflict if the task was canceled or given
// to another worker.
func (tx *Tx) Hold(ctx context.Context, fence task.Fence) error {
	_, err := tx.fenced(ctx, fence, tx.d.forUpdate)
	return err
}

type fencedRow struct {
	Group    task.GroupID `db:"group_id"`
	Position int64        `db:"position"`
	Gate     gate         `db:"gate"`
	Canceled bool         `db:"canceled"`
}

func (tx *Tx) fenced(ctx context.Context, f task.Fence, lock string) (fencedRow, error) {
	var row fencedRow
	ok, err := tx.found(ctx, &row, `SELECT COALESCE(group_id, 0) AS group_id, position, gate, canceled_at IS NOT NULL AS canceled
		FROM task_queue WHERE task_id = ? AND worker_id = ? AND attempt = ?`+lock, f.Task, f.Worker, f.Attempt)
	switch {
	case err != nil:
		return row, err
	case !ok:
		return row, fault.New(fault.Conflict, "%s runs elsewhere by now", f.Task)
	case row.Canceled:
		return row, fault.New(fault.Conflict, "%s is canceled", f.Task)
	}
	return row, nil
}

// placement is where new tasks belong.
type placement struct {
	group    task.GroupID
	limited  bool       // the group has a limit, so members begin at its gate
	joins    bool       // the group exists already, and may have been canceled
	parent   task.Fence // zero for what a request queues
	position int64      // of the parent; 0 for a task's own number
	trace    string     // the span that queues them; empty without
}

// Rows of the bulk inserts.
type (
	newTask struct {
		ID       task.ID       `json:"id"`
		Kind     task.Kind     `json:"kind"`
		Name     string        `json:"name"`
		Priority int           `json:"priority"`
		Position int64         `json:"position"`
		Parent   *task.ID      `json:"parent_id,omitempty"`
		Group    *task.GroupID `json:"group_id,omitempty"`
		RetryOf  *task.ID      `json:"retry_of,omitempty"`
		Args     string        `json:"args"`
		Reserves *string       `json:"reserves,omitempty"`
		After    *string       `json:"after_tasks,omitempty"`
		Trace    *string       `json:"trace,omitempty"`
		Blocked  int           `json:"blocked_by"`
		Gate     gate          `json:"gate"`
		Dedupe   *string       `json:"dedupe,omitempty"`
		About    *int64        `json:"repository_id,omitempty"`
	}
	newReservation struct {
		Task      task.ID `json:"task_id"`
		Resource  int64   `json:"resource_id"`
		Exclusive bool    `json:"exclusive"`
		Granted   bool    `json:"granted"`
		Position  int64   `json:"position"`
	}
	newAfter struct {
		Task  task.ID `json:"task_id"`
		After task.ID `json:"after_id"`
	}
)

// enqueue locks in the order that all transactions keep: resources, queue
// rows, groups, totals.
func (tx *Tx) enqueue(ctx context.Context, p placement, tasks []task.New) ([]task.ID, error) {
	if len(tasks) == 0 {
		return nil, nil
	}
	if err := tx.byIndex(ctx); err != nil {
		return nil, err
	}
	resources, err := tx.resourcesNamed(ctx, tasks)
	if err != nil {
		return nil, err
	}
	if t := tasks[0]; t.Dedupe != "" && len(tasks) == 1 {
		var twin task.ID
		ok, err := tx.found(ctx, &twin, `SELECT task_id FROM task_queue WHERE dedupe = ? AND worker_id IS NULL AND canceled_at IS NULL LIMIT 1`, t.Dedupe)
		if err != nil || ok {
			return []task.ID{twin}, err
		}
	}
	if p.parent.Task != 0 {
		if err := tx.Hold(ctx, p.parent); err != nil {
			return nil, err
		}
		tx.touched.task(p.parent.Task, false)
	}
	numbers, err := tx.nextIDs(ctx, "task", len(tasks))
	if err != nil {
		return nil, err
	}
	p.trace = task.TraceOf(ctx)
	batch, err := prepare(p, tasks, numbers, resources)
	if err != nil {
		return nil, err
	}
	if err := tx.insert(ctx, batch); err != nil {
		return nil, err
	}
	if err := tx.saveResources(ctx, resources); err != nil {
		return nil, err
	}
	d := deltas{}
	d.add(p.group, task.Waiting, len(tasks))
	d.of(p.group).atGate = p.limited
	if p.position != 0 && len(batch.reservations) > 0 {
		if err := tx.revoke(ctx, resources, p.position, d); err != nil {
			return nil, err
		}
		if err := tx.grant(ctx, resources, d); err != nil {
			return nil, err
		}
	}
	if p.joins {
		if err := tx.openGroup(ctx, p.group, d); err != nil {
			return nil, err
		}
	}
	if err := tx.noteRepositories(ctx, p.group, tasks); err != nil {
		return nil, err
	}
	if err := tx.count(ctx, d); err != nil {
		return nil, err
	}
	tx.touched.ready = true
	ids := make([]task.ID, len(tasks))
	for i, t := range batch.tasks {
		ids[i] = t.ID
	}
	return ids, nil
}

// batch is what enqueue inserts.
type batch struct {
	tasks        []newTask
	reservations []newReservation
	after        []newAfter
}

// prepare numbers the tasks and grants what is free. Spawned tasks go into the
// middle of the lines, so their reservations are granted later.
func prepare(p placement, tasks []task.New, numbers []int64, resources resources) (batch, error) {
	b := batch{tasks: make([]newTask, 0, len(tasks))}
	named := resources.byName()
	for i, t := range tasks {
		id := task.ID(numbers[i])
		args, err := json.Marshal(t.Args)
		if err != nil {
			return b, fmt.Errorf("arguments of %s: %w", t.Kind, err)
		}
		row := newTask{ID: id, Kind: t.Kind, Name: t.Name, Priority: priorityNumber(t.Priority), Position: cmp.Or(p.position, int64(id)), Args: string(args),
			Parent: orNull(p.parent.Task), Group: orNull(p.group), RetryOf: orNull(t.RetryOf), Dedupe: orNull(t.Dedupe), Trace: orNull(p.trace), About: orNull(t.RepositoryID)}
		if p.limited {
			row.Gate = gateClosed
			row.Blocked++
		}
		reserves := distinct(t.Reservations)
		row.Reserves = reservesText(reserves)
		for _, r := range reserves {
			resource := named[r.Resource]
			granted := p.position == 0 && resource.take(r.Access == task.Exclusive)
			if !granted {
				resource.Waiting++
				row.Blocked++
			}
			b.reservations = append(b.reservations, newReservation{id, resource.ID, r.Access == task.Exclusive, granted, row.Position})
		}
		var after []task.ID
		for _, index := range slices.Compact(slices.Sorted(slices.Values(t.After))) {
			if index < 0 || index >= i {
				return b, fmt.Errorf("task %d of the batch comes after task %d, which is not before it", i, index)
			}
			after = append(after, b.tasks[index].ID)
			b.after = append(b.after, newAfter{id, b.tasks[index].ID})
			row.Blocked++
		}
		if len(after) > 0 {
			row.After = orNull(encode(after))
		}
		b.tasks = append(b.tasks, row)
	}
	return b, nil
}

// reserved is a reservation as a task's row keeps it.
type reserved struct {
	Resource  string `json:"resource"`
	Exclusive bool   `json:"exclusive"`
}

func reservesText(rs []task.Reservation) *string {
	if len(rs) == 0 {
		return nil
	}
	kept := make([]reserved, len(rs))
	for i, r := range rs {
		kept[i] = reserved{r.Resource, bool(r.Access)}
	}
	return orNull(encode(kept))
}

// distinct merges reservations of the same resource: exclusive wins.
func distinct(rs []task.Reservation) []task.Reservation {
	if len(rs) < 2 {
		return rs
	}
	rs = slices.Clone(rs)
	slices.SortFunc(rs, func(a, b task.Reservation) int {
		exclusiveFirst := 0
		if a.Access != b.Access {
			exclusiveFirst = 1
			if a.Access == task.Exclusive {
				exclusiveFirst = -1
			}
		}
		return cmp.Or(cmp.Compare(a.Resource, b.Resource), exclusiveFirst)
	})
	return slices.CompactFunc(rs, func(a, b task.Reservation) bool { return a.Resource == b.Resource })
}

func (tx *Tx) insert(ctx context.Context, b batch) error {
	now := micros(tx.now())
	for chunk := range slices.Chunk(b.tasks, 10_000) {
		rows := encode(chunk)
		if _, err := tx.exec(ctx, `INSERT INTO task_queue(task_id, group_id, kind, priority, position, blocked_by, gate, dedupe, created_at)
			SELECT id, group_id, kind, priority, position, blocked_by, gate, dedupe, CAST(? AS bigint) FROM `+
			tx.d.rows("x", "id bigint", "group_id bigint", "kind text", "priority smallint", "position bigint", "blocked_by int", "gate smallint", "dedupe text"), now, rows); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `INSERT INTO task(id, kind, name, priority, position, parent_id, group_id, retry_of, args, reserves, after_tasks, trace, repository_id, created_at)
			SELECT id, kind, name, priority, position, parent_id, group_id, retry_of, args, reserves, after_tasks, trace, repository_id, CAST(? AS bigint) FROM `+
			tx.d.rows("x", "id bigint", "kind text", "name text", "priority smallint", "position bigint", "parent_id bigint", "group_id bigint", "retry_of bigint",
				"args text", "reserves text", "after_tasks text", "trace text", "repository_id bigint"), now, rows); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(b.reservations, 10_000) {
		if _, err := tx.exec(ctx, `INSERT INTO reservation(task_id, resource_id, exclusive, granted, position)
			SELECT task_id, resource_id, exclusive, granted, position FROM `+
			tx.d.rows("x", "task_id bigint", "resource_id bigint", "exclusive boolean", "granted boolean", "position bigint"), encode(chunk)); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(b.after, 10_000) {
		if _, err := tx.exec(ctx, `INSERT INTO task_after(task_id, after_id) SELECT task_id, after_id FROM `+
			tx.d.rows("x", "task_id bigint", "after_id bigint"), encode(chunk)); err != nil {
			return err
		}
	}
	return nil
}

// noteRepositories keeps what a group's new members are about. Others cannot
// do so meanwhile: they do not know the group yet, or its row is locked.
func (tx *Tx) noteRepositories(ctx context.Context, group task.GroupID, tasks []task.New) error {
	if group == 0 {
		return nil
	}
	type repository struct {
		ID int64 `json:"id"`
	}
	about := make([]repository, len(tasks))
	for i, t := range tasks {
		about[i].ID = t.RepositoryID
	}
	slices.SortFunc(about, func(a, b repository) int { return cmp.Compare(a.ID, b.ID) })
	_, err := tx.exec(ctx, `INSERT INTO task_group_repository(group_id, repository_id) SELECT CAST(? AS bigint), id FROM `+
		tx.d.rows("x", "id bigint")+` WHERE TRUE ON CONFLICT (group_id, repository_id) DO NOTHING`, group, encode(slices.Compact(about)))
	return err
}

// nextIDs reserves n ascending numbers, which are never given again.
func (tx *Tx) nextIDs(ctx context.Context, table string, n int) ([]int64, error) {
	if tx.d == &postgres {
		var ids []int64
		err := sqlx.SelectContext(ctx, tx.ext, &ids, `SELECT nextval(CAST($1 AS regclass)) FROM generate_series(1, $2) ORDER BY 1`, table+"_id_seq", n)
		return ids, err
	}
	var last int64
	if err := tx.get(ctx, &last, `UPDATE sequence SET last = last + ? WHERE name = ? RETURNING last`, n, table); err != nil {
		return nil, err
	}
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = last - int64(n-1-i)
	}
	return ids, nil
}

func priorityNumber(p task.Priority) int {
	switch p {
	case task.High:
		return 1
	case task.Low:
		return 3
	}
	return 2
}

func priorityOf(n int) task.Priority {
	switch n {
	case 1:
		return task.High
	case 3:
		return task.Low
	}
	return task.Normal
}
