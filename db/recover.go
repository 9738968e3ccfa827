package db

import (
	"context"
	"time"

	"ream/task"
)

// maxAttempts is how often a task is started before a lost worker fails it.
const maxAttempts = 3

// Recover gives up the workers that were not heard of for the length of a
// lease, and returns the tasks of all that ended to the queue. It returns how
// many tasks that were. Those that were lost too often fail, which is logged.
func (db *DB) Recover(ctx context.Context, lease time.Duration) (n int, err error) {
	var lost []ending
	err = db.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `UPDATE worker SET ended_at = `+tx.d.clock+` WHERE ended_at IS NULL AND heartbeat_at <= `+tx.d.clock+` - ?`, lease.Microseconds()); err != nil {
			return err
		}
		n, lost, err = tx.recoverTasks(ctx)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, e := range lost {
		db.log.Warn("task ended", "task", e.fence.Task, "state", e.state, "attempt", e.fence.Attempt, "error", e.err.Message)
	}
	return n, db.InTx(ctx, func(tx *Tx) error { return tx.admitWaiting(ctx) })
}

// recoverTasks returns the tasks of workers that ended to the queue, and those
// that failed instead. A claim that was under way while its worker was given up
// is found by a later call.
func (tx *Tx) recoverTasks(ctx context.Context) (n int, lost []ending, err error) {
	if err := tx.byIndex(ctx); err != nil {
		return 0, nil, err
	}
	// By the index of what runs: whatever else waits is not looked at.
	var ended []task.WorkerID
	if err := tx.sel(ctx, &ended, `SELECT DISTINCT worker_id FROM task_queue
		WHERE worker_id IS NOT NULL AND worker_id NOT IN (SELECT id FROM worker WHERE ended_at IS NULL)`); err != nil || len(ended) == 0 {
		return 0, nil, err
	}
	rows, err := tx.queueWhere(ctx, "", tx.d.in("worker_id"), list(tx.d, ended))
	if err != nil || len(rows) == 0 {
		return 0, nil, err
	}
	d, endings := deltas{}, make(map[task.ID]ending, len(rows))
	for _, row := range rows {
		e := ending{fence: task.Fence{Task: row.Task, Worker: row.Worker, Attempt: row.Attempt}, state: task.Waiting}
		if row.Attempt >= maxAttempts {
			e.state = task.Failed
			e.err = &task.Error{Code: task.CodeWorkerLost, Message: "the workers that ran it were lost, each time it was tried"}
			lost = append(lost, e)
		}
		endings[row.Task] = e
	}
	if err := tx.settle(ctx, rows, endings, d); err != nil {
		return 0, nil, err
	}
	return len(rows), lost, tx.count(ctx, d)
}
