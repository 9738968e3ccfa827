package db

import (
	"cmp"
	"context"
	"slices"

	"ream/content"
	"ream/fault"
	"ream/page"
)

type repositoryRow struct {
	ID                content.RepositoryID  `db:"id"`
	Name              string                `db:"name"`
	Format            content.Format        `db:"format"`
	Remote            content.RemoteID      `db:"remote_id"`
	Latest            content.VersionID     `db:"latest_version_id"`
	NewestPublication content.PublicationID `db:"newest_publication_id"`
	KeepVersions      int                   `db:"keep_versions"`
	Created           int64                 `db:"created_at"`
	Updated           int64                 `db:"updated_at"`
}

const repositoryColumns = `id, name, format, COALESCE(remote_id, 0) AS remote_id, COALESCE(latest_version_id, 0) AS latest_version_id,
	COALESCE(newest_publication_id, 0) AS newest_publication_id, keep_versions, created_at, updated_at`

func (r repositoryRow) repository() *content.Repository {
	return &content.Repository{ID: r.ID, Name: r.Name, Format: r.Format, RemoteID: r.Remote, LatestID: r.Latest,
		NewestPublicationID: r.NewestPublication, KeepVersions: r.KeepVersions, CreatedAt: fromMicros(r.Created), UpdatedAt: fromMicros(r.Updated)}
}

// Repositories returns a page of the repositories that fit a label selector,
// oldest first. An empty selector fits all of them. It fails with
// fault.BadInput if the selector has a term that it does not understand.
func (q *queries) Repositories(ctx context.Context, labels string, req page.Request) (*page.Of[*content.Repository], error) {
	return q.RepositoriesWith(ctx, "", labels, req)
}

// RepositoriesWith is Repositories for those that have a text in their names.
func (q *queries) RepositoriesWith(ctx context.Context, name, labels string, req page.Request) (*page.Of[*content.Repository], error) {
	l := listing{columns: repositoryColumns, from: "repository", key: "id"}
	if err := l.selectLabels(labels); err != nil {
		return nil, err
	}
	l.narrow(q.d.contains("name", name))
	l.narrow(q.seen("id"))
	return pageOf(ctx, q, l, req, func(r repositoryRow) content.RepositoryID { return r.ID },
		func(rows []repositoryRow) ([]*content.Repository, error) { return q.repositories(ctx, rows) })
}

// SelectRepositories returns all repositories that fit a label selector, like
// Repositories, oldest first.
func (q *queries) SelectRepositories(ctx context.Context, labels string) ([]*content.Repository, error) {
	var l listing
	if err := l.selectLabels(labels); err != nil {
		return nil, err
	}
	l.narrow(q.seen("id"))
	var rows []repositoryRow
	if err := q.sel(ctx, &rows, `SELECT `+repositoryColumns+` FROM repository`+l.condition()+` ORDER BY id`, l.args...); err != nil {
		return nil, err
	}
	return q.repositories(ctx, rows)
}

// RepositoriesByID returns repositories in the order of the ids, nil where
// there is none.
func (q *queries) RepositoriesByID(ctx context.Context, ids []content.RepositoryID) ([]*content.Repository, error) {
	var rows []repositoryRow
	seen := q.seen("id")
	if err := q.sel(ctx, &rows, `SELECT `+repositoryColumns+` FROM repository WHERE `+q.d.in("id")+seen.sql, joined(list(q.d, ids), seen.args)...); err != nil {
		return nil, err
	}
	found, err := q.repositories(ctx, rows)
	if err != nil {
		return nil, err
	}
	return inOrder(ids, found, func(r *content.Repository) (content.RepositoryID, *content.Repository) { return r.ID, r }), nil
}

// RepositoriesByName returns repositories in the order of the names, nil where
// there is none.
func (q *queries) RepositoriesByName(ctx context.Context, names []string) ([]*content.Repository, error) {
	var rows []repositoryRow
	seen := q.seen("id")
	if err := q.sel(ctx, &rows, `SELECT `+repositoryColumns+` FROM repository WHERE `+q.d.in("name")+seen.sql, joined(list(q.d, names), seen.args)...); err != nil {
		return nil, err
	}
	found, err := q.repositories(ctx, rows)
	if err != nil {
		return nil, err
	}
	return inOrder(names, found, func(r *content.Repository) (string, *content.Repository) { return r.Name, r }), nil
}

