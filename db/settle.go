package db

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"ream/task"
)

// Finish records how tasks ended, frees what they reserved, releases what came
// after them, and counts. Outcomes whose fence no longer fits change nothing:
// another worker has the task.
func (tx *Tx) Finish(ctx context.Context, outcomes []task.Outcome) error {
	d := deltas{}
	if err := tx.finish(ctx, outcomes, d); err != nil {
		return err
	}
	return tx.count(ctx, d, false)
}

func (tx *Tx) finish(ctx context.Context, outcomes []task.Outcome, d deltas) error {
	if len(outcomes) == 0 {
		return nil
	}
	endings := make(map[task.ID]ending, len(outcomes))
	for _, o := range outcomes {
		endings[o.Fence.Task] = ending{fence: o.Fence, state: o.State, err: o.Error, refund: o.State == task.Waiting}
	}
	return tx.settle(ctx, endings, d)
}

// ending is what becomes of a task in the queue.
type ending struct {
	fence  task.Fence // zero for a task that waits
	state  task.State // a final one, or Waiting to return a running task to the queue
	err    *task.Error
	refund bool // the attempt does not count
	final  bool // the row was read, and what follows from it decided
}

// queueRow is an unfinished task.
type queueRow struct {
	Task     task.ID       `db:"task_id"`
	Group    task.GroupID  `db:"group_id"`
	Worker   task.WorkerID `db:"worker_id"`
	Attempt  int           `db:"attempt"`
	Started  *int64        `db:"started_at"`
	Canceled *int64        `db:"canceled_at"`
}

func (r queueRow) state() task.State {
	switch {
	case r.Worker == 0:
		return task.Waiting
	case r.Canceled != nil:
		return task.Canceling
	}
	return task.Running
}

// finishedTask is the second and last writing of a task's row.
type finishedTask struct {
	ID      task.ID        `json:"id"`
	Outcome task.State     `json:"outcome"`
	Error   *string        `json:"error"`
	Attempt int            `json:"attempt"`
	Worker  *task.WorkerID `json:"worker_id"`
	Started *int64         `json:"started_at"`
}

// settle carries out endings and adds to d what is to be counted for them. It
// locks resources, then queue rows; counting locks the groups last.
func (tx *Tx) settle(ctx context.Context, endings map[task.ID]ending, d deltas) error {
	if len(endings) == 0 {
		return nil
	}
	// What is to be locked depends on what the rows say, so they are read once
	// without locks and again with them. Rows that changed in between start the
	// transaction anew.
	rows, err := tx.queueRows(ctx, slices.Sorted(maps.Keys(endings)), "")
	if err != nil {
		return err
	}
	endings = fitting(endings, rows)
	if err := tx.skipDependents(ctx, endings); err != nil {
		return err
	}
	ids := slices.Sorted(maps.Keys(endings))
	resources, err := tx.resourcesOf(ctx, ids)
	if err != nil {
		return err
	}
	if rows, err = tx.queueRows(ctx, ids, tx.d.forUpdate); err != nil {
		return err
	}
	if len(rows) != len(endings) || len(fitting(endings, rows)) != len(endings) {
		return errMoved
	}
	var (
		finished []finishedTask
		ended    []task.ID
		success  []task.ID
		returned []task.ID
		refunded []task.ID
	)
	for _, row := range rows {
		e := endings[row.Task]
		d.move(row.Group, row.state(), e.state)
		tx.touched.task(row.Task)
		if e.state == task.Waiting {
			returned = append(returned, row.Task)
			if e.refund {
				refunded = append(refunded, row.Task)
			}
			continue
		}
		f, err := row.finished(e)
		if err != nil {
			return err
		}
		finished = append(finished, f)
		ended = append(ended, row.Task)
		if e.state == task.Completed {
			success = append(success, row.Task)
		}
	}
	if err := tx.requeue(ctx, returned, refunded); err != nil {
		return err
	}
	if err := tx.close(ctx, finished, ended); err != nil {
		return err
	}
	if err := tx.release(ctx, resources, ended); err != nil {
		return err
	}
	return tx.unblockAfter(ctx, success, ended)
}

func (r queueRow) finished(e ending) (finishedTask, error) {
	f := finishedTask{ID: r.Task, Outcome: e.state, Attempt: r.Attempt, Started: r.Started}
	if r.Worker != 0 {
		f.Worker = &r.Worker
	}
	if e.err != nil {
		b, err := json.Marshal(e.err)
		if err != nil {
			return f, fmt.Errorf("error of %s: %w", r.Task, err)
		}
		text := string(b)
		f.Error = &text
	}
	return f, nil
}

