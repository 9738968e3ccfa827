package db

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"ream/task"
)

// Finish records how tasks ended, frees what they reserved, releases what came
// after them, and counts. Outcomes whose fence no longer fits change nothing:
// another worker has the task.
func (tx *Tx) Finish(ctx context.Context, outcomes []task.Outcome) error {
	endings := make(map[task.ID]ending, len(outcomes))
	for _, o := range outcomes {
		endings[o.Fence.Task] = ending{fence: o.Fence, state: o.State, err: o.Error, refund: o.State == task.Waiting}
	}
	if err := tx.byIndex(ctx); err != nil {
		return err
	}
	rows, err := tx.queueWhere(ctx, "", tx.d.in("task_id"), list(tx.d, slices.Sorted(maps.Keys(endings))))
	if err != nil {
		return err
	}
	d := deltas{}
	if err := tx.settle(ctx, rows, endings, d); err != nil {
		return err
	}
	return tx.count(ctx, d)
}

// ending is what becomes of a task in the queue.
type ending struct {
	fence  task.Fence // zero for a task that waits
	state  task.State // a final one, or Waiting to return a running task to the queue
	err    *task.Error
	refund bool // the attempt does not count
	cancel bool // whoever has the task: it ends if it waits, and is marked if it runs
	final  bool // the row was read, and what follows from it decided
}

