package db

import (
	"cmp"
	"context"
	"slices"

	"ream/content"
	"ream/page"
)

type unitRow struct {
	owned
	ID     content.UnitID `db:"id"`
	Format content.Format `db:"format"`
	Path   string         `db:"path"`
	SHA256 content.Digest `db:"sha256"`
	Size   int64          `db:"size"`
}

const unitColumns = `u.id, u.format, u.path, u.sha256, u.size`

func (r unitRow) unit() *content.Unit {
	return &content.Unit{ID: r.ID, Format: r.Format, Path: r.Path, SHA256: r.SHA256, Size: r.Size}
}

// memberTables are the units of a repository. The indexes of membership give them in
// the order of their paths, so it comes first.
const memberTables = `membership m CROSS JOIN unit u`

// Membership in one version, or in that of each owner.
const (
	isMember   = `u.id = m.unit_id AND m.repository_id = ? AND m.added <= ? AND (m.removed IS NULL OR m.removed > ?)`
	areMembers = `u.id = m.unit_id AND m.repository_id = o.owner AND m.added <= o.version AND (m.removed IS NULL OR m.removed > o.version)`
)

// What came with the version of each owner, and what went, where the version
// before it has the number before; and where others in between may have been
// deleted, with which a unit may have gone and come back. The latter look at
// the members by path: that needs no sorting.
const (
	cameNext  = `u.id = m.unit_id AND m.repository_id = o.owner AND m.added = o.version`
	wentNext  = `u.id = m.unit_id AND m.repository_id = o.owner AND m.removed = o.version`
	cameSince = areMembers + ` AND +m.added > o.earlier AND NOT EXISTS (SELECT 1 FROM membership s
		WHERE s.repository_id = m.repository_id AND s.path = m.path AND s.unit_id = m.unit_id AND s.added <= o.earlier AND s.removed > o.earlier)`
	wentSince = `u.id = m.unit_id AND m.repository_id = o.owner AND m.added <= o.earlier AND +m.removed > o.earlier AND +m.removed <= o.version
		AND NOT EXISTS (SELECT 1 FROM membership s WHERE s.repository_id = m.repository_id AND s.path = m.path AND s.unit_id = m.unit_id
			AND s.added > o.earlier AND s.added <= o.version AND (s.removed IS NULL OR s.removed > o.version))`
)

// ifKept is one of two conditions: next, if no version was deleted directly
// before one of these.
func ifKept(versions []*content.Version, next, otherwise string) string {
	for _, v := range versions {
		if v.Base != v.Number-1 {
			return otherwise
		}
	}
	return next
}

// UnitsByID returns units in the order of the ids, nil where there is none.
func (q *queries) UnitsByID(ctx context.Context, ids []content.UnitID) ([]*content.Unit, error) {
	var rows []unitRow
	seen := q.seenBy("membership m WHERE m.path = u.path AND m.unit_id = u.id", "m.repository_id")
	if err := q.sel(ctx, &rows, `SELECT `+unitColumns+` FROM unit u WHERE `+q.d.in("u.id")+seen.sql, joined(list(q.d, ids), seen.args)...); err != nil {
		return nil, err
	}
	return inOrder(ids, rows, func(r unitRow) (content.UnitID, *content.Unit) { return r.ID, r.unit() }), nil
}

// VersionUnits returns a page of the units of each version, by path.
func (q *queries) VersionUnits(ctx context.Context, versions []*content.Version, req page.Request) ([]*page.Of[*content.Unit], error) {
	return q.unitPages(ctx, areMembers, versions, req, func(v *content.Version) int { return v.Units })
}

// VersionAdded returns a page of the units of each version that the one before
// it has not, by path.
func (q *queries) VersionAdded(ctx context.Context, versions []*content.Version, req page.Request) ([]*page.Of[*content.Unit], error) {
	return q.unitPages(ctx, ifKept(versions, cameNext, cameSince), versions, req, func(v *content.Version) int { return v.Added })
}

// VersionRemoved returns a page of the units that only the version before each
// has, by path.
func (q *queries) VersionRemoved(ctx context.Context, versions []*content.Version, req page.Request) ([]*page.Of[*content.Unit], error) {
	return q.unitPages(ctx, ifKept(versions, wentNext, wentSince), versions, req, func(v *content.Version) int { return v.Removed })
}

