package db

import (
	"context"
	"slices"
	"strings"

	"ream/content"
	"ream/page"
	"ream/task"
)

type previewRow struct {
	Task       int64 `db:"task_id"`
	Added      int   `db:"added"`
	Removed    int   `db:"removed"`
	Replaced   int   `db:"replaced"`
	Unchanged  int   `db:"unchanged"`
	FetchFiles int   `db:"fetch_files"`
	FetchBytes int64 `db:"fetch_bytes"`
}

func (r previewRow) item() (task.ID, *content.Preview) {
	return task.ID(r.Task), &content.Preview{TaskID: r.Task, Added: r.Added, Removed: r.Removed, Replaced: r.Replaced, Unchanged: r.Unchanged,
		FetchFiles: r.FetchFiles, FetchBytes: r.FetchBytes}
}

// Previews returns what tasks found out that syncs would do, nil for those that
// have not, or not yet.
func (q *queries) Previews(ctx context.Context, ids []task.ID) ([]*content.Preview, error) {
	var rows []previewRow
	seen := q.seenTask("p.task_id")
	if err := q.sel(ctx, &rows, `SELECT p.task_id, p.added, p.removed, p.replaced, p.unchanged, p.fetch_files, p.fetch_bytes
		FROM task_preview p WHERE `+q.d.in("p.task_id")+seen.sql, joined(list(q.d, ids), seen.args)...); err != nil {
		return nil, err
	}
	return inOrder(ids, rows, previewRow.item), nil
}

type previewChangeRow struct {
	owned        `json:"-"`
	Path         string              `db:"path" json:"path"`
	Kind         content.PreviewKind `db:"kind" json:"kind"`
	SHA256Before *content.Digest     `db:"sha256_before" json:"sha256_before"`
	SizeBefore   *int64              `db:"size_before" json:"size_before"`
	SHA256After  *content.Digest     `db:"sha256_after" json:"sha256_after"`
	SizeAfter    *int64              `db:"size_after" json:"size_after"`
	Fetch        bool                `db:"fetches" json:"fetches"`
}

func (r previewChangeRow) item() (string, *content.PreviewChange) {
	c := &content.PreviewChange{Path: r.Path, Kind: r.Kind, Fetch: r.Fetch}
	if r.SHA256Before != nil {
		c.Before = &content.PreviewFile{SHA256: *r.SHA256Before, Size: *r.SizeBefore}
	}
	if r.SHA256After != nil {
		c.After = &content.PreviewFile{SHA256: *r.SHA256After, Size: *r.SizeAfter}
	}
	return r.Path, c
}

// PreviewChanges returns the same page of what each task found out that a sync
// would do, by path; of all kinds if none are named.
func (q *queries) PreviewChanges(ctx context.Context, ids []task.ID, kinds []content.PreviewKind, req page.Request) ([]*page.Of[*content.PreviewChange], error) {
	l := listing{columns: `c.path, c.kind, c.sha256_before, c.size_before, c.sha256_after, c.size_after, c.fetches`, from: `task_preview_change c`, key: `c.path`}
	l.and(`c.task_id = o.owner`)
	if len(kinds) > 0 {
		l.and(q.d.in("c.kind"), list(q.d, kinds))
	}
	l.narrow(q.seenTask("c.task_id"))
	return pagesOf(ctx, q, l, ownersOf(ids), req, previewChangeRow.item)
}

// AddPreviewChanges records some of what a sync would do.
func (tx *Tx) AddPreviewChanges(ctx context.Context, id task.ID, changes []content.PreviewChange) error {
	rows := make([]previewChangeRow, len(changes))
	for i, c := range changes {
		rows[i] = previewChangeRow{Path: c.Path, Kind: c.Kind, Fetch: c.Fetch}
		if c.Before != nil {
			rows[i].SHA256Before, rows[i].SizeBefore = &c.Before.SHA256, &c.Before.Size
		}
		if c.After != nil {
			rows[i].SHA256After, rows[i].SizeAfter = &c.After.SHA256, &c.After.Size
		}
	}
	for chunk := range slices.Chunk(rows, bulk) {
		if _, err := tx.exec(ctx, `INSERT INTO task_preview_change(task_id, path, kind, sha256_before, size_before, sha256_after, size_after, fetches)
			SELECT CAST(? AS bigint), path, kind, sha256_before, size_before, sha256_after, size_after, fetches FROM `+
			tx.d.rows("x", "path text", "kind text", "sha256_before text", "size_before bigint", "sha256_after text", "size_after bigint", "fetches boolean"),
			id, encode(chunk)); err != nil {
			return err
		}
	}
	return nil
}

