package db

import (
	"context"
	"time"

	"ream/content"
)

// figuresRest is for how many times as long as a count took the next one waits:
// so counting takes a twentieth of one processor at most.
const figuresRest = 20

// figuresState tells whether what is counted has changed.
const figuresState = `(SELECT CAST(COALESCE(max(v.id), 0) AS text) || ' ' || CAST(count(*) AS text) FROM version v) || ' ' ||
	(SELECT CAST(COALESCE(max(p.id), 0) AS text) || ' ' || CAST(count(*) AS text) FROM publication p) || ' ' ||
	(SELECT CAST(COALESCE(max(a.id), 0) AS text) FROM artifact a) || ' ' ||
	(SELECT CAST(count(*) AS text) FROM artifact a WHERE a.quarantined_at IS NOT NULL) || ' ' ||
	(SELECT CAST(count(*) AS text) FROM upload_part p)`

type storageRow struct {
	Artifacts   int64  `db:"artifacts"`
	Bytes       int64  `db:"bytes"`
	Orphaned    int64  `db:"orphaned_artifacts"`
	OrphanBytes int64  `db:"orphaned_bytes"`
	Quarantined int64  `db:"quarantined_artifacts"`
	Unfetched   int64  `db:"unfetched_artifacts"`
	ToFetch     int64  `db:"unfetched_bytes"`
	State       string `db:"state"`
	Counted     int64  `db:"counted_at"`
	Took        int64  `db:"took"`
	Now         string `db:"now"`
}

// Storage returns what there is in the storage, as it was last counted; nil if
// it never was.
func (q *queries) Storage(ctx context.Context) (*content.Storage, error) {
	var row storageRow
	found, err := q.found(ctx, &row, `SELECT artifacts, bytes, orphaned_artifacts, orphaned_bytes, quarantined_artifacts, unfetched_artifacts, unfetched_bytes, counted_at FROM storage_count`)
	if err != nil || !found {
		return nil, err
	}
	return &content.Storage{Artifacts: row.Artifacts, Bytes: row.Bytes, OrphanedArtifacts: row.Orphaned, OrphanedBytes: row.OrphanBytes,
		QuarantinedArtifacts: row.Quarantined, UnfetchedArtifacts: row.Unfetched, UnfetchedBytes: row.ToFetch, CountedAt: fromMicros(row.Counted)}, nil
}

// storageIsStale reports whether the storage should be counted again: if it has
// changed since the last time, which was long enough ago for what it cost.
func (q *queries) storageIsStale(ctx context.Context) (bool, error) {
	var row storageRow
	found, err := q.found(ctx, &row, `SELECT state, counted_at, took, `+figuresState+` AS now FROM storage_count`)
	return !found || row.State != row.Now && micros(q.now())-row.Counted >= figuresRest*row.Took, err
}

// recount has the storage counted again after a change that figuresState does
// not show.
func (tx *Tx) recount(ctx context.Context) error {
	_, err := tx.exec(ctx, `UPDATE storage_count SET state = ''`)
	return err
}

// Figures returns what repositories take of the storage, as it was last
// counted, in the order of the ids; nil for one that was not there then.
func (q *queries) Figures(ctx context.Context, ids []content.RepositoryID) ([]*content.Figures, error) {
	var rows []struct {
		Repository content.RepositoryID `db:"repository_id"`
		Artifacts  int64                `db:"artifacts"`
		Own        int64                `db:"own_bytes"`
		Shared     int64                `db:"shared_bytes"`
		Counted    int64                `db:"counted_at"`
	}
	seen := q.seen("f.repository_id")
	if err := q.sel(ctx, &rows, `SELECT f.repository_id, f.artifacts, f.own_bytes, f.shared_bytes, c.counted_at FROM storage_figure f CROSS JOIN storage_count c WHERE `+
		q.d.in("f.repository_id")+seen.sql, joined(list(q.d, ids), seen.args)...); err != nil {
		return nil, err
	}
	figures := make(map[content.RepositoryID]*content.Figures, len(rows))
	for _, r := range rows {
		figures[r.Repository] = &content.Figures{Artifacts: r.Artifacts, OwnBytes: r.Own, SharedBytes: r.Shared, CountedAt: fromMicros(r.Counted)}
	}
	all := make([]*content.Figures, len(ids))
	for i, id := range ids {
		all[i] = figures[id]
	}
	return all, nil
}