// LockRepository returns a repository that nobody else changes or deletes until
// the transaction ends. It fails with fault.NotFound if there is none.
func (tx *Tx) LockRepository(ctx context.Context, id content.RepositoryID) (*content.Repository, error) {
	return tx.oneRepository(ctx, id, tx.d.forChange)
}

// KeepRepositories makes sure that repositories, which the transaction has
// read, are not deleted before it ends. If one was deleted meanwhile, the
// transaction starts anew.
func (tx *Tx) KeepRepositories(ctx context.Context, repositories []*content.Repository) error {
	if tx.d != &postgres || len(repositories) == 0 {
		return nil
	}
	ids := make([]content.RepositoryID, len(repositories))
	for i, r := range repositories {
		ids[i] = r.ID
	}
	var kept []content.RepositoryID
	err := tx.sel(ctx, &kept, `SELECT id FROM repository WHERE `+tx.d.in("id")+` ORDER BY id FOR KEY SHARE`, list(tx.d, ids))
	if err == nil && len(kept) < len(ids) {
		err = errMoved
	}
	return err
}

func (tx *Tx) oneRepository(ctx context.Context, id content.RepositoryID, lock string) (*content.Repository, error) {
	var row repositoryRow
	seen := tx.seen("id")
	found, err := tx.found(ctx, &row, `SELECT `+repositoryColumns+` FROM repository WHERE id = ?`+seen.sql+lock, joined(id, seen.args)...)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, missing(id)
	}
	rs, err := tx.repositories(ctx, []repositoryRow{row})
	if err != nil {
		return nil, err
	}
	return rs[0], nil
}

type labelRow struct {
	Repository content.RepositoryID `db:"repository_id" json:"-"`
	Key        string               `db:"key" json:"key"`
	Value      string               `db:"value" json:"value"`
}

