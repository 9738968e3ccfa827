package db

import (
	"context"

	"ream/task"
)

// Claim gives a worker up to limit tasks that are ready, by priority and place
// in line. Its cost does not depend on how many others wait.
func (tx *Tx) Claim(ctx context.Context, worker task.WorkerID, limit int) ([]*task.Task, error) {
	d := deltas{}
	claimed, err := tx.claim(ctx, worker, limit, d)
	if err != nil {
		return nil, err
	}
	return claimed, tx.count(ctx, d, false)
}

func (tx *Tx) claim(ctx context.Context, worker task.WorkerID, limit int, d deltas) ([]*task.Task, error) {
	if limit <= 0 {
		return nil, nil
	}
	var ids []task.ID
	if err := tx.sel(ctx, &ids, `SELECT task_id FROM task_queue WHERE blocked_by = 0 AND worker_id IS NULL
		ORDER BY priority, position, task_id LIMIT ?`+tx.d.skipLocked, limit); err != nil || len(ids) == 0 {
		return nil, err
	}
	if _, err := tx.exec(ctx, `UPDATE task_queue SET worker_id = ?, attempt = attempt + 1, started_at = ? WHERE `+tx.d.in("task_id"),
		worker, micros(tx.now()), list(tx.d, ids)); err != nil {
		return nil, err
	}
	claimed, err := tx.TasksByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, t := range claimed {
		d.move(t.GroupID, task.Waiting, task.Running)
		tx.touched.task(t.ID)
	}
	return claimed, nil
}

// Cycle writes progress, records how tasks ended, and claims new ones. Counts
// are written once for all of it.
func (db *DB) Cycle(ctx context.Context, worker task.WorkerID, outcomes []task.Outcome, reports []task.Report, limit int) (claimed []*task.Task, err error) {
	if len(reports) > 0 {
		// On its own: it locks groups, and the rest locks resources before them.
		if err := db.InTx(ctx, func(tx *Tx) error { return tx.Report(ctx, worker, reports) }); err != nil {
			return nil, err
		}
	}
	err = db.InTx(ctx, func(tx *Tx) error {
		d := deltas{}
		if err := tx.finish(ctx, outcomes, d); err != nil {
			return err
		}
		if claimed, err = tx.claim(ctx, worker, limit, d); err != nil {
			return err
		}
		return tx.count(ctx, d, false)
	})
	return claimed, err
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

// CancelTask cancels a task with what it spawned. What waits is canceled at
// once, what runs when its worker stops it. A finished task stays as it is.
func (db *DB) CancelTask(ctx context.Context, id task.ID) error {
	for {
		var more bool
		err := db.InTx(ctx, func(tx *Tx) error {
			var family []task.ID
			if err := tx.sel(ctx, &family, `WITH RECURSIVE family(id) AS (
					SELECT id FROM task WHERE id = ? UNION SELECT t.id FROM task t JOIN family f ON t.parent_id = f.id)
				SELECT q.task_id FROM family f JOIN task_queue q ON q.task_id = f.id WHERE q.canceled_at IS NULL ORDER BY q.task_id`, id); err != nil {
				return err
			}
			more = len(family) > 0
			return tx.cancel(ctx, family)
		})
		// A task that ran may have spawned others before it was marked.
		if err != nil || !more {
			return err
		}
	}
}

// CancelGroup cancels all members of a group, and whatever would join it. A
// finished group stays as it is.
func (db *DB) CancelGroup(ctx context.Context, id task.GroupID) error {
	for {
		var more bool
		err := db.InTx(ctx, func(tx *Tx) error {
			var members []task.ID
			if err := tx.sel(ctx, &members, `SELECT task_id FROM task_queue WHERE group_id = ? AND canceled_at IS NULL ORDER BY task_id`, id); err != nil {
				return err
			}
			if more = len(members) > 0; !more {
				return nil
			}
			if err := tx.cancel(ctx, members); err != nil {
				return err
			}
			tx.touched.group(id)
			_, err := tx.exec(ctx, `UPDATE task_group SET canceled_at = COALESCE(canceled_at, ?) WHERE id = ?`, micros(tx.now()), id)
			return err
		})
		if err != nil || !more {
			return err
		}
	}
}

func (tx *Tx) cancel(ctx context.Context, ids []task.ID) error {
	if len(ids) == 0 {
		return nil
	}
	// As in settle: the locks come in the order resources, queue rows, groups.
	if _, err := tx.resourcesOf(ctx, ids); err != nil {
		return err
	}
	rows, err := tx.queueRows(ctx, ids, tx.d.forUpdate)
	if err != nil {
		return err
	}
	d, endings := deltas{}, map[task.ID]ending{}
	var running []task.ID
	for _, row := range rows {
		switch {
		case row.Worker == 0:
			endings[row.Task] = ending{state: task.Canceled}
		case row.Canceled == nil:
			running = append(running, row.Task)
			d.move(row.Group, task.Running, task.Canceling)
			tx.touched.task(row.Task)
		}
	}
	if len(running) > 0 {
		tx.touched.cancels = true
		if _, err := tx.exec(ctx, `UPDATE task_queue SET canceled_at = ? WHERE `+tx.d.in("task_id"), micros(tx.now()), list(tx.d, running)); err != nil {
			return err
		}
	}
	if err := tx.settle(ctx, endings, d); err != nil {
		return err
	}
	return tx.count(ctx, d, false)
}

// maxAttempts is how often a task is started before a lost worker fails it.
const maxAttempts = 3

// recoverTasks returns the tasks of workers that ended to the queue.
func (tx *Tx) recoverTasks(ctx context.Context) (int, error) {
	var rows []queueRow
	if err := tx.sel(ctx, &rows, `SELECT q.task_id, q.worker_id, q.attempt FROM task_queue q JOIN worker w ON w.id = q.worker_id
		WHERE q.worker_id IS NOT NULL AND w.ended_at IS NOT NULL ORDER BY q.task_id`); err != nil || len(rows) == 0 {
		return 0, err
	}
	d, endings := deltas{}, make(map[task.ID]ending, len(rows))
	for _, row := range rows {
		e := ending{fence: task.Fence{Task: row.Task, Worker: row.Worker, Attempt: row.Attempt}, state: task.Waiting}
		if row.Attempt >= maxAttempts {
			e.state = task.Failed
			e.err = &task.Error{Code: task.CodeWorkerLost, Message: "the workers that ran it were lost, each time it was tried"}
		}
		endings[row.Task] = e
	}
	if err := tx.settle(ctx, endings, d); err != nil {
		return 0, err
	}
	return len(rows), tx.count(ctx, d, false)
}