// fitting are the endings whose fences fit the rows. Whatever a canceled task
// did meanwhile, it ends as canceled.
func fitting(endings map[task.ID]ending, rows []queueRow) map[task.ID]ending {
	fit := make(map[task.ID]ending, len(rows))
	for _, row := range rows {
		e := endings[row.Task]
		if row.Worker != e.fence.Worker || row.Worker != 0 && row.Attempt != e.fence.Attempt {
			continue
		}
		if row.Canceled != nil && e.state != task.Canceled {
			if e.final {
				continue
			}
			e.state, e.err = task.Canceled, nil
		}
		e.final = true
		fit[row.Task] = e
	}
	return fit
}

// queueRows are the tasks' rows in the queue.
func (tx *Tx) queueRows(ctx context.Context, ids []task.ID, lock string) ([]queueRow, error) {
	var rows []queueRow
	err := tx.sel(ctx, &rows, `SELECT task_id, COALESCE(group_id, 0) AS group_id, COALESCE(worker_id, 0) AS worker_id, attempt, started_at, canceled_at
		FROM task_queue WHERE `+tx.d.in("task_id")+` ORDER BY task_id`+lock, list(tx.d, ids))
	return rows, err
}

// skipDependents adds the tasks that come after one that does not complete.
func (tx *Tx) skipDependents(ctx context.Context, endings map[task.ID]ending) error {
	var failed []task.ID
	for id, e := range endings {
		if e.state.Finished() && e.state != task.Completed {
			failed = append(failed, id)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	var rows []struct {
		Task  task.ID `db:"task_id"`
		After task.ID `db:"after_id"`
	}
	if err := tx.sel(ctx, &rows, `WITH RECURSIVE d(task_id, after_id) AS (
			SELECT task_id, after_id FROM task_after WHERE `+tx.d.in("after_id")+`
			UNION SELECT a.task_id, a.after_id FROM task_after a JOIN d ON a.after_id = d.task_id)
		SELECT task_id, after_id FROM d ORDER BY after_id, task_id`, list(tx.d, failed)); err != nil {
		return err
	}
	for _, r := range rows {
		if _, ok := endings[r.Task]; !ok {
			endings[r.Task] = ending{state: task.Skipped, final: true, err: &task.Error{Code: task.CodeSkipped, Message: fmt.Sprintf("it comes after %s, which did not complete", r.After)}}
		}
	}
	return nil
}

func (tx *Tx) requeue(ctx context.Context, returned, refunded []task.ID) error {
	if len(returned) == 0 {
		return nil
	}
	if _, err := tx.exec(ctx, `UPDATE task_queue SET worker_id = NULL, started_at = NULL WHERE `+tx.d.in("task_id"), list(tx.d, returned)); err != nil {
		return err
	}
	tx.touched.ready = true
	if len(refunded) == 0 {
		return nil
	}
	_, err := tx.exec(ctx, `UPDATE task_queue SET attempt = attempt - 1 WHERE `+tx.d.in("task_id"), list(tx.d, refunded))
	return err
}

func (tx *Tx) close(ctx context.Context, finished []finishedTask, ids []task.ID) error {
	if len(finished) == 0 {
		return nil
	}
	if _, err := tx.exec(ctx, `DELETE FROM task_queue WHERE `+tx.d.in("task_id"), list(tx.d, ids)); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `UPDATE task SET outcome = x.outcome, error = x.error, attempt = x.attempt, worker_id = x.worker_id, started_at = x.started_at, finished_at = ?
		FROM `+tx.d.rows("x", "id bigint", "outcome text", "error text", "attempt int", "worker_id bigint", "started_at bigint")+`
		WHERE task.id = x.id`, micros(tx.now()), encode(finished))
	return err
}

// unblockAfter lets those go on that come after tasks which completed, and
// forgets what came after the others: they were skipped.
func (tx *Tx) unblockAfter(ctx context.Context, completed, ended []task.ID) error {
	if len(ended) == 0 {
		return nil
	}
	var rows []struct {
		Task  task.ID `db:"task_id"`
		After task.ID `db:"after_id"`
	}
	if err := tx.sel(ctx, &rows, `DELETE FROM task_after WHERE `+tx.d.in("after_id")+` RETURNING task_id, after_id`, list(tx.d, ended)); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, `DELETE FROM task_after WHERE `+tx.d.in("task_id"), list(tx.d, ended)); err != nil {
		return err
	}
	success := make(map[task.ID]bool, len(completed))
	for _, id := range completed {
		success[id] = true
	}
	unblocked := map[task.ID]int{}
	for _, r := range rows {
		if success[r.After] {
			unblocked[r.Task]--
		}
	}
	return tx.block(ctx, unblocked)
}
