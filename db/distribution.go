package db

import (
	"context"
	"strings"

	"ream/content"
	"ream/fault"
	"ream/page"
)

type distributionRow struct {
	owned
	ID          content.DistributionID `db:"id"`
	Path        string                 `db:"path"`
	Repository  content.RepositoryID   `db:"repository_id"`
	Publication content.PublicationID  `db:"publication_id"`
	Access      content.Access         `db:"access"`
	Created     int64                  `db:"created_at"`
	Updated     int64                  `db:"updated_at"`
}

const distributionColumns = `id, path, COALESCE(repository_id, 0) AS repository_id, COALESCE(publication_id, 0) AS publication_id, access, created_at, updated_at`

func (r distributionRow) item() (content.DistributionID, *content.Distribution) {
	return r.ID, &content.Distribution{ID: r.ID, Path: r.Path, RepositoryID: r.Repository, PublicationID: r.Publication, Access: r.Access,
		CreatedAt: fromMicros(r.Created), UpdatedAt: fromMicros(r.Updated)}
}

// Distributions returns a page of all distributions, oldest first.
func (q *queries) Distributions(ctx context.Context, req page.Request) (*page.Of[*content.Distribution], error) {
	return paged(ctx, q, distributions.narrowed(q.seenDistribution()), req, distributionRow.item)
}

// RepositoryDistributions returns a page of the distributions that follow each
// repository, oldest first.
func (q *queries) RepositoryDistributions(ctx context.Context, ids []content.RepositoryID, req page.Request) ([]*page.Of[*content.Distribution], error) {
	l := distributions.with(`d.repository_id = o.owner`).narrowed(q.seenDistribution())
	return pagesOf(ctx, q, l, ownersOf(ids), req, distributionRow.item)
}

var distributions = listing{columns: distributionColumns, from: "distribution d", key: "d.id"}

// DistributionsByID returns distributions in the order of the ids, nil where
// there is none.
func (q *queries) DistributionsByID(ctx context.Context, ids []content.DistributionID) ([]*content.Distribution, error) {
	var rows []distributionRow
	seen := q.seenDistribution()
	if err := q.sel(ctx, &rows, `SELECT `+distributionColumns+` FROM distribution d WHERE `+q.d.in("d.id")+seen.sql, joined(list(q.d, ids), seen.args)...); err != nil {
		return nil, err
	}
	return inOrder(ids, rows, distributionRow.item), nil
}

// DistributionByPath returns the distribution at a path. It fails with
// fault.NotFound if there is none.
func (q *queries) DistributionByPath(ctx context.Context, path string) (*content.Distribution, error) {
	return q.oneDistribution(ctx, nothingAt(path), ``, `d.path = ?`, path)
}

// LockDistribution returns a distribution that nobody else changes until the
// transaction ends. It fails with fault.NotFound if there is none.
func (tx *Tx) LockDistribution(ctx context.Context, id content.DistributionID) (*content.Distribution, error) {
	return tx.oneDistribution(ctx, missing(id), tx.d.forChange, `d.id = ?`, id)
}

// LockDistributionByPath is LockDistribution of the one at a path.
func (tx *Tx) LockDistributionByPath(ctx context.Context, path string) (*content.Distribution, error) {
	return tx.oneDistribution(ctx, nothingAt(path), tx.d.forChange, `d.path = ?`, path)
}

// ServedPaths returns those of the paths at which there is a distribution.
func (q *queries) ServedPaths(ctx context.Context, paths []string) (served []string, err error) {
	seen := q.seenDistribution()
	err = q.sel(ctx, &served, `SELECT d.path FROM distribution d WHERE `+q.d.in("d.path")+seen.sql+` ORDER BY d.path`, joined(list(q.d, paths), seen.args)...)
	return served, err
}

func nothingAt(path string) error {
	return fault.New(fault.NotFound, "there is no distribution at %q", path)
}

func (q *queries) oneDistribution(ctx context.Context, none error, lock, condition string, arg any) (*content.Distribution, error) {
	var row distributionRow
	seen := q.seenDistribution()
	found, err := q.found(ctx, &row, `SELECT `+distributionColumns+` FROM distribution d WHERE `+condition+seen.sql+lock, joined(arg, seen.args)...)
	if err == nil && !found {
		err = none
	}
	if err != nil {
		return nil, err
	}
	_, d := row.item()
	return d, nil
}

