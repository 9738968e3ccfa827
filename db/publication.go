package db

import (
	"context"
	"fmt"
	"strings"

	"ream/content"
	"ream/fault"
	"ream/page"
)

type publicationRow struct {
	owned
	ID         content.PublicationID `db:"id"`
	Repository content.RepositoryID  `db:"repository_id"`
	Version    content.VersionID     `db:"version_id"`
	Files      int                   `db:"files"`
	Bytes      int64                 `db:"bytes"`
	Created    int64                 `db:"created_at"`
}

const publicationColumns = `id, repository_id, version_id, files, bytes, created_at`

func (r publicationRow) item() (content.PublicationID, *content.Publication) {
	return r.ID, &content.Publication{ID: r.ID, RepositoryID: r.Repository, VersionID: r.Version, Files: r.Files, Bytes: r.Bytes,
		CreatedAt: fromMicros(r.Created)}
}

// Publications returns a page of all publications, newest first.
func (q *queries) Publications(ctx context.Context, req page.Request) (*page.Of[*content.Publication], error) {
	return paged(ctx, q, publications.narrowed(q.seen("p.repository_id")), req, publicationRow.item)
}

// RepositoryPublications returns a page of the publications of each repository,
// newest first.
func (q *queries) RepositoryPublications(ctx context.Context, ids []content.RepositoryID, req page.Request) ([]*page.Of[*content.Publication], error) {
	l := publications.with(`p.repository_id = o.owner`).narrowed(q.seen("p.repository_id"))
	return pagesOf(ctx, q, l, ownersOf(ids), req, publicationRow.item)
}

var publications = listing{columns: publicationColumns, from: "publication p", key: "p.id", newest: true}

// PublicationsByID returns publications in the order of the ids, nil where
// there is none.
func (q *queries) PublicationsByID(ctx context.Context, ids []content.PublicationID) ([]*content.Publication, error) {
	var rows []publicationRow
	seen := q.seen("repository_id")
	if err := q.sel(ctx, &rows, `SELECT `+publicationColumns+` FROM publication WHERE `+q.d.in("id")+seen.sql, joined(list(q.d, ids), seen.args)...); err != nil {
		return nil, err
	}
	return inOrder(ids, rows, publicationRow.item), nil
}

// PublicationOfVersion returns the newest publication of a version. It fails
// with fault.NotFound if there is none.
func (q *queries) PublicationOfVersion(ctx context.Context, id content.VersionID) (*content.Publication, error) {
	var row publicationRow
	found, err := q.found(ctx, &row, `SELECT `+publicationColumns+` FROM publication WHERE version_id = ? ORDER BY id DESC LIMIT 1`, id)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "%s is not published", id)
	}
	if err != nil {
		return nil, err
	}
	_, p := row.item()
	return p, nil
}

