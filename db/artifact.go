package db

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"ream/content"
)

// bulk is how many rows one statement takes.
const bulk = 2000

type artifactRow struct {
	SHA256 content.Digest `db:"sha256"`
	Size   int64          `db:"size"`
}

// FindArtifacts returns the sizes of those artifacts that are stored, without
// those whose bytes were found to be wrong.
func (q *queries) FindArtifacts(ctx context.Context, digests []content.Digest) (map[content.Digest]int64, error) {
	sizes := make(map[content.Digest]int64, len(digests))
	for chunk := range slices.Chunk(digests, bulk) {
		var rows []artifactRow
		if err := q.sel(ctx, &rows, `SELECT sha256, size FROM artifact WHERE quarantined_at IS NULL AND `+q.d.in("sha256"), list(q.d, chunk)); err != nil {
			return nil, err
		}
		for _, r := range rows {
			sizes[r.SHA256] = r.Size
		}
	}
	return sizes, nil
}

// SomeArtifacts returns up to 16 artifacts that are stored and not empty, from all
// over the storage, without those whose bytes were found to be wrong. There is at
// least one if there are any.
func (q *queries) SomeArtifacts(ctx context.Context) ([]content.Artifact, error) {
	var some []artifactRow
	for from := range 16 {
		var rows []artifactRow
		if err := q.sel(ctx, &rows, `SELECT sha256, size FROM artifact WHERE quarantined_at IS NULL AND size > 0 AND sha256 >= ? ORDER BY sha256 LIMIT 1`, fmt.Sprintf("%x", from)); err != nil {
			return nil, err
		}
		some = append(some, rows...)
	}
	return artifacts(slices.Compact(some)), nil
}

func artifacts(rows []artifactRow) []content.Artifact {
	all := make([]content.Artifact, len(rows))
	for i, r := range rows {
		all[i] = content.Artifact{SHA256: r.SHA256, Size: r.Size}
	}
	return all
}

// Stored tells of each artifact whether its bytes are here. If they have another
// size, they are not: somebody was wrong about it.
func (q *queries) Stored(ctx context.Context, artifacts []content.Artifact) ([]bool, error) {
	digests := make([]content.Digest, len(artifacts))
	for i, a := range artifacts {
		digests[i] = a.SHA256
	}
	sizes, err := q.FindArtifacts(ctx, digests)
	stored := make([]bool, len(artifacts))
	for i, a := range artifacts {
		size, found := sizes[a.SHA256]
		stored[i] = found && size == a.Size
	}
	return stored, err
}

// AddArtifacts records artifacts whose bytes are stored; those that are recorded
// already stay, and are good again if they were not.
func (tx *Tx) AddArtifacts(ctx context.Context, artifacts []content.Artifact) error {
	if err := tx.besideCleaning(ctx); err != nil {
		return err
	}
	type row struct {
		SHA256 content.Digest `json:"sha256"`
		Size   int64          `json:"size"`
	}
	rows := make([]row, len(artifacts))
	for i, a := range artifacts {
		rows[i] = row{a.SHA256, a.Size}
	}
	// Everybody inserts in this order, lest they wait for each other.
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.SHA256, b.SHA256) })
	rows = slices.CompactFunc(rows, func(a, b row) bool { return a.SHA256 == b.SHA256 })
	now := micros(tx.now())
	for chunk := range slices.Chunk(rows, bulk) {
		quick := func() error {
			return insertAll(ctx, tx, "artifact", chunk,
				column[row]{name: "sha256", text: func(r *row) string { return string(r.SHA256) }},
				column[row]{name: "size", number: func(r *row) int64 { return r.Size }},
				column[row]{name: "created_at", number: func(*row) int64 { return now }})
		}
		careful := func() error {
			_, err := tx.exec(ctx, `INSERT INTO artifact(sha256, size, created_at) SELECT sha256, size, CAST(? AS bigint) FROM `+tx.d.rows("x", "sha256 text", "size bigint")+`
				WHERE TRUE ORDER BY sha256 ON CONFLICT (sha256) DO UPDATE SET quarantined_at = NULL WHERE artifact.quarantined_at IS NOT NULL`, now, encode(chunk))
			return err
		}
		if err := tx.insertNew(ctx, len(chunk), quick, careful); err != nil {
			return err
		}
	}
	return nil
}