// repositories adds the labels, read in one statement for all rows.
func (q *queries) repositories(ctx context.Context, rows []repositoryRow) ([]*content.Repository, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids := make([]content.RepositoryID, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	var found []labelRow
	if err := q.sel(ctx, &found, `SELECT repository_id, key, value FROM repository_label WHERE `+q.d.in("repository_id"), list(q.d, ids)); err != nil {
		return nil, err
	}
	labels := grouped(ids, found, func(l labelRow) (content.RepositoryID, content.Label) {
		return l.Repository, content.Label{Key: l.Key, Value: l.Value}
	})
	repositories := make([]*content.Repository, len(rows))
	for i, r := range rows {
		repositories[i] = r.repository()
		repositories[i].Labels = byKey(labels[i])
	}
	return repositories, nil
}

func byKey(labels []content.Label) []content.Label {
	return slices.SortedFunc(slices.Values(labels), func(a, b content.Label) int { return cmp.Compare(a.Key, b.Key) })
}

// CreateRepository stores a new repository with its labels, and fills in its ID
// and times. It fails with fault.Conflict if the name is taken.
func (tx *Tx) CreateRepository(ctx context.Context, r *content.Repository) error {
	// The list is in the order of the IDs: what was read of it stays complete.
	if err := tx.alone(ctx, "new repositories"); err != nil {
		return err
	}
	now := micros(tx.now())
	found, err := tx.found(ctx, &r.ID, `INSERT INTO repository(name, format, remote_id, keep_versions, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (name) DO NOTHING RETURNING id`, r.Name, r.Format, reference(r.RemoteID), r.KeepVersions, now, now)
	if err != nil {
		return err
	}
	if !found {
		return nameTaken("repository", r.Name)
	}
	r.CreatedAt, r.UpdatedAt = fromMicros(now), fromMicros(now)
	tx.touched.catalog = true
	return tx.label(ctx, r)
}

// UpdateRepository stores a repository's settings, labels included, and fills
// in when. It fails with fault.Conflict if another one has the name, and with
// fault.NotFound if there is no such repository.
func (tx *Tx) UpdateRepository(ctx context.Context, r *content.Repository) error {
	now := micros(tx.now())
	n, err := tx.exec(ctx, `UPDATE repository SET name = ?, remote_id = ?, keep_versions = ?, updated_at = ? WHERE id = ?`,
		r.Name, reference(r.RemoteID), r.KeepVersions, now, r.ID)
	switch {
	case tx.d.code(err) == uniqueViolation:
		return nameTaken("repository", r.Name)
	case err != nil:
		return err
	case n == 0:
		return missing(r.ID)
	}
	r.UpdatedAt = fromMicros(now)
	tx.touched.catalog = true
	if _, err := tx.exec(ctx, `DELETE FROM repository_label WHERE repository_id = ?`, r.ID); err != nil {
		return err
	}
	return tx.label(ctx, r)
}

// label stores the labels of a repository that has none.
func (tx *Tx) label(ctx context.Context, r *content.Repository) error {
	if r.Labels = byKey(r.Labels); len(r.Labels) == 0 {
		return nil
	}
	rows := make([]labelRow, len(r.Labels))
	for i, l := range r.Labels {
		rows[i] = labelRow{Key: l.Key, Value: l.Value}
	}
	_, err := tx.exec(ctx, `INSERT INTO repository_label(repository_id, key, value) SELECT CAST(? AS bigint), key, value FROM `+
		tx.d.rows("x", "key text", "value text"), r.ID, encode(rows))
	return err
}

// Busy reports whether there is unfinished work on a repository.
func (q *queries) Busy(ctx context.Context, id content.RepositoryID) (bool, error) {
	var one int
	return q.found(ctx, &one, `SELECT 1 FROM reservation WHERE resource_id = (SELECT id FROM resource WHERE name = ?) LIMIT 1`, id.String())
}

// DeleteRepository deletes a repository with its versions and publications, and
// returns what it was. It fails with fault.Conflict while a distribution serves
// it or work on it is unfinished, and with fault.NotFound if there is no such
// repository.
func (tx *Tx) DeleteRepository(ctx context.Context, id content.RepositoryID) (*content.Repository, error) {
	r, err := tx.oneRepository(ctx, id, tx.d.forUpdate)
	if err != nil {
		return nil, err
	}
	var path string
	switch served, err := tx.found(ctx, &path, `SELECT path FROM distribution WHERE repository_id = ?
		OR publication_id IN (SELECT id FROM publication WHERE repository_id = ?) ORDER BY id LIMIT 1`, id, id); {
	case err != nil:
		return nil, err
	case served:
		return nil, fault.New(fault.Conflict, "repository %q is served by the distribution at %q: delete that first", r.Name, path)
	}
	// Whoever queues work on the repository locks this row too.
	var one int
	if _, err := tx.found(ctx, &one, `SELECT 1 FROM resource WHERE name = ?`+tx.d.forUpdate, id.String()); err != nil {
		return nil, err
	}
	switch busy, err := tx.Busy(ctx, id); {
	case err != nil:
		return nil, err
	case busy:
		return nil, fault.New(fault.Conflict, "there is unfinished work on repository %q: wait for it or cancel it", r.Name)
	}
	tx.touched.content, tx.touched.catalog = true, true
	// What refers to others goes first, although the rest follows by itself.
	for _, table := range []string{"publication", "membership", "version"} {
		if _, err := tx.exec(ctx, `DELETE FROM `+table+` WHERE repository_id = ?`, id); err != nil {
			return nil, err
		}
	}
	_, err = tx.exec(ctx, `DELETE FROM repository WHERE id = ?`, id)
	return r, err
}

// Synced returns what upstream and settings were at a repository's last sync,
// and the version it led to; nothing before the first one.
func (q *queries) Synced(ctx context.Context, id content.RepositoryID) (fingerprint string, version content.VersionID, err error) {
	var row struct {
		Fingerprint string            `db:"fingerprint"`
		Version     content.VersionID `db:"version"`
	}
	found, err := q.found(ctx, &row, `SELECT COALESCE(synced_fingerprint, '') AS fingerprint, COALESCE(synced_version_id, 0) AS version
		FROM repository WHERE id = ?`, id)
	if err == nil && !found {
		err = missing(id)
	}
	return row.Fingerprint, row.Version, err
}

// SetSynced records what Synced returns.
func (tx *Tx) SetSynced(ctx context.Context, id content.RepositoryID, fingerprint string, version content.VersionID) error {
	n, err := tx.exec(ctx, `UPDATE repository SET synced_fingerprint = ?, synced_version_id = ? WHERE id = ?`, fingerprint, reference(version), id)
	if err == nil && n == 0 {
		err = missing(id)
	}
	return err
}

// reference is an ID as a column that may be null: 0 refers to nothing.
func reference[ID ~int64](id ID) *int64 {
	if id == 0 {
		return nil
	}
	n := int64(id)
	return &n
}
