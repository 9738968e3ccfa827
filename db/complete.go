package db

import (
	"context"

	"ream/task"
)

// completedRow is a task that left the queue because it completed.
type completedRow struct {
	Task  task.ID      `db:"task_id"`
	Group task.GroupID `db:"group_id"`
	Gate  gate         `db:"gate"`
}

// complete is settle for tasks that all completed, as most do: nothing has to
// be skipped, so one statement decides what fits and changes it. It returns
// what did not fit, because the task was canceled or is no longer the
// worker's: for settle, in a transaction of its own.
func (tx *Tx) complete(ctx context.Context, outcomes []task.Outcome, d deltas) (surprising []task.Outcome, err error) {
	if len(outcomes) == 0 {
		return nil, nil
	}
	if err := tx.byIndex(ctx); err != nil {
		return nil, err
	}
	type run struct {
		worker  task.WorkerID
		attempt int
	}
	runs, all := map[run][]task.ID{}, make([]task.ID, len(outcomes))
	for i, o := range outcomes {
		r := run{o.Fence.Worker, o.Fence.Attempt}
		runs[r] = append(runs[r], o.Fence.Task)
		all[i] = o.Fence.Task
	}
	resources, err := tx.resourcesOf(ctx, all)
	if err != nil {
		return nil, err
	}
	done := make([]task.ID, 0, len(outcomes))
	for r, ids := range runs {
		rows, err := tx.closeCompleted(ctx, r.worker, r.attempt, ids)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			done = append(done, row.Task)
			d.move(row.Group, task.Running, task.Completed)
			if row.Gate == gatePassed {
				d.of(row.Group).freed++
			}
			tx.touched.task(row.Task, true)
		}
	}
	if len(done) < len(outcomes) {
		closed := make(map[task.ID]bool, len(done))
		for _, id := range done {
			closed[id] = true
		}
		for _, o := range outcomes {
			if !closed[o.Fence.Task] {
				surprising = append(surprising, o)
			}
		}
	}
	if err := tx.release(ctx, resources, done, d); err != nil {
		return nil, err
	}
	return surprising, tx.unblockAfter(ctx, done, done, d)
}

// closeCompleted takes tasks out of the queue that are in this run and were
// not canceled, and writes their rows in the history.
func (tx *Tx) closeCompleted(ctx context.Context, worker task.WorkerID, attempt int, ids []task.ID) ([]completedRow, error) {
	const (
		fits = ` AND q.worker_id = ? AND q.attempt = ? AND q.canceled_at IS NULL`
		set  = `UPDATE task SET outcome = 'COMPLETED', ` + lastRun
	)
	closing, now := list(tx.d, ids), micros(tx.now())
	var rows []completedRow
	if tx.d == &postgres {
		err := tx.sel(ctx, &rows, `WITH q AS (DELETE FROM task_queue q WHERE `+tx.d.in("q.task_id")+fits+`
				RETURNING q.task_id, q.gate, q.attempt, q.worker_id, q.started_at)
			`+set+` FROM q WHERE task.id = q.task_id AND `+tx.d.in("task.id")+` RETURNING task.id AS task_id, COALESCE(task.group_id, 0) AS group_id, q.gate`,
			closing, worker, attempt, now, closing)
		return rows, err
	}
	if _, err := tx.exec(ctx, set+` FROM task_queue q WHERE q.task_id = task.id AND `+tx.d.in("task.id")+fits, now, closing, worker, attempt); err != nil {
		return nil, err
	}
	err := tx.sel(ctx, &rows, `DELETE FROM task_queue AS q WHERE `+tx.d.in("q.task_id")+fits+`
		RETURNING task_id, COALESCE(group_id, 0) AS group_id, gate`, closing, worker, attempt)
	return rows, err
}