// CreatePublication makes a version ready to be served, with these metadata
// files, whose bytes are stored. Distributions that follow the repository serve it from the commit on,
// unless they serve a later version. It fails with fault.Conflict if a unit has
// the path of a metadata file.
func (tx *Tx) CreatePublication(ctx context.Context, v *content.Version, metadata []content.PublishedFile) (*content.Publication, error) {
	artifacts := make([]content.Artifact, len(metadata))
	for i, f := range metadata {
		artifacts[i] = content.Artifact{SHA256: f.SHA256, Size: f.Size}
	}
	if err := tx.AddArtifacts(ctx, artifacts); err != nil {
		return nil, err
	}
	r, err := tx.LockRepository(ctx, v.RepositoryID)
	if err != nil {
		return nil, err
	}
	now := micros(tx.now())
	p := &content.Publication{RepositoryID: v.RepositoryID, VersionID: v.ID, Files: v.Units + len(metadata), Bytes: v.Bytes, CreatedAt: fromMicros(now)}
	for _, f := range metadata {
		p.Bytes = content.Plus(p.Bytes, f.Size)
	}
	if err := tx.get(ctx, &p.ID, `INSERT INTO publication(repository_id, version_id, files, bytes, created_at) VALUES (?, ?, ?, ?, ?) RETURNING id`,
		p.RepositoryID, p.VersionID, p.Files, p.Bytes, now); err != nil {
		return nil, err
	}
	if err := tx.publishMetadata(ctx, p, v, metadata); err != nil {
		return nil, err
	}
	n, err := tx.exec(ctx, `INSERT INTO published_file(publication_id, path, sha256, size, modified_at)
		SELECT CAST(? AS bigint), replace(m.path, '/', CAST(? AS text)), u.sha256, u.size, since.created_at FROM `+memberTables+` CROSS JOIN (
			SELECT number, created_at FROM version WHERE repository_id = ? UNION ALL SELECT number, created_at FROM deleted_version WHERE repository_id = ?) since
		WHERE `+isMember+` AND since.number = m.added`, p.ID, below, v.RepositoryID, v.RepositoryID, v.RepositoryID, v.Number, v.Number)
	if err != nil {
		return nil, err
	}
	if n != v.Units {
		return nil, fmt.Errorf("publish %s: it has %d units, but should have %d", v.ID, n, v.Units)
	}
	tx.touched.content = true
	var newest int
	if r.NewestPublicationID != 0 {
		if err := tx.get(ctx, &newest, `SELECT v.number FROM publication p JOIN version v ON v.id = p.version_id WHERE p.id = ?`, r.NewestPublicationID); err != nil {
			return nil, err
		}
	}
	if v.Number < newest {
		return p, nil
	}
	if err := tx.aloneServing(ctx); err != nil {
		return nil, err
	}
	if _, err = tx.exec(ctx, `UPDATE repository SET newest_publication_id = ? WHERE id = ?`, p.ID, r.ID); err != nil {
		return nil, err
	}
	return p, tx.recordServed(ctx, `d.repository_id = ?`, r.ID)
}

type publishedRow struct {
	Path     string         `db:"path" json:"path"`
	SHA256   content.Digest `db:"sha256" json:"sha256"`
	Size     int64          `db:"size" json:"size"`
	Modified int64          `db:"modified_at" json:"modified_at"`
}

func (tx *Tx) publishMetadata(ctx context.Context, p *content.Publication, v *content.Version, metadata []content.PublishedFile) error {
	if len(metadata) == 0 {
		return nil
	}
	rows, paths := make([]publishedRow, len(metadata)), make([]string, len(metadata))
	for i, f := range metadata {
		paths[i] = f.Path
		rows[i] = publishedRow{treePath(f.Path), f.SHA256, f.Size, micros(p.CreatedAt)}
		if !f.ModifiedAt.IsZero() {
			rows[i].Modified = micros(f.ModifiedAt)
		}
	}
	var taken string
	switch clash, err := tx.found(ctx, &taken, `SELECT m.path FROM `+memberTables+` WHERE `+isMember+` AND `+tx.d.in("m.path")+` ORDER BY m.path LIMIT 1`,
		v.RepositoryID, v.Number, v.Number, list(tx.d, paths)); {
	case err != nil:
		return err
	case clash:
		return fault.New(fault.Conflict, "version %d has a unit at %q, where the publication's metadata belongs", v.Number, taken)
	}
	_, err := tx.exec(ctx, `INSERT INTO published_file(publication_id, path, sha256, size, modified_at, metadata)
		SELECT CAST(? AS bigint), path, sha256, size, modified_at, TRUE FROM `+
		tx.d.rows("x", "path text", "sha256 text", "size bigint", "modified_at bigint"), p.ID, encode(rows))
	return err
}

// In published_file, below stands for the slash. It sorts below all that a
// name may hold, and behind comes directly after it: what sorts between
// name+below and name+behind is in the directory name.
const (
	below  = "\t"
	behind = "\n"
)