// unitPages reads pages of members. Versions know how many there are in all.
func (q *queries) unitPages(ctx context.Context, condition string, versions []*content.Version, req page.Request, count func(*content.Version) int) ([]*page.Of[*content.Unit], error) {
	l := listing{columns: unitColumns, from: memberTables, where: condition, key: "m.path"}
	l.narrow(q.seen("m.repository_id"))
	pages, err := pagesOf(ctx, q, l, ownersOfVersions(versions), req, func(r unitRow) (string, *content.Unit) { return r.Path, r.unit() })
	for i, p := range pages {
		p.Count = func(context.Context) (int, error) { return count(versions[i]), nil }
	}
	return pages, err
}

// UnitsInOrder calls each with every unit of a version, by path, and holds one
// at a time. It stops with each's error. each must not use the same transaction.
func (q *queries) UnitsInOrder(ctx context.Context, v *content.Version, each func(*content.Unit) error) error {
	rows, err := q.ext.QueryxContext(ctx, q.d.rebind(`SELECT `+unitColumns+` FROM `+memberTables+` WHERE `+isMember+` ORDER BY m.path`),
		v.RepositoryID, v.Number, v.Number)
	if err != nil {
		return q.d.classify(q.stopped(ctx, err))
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		var r unitRow
		if err := rows.Scan(&r.ID, &r.Format, &r.Path, &r.SHA256, &r.Size); err != nil {
			return q.d.classify(err)
		}
		if err := each(r.unit()); err != nil {
			return err
		}
	}
	return q.d.classify(q.stopped(ctx, rows.Err()))
}

// Members returns the units of a repository's newest version, in order.
func (q *queries) Members(ctx context.Context, id content.RepositoryID) ([]content.UnitID, error) {
	var ids []content.UnitID
	err := q.sel(ctx, &ids, `SELECT unit_id FROM membership WHERE repository_id = ? AND removed IS NULL ORDER BY unit_id`, id)
	return ids, err
}

// unitKey is a unit's natural key, with the unit. The size belongs to it: before
// the bytes are here it is only what an upstream says, and others say otherwise.
type unitKey struct {
	Index  int            `json:"i"` // within a statement
	Format content.Format `json:"format"`
	Path   string         `json:"path"`
	SHA256 content.Digest `json:"sha256"`
	Size   int64          `json:"size"`
	unit   *content.Unit
}

