package db

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"slices"

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

// deltas are changes of counts by group. The key 0 stands for tasks without one.
type deltas map[task.GroupID]*delta

type delta struct {
	task.Counts
	started bool
	freed   int  // members with a place that need it no more
	atGate  bool // members may have come to the gate
}

func (d deltas) of(g task.GroupID) *delta {
	if d[g] == nil {
		d[g] = &delta{}
	}
	return d[g]
}

func (d deltas) add(g task.GroupID, s task.State, n int) { d.of(g).Add(s, n) }

func (d deltas) move(g task.GroupID, from, to task.State) {
	if from == to {
		return
	}
	d.add(g, from, -1)
	d.add(g, to, 1)
	if to == task.Running {
		d.of(g).started = true
	}
}

// atGates tells whether members of a group with a limit may go on.
func (d deltas) atGates() bool {
	for _, g := range d {
		if g.freed > 0 || g.atGate {
			return true
		}
	}
	return false
}

// ordered are the groups of a map, as they are locked.
func ordered[V any](byGroup map[task.GroupID]V) []task.GroupID {
	ids := slices.Collect(maps.Keys(byGroup))
	slices.SortFunc(ids, func(a, b task.GroupID) int { return cmp.Compare(a, b) })
	return slices.DeleteFunc(ids, func(g task.GroupID) bool { return g == 0 })
}

// countedGroup is a delta on its way to a group's row.
type countedGroup struct {
	ID         task.GroupID `json:"id"`
	Waiting    int          `json:"waiting"`
	Running    int          `json:"running"`
	Completed  int          `json:"completed"`
	Failed     int          `json:"failed"`
	Canceling  int          `json:"canceling"`
	Canceled   int          `json:"canceled"`
	Skipped    int          `json:"skipped"`
	Unfinished int          `json:"unfinished"`
	Revision   int          `json:"revision"`
	Freed      int          `json:"freed"`
	Started    bool         `json:"started"`
}

// countedRow is a group after it was counted.
type countedRow struct {
	limit
	Ended bool `db:"ended"`
}

// count writes the changes of counts, and lets members of groups with a limit
// take the places that became free. It comes last in a transaction, because a
// group's row is what most transactions want.
func (tx *Tx) count(ctx context.Context, d deltas) error {
	if len(d) == 0 {
		return nil
	}
	if err := tx.countGroups(ctx, d); err != nil {
		return err
	}
	var total task.Counts
	for _, g := range d {
		total = sum(total, g.Counts)
	}
	if total == (task.Counts{}) {
		return nil
	}
	_, err := tx.exec(ctx, `UPDATE queue_counts SET waiting = waiting + ?, running = running + ?, completed = completed + ?, failed = failed + ?,
		canceling = canceling + ?, canceled = canceled + ?, skipped = skipped + ?, revision = revision + 1 WHERE shard = ?`,
		total.Waiting, total.Running, total.Completed, total.Failed, total.Canceling, total.Canceled, total.Skipped, rand.IntN(8))
	return err
}

func (tx *Tx) countGroups(ctx context.Context, d deltas) error {
	groups := ordered(d)
	if len(groups) == 0 {
		return nil
	}
	if err := tx.lockGroups(ctx, groups); err != nil {
		return err
	}
	rows := make([]countedGroup, len(groups))
	for i, id := range groups {
		g := d[id]
		rows[i] = countedGroup{ID: id, Waiting: g.Waiting, Running: g.Running, Completed: g.Completed, Failed: g.Failed, Canceling: g.Canceling,
			Canceled: g.Canceled, Skipped: g.Skipped, Unfinished: g.Unfinished(), Freed: g.freed, Started: g.started}
		if g.Counts != (task.Counts{}) {
			rows[i].Revision = 1
		}
	}
	now := micros(tx.now())
	var counted []countedRow
	these, keys := tx.within("task_group.id", list(tx.d, groups))
	if err := tx.sel(ctx, &counted, `UPDATE task_group SET waiting = task_group.waiting + x.waiting, running = task_group.running + x.running,
			completed = task_group.completed + x.completed, failed = task_group.failed + x.failed, canceling = task_group.canceling + x.canceling,
			canceled = task_group.canceled + x.canceled, skipped = task_group.skipped + x.skipped, revision = task_group.revision + x.revision,
			admitted = admitted - x.freed, started_at = CASE WHEN x.started THEN COALESCE(started_at, ?) ELSE started_at END,
			finished_at = CASE WHEN task_group.waiting + task_group.running + task_group.canceling + x.unfinished = 0 THEN CAST(? AS bigint) END
		FROM `+tx.d.rows("x", "id bigint", "waiting int", "running int", "completed int", "failed int", "canceling int", "canceled int", "skipped int",
		"unfinished int", "revision int", "freed int", "started boolean")+` WHERE task_group.id = x.id`+these+`
		RETURNING task_group.id, COALESCE(max_running, 0) AS max_running, admitted, finished_at IS NOT NULL AS ended`, append([]any{now, now, encode(rows)}, keys...)...); err != nil {
		return err
	}
	for _, row := range counted {
		g := d[row.Group]
		if g.Counts != (task.Counts{}) {
			tx.touched.group(row.Group, row.Ended)
		}
		if row.Max > 0 && (g.freed > 0 || g.atGate) {
			if err := tx.admit(ctx, row.limit); err != nil {
				return err
			}
		}
	}
	return nil
}

// lockGroups locks groups' rows in order, as everybody does.
func (tx *Tx) lockGroups(ctx context.Context, ids []task.GroupID) error {
	if tx.d.forUpdate == "" || len(ids) < 2 {
		return nil
	}
	_, err := tx.exec(ctx, `SELECT 1 FROM task_group WHERE `+tx.d.in("id")+` ORDER BY id`+tx.d.forUpdate, list(tx.d, ids))
	return err
}

// openGroup locks a group to which members are to be added, with the others
// that will be counted. It returns a Conflict if the group was canceled.
func (tx *Tx) openGroup(ctx context.Context, id task.GroupID, d deltas) error {
	if err := tx.lockGroups(ctx, ordered(d)); err != nil {
		return err
	}
	var open bool
	ok, err := tx.found(ctx, &open, `SELECT canceled_at IS NULL FROM task_group WHERE id = ?`+tx.d.forUpdate, id)
	switch {
	case err != nil:
		return err
	case !ok || !open:
		return fault.New(fault.Conflict, "%s is canceled", id)
	}
	return nil
}

func sum(a, b task.Counts) task.Counts {
	return task.Counts{Waiting: a.Waiting + b.Waiting, Running: a.Running + b.Running, Completed: a.Completed + b.Completed,
		Failed: a.Failed + b.Failed, Canceling: a.Canceling + b.Canceling, Canceled: a.Canceled + b.Canceled, Skipped: a.Skipped + b.Skipped}
}
