package db

import (
	"context"
	"time"

	"ream/content"
	"ream/fault"
)

// ErrCleaned is that what a transaction builds upon was removed meanwhile, as
// nothing named it. Who looks again for what is stored finds out what is missing.
var ErrCleaned = fault.New(fault.Conflict, "some of the files were removed meanwhile, as no version named them: try again")

// cleaning is the text by which those who remove what nobody names keep apart
// from those who come to name it.
const cleaning = "cleaning"

// besideCleaning makes sure that until the transaction ends, nothing is removed
// that it finds from here on, or names.
func (tx *Tx) besideCleaning(ctx context.Context) error {
	if tx.d != &postgres {
		return nil // transactions that write are alone anyway
	}
	_, err := tx.exec(ctx, `SELECT pg_advisory_xact_lock_shared(hashtextextended(?, 0))`, cleaning)
	return err
}

// NeedArtifacts makes sure that artifacts are there until the transaction ends.
// It fails with ErrCleaned if one is not.
func (tx *Tx) NeedArtifacts(ctx context.Context, digests []content.Digest) error {
	if len(digests) == 0 {
		return nil
	}
	if err := tx.besideCleaning(ctx); err != nil {
		return err
	}
	found, err := tx.FindArtifacts(ctx, digests)
	if err != nil {
		return err
	}
	for _, digest := range digests {
		if _, ok := found[digest]; !ok {
			return ErrCleaned
		}
	}
	return nil
}

// unnamed is a condition on an artifact a: no version has a unit with its
// bytes, no publication is described by them, and they are no part of an upload.
const unnamed = `NOT EXISTS (SELECT 1 FROM unit u JOIN membership m ON m.unit_id = u.id WHERE u.sha256 = a.sha256)
	AND NOT EXISTS (SELECT 1 FROM published_file f WHERE f.metadata AND f.sha256 = a.sha256)
	AND NOT EXISTS (SELECT 1 FROM upload_part p WHERE p.sha256 = a.sha256)`

// Orphans returns up to limit artifacts that nothing names and that were
// recorded before a time, by digest, from the first behind after on.
func (q *queries) Orphans(ctx context.Context, after content.Digest, before time.Time, limit int) (digests []content.Digest, err error) {
	err = q.sel(ctx, &digests, `SELECT a.sha256 FROM artifact a WHERE a.sha256 > ? AND a.created_at < ? AND `+unnamed+` ORDER BY a.sha256 LIMIT ?`,
		after, micros(before), limit)
	return digests, err
}

// RemoveOrphans forgets those of some artifacts that nothing names and that
// were recorded before a time, together with the units that have their bytes,
// and returns what it forgot. Nobody can come to name them before the
// transaction ends, and afterwards whoever wanted to fails with ErrCleaned.
func (tx *Tx) RemoveOrphans(ctx context.Context, digests []content.Digest, before time.Time) (removed []content.Artifact, err error) {
	if err := tx.alone(ctx, cleaning); err != nil {
		return nil, err
	}
	var rows []artifactRow
	if err := tx.sel(ctx, &rows, `SELECT a.sha256, a.size FROM artifact a WHERE `+tx.d.in("a.sha256")+` AND a.created_at < ? AND `+unnamed, list(tx.d, digests), micros(before)); err != nil {
		return nil, err
	}
	gone := make([]content.Digest, len(rows))
	for i, r := range rows {
		gone[i] = r.SHA256
		removed = append(removed, content.Artifact{SHA256: r.SHA256, Size: r.Size})
	}
	if len(gone) == 0 {
		return nil, nil
	}
	if _, err := tx.exec(ctx, `DELETE FROM unit_source WHERE unit_id IN (SELECT id FROM unit WHERE `+tx.d.in("sha256")+`)`, list(tx.d, gone)); err != nil {
		return nil, err
	}
	if _, err := tx.exec(ctx, `DELETE FROM unit WHERE `+tx.d.in("sha256"), list(tx.d, gone)); err != nil {
		return nil, err
	}
	if _, err := tx.exec(ctx, `DELETE FROM artifact WHERE `+tx.d.in("sha256"), list(tx.d, gone)); err != nil {
		return nil, err
	}
	return removed, tx.recount(ctx)
}

// strayUnit is a condition on a unit u: no version has it, and its bytes are
// not here.
const strayUnit = `NOT EXISTS (SELECT 1 FROM membership m WHERE m.unit_id = u.id) AND NOT EXISTS (SELECT 1 FROM artifact a WHERE a.sha256 = u.sha256)`

// StrayUnits returns, in order, up to limit units behind after that were recorded
// before a time, that no version has and whose bytes are not here.
func (q *queries) StrayUnits(ctx context.Context, after content.UnitID, before time.Time, limit int) (ids []content.UnitID, err error) {
	err = q.sel(ctx, &ids, `SELECT u.id FROM unit u WHERE u.id > ? AND u.created_at < ? AND `+strayUnit+` ORDER BY u.id LIMIT ?`, after, micros(before), limit)
	return ids, err
}

// RemoveStrayUnits forgets those of some units that no version has and whose
// bytes are not here, as RemoveOrphans does, and returns how many these were.
func (tx *Tx) RemoveStrayUnits(ctx context.Context, ids []content.UnitID) (removed int, err error) {
	if err := tx.alone(ctx, cleaning); err != nil {
		return 0, err
	}
	var stray []content.UnitID
	if err := tx.sel(ctx, &stray, `SELECT u.id FROM unit u WHERE `+tx.d.in("u.id")+` AND `+strayUnit, list(tx.d, ids)); err != nil {
		return 0, err
	}
	for _, statement := range []string{`DELETE FROM unit_source WHERE ` + tx.d.in("unit_id"), `DELETE FROM unit WHERE ` + tx.d.in("id")} {
		if _, err := tx.exec(ctx, statement, list(tx.d, stray)); err != nil {
			return 0, err
		}
	}
	return len(stray), nil
}