// queueRow is an unfinished task.
type queueRow struct {
	Task     task.ID       `db:"task_id"`
	Group    task.GroupID  `db:"group_id"`
	Worker   task.WorkerID `db:"worker_id"`
	Attempt  int           `db:"attempt"`
	Gate     gate          `db:"gate"`
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

// settle carries out endings and adds to d what is to be counted for them. It
// locks resources, then queue rows; counting locks the groups last.
//
// What is to be locked depends on what the rows say. So the caller read them
// without locks, and they are read again with locks here. Rows that changed in
// between start the transaction anew, unless nothing was decided by them: a
// group can be canceled while its members start and end.
func (tx *Tx) settle(ctx context.Context, rows []queueRow, endings map[task.ID]ending, d deltas) error {
	endings = fitting(endings, rows)
	fit := len(endings)
	if err := tx.skipDependents(ctx, endings); err != nil || len(endings) == 0 {
		return err
	}
	alone := len(endings) == fit // nothing is skipped because of what the rows say
	ids := slices.Sorted(maps.Keys(endings))
	resources, err := tx.resourcesOf(ctx, ids)
	if err != nil {
		return err
	}
	if rows, err = tx.queueWhere(ctx, tx.d.forUpdate, tx.d.in("task_id"), list(tx.d, ids)); err != nil {
		return err
	}
	if alone {
		endings = startedOrEnded(endings, rows)
	}
	if len(rows) != len(endings) || len(fitting(endings, rows)) != len(endings) {
		return errMoved
	}
	var s sorted
	for _, row := range rows {
		s.add(row, endings[row.Task], d)
		tx.touched.task(row.Task, endings[row.Task].state.Finished())
	}
	if err := tx.mark(ctx, s.canceling); err != nil {
		return err
	}
	if err := tx.requeue(ctx, s.returned, s.refunded); err != nil {
		return err
	}
	if err := tx.close(ctx, s); err != nil {
		return err
	}
	if err := tx.release(ctx, resources, s.ended, d); err != nil {
		return err
	}
	return tx.unblockAfter(ctx, s.completed, s.ended, d)
}

// sorted are endings by what is to be done for them.
type sorted struct {
	canceling []task.ID
	returned  []task.ID
	refunded  []task.ID // among the returned
	closing   []closing
	ended     []task.ID // those that are closing
	completed []task.ID // among them
}

// closing is the second and last writing of a task's row.
type closing struct {
	ID      task.ID    `json:"id"`
	Outcome task.State `json:"outcome"`
	Error   *string    `json:"error,omitempty"`
}

func (s *sorted) add(row queueRow, e ending, d deltas) {
	d.move(row.Group, row.state(), e.state)
	switch e.state {
	case task.Canceling:
		s.canceling = append(s.canceling, row.Task)
		return
	case task.Waiting:
		s.returned = append(s.returned, row.Task)
		if e.refund {
			s.refunded = append(s.refunded, row.Task)
		}
		return
	case task.Completed:
		s.completed = append(s.completed, row.Task)
	}
	c := closing{ID: row.Task, Outcome: e.state}
	if e.err != nil {
		c.Error = orNull(encode(e.err))
	}
	s.closing = append(s.closing, c)
	s.ended = append(s.ended, row.Task)
	if row.Gate == gatePassed {
		d.of(row.Group).freed++
	}
}

// fitting are the endings that the rows allow: those whose fences fit. A
// canceled task ends as canceled, whatever it did meanwhile.
func fitting(endings map[task.ID]ending, rows []queueRow) map[task.ID]ending {
	fit := make(map[task.ID]ending, len(rows))
	for _, row := range rows {
		e := endings[row.Task]
		switch {
		case e.cancel:
			if row.Canceled != nil {
				continue
			}
			state := task.Canceled
			if row.Worker != 0 {
				state = task.Canceling
			}
			if e.final && e.state != state {
				continue
			}
			e.state = state
		case row.Worker != e.fence.Worker || row.Worker != 0 && row.Attempt != e.fence.Attempt:
			continue
		case row.Canceled != nil && e.state != task.Canceled:
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

// startedOrEnded takes into account that tasks to be canceled were claimed, or
// ended, since they were read.
func startedOrEnded(endings map[task.ID]ending, rows []queueRow) map[task.ID]ending {
	left := make(map[task.ID]ending, len(rows))
	for id, e := range endings {
		if !e.cancel {
			left[id] = e
		}
	}
	for _, row := range rows {
		e := endings[row.Task]
		if e.cancel && e.state == task.Canceled && row.Worker != 0 {
			e.state = task.Canceling
		}
		left[row.Task] = e
	}
	return left
}

// queueWhere are rows of the queue, in the order of their tasks.
func (tx *Tx) queueWhere(ctx context.Context, lock, condition string, args ...any) ([]queueRow, error) {
	var rows []queueRow
	err := tx.sel(ctx, &rows, `SELECT task_id, COALESCE(group_id, 0) AS group_id, COALESCE(worker_id, 0) AS worker_id, attempt, gate, canceled_at
		FROM task_queue WHERE `+condition+` ORDER BY task_id`+lock, args...)
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
	for len(failed) > 0 {
		var rows []struct {
			Task  task.ID `db:"task_id"`
			After task.ID `db:"after_id"`
		}
		if err := tx.sel(ctx, &rows, `SELECT task_id, after_id FROM task_after WHERE `+tx.d.in("after_id")+` ORDER BY after_id, task_id`, list(tx.d, failed)); err != nil {
			return err
		}
		failed = failed[:0]
		for _, r := range rows {
			if _, ok := endings[r.Task]; !ok {
				failed = append(failed, r.Task)
				endings[r.Task] = ending{state: task.Skipped, final: true,
					err: &task.Error{Code: task.CodeSkipped, Message: fmt.Sprintf("it comes after %s, which did not complete", r.After)}}
			}
		}
	}
	return nil
}

// mark asks for running tasks to be stopped.
func (tx *Tx) mark(ctx context.Context, canceling []task.ID) error {
	if len(canceling) == 0 {
		return nil
	}
	tx.touched.cancels = true
	_, err := tx.exec(ctx, `UPDATE task_queue SET canceled_at = ? WHERE `+tx.d.in("task_id"), micros(tx.now()), list(tx.d, canceling))
	return err
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

// lastRun sets what a task's row keeps of its row q in the queue.
const lastRun = `attempt = q.attempt, worker_id = q.worker_id, started_at = q.started_at, finished_at = ?`

// close takes tasks out of the queue, writes their rows for the second and
// last time, and lists those that did not complete.
func (tx *Tx) close(ctx context.Context, s sorted) error {
	if len(s.ended) == 0 {
		return nil
	}
	now, rows, ids := micros(tx.now()), encode(s.closing), list(tx.d, s.ended)
	x := tx.d.rows("x", "id bigint", "outcome text", "error text")
	const set = `UPDATE task SET outcome = x.outcome, error = x.error, ` + lastRun
	if tx.d == &postgres {
		_, err := tx.exec(ctx, `WITH q AS (DELETE FROM task_queue WHERE `+tx.d.in("task_id")+` RETURNING task_id, attempt, worker_id, started_at),
			closed AS (`+set+` FROM q JOIN `+x+` ON x.id = q.task_id WHERE task.id = q.task_id AND `+tx.d.in("task.id")+` RETURNING task.id, task.group_id, task.outcome)
			INSERT INTO task_unsuccessful(task_id, group_id, outcome) SELECT id, group_id, outcome FROM closed WHERE outcome <> 'COMPLETED'`, ids, now, rows, ids)
		return err
	}
	if _, err := tx.exec(ctx, set+` FROM `+x+` JOIN task_queue q ON q.task_id = x.id WHERE task.id = x.id`, now, rows); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, `INSERT INTO task_unsuccessful(task_id, group_id, outcome)
		SELECT id, group_id, outcome FROM task WHERE outcome <> 'COMPLETED' AND `+tx.d.in("id"), ids); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `DELETE FROM task_queue WHERE `+tx.d.in("task_id"), ids)
	return err
}

// unblockAfter lets those go on that come after tasks which completed, and
// forgets what came after the others: they were skipped.
func (tx *Tx) unblockAfter(ctx context.Context, completed, ended []task.ID, d deltas) error {
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
	success := make(map[task.ID]bool, len(completed))
	for _, id := range completed {
		success[id] = true
	}
	if len(ended) > len(completed) {
		if _, err := tx.exec(ctx, `DELETE FROM task_after WHERE `+tx.d.in("task_id"), list(tx.d, ended)); err != nil {
			return err
		}
	}
	unblocked := map[task.ID]int{}
	for _, r := range rows {
		if success[r.After] {
			unblocked[r.Task]--
		}
	}
	return tx.block(ctx, unblocked, d)
}