// Serving returns the distribution in whose tree a clean path lies, and what it
// serves at the moment. If there is none, it fails with fault.NotFound, and vacant
// is the shortest start of the path at and below which no distribution is; it is
// empty if there are some below the path itself. It costs a search for each
// segment up to there, however long the path is.
func (q *queries) Serving(ctx context.Context, path string) (s *content.Serving, vacant string, err error) {
	var row struct {
		servingRow
		Reached string `db:"reached"`
		Below   bool   `db:"below"`
	}
	// The character after the slash is 0: what sorts between is below the path.
	const below = `EXISTS (SELECT 1 FROM distribution b WHERE b.path > step.path || '/' AND b.path < step.path || '0')`
	slash := q.d.position + `(rest, '/')`
	first, rest, deeper := strings.Cut(path, "/")
	if deeper {
		rest += "/"
	}
	if _, err := q.found(ctx, &row, `SELECT step.path AS reached, `+below+` AS below, COALESCE(d.id, 0) AS id, COALESCE(d.path, '') AS path, COALESCE(d.access, '') AS access,
			COALESCE(d.repository_id, p.repository_id, 0) AS repository, COALESCE(d.publication_id, r.newest_publication_id, 0) AS publication
		FROM (
			WITH RECURSIVE step(path, rest) AS (
				SELECT CAST(? AS text), CAST(? AS text)
				UNION ALL
				SELECT path || '/' || substr(rest, 1, `+slash+` - 1), substr(rest, `+slash+` + 1) FROM step WHERE rest <> '' AND `+below+`
			) SELECT path FROM step ORDER BY length(path) DESC LIMIT 1
		) step
		LEFT JOIN distribution d ON d.path = step.path LEFT JOIN repository r ON r.id = d.repository_id LEFT JOIN publication p ON p.id = d.publication_id`, first, rest); err != nil {
		return nil, "", err
	}
	if row.ID != 0 {
		return row.serving(), "", nil
	}
	if !row.Below {
		vacant = row.Reached
	}
	return nil, vacant, fault.New(fault.NotFound, "no distribution serves this path")
}

// AnyPublic reports whether a distribution is everybody's.
func (q *queries) AnyPublic(ctx context.Context) (bool, error) {
	var any bool
	err := q.get(ctx, &any, `SELECT EXISTS (SELECT 1 FROM distribution WHERE access = ?)`, content.Public)
	return any, err
}

type servingRow struct {
	ID          content.DistributionID `db:"id"`
	Path        string                 `db:"path"`
	Access      content.Access         `db:"access"`
	Repository  content.RepositoryID   `db:"repository"`
	Publication content.PublicationID  `db:"publication"`
}

func (r servingRow) serving() *content.Serving {
	return &content.Serving{DistributionID: r.ID, Path: r.Path, Access: r.Access, RepositoryID: r.Repository, PublicationID: r.Publication}
}

// CreateDistribution stores a new distribution and fills in its ID and times.
// It fails with fault.Conflict if another one has the path, or lies above or
// below it.
func (tx *Tx) CreateDistribution(ctx context.Context, d *content.Distribution) error {
	if err := tx.clearPath(ctx, d.Path, 0); err != nil {
		return err
	}
	now := micros(tx.now())
	if err := tx.get(ctx, &d.ID, `INSERT INTO distribution(path, repository_id, publication_id, access, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?) RETURNING id`,
		d.Path, reference(d.RepositoryID), reference(d.PublicationID), d.Access, now, now); err != nil {
		return err
	}
	d.CreatedAt, d.UpdatedAt = fromMicros(now), fromMicros(now)
	tx.touched.content = true
	return tx.recordServed(ctx, `d.id = ?`, d.ID)
}

// UpdateDistribution stores a distribution's settings and fills in when. It
// fails like CreateDistribution, and with fault.NotFound if there is no such
// distribution.
func (tx *Tx) UpdateDistribution(ctx context.Context, d *content.Distribution) error {
	if err := tx.clearPath(ctx, d.Path, d.ID); err != nil {
		return err
	}
	now := micros(tx.now())
	n, err := tx.exec(ctx, `UPDATE distribution SET path = ?, repository_id = ?, publication_id = ?, access = ?, updated_at = ? WHERE id = ?`,
		d.Path, reference(d.RepositoryID), reference(d.PublicationID), d.Access, now, d.ID)
	if err != nil {
		return err
	}
	if n == 0 {
		return missing(d.ID)
	}
	d.UpdatedAt = fromMicros(now)
	tx.touched.content = true
	return tx.recordServed(ctx, `d.id = ?`, d.ID)
}

// DeleteDistribution deletes a distribution. It fails with fault.NotFound if
// there is none.
func (tx *Tx) DeleteDistribution(ctx context.Context, id content.DistributionID) error {
	if err := tx.aloneServing(ctx); err != nil {
		return err
	}
	n, err := tx.exec(ctx, `DELETE FROM distribution WHERE id = ?`, id)
	if err != nil {
		return err
	}
	if n == 0 {
		return missing(id)
	}
	tx.touched.content = true
	return nil
}

// clearPath makes sure that no distribution but the given one is in the way of
// a path, and that none can get there before the transaction ends.
func (tx *Tx) clearPath(ctx context.Context, path string, itself content.DistributionID) error {
	if err := tx.aloneServing(ctx); err != nil {
		return err
	}
	var atOrAbove []string
	for i, c := range path + "/" {
		if c == '/' {
			atOrAbove = append(atOrAbove, path[:i])
		}
	}
	var other string
	// The character after the slash is 0: what sorts between is below the path.
	found, err := tx.found(ctx, &other, `SELECT path FROM distribution WHERE id <> ? AND (`+tx.d.in("path")+` OR path > ? AND path < ?) ORDER BY path LIMIT 1`,
		itself, list(tx.d, atOrAbove), path+"/", path+"0")
	switch {
	case err != nil:
		return err
	case !found:
		return nil
	case other == path:
		return fault.New(fault.Conflict, "there is already a distribution at %q", other)
	case strings.HasPrefix(other, path+"/"):
		return fault.New(fault.Conflict, "the path %q lies above that of the distribution at %q", path, other)
	default:
		return fault.New(fault.Conflict, "the path %q lies below that of the distribution at %q", path, other)
	}
}
