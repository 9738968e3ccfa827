package db

import (
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
			SELECT s.remote_id, u.path, 0 AS turn FROM unit u JOIN unit_source s ON s.unit_id = u.id WHERE u.sha256 = ?
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

// AddSources records that the bytes of units can be got from a remote, at their
// paths; what is recorded already stays. The units have their IDs. It fails with
// fault.Conflict if the remote is gone, and with ErrCleaned if a unit is.
func (tx *Tx) AddSources(ctx context.Context, remote content.RemoteID, units []*content.Unit) error {
	if len(units) == 0 {
		return nil
	}
	if err := tx.besideCleaning(ctx); err != nil {
		return err
	}
	if err := tx.keepRemote(ctx, remote); err != nil {
		return err
	}
	ids := make([]content.UnitID, len(units))
	for i, u := range units {
		ids[i] = u.ID
	}
	for chunk := range slices.Chunk(inOrderOnce(ids), bulk) {
		spans := encode(spansOf(chunk))
		if _, err := tx.exec(ctx, `INSERT INTO unit_source(unit_id, remote_id) SELECT u.id, CAST(? AS bigint) FROM `+tx.d.spans()+`
			WHERE `+inSpans+` ORDER BY u.id ON CONFLICT DO NOTHING`, remote, spans); err != nil {
			return err
		}
	}
	return nil
}

// keepRemote makes sure that a remote is there until the transaction ends.
func (tx *Tx) keepRemote(ctx context.Context, id content.RemoteID) error {
	lock := ""
	if tx.d == &postgres {
		lock = " FOR KEY SHARE"
	}
	var kept content.RemoteID
	found, err := tx.found(ctx, &kept, `SELECT id FROM remote WHERE id = ?`+lock, id)
	if err == nil && !found {
		err = fault.New(fault.Conflict, "%s was deleted meanwhile", id)
	}
	return err
}

// keepOnlySource fails with fault.Conflict if a repository has a unit whose
// bytes are not here, and can be got from this remote alone.
func (tx *Tx) keepOnlySource(ctx context.Context, r *content.Remote) error {
	var row struct {
		Repository string `db:"repository"`
		Path       string `db:"path"`
	}
	needed, err := tx.found(ctx, &row, `SELECT r.name AS repository, m.path FROM unit_source s JOIN unit u ON u.id = s.unit_id
		JOIN membership m ON m.unit_id = u.id JOIN repository r ON r.id = m.repository_id
		WHERE s.remote_id = ? AND NOT EXISTS (SELECT 1 FROM artifact a WHERE a.sha256 = u.sha256 AND a.quarantined_at IS NULL)
			AND NOT EXISTS (SELECT 1 FROM unit v JOIN unit_source o ON o.unit_id = v.id WHERE v.sha256 = u.sha256 AND o.remote_id <> s.remote_id)
		LIMIT 1`, r.ID)
	if err == nil && needed {
		err = fault.New(fault.Conflict, "repository %q has %q, which is not fetched yet, from remote %q alone: sync it with the policy IMMEDIATE first", row.Repository, row.Path, r.Name)
	}
	return err
}