type figureRow struct {
	Repository content.RepositoryID `db:"repository_id" json:"repository_id"`
	Artifacts  int64                `db:"artifacts" json:"artifacts"`
	Own        int64                `db:"own_bytes" json:"own_bytes"`
	Shared     int64                `db:"shared_bytes" json:"shared_bytes"`
}

// CountStorage counts what Storage and Figures return, unless nothing has
// changed since the last time, or that was too short ago for what it cost. It
// reads everything that versions name, outside of any transaction that writes.
func (db *DB) CountStorage(ctx context.Context) error {
	if stale, err := db.storageIsStale(ctx); err != nil || !stale {
		return err
	}
	began := time.Now()
	var row storageRow
	if err := db.get(ctx, &row, `SELECT count(*) AS artifacts, `+db.d.sum("size")+` AS bytes, count(quarantined_at) AS quarantined_artifacts, `+figuresState+` AS state FROM artifact`); err != nil {
		return err
	}
	// The last row is of all that is named, however many repositories share it.
	// Uploads name parts, and are no repository.
	var figures []figureRow
	if err := db.sel(ctx, &figures, `WITH held AS (
			SELECT m.repository_id, a.id, a.size FROM membership m JOIN unit u ON u.id = m.unit_id JOIN artifact a ON a.sha256 = u.sha256
			UNION SELECT p.repository_id, a.id, a.size FROM published_file f JOIN publication p ON p.id = f.publication_id JOIN artifact a ON a.sha256 = f.sha256 WHERE f.metadata
			UNION SELECT -1, a.id, a.size FROM upload_part p JOIN artifact a ON a.sha256 = p.sha256),
		shares AS (SELECT id, size, count(CASE WHEN repository_id > 0 THEN 1 END) AS holders FROM held GROUP BY id, size)
		SELECT h.repository_id, count(*) AS artifacts, `+db.d.sum("CASE WHEN s.holders = 1 THEN s.size END")+` AS own_bytes,
			`+db.d.sum("CASE WHEN s.holders > 1 THEN s.size END")+` AS shared_bytes
		FROM held h JOIN shares s ON s.id = h.id GROUP BY h.repository_id
		UNION ALL SELECT 0, count(*), `+db.d.sum("size")+`, 0 FROM shares`); err != nil {
		return err
	}
	if err := db.get(ctx, &row, `SELECT count(*) AS unfetched_artifacts, `+db.d.sum("x.size")+` AS unfetched_bytes FROM (
			SELECT max(u.size) AS size FROM unit u WHERE NOT EXISTS (SELECT 1 FROM artifact a WHERE a.sha256 = u.sha256)
				AND EXISTS (SELECT 1 FROM membership m WHERE m.unit_id = u.id) GROUP BY u.sha256) x`); err != nil {
		return err
	}
	named := figures[len(figures)-1]
	row.Orphaned, row.OrphanBytes = max(0, row.Artifacts-named.Artifacts), max(0, row.Bytes-named.Own)
	row.Took = time.Since(began).Microseconds()
	return db.InTx(ctx, func(tx *Tx) error {
		if err := tx.alone(ctx, "storage figures"); err != nil {
			return err
		}
		for _, table := range []string{"storage_figure", "storage_count"} {
			if _, err := tx.exec(ctx, `DELETE FROM `+table); err != nil {
				return err
			}
		}
		// A repository may have been created or deleted since.
		if _, err := tx.exec(ctx, `INSERT INTO storage_figure(repository_id, artifacts, own_bytes, shared_bytes)
			SELECT r.id, COALESCE(x.artifacts, 0), COALESCE(x.own_bytes, 0), COALESCE(x.shared_bytes, 0) FROM repository r LEFT JOIN `+
			tx.d.rows("x", "repository_id bigint", "artifacts bigint", "own_bytes bigint", "shared_bytes bigint")+` ON x.repository_id = r.id`, encode(figures)); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `INSERT INTO storage_count(artifacts, bytes, orphaned_artifacts, orphaned_bytes, quarantined_artifacts, unfetched_artifacts, unfetched_bytes, state, counted_at, took)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, row.Artifacts, row.Bytes, row.Orphaned, row.OrphanBytes, row.Quarantined, row.Unfetched, row.ToFetch, row.State, micros(tx.now()), row.Took)
		return err
	})
}
