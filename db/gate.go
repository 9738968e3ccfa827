package db

import (
	"context"

	"ream/task"
)

// gate is what a task of a group with a limit passes last, when nothing else
// blocks it: so no place is held by a task that could not run.
type gate int

const (
	gateNone   gate = iota // the group has no limit
	gateClosed             // counts as one of the things that block the task
	gatePassed             // the task has one of the group's places until it ends
)

// limit is a group's cap on running members.
type limit struct {
	Group    task.GroupID `db:"id"`
	Max      int          `db:"max_running"`
	Admitted int          `db:"admitted"`
}

// admit lets the first tasks at a group's gate pass while there are places.
// The group's row is locked. A row at the gate that somebody else has locked
// is passed over: whoever has it cancels it or takes a grant back, and admits
// others afterwards.
func (tx *Tx) admit(ctx context.Context, l limit) error {
	free := l.Max - l.Admitted
	if free <= 0 {
		return nil
	}
	var ids []task.ID
	if err := tx.sel(ctx, &ids, `SELECT task_id FROM task_queue WHERE group_id = ? AND gate = 1 AND blocked_by = 1
		ORDER BY priority, position, task_id LIMIT ?`+tx.d.skipLocked, l.Group, free); err != nil || len(ids) == 0 {
		return err
	}
	if _, err := tx.exec(ctx, `UPDATE task_queue SET gate = 2, blocked_by = 0 WHERE `+tx.d.in("task_id"), list(tx.d, ids)); err != nil {
		return err
	}
	tx.touched.ready = true
	_, err := tx.exec(ctx, `UPDATE task_group SET admitted = admitted + ? WHERE id = ?`, len(ids), l.Group)
	return err
}

// admitWaiting fills the places of all groups that have a limit. It is only
// needed after a transaction that had locked tasks at a gate was given up.
func (tx *Tx) admitWaiting(ctx context.Context) error {
	if err := tx.byIndex(ctx); err != nil {
		return err
	}
	var limits []limit
	if err := tx.sel(ctx, &limits, `SELECT id, max_running, admitted FROM task_group
		WHERE max_running IS NOT NULL AND finished_at IS NULL AND admitted < max_running ORDER BY id`+tx.d.forUpdate); err != nil {
		return err
	}
	for _, l := range limits {
		if err := tx.admit(ctx, l); err != nil {
			return err
		}
	}
	return nil
}
