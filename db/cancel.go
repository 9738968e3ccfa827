package db

import (
	"context"

	"ream/task"
)

// CancelTask cancels a task with what it spawned. What waits is canceled at
// once, what runs when its worker stops it. A finished task stays as it is.
func (db *DB) CancelTask(ctx context.Context, id task.ID) error {
	return db.cancelAll(ctx, func(tx *Tx) ([]queueRow, error) {
		family := []task.ID{id}
		for generation := family; len(generation) > 0; family = append(family, generation...) {
			parents := generation
			generation = nil
			if err := tx.sel(ctx, &generation, `SELECT id FROM task WHERE `+tx.d.in("parent_id")+` ORDER BY id`, list(tx.d, parents)); err != nil {
				return nil, err
			}
		}
		return tx.queueWhere(ctx, "", tx.d.in("task_id")+` AND canceled_at IS NULL`, list(tx.d, family))
	}, 0)
}

// CancelGroup cancels all members of a group, and whatever would join it. A
// finished group stays as it is.
func (db *DB) CancelGroup(ctx context.Context, id task.GroupID) error {
	return db.cancelAll(ctx, func(tx *Tx) ([]queueRow, error) {
		return tx.queueWhere(ctx, "", `group_id = ? AND canceled_at IS NULL`, id)
	}, id)
}

// cancelAll cancels what find finds, and the group if there is one, until
// nothing is left: a task that ran may have spawned others before it was
// marked.
func (db *DB) cancelAll(ctx context.Context, find func(*Tx) ([]queueRow, error), group task.GroupID) error {
	for {
		var left []queueRow
		err := db.InTx(ctx, func(tx *Tx) (err error) {
			if err := tx.byIndex(ctx); err != nil {
				return err
			}
			if left, err = find(tx); err != nil || len(left) == 0 {
				return err
			}
			d, endings := deltas{}, make(map[task.ID]ending, len(left))
			for _, row := range left {
				endings[row.Task] = ending{cancel: true}
			}
			if err := tx.settle(ctx, left, endings, d); err != nil {
				return err
			}
			if group != 0 {
				tx.touched.group(group, false)
				if _, err := tx.exec(ctx, `UPDATE task_group SET canceled_at = COALESCE(canceled_at, ?) WHERE id = ? AND finished_at IS NULL`, micros(tx.now()), group); err != nil {
					return err
				}
			}
			return tx.count(ctx, d)
		})
		if err != nil || len(left) == 0 {
			return err
		}
	}
}
