package db

import (
	"context"
	"slices"
	"strings"

	"ream/content"
	"ream/fault"
	"ream/page"
)

type changeRow struct {
	Path   string         `db:"path"`
	Before content.UnitID `db:"before_id"` // 0 for none
	After  content.UnitID `db:"after_id"`  // 0 for none
}

// changeKinds are conditions on a path that differs.
var changeKinds = map[content.ChangeKind]string{
	content.Added:    `b.unit_id IS NULL`,
	content.Removed:  `a.unit_id IS NULL`,
	content.Replaced: `b.unit_id IS NOT NULL AND a.unit_id IS NOT NULL`,
}

// Diff returns a page of what has to change in one version to get another one,
// by path. They may be of any two repositories, in any order. Without kinds it
// returns changes of all kinds. Within a repository it costs what changed from
// one to the other, whatever their sizes.
func (q *queries) Diff(ctx context.Context, from, to *content.Version, kinds []content.ChangeKind, req page.Request) (*page.Of[*content.UnitChange], error) {
	const side = `.path = c.path AND SIDE.repository_id = ? AND SIDE.added <= ? AND (SIDE.removed IS NULL OR SIDE.removed > ?)`
	join := func(name string) string {
		return ` LEFT JOIN membership ` + name + ` ON ` + name + strings.ReplaceAll(side, "SIDE", name)
	}
	paths, args := differing(from, to)
	l := listing{
		columns: `c.path, COALESCE(b.unit_id, 0) AS before_id, COALESCE(a.unit_id, 0) AS after_id`,
		from:    `(` + paths + `) c` + join("b") + join("a"),
		where:   `b.unit_id IS DISTINCT FROM a.unit_id`,
		args:    append(args, from.RepositoryID, from.Number, from.Number, to.RepositoryID, to.Number, to.Number),
		key:     "c.path",
	}
	if len(kinds) > 0 {
		var wanted []string
		for _, k := range kinds {
			condition, known := changeKinds[k]
			if !known {
				return nil, fault.Input("kinds", "there is no kind %.80q", k)
			}
			wanted = append(wanted, condition)
		}
		l.and(strings.Join(wanted, " OR "))
	}
	return pageOf(ctx, q, l, req, func(r changeRow) string { return r.Path },
		func(rows []changeRow) ([]*content.UnitChange, error) { return q.changes(ctx, rows) })
}

// differing selects the paths that may differ between two versions. Within a
// repository those are the ones where a unit came or went in between.
func differing(from, to *content.Version) (statement string, args []any) {
	if from.RepositoryID != to.RepositoryID {
		const there = `SELECT path FROM membership WHERE repository_id = ? AND added <= ? AND (removed IS NULL OR removed > ?)`
		return there + ` UNION ` + there, []any{from.RepositoryID, from.Number, from.Number, to.RepositoryID, to.Number, to.Number}
	}
	low, high := min(from.Number, to.Number), max(from.Number, to.Number)
	return `SELECT path FROM membership WHERE repository_id = ? AND added > ? AND added <= ?
		UNION SELECT path FROM membership WHERE repository_id = ? AND removed > ? AND removed <= ?`,
		[]any{from.RepositoryID, low, high, from.RepositoryID, low, high}
}

// changes adds the units to rows.
func (q *queries) changes(ctx context.Context, rows []changeRow) ([]*content.UnitChange, error) {
	ids := make([]content.UnitID, 0, 2*len(rows))
	for _, r := range rows {
		ids = append(ids, r.Before, r.After)
	}
	units, err := q.UnitsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	changes := make([]*content.UnitChange, 0, len(rows))
	for pair := range slices.Chunk(units, 2) {
		changes = append(changes, &content.UnitChange{Path: rows[len(changes)].Path, Before: pair[0], After: pair[1]})
	}
	return changes, nil
}
