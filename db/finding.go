package db

import (
	"context"
	"slices"

	"ream/content"
	"ream/page"
	"ream/task"
)

type findingRow struct {
	owned
	ID      int64           `db:"id"`
	Path    string          `db:"path"`
	SHA256  content.Digest  `db:"sha256"`
	Size    int64           `db:"size"`
	Problem content.Problem `db:"problem"`
	Remedy  content.Remedy  `db:"remedy"`
	Message string          `db:"message"`
}

func (r findingRow) item() (int64, *content.Finding) {
	return r.ID, &content.Finding{Path: r.Path, SHA256: r.SHA256, Size: r.Size, Problem: r.Problem, Remedy: r.Remedy, Message: r.Message}
}

// AddFindings records what a task found, after what it recorded before.
func (tx *Tx) AddFindings(ctx context.Context, id task.ID, findings []content.Finding) error {
	type row struct {
		Index   int             `json:"i"`
		Path    string          `json:"path"`
		SHA256  content.Digest  `json:"sha256"`
		Size    int64           `json:"size"`
		Problem content.Problem `json:"problem"`
		Remedy  content.Remedy  `json:"remedy"`
		Message string          `json:"message"`
	}
	rows := make([]row, len(findings))
	for i, f := range findings {
		rows[i] = row{i, f.Path, f.SHA256, f.Size, f.Problem, f.Remedy, f.Message}
	}
	for chunk := range slices.Chunk(rows, bulk) {
		if _, err := tx.exec(ctx, `INSERT INTO task_finding(task_id, path, sha256, size, problem, remedy, message)
			SELECT CAST(? AS bigint), path, sha256, size, problem, remedy, message FROM `+
			tx.d.rows("x", "i int", "path text", "sha256 text", "size bigint", "problem text", "remedy text", "message text")+` ORDER BY i`, id, encode(chunk)); err != nil {
			return err
		}
	}
	tx.touched.task(id, false)
	return nil
}

// DropUnsolved forgets what a task found that is still as it was, for another
// attempt at it.
func (tx *Tx) DropUnsolved(ctx context.Context, id task.ID) error {
	tx.touched.task(id, false)
	_, err := tx.exec(ctx, `DELETE FROM task_finding WHERE task_id = ? AND remedy IN (?, ?)`, id, content.Unsolved, content.Unneeded)
	return err
}

// Findings returns the same page of what each task found, in the order in which
// it did.
func (q *queries) Findings(ctx context.Context, ids []task.ID, req page.Request) ([]*page.Of[*content.Finding], error) {
	l := listing{columns: `f.id, f.path, f.sha256, f.size, f.problem, f.remedy, f.message`, from: `task_finding f`, key: `f.id`}
	l.and(`f.task_id = o.owner`)
	l.narrow(q.seenTask("f.task_id"))
	return pagesOf(ctx, q, l, ownersOf(ids), req, findingRow.item)
}
