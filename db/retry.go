package db

import (
	"context"
	"encoding/json"
	"fmt"

	"ream/fault"
	"ream/task"
)

// RetryTask queues an unsuccessful task again and returns the new task's ID;
// while an earlier retry of it is unfinished, that one's. It returns a
// NotFound if there is no such task, and a Conflict if it is unfinished or
// completed.
func (tx *Tx) RetryTask(ctx context.Context, id task.ID) (task.ID, error) {
	var state struct {
		Outcome *task.State `db:"outcome"`
	}
	ok, err := tx.found(ctx, &state, `SELECT outcome FROM task WHERE id = ?`+tx.d.forUpdate, id)
	switch {
	case err != nil:
		return 0, err
	case !ok:
		return 0, fault.New(fault.NotFound, "there is no %s", id)
	case state.Outcome == nil:
		return 0, fault.New(fault.Conflict, "%s is not finished yet: cancel it first, or wait", id)
	case *state.Outcome == task.Completed:
		return 0, fault.New(fault.Conflict, "%s completed: there is nothing to do again", id)
	}
	var under task.ID
	if ok, err := tx.found(ctx, &under, `SELECT t.id FROM task t JOIN task_queue q ON q.task_id = t.id
		WHERE t.retry_of = ? AND t.group_id IS NULL AND q.canceled_at IS NULL ORDER BY t.id DESC LIMIT 1`, id); err != nil || ok {
		return under, err
	}
	tasks, err := tx.again(ctx, `t.id = ?`, id)
	if err != nil {
		return 0, err
	}
	return tx.Enqueue(ctx, tasks[0])
}

// RetryGroup queues the members of a finished group that did not complete as
// a new group, and returns its ID; while an earlier retry of the group is
// unfinished, that one's. Members that an unsuccessful one spawned are left
// out: it will spawn them again. It returns a NotFound if there is no such
// group, and a Conflict if it is unfinished or every member completed.
func (tx *Tx) RetryGroup(ctx context.Context, id task.GroupID) (task.GroupID, error) {
	var row groupRow
	ok, err := tx.found(ctx, &row, `SELECT `+groupColumns+` FROM task_group WHERE id = ?`+tx.d.forUpdate, id)
	switch {
	case err != nil:
		return 0, err
	case !ok:
		return 0, fault.New(fault.NotFound, "there is no %s", id)
	}
	switch group := row.group(); {
	case !group.Finished():
		return 0, fault.New(fault.Conflict, "%s is not finished yet: cancel it first, or wait", id)
	case group.Tally.Completed == group.Tally.Total():
		return 0, fault.New(fault.Conflict, "every member of %s completed: there is nothing to do again", id)
	}
	var under task.GroupID
	if ok, err := tx.found(ctx, &under, `SELECT id FROM task_group WHERE retry_of = ? AND canceled_at IS NULL AND finished_at IS NULL
		ORDER BY id DESC LIMIT 1`, id); err != nil || ok {
		return under, err
	}
	tasks, err := tx.again(ctx, `t.id IN (SELECT task_id FROM task_unsuccessful WHERE group_id = ?) AND t.id NOT IN (
		WITH RECURSIVE spawned(id) AS (
			SELECT c.id FROM task c JOIN task_unsuccessful u ON u.task_id = c.parent_id WHERE u.group_id = ?
			UNION SELECT c.id FROM task c JOIN spawned s ON c.parent_id = s.id)
		SELECT id FROM spawned)`, id, id)
	if err != nil {
		return 0, err
	}
	return tx.EnqueueGroup(ctx, task.NewGroup{Name: row.Name, MaxRunning: row.MaxRunning, RetryOf: id, Tasks: tasks})
}

// again describes tasks of the history as they were queued first. What they
// came after and is not among them has completed.
func (tx *Tx) again(ctx context.Context, where string, args ...any) ([]task.New, error) {
	var rows []struct {
		ID       task.ID   `db:"id"`
		Kind     task.Kind `db:"kind"`
		Name     string    `db:"name"`
		Priority int       `db:"priority"`
		Args     string    `db:"args"`
		Reserves *string   `db:"reserves"`
		After    *string   `db:"after_tasks"`
		About    int64     `db:"repository_id"`
	}
	if err := tx.sel(ctx, &rows, `SELECT t.id, t.kind, t.name, t.priority, t.args, t.reserves, t.after_tasks,
		COALESCE(t.repository_id, 0) AS repository_id FROM task t WHERE `+where+` ORDER BY t.id`, args...); err != nil {
		return nil, err
	}
	index := make(map[task.ID]int, len(rows))
	tasks := make([]task.New, len(rows))
	for i, r := range rows {
		index[r.ID] = i
		t := task.New{Kind: r.Kind, Name: r.Name, Args: json.RawMessage(r.Args), Priority: priorityOf(r.Priority), RetryOf: r.ID, RepositoryID: r.About}
		var reserves []reserved
		var after []task.ID
		if err := decodeOr(r.Reserves, &reserves); err != nil {
			return nil, fmt.Errorf("reservations of %s: %w", r.ID, err)
		}
		if err := decodeOr(r.After, &after); err != nil {
			return nil, fmt.Errorf("what %s comes after: %w", r.ID, err)
		}
		for _, v := range reserves {
			t.Reservations = append(t.Reservations, task.Reservation{Resource: v.Resource, Access: task.Access(v.Exclusive)})
		}
		for _, id := range after {
			if at, ok := index[id]; ok {
				t.After = append(t.After, at)
			}
		}
		tasks[i] = t
	}
	return tasks, nil
}

// decodeOr reads JSON from a column that may be null.
func decodeOr(text *string, v any) error {
	if text == nil {
		return nil
	}
	return json.Unmarshal([]byte(*text), v)
}