// AddPreview records that a task knows all that a sync would do, with how many
// paths stay as they are. The rest is counted by its changes.
func (tx *Tx) AddPreview(ctx context.Context, id task.ID, unchanged int) error {
	tx.touched.task(id, false)
	_, err := tx.exec(ctx, `INSERT INTO task_preview(task_id, added, removed, replaced, unchanged, fetch_files, fetch_bytes)
		SELECT CAST(? AS bigint), count(CASE kind WHEN 'ADDED' THEN 1 END), count(CASE kind WHEN 'REMOVED' THEN 1 END), count(CASE kind WHEN 'REPLACED' THEN 1 END), CAST(? AS bigint),
			(SELECT count(DISTINCT sha256_after) FROM task_preview_change WHERE task_id = ? AND fetches),
			(SELECT `+tx.d.sum("size")+` FROM (SELECT max(size_after) AS size FROM task_preview_change WHERE task_id = ? AND fetches GROUP BY sha256_after) f)
		FROM task_preview_change WHERE task_id = ?`, id, unchanged, id, id, id)
	return err
}

// DropPreview forgets what a task found out that a sync would do, for another
// attempt at it.
func (tx *Tx) DropPreview(ctx context.Context, id task.ID) error {
	tx.touched.task(id, false)
	for _, table := range []string{"task_preview", "task_preview_change"} {
		if _, err := tx.exec(ctx, `DELETE FROM `+table+` WHERE task_id = ?`, id); err != nil {
			return err
		}
	}
	return nil
}

// MembersAt returns the units that a repository's newest version has at some
// paths, in no order.
func (q *queries) MembersAt(ctx context.Context, id content.RepositoryID, paths []string) ([]*content.Unit, error) {
	var rows []unitRow
	if err := q.sel(ctx, &rows, `SELECT `+unitColumns+` FROM `+memberTables+` WHERE u.id = m.unit_id AND m.repository_id = ? AND m.removed IS NULL AND `+q.d.in("m.path"),
		id, list(q.d, paths)); err != nil {
		return nil, err
	}
	units := make([]*content.Unit, len(rows))
	for i, r := range rows {
		units[i] = r.unit()
	}
	return units, nil
}

// CheckTree fails with fault.Conflict if a repository's newest version has a file at
// a path that one of some paths lies below, or one below such a path, as making a
// version would that adds files there. What they are to each other is not looked at.
func (q *queries) CheckTree(ctx context.Context, r *content.Repository, paths []string) error {
	var dirs []string
	under := map[string]string{} // directories, with the first path below each
	for _, path := range paths {
		for i := strings.LastIndexByte(path, '/'); i > 0; i = strings.LastIndexByte(path[:i], '/') {
			first, seen := under[path[:i]]
			if seen && first <= path {
				break // so it is for those above
			}
			if !seen {
				dirs = append(dirs, path[:i])
			}
			under[path[:i]] = path
		}
	}
	var clash struct {
		File  string `db:"path"`
		Below string `db:"below"`
	}
	found, err := q.found(ctx, &clash.File, `SELECT path FROM membership WHERE repository_id = ? AND removed IS NULL AND `+q.d.in("path")+` ORDER BY path LIMIT 1`,
		r.ID, list(q.d, dirs))
	clash.Below = under[clash.File]
	if err == nil && !found {
		rows := make([]pathRow, len(paths))
		for i, path := range paths {
			rows[i].Path = path
		}
		// In this form, PostgreSQL looks up what is below each, however few members it believes in.
		found, err = q.found(ctx, &clash, `SELECT path, below FROM (SELECT x.path, (SELECT m.path FROM membership m
			WHERE m.repository_id = ? AND m.path > x.path || '/' AND m.path < x.path || '0' AND m.removed IS NULL ORDER BY m.path LIMIT 1) AS below
			FROM `+q.d.rows("x", "path text")+`) c WHERE below IS NOT NULL ORDER BY path LIMIT 1`, r.ID, encode(rows))
	}
	if err != nil || !found {
		return err
	}
	return fileBelowFile(r, clash.File, clash.Below)
}

type pathRow struct {
	Path string `json:"path"`
}
