package db

import (
	"context"
	"math/rand/v2"

	"ream/fault"
	"ream/task"
)

// countColumns are the states as columns of task_group and queue_counts.
const countColumns = `waiting, running, completed, failed, canceling, canceled, skipped, revision`

// countRow is those columns.
type countRow struct {
	Waiting   int   `db:"waiting"`
	Running   int   `db:"running"`
	Completed int   `db:"completed"`
	Failed    int   `db:"failed"`
	Canceling int   `db:"canceling"`
	Canceled  int   `db:"canceled"`
	Skipped   int   `db:"skipped"`
	Revision  int64 `db:"revision"`
}

func (r countRow) counts() task.Counts {
	return task.Counts{Waiting: r.Waiting, Running: r.Running, Completed: r.Completed, Failed: r.Failed,
		Canceling: r.Canceling, Canceled: r.Canceled, Skipped: r.Skipped, Revision: r.Revision}
}

const addCounts = `waiting = waiting + ?, running = running + ?, completed = completed + ?, failed = failed + ?,
	canceling = canceling + ?, canceled = canceled + ?, skipped = skipped + ?, revision = revision + 1`

func (d *delta) args() []any {
	return []any{d.Waiting, d.Running, d.Completed, d.Failed, d.Canceling, d.Canceled, d.Skipped}
}

// count writes the changes of counts. It comes last in a transaction, because
// a group's row is what most transactions want. Joining refuses a group that
// was canceled.
func (tx *Tx) count(ctx context.Context, d deltas, joining bool) error {
	if len(d) == 0 {
		return nil
	}
	now := micros(tx.now())
	var total delta
	for _, g := range d {
		total.Counts = sum(total.Counts, g.Counts)
	}
	for _, id := range d.groupsInOrder() {
		g := d[id]
		var started *int64
		if g.started {
			started = &now
		}
		query := `UPDATE task_group SET ` + addCounts + `, started_at = COALESCE(started_at, ?),
			finished_at = CASE WHEN waiting + running + canceling + ? = 0 THEN CAST(? AS bigint) END WHERE id = ?`
		if joining {
			query += ` AND canceled_at IS NULL`
		}
		n, err := tx.exec(ctx, query, append(g.args(), started, g.Unfinished(), now, id)...)
		if err != nil {
			return err
		}
		if n == 0 && joining {
			return fault.New(fault.Conflict, "%s is canceled", id)
		}
		tx.touched.group(id)
	}
	_, err := tx.exec(ctx, `UPDATE queue_counts SET `+addCounts+` WHERE shard = ?`, append(total.args(), rand.IntN(8))...)
	return err
}

func sum(a, b task.Counts) task.Counts {
	return task.Counts{Waiting: a.Waiting + b.Waiting, Running: a.Running + b.Running, Completed: a.Completed + b.Completed,
		Failed: a.Failed + b.Failed, Canceling: a.Canceling + b.Canceling, Canceled: a.Canceled + b.Canceled, Skipped: a.Skipped + b.Skipped}
}