// keysOf are the keys of units in order.
func keysOf(units []*content.Unit) []unitKey {
	keys := make([]unitKey, len(units))
	for i, u := range units {
		keys[i] = unitKey{Format: u.Format, Path: u.Path, SHA256: u.SHA256, Size: u.Size, unit: u}
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

// compareKeys is the order in which everybody inserts units, lest they wait for
// each other.
func compareKeys(a, b unitKey) int {
	return cmp.Or(cmp.Compare(a.Format, b.Format), cmp.Compare(a.Path, b.Path), cmp.Compare(a.SHA256, b.SHA256), cmp.Compare(a.Size, b.Size))
}

// FindUnits fills in the IDs of those units that are stored, by their format,
// path, digest and size, and 0 for the others.
func (q *queries) FindUnits(ctx context.Context, units []*content.Unit) error {
	_, err := q.findUnits(ctx, keysOf(units))
	return err
}

// findUnits returns the keys of those that are not stored.
func (q *queries) findUnits(ctx context.Context, keys []unitKey) (missing []unitKey, err error) {
	for chunk := range slices.Chunk(keys, bulk) {
		for i := range chunk {
			chunk[i].Index = i
			chunk[i].unit.ID = 0
		}
		var rows []struct {
			Index int            `db:"i"`
			ID    content.UnitID `db:"id"`
		}
		if err := q.sel(ctx, &rows, `SELECT x.i, u.id FROM `+q.d.rows("x", "i int", "format text", "path text", "sha256 text", "size bigint")+`
			CROSS JOIN unit u WHERE u.format = x.format AND u.path = x.path AND u.sha256 = x.sha256 AND u.size = x.size`, encode(chunk)); err != nil {
			return nil, err
		}
		for _, r := range rows {
			chunk[r.Index].unit.ID = r.ID
		}
		for _, k := range chunk {
			if k.unit.ID == 0 {
				missing = append(missing, k)
			}
		}
	}
	return missing, nil
}

// AddUnits stores those units that are not stored yet, and fills in the IDs of
// all. Most of those in fresh should be new: they are not looked for before.
func (tx *Tx) AddUnits(ctx context.Context, units, fresh []*content.Unit) error {
	if err := tx.besideCleaning(ctx); err != nil {
		return err
	}
	// An ID that a unit has already may be of a transaction that failed.
	missing, err := tx.findUnits(ctx, keysOf(units))
	if err != nil {
		return err
	}
	missing = append(missing, keysOf(fresh)...)
	slices.SortFunc(missing, compareKeys)
	return tx.addUnits(ctx, missing)
}

// addUnits inserts units in order, and looks up those that are there already.
func (tx *Tx) addUnits(ctx context.Context, keys []unitKey) error {
	var there []unitKey
	for chunk := range slices.Chunk(keys, bulk) {
		quick := func() error { return tx.insertNewUnits(ctx, chunk) }
		careful := func() error {
			old, err := tx.insertUnits(ctx, chunk)
			there = append(there, old...)
			return err
		}
		if err := tx.insertNew(ctx, len(chunk), quick, careful); err != nil {
			return err
		}
	}
	_, err := tx.findUnits(ctx, there)
	return err
}

// insertNewUnits inserts units of which none is there yet.
func (tx *Tx) insertNewUnits(ctx context.Context, keys []unitKey) error {
	ids, err := tx.unitIDs(ctx, len(keys))
	if err != nil {
		return err
	}
	for i := range keys {
		keys[i].unit.ID = ids[i]
	}
	now := micros(tx.now())
	return insertAll(ctx, tx, "unit", keys,
		column[unitKey]{name: "id", number: func(k *unitKey) int64 { return int64(k.unit.ID) }},
		column[unitKey]{name: "format", text: func(k *unitKey) string { return string(k.Format) }},
		column[unitKey]{name: "path", text: func(k *unitKey) string { return k.Path }},
		column[unitKey]{name: "sha256", text: func(k *unitKey) string { return string(k.SHA256) }},
		column[unitKey]{name: "size", number: func(k *unitKey) int64 { return k.Size }},
		column[unitKey]{name: "created_at", number: func(*unitKey) int64 { return now }})
}

// unitIDs are n IDs that no unit ever had.
func (tx *Tx) unitIDs(ctx context.Context, n int) ([]content.UnitID, error) {
	if tx.d == &postgres {
		var ids []content.UnitID
		// To look for the sequence takes ten times as long as to take from it.
		err := tx.sel(ctx, &ids, `SELECT nextval((SELECT CAST(pg_get_serial_sequence('unit', 'id') AS regclass))) FROM generate_series(1, ?)`, n)
		return ids, err
	}
	// It goes on from the highest ID that is inserted.
	var last content.UnitID
	if _, err := tx.found(ctx, &last, `SELECT seq FROM sqlite_sequence WHERE name = 'unit'`); err != nil {
		return nil, err
	}
	ids := make([]content.UnitID, n)
	for i := range ids {
		ids[i] = last + content.UnitID(i+1)
	}
	return ids, nil
}

// insertUnits inserts those units that are not there yet, and returns the others.
func (tx *Tx) insertUnits(ctx context.Context, keys []unitKey) (there []unitKey, err error) {
	type key struct {
		format content.Format
		path   string
		sha256 content.Digest
		size   int64
	}
	var inserted []unitRow
	if err := tx.sel(ctx, &inserted, `INSERT INTO unit(format, path, sha256, size, created_at) SELECT format, path, sha256, size, CAST(? AS bigint)
		FROM `+tx.d.rows("x", "format text", "path text", "sha256 text", "size bigint")+`
		WHERE TRUE ORDER BY format, path, sha256, size ON CONFLICT (format, path, sha256, size) DO NOTHING RETURNING id, format, path, sha256, size`, micros(tx.now()), encode(keys)); err != nil {
		return nil, err
	}
	ids := make(map[key]content.UnitID, len(inserted))
	for _, r := range inserted {
		ids[key{r.Format, r.Path, r.SHA256, r.Size}] = r.ID
	}
	for _, k := range keys {
		if id, ok := ids[key{k.Format, k.Path, k.SHA256, k.Size}]; ok {
			k.unit.ID = id
		} else {
			there = append(there, k)
		}
	}
	return there, nil
}
