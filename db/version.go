package db

import (
	"context"

	"ream/content"
	"ream/fault"
	"ream/page"
)

type versionRow struct {
	owned
	ID         content.VersionID    `db:"id"`
	Repository content.RepositoryID `db:"repository_id"`
	Number     int                  `db:"number"`
	Base       int                  `db:"base"`
	Units      int                  `db:"units"`
	Bytes      int64                `db:"bytes"`
	Added      int                  `db:"added"`
	Removed    int                  `db:"removed"`
	Created    int64                `db:"created_at"`
}

const versionColumns = `id, repository_id, number, base, units, bytes, added, removed, created_at`

func (r versionRow) item() (content.VersionID, *content.Version) {
	return r.ID, &content.Version{ID: r.ID, RepositoryID: r.Repository, Number: r.Number, Base: r.Base, Units: r.Units, Bytes: r.Bytes,
		Added: r.Added, Removed: r.Removed, CreatedAt: fromMicros(r.Created)}
}

// Versions returns a page of the versions of each repository, newest first.
func (q *queries) Versions(ctx context.Context, ids []content.RepositoryID, req page.Request) ([]*page.Of[*content.Version], error) {
	l := listing{columns: versionColumns, from: "version v", where: `v.repository_id = o.owner`, key: "v.number", newest: true}
	l.narrow(q.seen("v.repository_id"))
	return pagesOf(ctx, q, l, ownersOf(ids), req, func(r versionRow) (int64, *content.Version) {
		_, v := r.item()
		return int64(r.Number), v
	})
}

// VersionsByID returns versions in the order of the ids, nil where there is none.
func (q *queries) VersionsByID(ctx context.Context, ids []content.VersionID) ([]*content.Version, error) {
	var rows []versionRow
	seen := q.seen("repository_id")
	if err := q.sel(ctx, &rows, `SELECT `+versionColumns+` FROM version WHERE `+q.d.in("id")+seen.sql, joined(list(q.d, ids), seen.args)...); err != nil {
		return nil, err
	}
	return inOrder(ids, rows, versionRow.item), nil
}

// VersionsByNumber returns versions in the order of their keys, nil where there
// is none.
func (q *queries) VersionsByNumber(ctx context.Context, keys []content.VersionKey) ([]*content.Version, error) {
	owners := make([]owner, len(keys))
	for i, k := range keys {
		owners[i] = owner{N: i, ID: int64(k.RepositoryID), Version: k.Number}
	}
	var rows []versionRow
	seen := q.seen("v.repository_id")
	if err := q.sel(ctx, &rows, `SELECT o.n, `+versionColumns+` FROM `+q.d.owners()+` CROSS JOIN version v
		WHERE v.repository_id = o.owner AND v.number = o.version`+seen.sql, joined(encode(owners), seen.args)...); err != nil {
		return nil, err
	}
	versions := make([]*content.Version, len(keys))
	for _, r := range rows {
		_, versions[r.N] = r.item()
	}
	return versions, nil
}

// CreateVersion makes the next version of a repository: the units of base, its
// newest version so far, without the removed ones and with the added ones. An
// added unit takes the place of one with the same path. It fails with
// fault.Conflict if base, 0 for none, is not the newest version, if two added
// units have one path, or if a unit would lie below another, and with ErrCleaned
// if a unit does not exist.
func (tx *Tx) CreateVersion(ctx context.Context, repo *content.Repository, base content.VersionID, added, removed []content.UnitID) (*content.Version, error) {
	if err := tx.besideCleaning(ctx); err != nil {
		return nil, err
	}
	current, err := tx.LockRepository(ctx, repo.ID)
	if err != nil {
		return nil, err
	}
	if current.LatestID != base {
		return nil, fault.New(fault.Conflict, "repository %q got another version meanwhile: try again", current.Name)
	}
	var before versionRow
	if base != 0 {
		if err := tx.get(ctx, &before, `SELECT `+versionColumns+` FROM version WHERE id = ?`, base); err != nil {
			return nil, err
		}
	}
	number := before.Number + 1
	joined, left, err := tx.changeMembers(ctx, current, number, added, removed)
	if err != nil {
		return nil, err
	}
	v := &content.Version{RepositoryID: repo.ID, Number: number, Base: before.Number, Units: before.Units + joined.units - left.units,
		Bytes: max(0, content.Plus(before.Bytes, joined.bytes)-left.bytes), Added: joined.units, Removed: left.units, CreatedAt: fromMicros(micros(tx.now()))}
	if err := tx.get(ctx, &v.ID, `INSERT INTO version(repository_id, number, base, units, bytes, added, removed, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		v.RepositoryID, v.Number, v.Base, v.Units, v.Bytes, v.Added, v.Removed, micros(v.CreatedAt)); err != nil {
		return nil, err
	}
	tx.touched.catalog = true
	_, err = tx.exec(ctx, `UPDATE repository SET latest_version_id = ? WHERE id = ?`, v.ID, v.RepositoryID)
	return v, err
}
