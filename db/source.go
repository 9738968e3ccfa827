package db

import (
	"cmp"
	"context"
	"slices"

	"ream/content"
	"ream/fault"
)

// maxSources bounds where an artifact is sought.
const maxSources = 20

// Sources returns where the bytes with a digest can be got: first where a sync
// left them, then the remotes of the repositories that have them, those first
// that have them now.
func (q *queries) Sources(ctx context.Context, digest content.Digest) ([]content.Source, error) {
	var rows []struct {
		RemoteID content.RemoteID `db:"remote_id"`
		Path     string           `db:"path"`
	}
	if err := q.sel(ctx, &rows, `SELECT s.remote_id, s.path FROM (
			SELECT remote_id, path, 0 AS turn FROM artifact_source WHERE sha256 = ?
			UNION ALL SELECT r.remote_id, m.path, CASE WHEN m.removed IS NULL THEN 1 ELSE 2 END
			FROM unit u JOIN membership m ON m.unit_id = u.id JOIN repository r ON r.id = m.repository_id WHERE u.sha256 = ? AND r.remote_id IS NOT NULL) s
		GROUP BY s.remote_id, s.path ORDER BY min(s.turn), s.remote_id, s.path LIMIT ?`, digest, digest, maxSources); err != nil {
		return nil, err
	}
	sources := make([]content.Source, len(rows))
	for i, r := range rows {
		sources[i] = content.Source{SHA256: digest, RemoteID: r.RemoteID, Path: r.Path}
	}
	return sources, nil
}

// AddSources records where bytes can be got; what is recorded already stays.
func (tx *Tx) AddSources(ctx context.Context, sources []content.Source) error {
	if err := tx.besideCleaning(ctx); err != nil {
		return err
	}
	type row struct {
		SHA256   content.Digest   `json:"sha256"`
		RemoteID content.RemoteID `json:"remote_id"`
		Path     string           `json:"path"`
	}
	rows := make([]row, len(sources))
	for i, s := range sources {
		rows[i] = row(s)
	}
	// Everybody inserts in this order, lest they wait for each other.
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.SHA256, b.SHA256), cmp.Compare(a.RemoteID, b.RemoteID), cmp.Compare(a.Path, b.Path))
	})
	for chunk := range slices.Chunk(rows, bulk) {
		if _, err := tx.exec(ctx, `INSERT INTO artifact_source(sha256, remote_id, path) SELECT sha256, remote_id, path FROM `+
			tx.d.rows("x", "sha256 text", "remote_id bigint", "path text")+` WHERE TRUE ORDER BY sha256, remote_id, path ON CONFLICT DO NOTHING`, encode(chunk)); err != nil {
			return err
		}
	}
	return nil
}

// keepOnlySource fails with fault.Conflict if a repository has a unit whose
// bytes are not here, and can be got from this remote alone.
func (tx *Tx) keepOnlySource(ctx context.Context, r *content.Remote) error {
	var row struct {
		Repository string `db:"repository"`
		Path       string `db:"path"`
	}
	needed, err := tx.found(ctx, &row, `SELECT r.name AS repository, m.path FROM artifact_source s CROSS JOIN repository r
		JOIN unit u ON u.format = r.format AND u.path = s.path AND u.sha256 = s.sha256
		JOIN membership m ON m.repository_id = r.id AND m.path = u.path AND m.unit_id = u.id
		WHERE s.remote_id = ? AND NOT EXISTS (SELECT 1 FROM artifact a WHERE a.sha256 = s.sha256 AND a.quarantined_at IS NULL)
			AND NOT EXISTS (SELECT 1 FROM artifact_source o WHERE o.sha256 = s.sha256 AND o.remote_id <> s.remote_id)
		LIMIT 1`, r.ID)
	if err == nil && needed {
		err = fault.New(fault.Conflict, "repository %q has %q, which is not fetched yet, from remote %q alone: sync it with the policy IMMEDIATE first", row.Repository, row.Path, r.Name)
	}
	return err
}
