package db

import (
	"context"
	"time"

	"ream/content"
	"ream/fault"
)

// use is why a version is not deleted.
type use struct {
	newest       bool   // it is the repository's newest version
	followed     bool   // its publication is the repository's newest
	distribution string // this one serves its publication
	recent       bool   // a distribution served it not long ago
}

// fault says how users can get rid of the use; nil if there is none.
func (u use) fault(v *content.Version) error {
	switch {
	case u.newest:
		return fault.New(fault.Conflict, "version %d is the newest one of its repository: that one stays", v.Number)
	case u.distribution != "":
		return fault.New(fault.Conflict, "version %d is served by the distribution at %q: let that serve something else first", v.Number, u.distribution)
	case u.followed:
		return fault.New(fault.Conflict, "version %d is the newest one that is published: publish a newer one first", v.Number)
	case u.recent:
		return fault.New(fault.Conflict, "version %d was served until recently, and clients may still ask for it: try again later", v.Number)
	}
	return nil
}

// UnusedVersion returns a version that may be deleted. It fails with
// fault.NotFound if there is none, and with fault.Conflict if it is the newest
// one of its repository, or if a publication of it is in use: if it is the
// newest of the repository, or is served by a distribution, or was since a
// moment.
func (q *queries) UnusedVersion(ctx context.Context, id content.VersionID, since time.Time) (*content.Version, error) {
	versions, err := q.VersionsByID(ctx, []content.VersionID{id})
	if err != nil {
		return nil, err
	}
	v := versions[0]
	if v == nil {
		return nil, missing(id)
	}
	var row struct {
		Newest   bool   `db:"newest"`
		Followed bool   `db:"followed"`
		Serving  string `db:"serving"`
		Recent   bool   `db:"recent"`
	}
	const of = ` IN (SELECT p.id FROM publication p WHERE p.version_id = ?)`
	if err := q.get(ctx, &row, `SELECT r.latest_version_id = ? AS newest, COALESCE(r.newest_publication_id`+of+`, FALSE) AS followed,
			COALESCE((SELECT d.path FROM distribution d WHERE d.publication_id`+of+` ORDER BY d.id LIMIT 1), '') AS serving,
			EXISTS (SELECT 1 FROM served s WHERE s.publication_id`+of+` AND (s.until IS NULL OR s.until > ?)) AS recent
		FROM repository r WHERE r.id = ?`, id, id, id, id, micros(since), v.RepositoryID); err != nil {
		return nil, err
	}
	return v, use{row.Newest, row.Followed, row.Serving, row.Recent}.fault(v)
}

// SupersededVersions returns the versions of a repository, oldest first, that
// are more than it keeps, but for those that DeleteVersion would refuse, and for
// those that were published since: they may be about to be served. So may those of
// the publications to spare, whenever they were made.
func (q *queries) SupersededVersions(ctx context.Context, id content.RepositoryID, since time.Time, spare []content.PublicationID) ([]content.VersionID, error) {
	var keep int
	if found, err := q.found(ctx, &keep, `SELECT keep_versions FROM repository WHERE id = ?`, id); err != nil || !found || keep == 0 {
		return nil, err
	}
	var ids []content.VersionID
	err := q.sel(ctx, &ids, `SELECT v.id FROM version v WHERE v.repository_id = ?
			AND v.number <= (SELECT k.number FROM version k WHERE k.repository_id = ? ORDER BY k.number DESC LIMIT 1 OFFSET ?)
			AND NOT EXISTS (SELECT 1 FROM publication p WHERE p.version_id = v.id AND (
				p.created_at > ? OR `+q.d.in("p.id")+`
				OR EXISTS (SELECT 1 FROM repository r WHERE r.id = p.repository_id AND r.newest_publication_id = p.id)
				OR EXISTS (SELECT 1 FROM distribution d WHERE d.publication_id = p.id)
				OR EXISTS (SELECT 1 FROM served s WHERE s.publication_id = p.id AND (s.until IS NULL OR s.until > ?))))
		ORDER BY v.number`, id, id, keep, micros(since), list(q.d, spare), micros(since))
	return ids, err
}

// DeleteVersion deletes a version with its publications, and returns what it
// was. The other versions stay what they are; the one after it is compared to
// the one before it from now on. It fails as UnusedVersion does. The time that
// it takes is that of its publications' files and of the units that no other
// version has.
func (tx *Tx) DeleteVersion(ctx context.Context, id content.VersionID, since time.Time) (*content.Version, error) {
	v, err := tx.UnusedVersion(ctx, id, since)
	if err != nil {
		return nil, err
	}
	if _, err := tx.LockRepository(ctx, v.RepositoryID); err != nil {
		return nil, err
	}
	// What was read before the lock may have changed.
	if v, err = tx.UnusedVersion(ctx, id, since); err != nil {
		return nil, err
	}
	var row versionRow
	if err := tx.get(ctx, &row, `SELECT `+versionColumns+` FROM version WHERE repository_id = ? AND number > ? ORDER BY number LIMIT 1`, v.RepositoryID, v.Number); err != nil {
		return nil, err
	}
	_, next := row.item()
	next.Base = v.Base
	for _, statement := range []struct {
		text string
		args []any
	}{
		{`DELETE FROM publication WHERE version_id = ?`, []any{id}},
		{`DELETE FROM membership WHERE repository_id = ? AND removed > ? AND removed <= ? AND added > ?`, []any{v.RepositoryID, v.Number, next.Number, v.Base}},
		{`INSERT INTO deleted_version(repository_id, number, created_at) VALUES (?, ?, ?)`, []any{v.RepositoryID, v.Number, micros(v.CreatedAt)}},
		{`DELETE FROM deleted_version WHERE repository_id = ? AND NOT EXISTS (SELECT 1 FROM membership m
			WHERE m.repository_id = deleted_version.repository_id AND m.added = deleted_version.number)`, []any{v.RepositoryID}},
		{`DELETE FROM version WHERE id = ?`, []any{id}},
	} {
		if _, err := tx.exec(ctx, statement.text, statement.args...); err != nil {
			return nil, err
		}
	}
	tx.touched.content = true
	return v, tx.compare(ctx, next)
}

// compare counts anew how a version differs from its base, and stores that.
func (tx *Tx) compare(ctx context.Context, v *content.Version) error {
	v.Added, v.Removed = v.Units, 0
	if v.Base > 0 {
		owners := encode(ownersOfVersions([]*content.Version{v}))
		count := `SELECT count(*) FROM ` + tx.d.owners() + ` CROSS JOIN ` + memberTables + ` WHERE `
		if err := tx.get(ctx, &v.Added, count+cameSince, owners); err != nil {
			return err
		}
		if err := tx.get(ctx, &v.Removed, count+wentSince, owners); err != nil {
			return err
		}
	}
	_, err := tx.exec(ctx, `UPDATE version SET base = ?, added = ?, removed = ? WHERE id = ?`, v.Base, v.Added, v.Removed, v.ID)
	return err
}