// treePath is a path as published_file has it.
func treePath(path string) string { return strings.ReplaceAll(path, "/", below) }

// PublishedFile returns the file at a path of a publication, or the directory.
// It fails with fault.NotFound if there is neither. Bytes that have another size
// than was published are not the file's.
func (q *queries) PublishedFile(ctx context.Context, id content.PublicationID, path string) (*content.PublishedFile, error) {
	none := fault.New(fault.NotFound, "%s has no file %.200q", id, path)
	if content.CheckPath(path) != nil {
		return nil, none
	}
	var row storedRow
	name := treePath(path)
	// Directly behind a name comes what is in the directory of that name.
	found, err := q.found(ctx, &row, `SELECT `+storedColumns+` FROM published_file f WHERE publication_id = ? AND path >= ? AND path < ? ORDER BY path LIMIT 1`, id, name, name+behind)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, none
	case row.Path != name:
		return &content.PublishedFile{Path: path, IsDir: true}, nil
	}
	return row.file(path), nil
}

// storedRow is a file f of a publication, and whether its bytes are here.
type storedRow struct {
	publishedRow
	Stored bool `db:"stored"`
}

const storedColumns = `f.path, f.sha256, f.size, f.modified_at, EXISTS (SELECT 1 FROM artifact a WHERE a.sha256 = f.sha256 AND a.size = f.size AND a.quarantined_at IS NULL) AS stored`

func (r storedRow) file(path string) *content.PublishedFile {
	return &content.PublishedFile{Path: path, SHA256: r.SHA256, Size: r.Size, ModifiedAt: fromMicros(r.Modified), Stored: r.Stored}
}

// FirstFile returns the file at a path of the first of these publications that
// has one there. It fails with fault.NotFound if none has.
func (q *queries) FirstFile(ctx context.Context, ids []content.PublicationID, path string) (*content.PublishedFile, error) {
	none := fault.New(fault.NotFound, "none of %d publications has a file %.200q", len(ids), path)
	if content.CheckPath(path) != nil {
		return nil, none
	}
	type place struct {
		Publication content.PublicationID `json:"publication"`
		Place       int                   `json:"place"`
	}
	places := make([]place, len(ids))
	for i, id := range ids {
		places[i] = place{id, i}
	}
	var row storedRow
	found, err := q.found(ctx, &row, `SELECT `+storedColumns+` FROM `+q.d.rows("x", "publication bigint", "place int")+`
		CROSS JOIN published_file f WHERE f.publication_id = x.publication AND f.path = ? ORDER BY x.place LIMIT 1`, encode(places), treePath(path))
	if err == nil && !found {
		err = none
	}
	if err != nil {
		return nil, err
	}
	return row.file(path), nil
}

// PublishedPaths calls each with the path of every file of a publication, those
// below a directory one after the other, until it returns false. It holds one at
// a time.
func (q *queries) PublishedPaths(ctx context.Context, id content.PublicationID, each func(path string) bool) error {
	rows, err := q.ext.QueryxContext(ctx, q.d.rebind(`SELECT path FROM published_file WHERE publication_id = ? ORDER BY path`), id)
	if err != nil {
		return q.d.classify(q.stopped(ctx, err))
	}
	defer rows.Close() //nolint:errcheck // Err tells
	for rows.Next() {
		var path string
		if err := rows.Scan(&path); err != nil {
			return q.d.classify(err)
		}
		if !each(strings.ReplaceAll(path, below, "/")) {
			return nil
		}
	}
	return q.d.classify(q.stopped(ctx, rows.Err()))
}

// joined flattens arguments, some of which are lists of them.
func joined(args ...any) []any {
	var flat []any
	for _, a := range args {
		if several, ok := a.([]any); ok {
			flat = append(flat, several...)
		} else {
			flat = append(flat, a)
		}
	}
	return flat
}
