package db

import (
	"context"
	"slices"

	"ream/content"
	"ream/fault"
	"ream/page"
)

type versionRow struct {
	ID         content.VersionID    `db:"id"`
	Repository content.RepositoryID `db:"repository_id"`
	Number     int                  `db:"number"`
	Units      int                  `db:"units"`
	Bytes      int64                `db:"bytes"`
	Added      int                  `db:"added"`
	Removed    int                  `db:"removed"`
	Created    int64                `db:"created_at"`
}

const versionColumns = `id, repository_id, number, units, bytes, added, removed, created_at`

func (r versionRow) item() (content.VersionID, *content.Version) {
	return r.ID, &content.Version{ID: r.ID, RepositoryID: r.Repository, Number: r.Number, Units: r.Units, Bytes: r.Bytes,
		Added: r.Added, Removed: r.Removed, CreatedAt: fromMicros(r.Created)}
}

// Versions returns a page of a repository's versions, newest first.
func (q *queries) Versions(ctx context.Context, id content.RepositoryID, req page.Request) (*page.Of[*content.Version], error) {
	l := listing{columns: versionColumns, from: "version", where: `repository_id = ?`, args: []any{id}, key: "number", newest: true}
	return paged(ctx, q, l, req, func(r versionRow) (int64, *content.Version) {
		_, v := r.item()
		return int64(r.Number), v
	})
}

// VersionsByID returns versions in the order of the ids, nil where there is none.
func (q *queries) VersionsByID(ctx context.Context, ids []content.VersionID) ([]*content.Version, error) {
	var rows []versionRow
	if err := q.sel(ctx, &rows, `SELECT `+versionColumns+` FROM version WHERE `+q.d.in("id"), list(q.d, ids)); err != nil {
		return nil, err
	}
	return inOrder(ids, rows, versionRow.item), nil
}

// VersionByNumber returns a repository's version of that number. It fails with
// fault.NotFound if there is none.
func (q *queries) VersionByNumber(ctx context.Context, id content.RepositoryID, number int) (*content.Version, error) {
	var row versionRow
	found, err := q.found(ctx, &row, `SELECT `+versionColumns+` FROM version WHERE repository_id = ? AND number = ?`, id, number)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "%s has no version %d", id, number)
	}
	if err != nil {
		return nil, err
	}
	_, v := row.item()
	return v, nil
}

// CreateVersion makes the next version of a repository: the units of base, its
// newest version so far, without the removed ones and with the added ones. An
// added unit takes the place of one with the same path. It fails with
// fault.Conflict if base, 0 for none, is not the newest version, or if two
// added units have one path.
func (tx *Tx) CreateVersion(ctx context.Context, repo *content.Repository, base content.VersionID, added, removed []content.UnitID) (*content.Version, error) {
	current, err := tx.LockRepository(ctx, repo.ID)
	if err != nil {
		return nil, err
	}
	if current.LatestID != base {
		return nil, fault.New(fault.Conflict, "repository %q got another version meanwhile: try again", current.Name)
	}
	var before versionRow
	if base != 0 {
		if _, err := tx.found(ctx, &before, `SELECT `+versionColumns+` FROM version WHERE id = ?`, base); err != nil {
			return nil, err
		}
	}
	number := before.Number + 1
	if err := tx.changeMembers(ctx, current, number, distinctIDs(added), distinctIDs(removed)); err != nil {
		return nil, err
	}
	gained, err := tx.changed(ctx, wasAdded, repo.ID, number)
	if err != nil {
		return nil, err
	}
	lost, err := tx.changed(ctx, wasRemoved, repo.ID, number)
	if err != nil {
		return nil, err
	}
	v := &content.Version{RepositoryID: repo.ID, Number: number, Units: before.Units + gained.Units - lost.Units,
		Bytes: before.Bytes + gained.Bytes - lost.Bytes, Added: gained.Units, Removed: lost.Units, CreatedAt: fromMicros(micros(tx.now()))}
	if err := tx.get(ctx, &v.ID, `INSERT INTO version(repository_id, number, units, bytes, added, removed, created_at) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id`,
		v.RepositoryID, v.Number, v.Units, v.Bytes, v.Added, v.Removed, micros(v.CreatedAt)); err != nil {
		return nil, err
	}
	_, err = tx.exec(ctx, `UPDATE repository SET latest_version_id = ? WHERE id = ?`, v.ID, v.RepositoryID)
	return v, err
}

// member is a unit in a bulk statement.
type member struct {
	ID content.UnitID `json:"id"`
}

// changeMembers ends and starts memberships with a version. Both lists are
// sorted and distinct.
func (tx *Tx) changeMembers(ctx context.Context, r *content.Repository, number int, added, removed []content.UnitID) error {
	units := tx.d.rows("x", "id bigint")
	leave := `UPDATE membership SET removed = ? FROM ` + units + ` CROSS JOIN unit u
		WHERE u.id = x.id AND membership.repository_id = ? AND membership.path = u.path AND membership.removed IS NULL AND membership.unit_id `
	removed = slices.DeleteFunc(removed, func(id content.UnitID) bool {
		_, stays := slices.BinarySearch(added, id)
		return stays
	})
	for chunk := range slices.Chunk(members(removed), bulk) {
		if _, err := tx.exec(ctx, leave+`= u.id`, number, encode(chunk), r.ID); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(members(added), bulk) {
		if _, err := tx.exec(ctx, leave+`<> u.id`, number, encode(chunk), r.ID); err != nil {
			return err
		}
		// A unit that does not exist has no path, which the table refuses.
		_, err := tx.exec(ctx, `INSERT INTO membership(repository_id, path, unit_id, added)
			SELECT CAST(? AS bigint), u.path, x.id, CAST(? AS int) FROM `+units+` LEFT JOIN unit u ON u.id = x.id
			WHERE NOT EXISTS (SELECT 1 FROM membership m WHERE m.repository_id = ? AND m.path = u.path AND m.removed IS NULL)`,
			r.ID, number, encode(chunk), r.ID)
		if tx.d.code(err) == uniqueViolation {
			return fault.Wrap(err, fault.Conflict, "two units of repository %q have the same path", r.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func distinctIDs(ids []content.UnitID) []content.UnitID {
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

func members(ids []content.UnitID) []member {
	rows := make([]member, len(ids))
	for i, id := range ids {
		rows[i].ID = id
	}
	return rows
}

type tally struct {
	Units int   `db:"units"`
	Bytes int64 `db:"bytes"`
}

// changed counts the memberships that a version starts or ends.
func (tx *Tx) changed(ctx context.Context, condition string, id content.RepositoryID, number int) (t tally, err error) {
	err = tx.get(ctx, &t, `SELECT count(*) AS units, CAST(COALESCE(SUM(u.size), 0) AS bigint) AS bytes FROM `+memberTables+` WHERE `+condition, id, number)
	return t, err
}
