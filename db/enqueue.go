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
func (tx *Tx) EnqueueGroup(ctx context.Context, name string, tasks []task.New) (task.GroupID, error) {
	ids, err := tx.nextIDs(ctx, "task_group", 1)
	if err != nil {
		return 0, err
	}
	id, now := task.GroupID(ids[0]), micros(tx.now())
	var finished *int64
	if len(tasks) == 0 {
		finished = &now
	}
	if _, err := tx.exec(ctx, `INSERT INTO task_group(id, name, created_at, finished_at) VALUES (?, ?, ?, ?)`, id, name, now, finished); err != nil {
		return 0, err
	}
	_, err = tx.enqueue(ctx, placement{group: id}, tasks)
	return id, err
}

// Spawn queues children of a running task, in its place in line and in its
// group if it has one. It returns a Conflict if the task was canceled, or if
// the fence no longer fits.
func (tx *Tx) Spawn(ctx context.Context, parent task.Fence, tasks []task.New) ([]task.ID, error) {
	row, err := tx.fenced(ctx, parent, "")
	if err != nil {
		return nil, err
	}
	return tx.enqueue(ctx, placement{group: row.Group, parent: parent, position: row.Position}, tasks)
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
	Canceled bool         `db:"canceled"`
}

func (tx *Tx) fenced(ctx context.Context, f task.Fence, lock string) (fencedRow, error) {
	var row fencedRow
	ok, err := tx.found(ctx, &row, `SELECT COALESCE(group_id, 0) AS group_id, position, canceled_at IS NOT NULL AS canceled
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
	parent   task.Fence // zero for what a request queues
	position int64      // of the parent; 0 for a task's own number
}

// Rows of the bulk inserts.
type (
	newTask struct {
		ID       task.ID       `json:"id"`
		Kind     task.Kind     `json:"kind"`
		Name     string        `json:"name"`
		Priority int           `json:"priority"`
		Position int64         `json:"position"`
		Parent   *task.ID      `json:"parent_id"`
		Group    *task.GroupID `json:"group_id"`
		Args     string        `json:"args"`
		Blocked  int           `json:"blocked_by"`
		Dedupe   *string       `json:"dedupe"`
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
	}
	numbers, err := tx.nextIDs(ctx, "task", len(tasks))
	if err != nil {
		return nil, err
	}
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
	if p.position != 0 && len(batch.reservations) > 0 {
		if err := tx.revoke(ctx, resources, p.position); err != nil {
			return nil, err
		}
		if err := tx.grant(ctx, resources); err != nil {
			return nil, err
		}
	}
	d := deltas{}
	d.add(p.group, task.Waiting, len(tasks))
	if err := tx.count(ctx, d, p.parent.Task != 0); err != nil {
		return nil, err
	}
	tx.touched.ready = true
	ids := make([]task.ID, len(tasks))
	for i, t := range batch.tasks {
		ids[i] = t.ID
	}
	if p.parent.Task != 0 {
		tx.touched.task(p.parent.Task)
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
	var b batch
	named := resources.byName()
	for i, t := range tasks {
		id := task.ID(numbers[i])
		args, err := json.Marshal(t.Args)
		if err != nil {
			return b, fmt.Errorf("arguments of %s: %w", t.Kind, err)
		}
		row := newTask{ID: id, Kind: t.Kind, Name: t.Name, Priority: priorityNumber(t.Priority), Position: cmp.Or(p.position, int64(id)), Args: string(args)}
		if p.parent.Task != 0 {
			row.Parent = &p.parent.Task
		}
		if p.group != 0 {
			row.Group = &p.group
		}
		if t.Dedupe != "" {
			row.Dedupe = &t.Dedupe
		}
		for _, r := range distinct(t.Reservations) {
			resource := named[r.Resource]
			granted := p.position == 0 && resource.take(r.Access == task.Exclusive)
			if !granted {
				resource.Waiting++
				row.Blocked++
			}
			b.reservations = append(b.reservations, newReservation{id, resource.ID, r.Access == task.Exclusive, granted, row.Position})
		}
		for _, index := range t.After {
			if index < 0 || index >= i {
				return b, fmt.Errorf("task %d of the batch comes after task %d, which is not before it", i, index)
			}
			b.after = append(b.after, newAfter{id, b.tasks[index].ID})
			row.Blocked++
		}
		b.tasks = append(b.tasks, row)
	}
	return b, nil
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
		if _, err := tx.exec(ctx, `INSERT INTO task_queue(task_id, group_id, priority, position, blocked_by, dedupe, created_at)
			SELECT id, group_id, priority, position, blocked_by, dedupe, CAST(? AS bigint) FROM `+
			tx.d.rows("x", "id bigint", "group_id bigint", "priority smallint", "position bigint", "blocked_by int", "dedupe text"), now, rows); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `INSERT INTO task(id, kind, name, priority, position, parent_id, group_id, args, created_at)
			SELECT id, kind, name, priority, position, parent_id, group_id, args, CAST(? AS bigint) FROM `+
			tx.d.rows("x", "id bigint", "kind text", "name text", "priority smallint", "position bigint", "parent_id bigint", "group_id bigint", "args text"), now, rows); err != nil {
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
