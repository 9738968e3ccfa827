package db

import (
	"context"
	"slices"

	"ream/content"
	"ream/page"
	"ream/task"
)

type failureRow struct {
	owned
	ID      int64  `db:"id"`
	Path    string `db:"path"`
	URL     string `db:"url"`
	Code    string `db:"code"`
	Message string `db:"message"`
}

func (r failureRow) item() (int64, *task.Failure) {
	return r.ID, &task.Failure{Path: r.Path, URL: r.URL, Code: r.Code, Message: r.Message}
}

// AddFailures records what a task could not get, after what it recorded before.
func (tx *Tx) AddFailures(ctx context.Context, id task.ID, failures []task.Failure) error {
	type row struct {
		Index   int    `json:"i"`
		Path    string `json:"path"`
		URL     string `json:"url"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	rows := make([]row, len(failures))
	for i, f := range failures {
		rows[i] = row{i, f.Path, f.URL, f.Code, f.Message}
	}
	for chunk := range slices.Chunk(rows, bulk) {
		if _, err := tx.exec(ctx, `INSERT INTO task_failure(task_id, path, url, code, message) SELECT CAST(? AS bigint), path, url, code, message FROM `+
			tx.d.rows("x", "i int", "path text", "url text", "code text", "message text")+` ORDER BY i`, id, encode(chunk)); err != nil {
			return err
		}
	}
	tx.touched.task(id, false)
	return nil
}

// DropFailures forgets what a task could not get, for another attempt at it.
func (tx *Tx) DropFailures(ctx context.Context, id task.ID) error {
	tx.touched.task(id, false)
	_, err := tx.exec(ctx, `DELETE FROM task_failure WHERE task_id = ?`, id)
	return err
}

// Failures returns the same page of what each task could not get, in the order
// in which that was found out.
func (q *queries) Failures(ctx context.Context, ids []task.ID, req page.Request) ([]*page.Of[*task.Failure], error) {
	l := listing{columns: `f.id, f.path, f.url, f.code, f.message`, from: `task_failure f`, key: `f.id`}
	l.and(`f.task_id = o.owner`)
	l.narrow(q.seenTask("f.task_id"))
	return pagesOf(ctx, q, l, ownersOf(ids), req, failureRow.item)
}

// MembersAtFailures returns, in order, the units that the repository's newest
// version has at the paths of what a task could not get.
func (q *queries) MembersAtFailures(ctx context.Context, repository content.RepositoryID, id task.ID) ([]content.UnitID, error) {
	var paths []string
	if err := q.sel(ctx, &paths, `SELECT DISTINCT path FROM task_failure WHERE task_id = ?`, id); err != nil {
		return nil, err
	}
	// A join would go through all members for each path where PostgreSQL's
	// statistics know neither yet.
	var ids []content.UnitID
	for chunk := range slices.Chunk(paths, bulk) {
		units, err := q.MembersAt(ctx, repository, chunk)
		if err != nil {
			return nil, err
		}
		for _, u := range units {
			ids = append(ids, u.ID)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
