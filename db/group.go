package db

import (
	"context"

	"ream/page"
	"ream/task"
)

type groupRow struct {
	owned
	ID   task.GroupID `db:"id"`
	Name string       `db:"name"`
	countRow
	ItemsDone  int64        `db:"items_done"`
	ItemsTotal int64        `db:"items_total"`
	BytesDone  int64        `db:"bytes_done"`
	BytesTotal int64        `db:"bytes_total"`
	MaxRunning int          `db:"max_running"`
	RetryOf    task.GroupID `db:"retry_of"`
	Canceled   *int64       `db:"canceled_at"`
	Created    int64        `db:"created_at"`
	Started    *int64       `db:"started_at"`
	Finished   *int64       `db:"finished_at"`
}

// A sum of SQLite's may be too much for an integer.
const groupColumns = `id, name, ` + countColumns + `, items_done, items_total,
	CAST(bytes_done AS bigint) AS bytes_done, CAST(bytes_total AS bigint) AS bytes_total,
	COALESCE(max_running, 0) AS max_running, COALESCE(retry_of, 0) AS retry_of, canceled_at, created_at, started_at, finished_at`

func (r groupRow) group() *task.Group {
	g := &task.Group{ID: r.ID, Name: r.Name, Tally: r.counts(), MaxRunning: r.MaxRunning, RetryOf: r.RetryOf, CanceledAt: fromNullMicros(r.Canceled), CreatedAt: fromMicros(r.Created),
		StartedAt: fromNullMicros(r.Started), FinishedAt: fromNullMicros(r.Finished)}
	g.Progress = task.Progress{ItemsDone: r.ItemsDone, ItemsTotal: r.ItemsTotal, BytesDone: r.BytesDone, BytesTotal: r.BytesTotal,
		Since: g.StartedAt, Until: g.FinishedAt}
	return g
}

func (r groupRow) item() (task.GroupID, *task.Group) { return r.ID, r.group() }

// GroupsByID returns groups in the order of the ids, nil where there is none.
// Its cost does not depend on how many members they have.
func (q *queries) GroupsByID(ctx context.Context, ids []task.GroupID) ([]*task.Group, error) {
	var rows []groupRow
	seen := q.seenGroup()
	if err := q.sel(ctx, &rows, `SELECT `+groupColumns+` FROM task_group g WHERE `+q.d.in("g.id")+seen.sql, joined(list(q.d, ids), seen.args)...); err != nil {
		return nil, err
	}
	return inOrder(ids, rows, groupRow.item), nil
}

// Groups returns a page of all groups, newest first.
func (q *queries) Groups(ctx context.Context, req page.Request) (*page.Of[*task.Group], error) {
	l := listing{columns: groupColumns, from: "task_group g", key: "g.id", newest: true}
	l.narrow(q.seenGroup())
	return paged(ctx, q, l, req, groupRow.item)
}

// GroupRetries returns a page of the retries of each group, oldest first.
func (q *queries) GroupRetries(ctx context.Context, ids []task.GroupID, req page.Request) ([]*page.Of[*task.Group], error) {
	l := listing{columns: groupColumns, from: "task_group g", where: `g.retry_of = o.owner`, key: "g.id"}
	l.narrow(q.seenGroup())
	return pagesOf(ctx, q, l, ownersOf(ids), req, groupRow.item)
}
