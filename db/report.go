package db

import (
	"context"
	"slices"

	"ream/content"
	"ream/task"
)

type reportRow struct {
	Task    task.ID   `db:"task_id" json:"task_id"`
	Code    string    `db:"code" json:"code"`
	Message string    `db:"message" json:"message"`
	Done    int64     `db:"done" json:"done"`
	Total   *int64    `db:"total" json:"total"`
	Unit    task.Unit `db:"unit" json:"unit"`
	Started int64     `db:"started_at" json:"-"`
	Updated int64     `db:"updated_at" json:"-"`
}

const reportColumns = `task_id, code, message, done, total, unit, started_at, updated_at`

// sums are what reports add to a progress.
type sums struct{ itemsDone, itemsTotal, bytesDone, bytesTotal int64 }

// add adds a report, or takes it away again. A total that is not known yet
// counts as what is done.
func (s *sums) add(r reportRow, sign int64) {
	done := bounded(r.Done)
	total := done
	if r.Total != nil {
		total = bounded(*r.Total)
	}
	inDone, inTotal := &s.itemsDone, &s.itemsTotal
	if r.Unit == task.Bytes {
		inDone, inTotal = &s.bytesDone, &s.bytesTotal
	}
	*inDone, *inTotal = content.Plus(*inDone, sign*done), content.Plus(*inTotal, sign*total)
}

// bounded is what a line may say: what upstreams tell is summed with what others
// report.
func bounded(n int64) int64 { return min(max(n, 0), content.MaxTotal) }

// Report writes lines of progress of a worker's tasks, and adds the
// differences to their groups. Lines of tasks that are no longer the worker's
// are dropped.
func (tx *Tx) Report(ctx context.Context, worker task.WorkerID, reports []task.Report) error {
	if len(reports) == 0 {
		return nil
	}
	ids := make([]task.ID, len(reports))
	for i, r := range reports {
		ids[i] = r.TaskID
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	// Locked, so that none ends before its last lines are counted: a finished
	// group changes no more.
	rows, err := tx.queueWhere(ctx, tx.d.forChange, tx.d.in("task_id"), list(tx.d, ids))
	if err != nil {
		return err
	}
	groups := map[task.ID]task.GroupID{}
	for _, row := range rows {
		if row.Worker == worker {
			groups[row.Task] = row.Group
		}
	}
	var old []reportRow
	if err := tx.sel(ctx, &old, `SELECT `+reportColumns+` FROM task_report WHERE `+tx.d.in("task_id"), list(tx.d, ids)); err != nil {
		return err
	}
	type key struct {
		id   task.ID
		code string
	}
	before := make(map[key]reportRow, len(old))
	for _, r := range old {
		before[key{r.Task, r.Code}] = r
	}
	var changed []reportRow
	byGroup := map[task.GroupID]*sums{}
	for _, r := range reports {
		group, mine := groups[r.TaskID]
		if !mine {
			continue
		}
		row := reportRow{Task: r.TaskID, Code: r.Code, Message: r.Message, Done: bounded(r.Done), Unit: r.Unit}
		if r.Total != nil {
			row.Total = new(bounded(*r.Total))
		}
		if byGroup[group] == nil {
			byGroup[group] = &sums{}
		}
		byGroup[group].add(row, 1)
		byGroup[group].add(before[key{r.TaskID, r.Code}], -1)
		changed = append(changed, row)
		tx.touched.task(r.TaskID, false)
	}
	now := micros(tx.now())
	if _, err := tx.exec(ctx, `INSERT INTO task_report(task_id, code, message, done, total, unit, started_at, updated_at)
		SELECT task_id, code, message, done, total, unit, CAST(? AS bigint), CAST(? AS bigint) FROM `+
		tx.d.rows("x", "task_id bigint", "code text", "message text", "done bigint", "total bigint", "unit text")+` WHERE TRUE
		ON CONFLICT (task_id, code) DO UPDATE SET message = excluded.message, done = excluded.done, total = excluded.total,
			unit = excluded.unit, updated_at = excluded.updated_at`, now, now, encode(changed)); err != nil {
		return err
	}
	return tx.addProgress(ctx, byGroup)
}

func (tx *Tx) addProgress(ctx context.Context, byGroup map[task.GroupID]*sums) error {
	for _, g := range ordered(byGroup) {
		s := byGroup[g]
		if *s == (sums{}) {
			continue
		}
		tx.touched.group(g, false)
		if _, err := tx.exec(ctx, `UPDATE task_group SET items_done = `+tx.d.plus("items_done")+`, items_total = `+tx.d.plus("items_total")+`,
			bytes_done = `+tx.d.plus("bytes_done")+`, bytes_total = `+tx.d.plus("bytes_total")+` WHERE id = ?`, s.itemsDone, s.itemsTotal, s.bytesDone, s.bytesTotal, g); err != nil {
			return err
		}
	}
	return nil
}

// Reports returns the progress of each task, line by line.
func (q *queries) Reports(ctx context.Context, ids []task.ID) ([][]*task.Report, error) {
	var rows []reportRow
	if err := q.sel(ctx, &rows, `SELECT `+reportColumns+` FROM task_report WHERE `+q.d.in("task_id")+` ORDER BY task_id, started_at, code`, list(q.d, ids)); err != nil {
		return nil, err
	}
	return grouped(ids, rows, func(r reportRow) (task.ID, *task.Report) {
		return r.Task, &task.Report{TaskID: r.Task, Code: r.Code, Message: r.Message, Done: r.Done, Total: r.Total, Unit: r.Unit,
			StartedAt: fromMicros(r.Started), UpdatedAt: fromMicros(r.Updated)}
	}), nil
}

// Create records that a task made something. It belongs in the transaction
// that makes it.
func (tx *Tx) Create(ctx context.Context, id task.ID, nodeID string) error {
	tx.touched.task(id, false)
	_, err := tx.exec(ctx, `INSERT INTO task_created(task_id, node_id) VALUES (?, ?) ON CONFLICT (task_id, node_id) DO NOTHING`, id, nodeID)
	return err
}

// Created returns what each task made, in that order.
func (q *queries) Created(ctx context.Context, ids []task.ID) ([][]task.Created, error) {
	type row struct {
		Task task.ID `db:"task_id"`
		Node string  `db:"node_id"`
	}
	var rows []row
	if err := q.sel(ctx, &rows, `SELECT task_id, node_id FROM task_created WHERE `+q.d.in("task_id")+` ORDER BY id`, list(q.d, ids)); err != nil {
		return nil, err
	}
	return grouped(ids, rows, func(r row) (task.ID, task.Created) { return r.Task, task.Created{TaskID: r.Task, NodeID: r.Node} }), nil
}
