package db

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"ream/task"
)

// Claim gives a worker the tasks that are ready and for which it has room, by
// priority and place in line. Its cost does not depend on how many others
// wait, nor on how many are ready.
func (tx *Tx) Claim(ctx context.Context, worker task.WorkerID, room task.Vacancies) ([]*task.Task, error) {
	d := deltas{}
	claimed, err := tx.claim(ctx, worker, room, d)
	if err != nil {
		return nil, err
	}
	return claimed, tx.count(ctx, d)
}

// claimedRow is a task that was just claimed.
type claimedRow struct {
	ID       task.ID      `db:"id"`
	Kind     task.Kind    `db:"kind"`
	Name     string       `db:"name"`
	Priority int          `db:"priority"`
	Position int64        `db:"position"`
	Parent   task.ID      `db:"parent_id"`
	Group    task.GroupID `db:"group_id"`
	RetryOf  task.ID      `db:"retry_of"`
	Args     string       `db:"args"`
	Trace    string       `db:"trace"`
	Attempt  int          `db:"attempt"`
	Created  int64        `db:"created_at"`
}

const claimedColumns = `t.id, t.kind, t.name, t.priority, t.position, COALESCE(t.parent_id, 0) AS parent_id, COALESCE(t.group_id, 0) AS group_id,
	COALESCE(t.retry_of, 0) AS retry_of, t.args, COALESCE(t.trace, '') AS trace, t.created_at`

func (tx *Tx) claim(ctx context.Context, worker task.WorkerID, room task.Vacancies, d deltas) ([]*task.Task, error) {
	ready, args := tx.ready(worker, room)
	if ready == "" {
		return nil, nil
	}
	if err := tx.byIndex(ctx); err != nil {
		return nil, err
	}
	now := micros(tx.now())
	rows, err := tx.take(ctx, worker, now, ready, args)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(a, b claimedRow) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Position, b.Position), cmp.Compare(a.ID, b.ID))
	})
	claimed := make([]*task.Task, len(rows))
	started := fromMicros(now)
	for i, r := range rows {
		claimed[i] = &task.Task{ID: r.ID, Kind: r.Kind, Name: r.Name, State: task.Running, Priority: priorityOf(r.Priority), GroupID: r.Group,
			ParentID: r.Parent, RetryOf: r.RetryOf, Args: json.RawMessage(r.Args), Trace: r.Trace, Attempt: r.Attempt, WorkerID: worker,
			CreatedAt: fromMicros(r.Created), StartedAt: &started}
		d.move(r.Group, task.Waiting, task.Running)
		tx.touched.task(r.ID, false)
	}
	return claimed, nil
}

// ready selects, in order, the tasks for which there is room: the first ones
// of each kind, and of those the first ones of all. There are none for a worker
// that was given up and does not know it yet.
func (tx *Tx) ready(worker task.WorkerID, room task.Vacancies) (query string, args []any) {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(room.Of)) {
		n := min(room.Of[kind], room.Total)
		if n <= 0 {
			continue
		}
		parts = append(parts, `SELECT task_id, priority, position FROM (SELECT task_id, priority, position FROM task_queue
			WHERE kind = ? AND blocked_by = 0 AND worker_id IS NULL ORDER BY priority, position, task_id LIMIT ?`+tx.d.skipLocked+`) AS of_kind`)
		args = append(args, kind, n)
	}
	if len(parts) == 0 {
		return "", nil
	}
	return `SELECT task_id FROM (` + strings.Join(parts, " UNION ALL ") + `) AS ready WHERE EXISTS (SELECT 1 FROM worker WHERE id = ? AND ended_at IS NULL)
		ORDER BY priority, position, task_id LIMIT ?`, append(args, worker, room.Total)
}

// take marks the tasks as the worker's and reads them.
func (tx *Tx) take(ctx context.Context, worker task.WorkerID, now int64, ready string, args []any) ([]claimedRow, error) {
	var rows []claimedRow
	if tx.d == &postgres {
		err := tx.sel(ctx, &rows, `WITH ready AS MATERIALIZED (`+ready+`),
			taken AS (UPDATE task_queue SET worker_id = ?, attempt = attempt + 1, started_at = ? WHERE task_id = ANY(ARRAY(SELECT task_id FROM ready))
				RETURNING task_id, attempt)
			SELECT `+claimedColumns+`, taken.attempt FROM taken JOIN task t ON t.id = taken.task_id AND t.id = ANY(ARRAY(SELECT task_id FROM ready))`, append(args, worker, now)...)
		return rows, err
	}
	var ids []task.ID
	if err := tx.sel(ctx, &ids, ready, args...); err != nil || len(ids) == 0 {
		return nil, err
	}
	claimed := list(tx.d, ids)
	if _, err := tx.exec(ctx, `UPDATE task_queue SET worker_id = ?, attempt = attempt + 1, started_at = ? WHERE `+tx.d.in("task_id"), worker, now, claimed); err != nil {
		return nil, err
	}
	err := tx.sel(ctx, &rows, `SELECT `+claimedColumns+`, q.attempt FROM task t JOIN task_queue q ON q.task_id = t.id WHERE `+tx.d.in("t.id"), claimed)
	return rows, err
}

// CanceledOf are the tasks among a worker's that were canceled while they run.
func (q *queries) CanceledOf(ctx context.Context, worker task.WorkerID) ([]task.ID, error) {
	var ids []task.ID
	err := q.sel(ctx, &ids, `SELECT task_id FROM task_queue WHERE worker_id = ? AND canceled_at IS NOT NULL ORDER BY task_id`, worker)
	return ids, err
}

// HeldBy are the fences of the tasks that a worker has claimed.
func (q *queries) HeldBy(ctx context.Context, worker task.WorkerID) ([]task.Fence, error) {
	var rows []queueRow
	if err := q.sel(ctx, &rows, `SELECT task_id, worker_id, attempt FROM task_queue WHERE worker_id = ? ORDER BY task_id`, worker); err != nil {
		return nil, err
	}
	fences := make([]task.Fence, len(rows))
	for i, r := range rows {
		fences[i] = task.Fence{Task: r.Task, Worker: r.Worker, Attempt: r.Attempt}
	}
	return fences, nil
}
