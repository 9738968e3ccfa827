package db

import (
	"context"
	"slices"

	"ream/content"
)

// Totals are how many artifacts there are, and how many bytes.
func (q *queries) Totals(ctx context.Context) (artifacts, bytes int64, err error) {
	var row struct {
		Artifacts int64 `db:"artifacts"`
		Bytes     int64 `db:"bytes"`
	}
	err = q.get(ctx, &row, `SELECT count(*) AS artifacts, `+q.d.sum("size")+` AS bytes FROM artifact`)
	return row.Artifacts, row.Bytes, err
}

// ArtifactsBetween returns the artifacts from one digest on and before another,
// in order, and of one repository alone unless it is 0: those of its units and
// of what describes its publications.
func (q *queries) ArtifactsBetween(ctx context.Context, id content.RepositoryID, from, before content.Digest) ([]content.Artifact, error) {
	condition, args := `a.sha256 >= ? AND a.sha256 < ?`, []any{from, before}
	if id != 0 {
		condition += ` AND (EXISTS (SELECT 1 FROM unit u JOIN membership m ON m.unit_id = u.id WHERE u.sha256 = a.sha256 AND m.repository_id = ?)
			OR EXISTS (SELECT 1 FROM published_file f JOIN publication p ON p.id = f.publication_id WHERE f.metadata AND f.sha256 = a.sha256 AND p.repository_id = ?))`
		args = append(args, id, id)
	}
	var rows []artifactRow
	err := q.sel(ctx, &rows, `SELECT a.sha256, a.size FROM artifact a WHERE `+condition+` ORDER BY a.sha256`, args...)
	return artifacts(rows), err
}

// Quarantine records that the bytes of an artifact are not there, so that
// whoever needs them fetches them again; and that the repositories that have
// them do not have all that upstream has, so that their next sync looks. It
// reports false if there is no such artifact any more.
func (tx *Tx) Quarantine(ctx context.Context, digest content.Digest) (bool, error) {
	n, err := tx.exec(ctx, `UPDATE artifact SET quarantined_at = COALESCE(quarantined_at, ?) WHERE sha256 = ?`, micros(tx.now()), digest)
	if err != nil || n == 0 {
		return false, err
	}
	_, err = tx.exec(ctx, `UPDATE repository SET synced_fingerprint = NULL WHERE id IN (
		SELECT m.repository_id FROM unit u JOIN membership m ON m.unit_id = u.id WHERE u.sha256 = ? AND m.removed IS NULL)`, digest)
	return true, err
}

// Quarantined returns those of some artifacts whose bytes were not there, and were
// not got again yet.
func (q *queries) Quarantined(ctx context.Context, digests []content.Digest) (map[content.Digest]bool, error) {
	quarantined := map[content.Digest]bool{}
	for chunk := range slices.Chunk(digests, bulk) {
		var found []content.Digest
		if err := q.sel(ctx, &found, `SELECT sha256 FROM artifact WHERE quarantined_at IS NOT NULL AND `+q.d.in("sha256"), list(q.d, chunk)); err != nil {
			return nil, err
		}
		for _, digest := range found {
			quarantined[digest] = true
		}
	}
	return quarantined, nil
}

// Named returns a path at which an artifact lies, and a version whose
// publication it describes; nothing where there is none.
func (q *queries) Named(ctx context.Context, digest content.Digest) (path string, described content.VersionID, err error) {
	var row struct {
		Path    string            `db:"path"`
		Version content.VersionID `db:"version"`
	}
	err = q.get(ctx, &row, `SELECT COALESCE((SELECT min(u.path) FROM unit u WHERE u.sha256 = ?),
			(SELECT min(replace(f.path, CAST(? AS text), '/')) FROM published_file f WHERE f.metadata AND f.sha256 = ?), '') AS path,
		COALESCE((SELECT max(p.version_id) FROM published_file f JOIN publication p ON p.id = f.publication_id WHERE f.metadata AND f.sha256 = ?), 0) AS version`,
		digest, below, digest, digest)
	return row.Path, row.Version, err
}

// Unneeded reports whether no version, no publication and no upload names an
// artifact.
func (q *queries) Unneeded(ctx context.Context, digest content.Digest) (unneeded bool, err error) {
	err = q.get(ctx, &unneeded, `SELECT EXISTS (SELECT 1 FROM artifact a WHERE a.sha256 = ? AND `+unnamed+`)`, digest)
	return unneeded, err
}
