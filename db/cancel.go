package db

import (
	"context"

	"ream/task"
)

// CancelTask cancels a task with what it spawned. What waits is canceled at
// once, what runs when its worker stops it. A finished task stays as it is.
func (db *DB) CancelTask(ctx context.Context, id task.ID) error {
	return db.cancelAll(ctx, func(tx *Tx) (bool, error) { return tx.CancelTask(ctx, id) })
}

// CancelGroup cancels all members of a group, and whatever would join it. A
// finished group stays as it is.
func (db *DB) CancelGroup(ctx context.Context, id task.GroupID) error {
	return db.cancelAll(ctx, func(tx *Tx) (bool, error) { return tx.CancelGroup(ctx, id) })
}

// cancelAll cancels until nothing is left: a task that ran may have spawned
// others before it was marked.
func (db *DB) cancelAll(ctx context.Context, cancel func(*Tx) (bool, error)) error {
	for {
		var canceled bool
		err := db.InTx(ctx, func(tx *Tx) (err error) { canceled, err = cancel(tx); return err })
		if err != nil || !canceled {
			return err
		}
	}
}

// CancelTask is a step of the database's CancelTask: it cancels what there is
// at the moment, and reports whether there was anything.
func (tx *Tx) CancelTask(ctx context.Context, id task.ID) (canceled bool, err error) {
	if err := tx.byIndex(ctx); err != nil {
		return false, err
	}
	family := []task.ID{id}
	for generation := family; len(generation) > 0; family = append(family, generation...) {
		parents := generation
		generation = nil
		if err := tx.sel(ctx, &generation, `SELECT id FROM task WHERE `+tx.d.in("parent_id")+` ORDER BY id`, list(tx.d, parents)); err != nil {
			return false, err
		}
	}
	rows, err := tx.queueWhere(ctx, "", tx.d.in("task_id")+` AND canceled_at IS NULL`, list(tx.d, family))
	if err != nil {
		return false, err
	}
	return tx.cancel(ctx, rows, 0)
}

// CancelGroup is a step of the database's CancelGroup, like CancelTask.
func (tx *Tx) CancelGroup(ctx context.Context, id task.GroupID) (canceled bool, err error) {
	if err := tx.byIndex(ctx); err != nil {
		return false, err
	}
	rows, err := tx.queueWhere(ctx, "", `group_id = ? AND canceled_at IS NULL`, id)
	if err != nil {
		return false, err
	}
	return tx.cancel(ctx, rows, id)
}

// cancel cancels unfinished tasks, and the group if there is one.
func (tx *Tx) cancel(ctx context.Context, rows []queueRow, group task.GroupID) (canceled bool, err error) {
	if len(rows) == 0 {
		return false, nil
	}
	d, endings := deltas{}, make(map[task.ID]ending, len(rows))
	for _, row := range rows {
		endings[row.Task] = ending{cancel: true}
	}
	if err := tx.settle(ctx, rows, endings, d); err != nil {
		return false, err
	}
	if group != 0 {
		tx.touched.group(group, false)
		if _, err := tx.exec(ctx, `UPDATE task_group SET canceled_at = COALESCE(canceled_at, ?) WHERE id = ? AND finished_at IS NULL`, micros(tx.now()), group); err != nil {
			return false, err
		}
	}
	return true, tx.count(ctx, d)
}
