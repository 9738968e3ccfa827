package db

import (
	"context"
	"time"

	"ream/task"
)

// Purged is what a step of a purge did, and where the next one goes on.
type Purged[ID ~int64] struct {
	Last    ID   // up to which was looked
	Deleted int  // how many went
	More    bool // whether there may be more after Last
}

// PurgeGroups deletes those of the next limit groups after the given one that
// finished before the cutoff. Their members are left to PurgeTasks.
func (db *DB) PurgeGroups(ctx context.Context, after task.GroupID, cutoff time.Time, limit int) (Purged[task.GroupID], error) {
	const next = `SELECT id, created_at, finished_at, FALSE AS kept FROM task_group WHERE id > ? ORDER BY id LIMIT ?`
	return purge(ctx, db, next, after, cutoff, limit, func(tx *Tx, ids []task.GroupID) (int, error) {
		if _, err := tx.exec(ctx, `DELETE FROM task_group_repository WHERE `+tx.d.in("group_id"), list(tx.d, ids)); err != nil {
			return 0, err
		}
		return tx.exec(ctx, `DELETE FROM task_group WHERE `+tx.d.in("id"), list(tx.d, ids))
	})
}

// PurgeTasks deletes those of the next limit tasks after the given one that
// finished before the cutoff and whose group, if they had one, is gone; with
// their reports and what tells what they made, could not get, and found out. The
// counts over everything stay: they tell what was ever done.
func (db *DB) PurgeTasks(ctx context.Context, after task.ID, cutoff time.Time, limit int) (Purged[task.ID], error) {
	const next = `SELECT t.id, t.created_at, t.finished_at, g.id IS NOT NULL AS kept
		FROM task t LEFT JOIN task_group g ON g.id = t.group_id WHERE t.id > ? ORDER BY t.id LIMIT ?`
	return purge(ctx, db, next, after, cutoff, limit, func(tx *Tx, ids []task.ID) (int, error) {
		for _, table := range []string{"task_report", "task_created", "task_failure", "task_finding", "task_preview", "task_preview_change", "task_unsuccessful"} {
			if _, err := tx.exec(ctx, `DELETE FROM `+table+` WHERE `+tx.d.in("task_id"), list(tx.d, ids)); err != nil {
				return 0, err
			}
		}
		return tx.exec(ctx, `DELETE FROM task WHERE `+tx.d.in("id"), list(tx.d, ids))
	})
}

// purge is a step of a purge. It walks by id and stops at the first row that is
// too young: an index on when work finishes would cost every task something.
// What has finished changes no more, so only the deleting takes a transaction.
func purge[ID interface {
	~int64
	String() string
}](ctx context.Context, db *DB, next string, after ID, cutoff time.Time, limit int, remove func(*Tx, []ID) (int, error)) (Purged[ID], error) {
	p := Purged[ID]{Last: after}
	var rows []struct {
		ID       ID     `db:"id"`
		Created  int64  `db:"created_at"`
		Finished *int64 `db:"finished_at"`
		Kept     bool   `db:"kept"` // whatever its age
	}
	if err := db.sel(ctx, &rows, next, after, limit); err != nil {
		return p, err
	}
	p.More = len(rows) == limit
	var old []ID
	for _, r := range rows {
		if r.Created >= micros(cutoff) {
			p.More = false
			break
		}
		p.Last = r.ID
		if r.Finished != nil && *r.Finished < micros(cutoff) && !r.Kept {
			old = append(old, r.ID)
		}
	}
	if len(old) == 0 {
		return p, nil
	}
	return p, db.InTx(ctx, func(tx *Tx) (err error) {
		if err := tx.byIndex(ctx); err != nil {
			return err
		}
		if p.Deleted, err = remove(tx, old); err != nil || cutoff.Before(tx.now().Add(-answersKept)) {
			return err
		}
		// A request must not be answered with what is gone.
		names := make([]string, len(old))
		for i, id := range old {
			names[i] = id.String()
		}
		_, err = tx.exec(ctx, `DELETE FROM idempotency WHERE `+tx.d.in("answer"), list(tx.d, names))
		return err
	})
}

// PurgeRest deletes what else was kept of the time before the cutoff: workers
// that ended, and answers that no request can ask for any more.
func (db *DB) PurgeRest(ctx context.Context, cutoff time.Time) error {
	return db.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `DELETE FROM idempotency WHERE created_at < ?`, micros(tx.now().Add(-answersKept))); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `DELETE FROM worker WHERE ended_at < ? AND NOT EXISTS (SELECT 1 FROM task_queue q WHERE q.worker_id = worker.id)`, micros(cutoff))
		return err
	})
}
