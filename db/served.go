package db

import (
	"context"
	"time"

	"ream/content"
	"ream/fault"
	"ream/page"
)

// aloneServing keeps others from changing what distributions serve until the
// transaction ends: the record of it tells exactly what was served when.
// Whoever locks rows of repositories or distributions does so before.
func (tx *Tx) aloneServing(ctx context.Context) error { return tx.alone(ctx, "distributions") }

// recordServed records what those distributions d serve from now on, and at which
// path, that fit a condition. The caller is aloneServing.
func (tx *Tx) recordServed(ctx context.Context, condition string, arg any) error {
	const serving = `distribution d LEFT JOIN repository r ON r.id = d.repository_id WHERE `
	const publication = `COALESCE(d.publication_id, r.newest_publication_id, 0)`
	now := micros(tx.now())
	if _, err := tx.exec(ctx, `UPDATE served SET until = ? WHERE until IS NULL AND EXISTS (
		SELECT 1 FROM `+serving+condition+` AND d.id = served.distribution_id AND (`+publication+` <> served.publication_id OR d.path <> served.path))`, now, arg); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `INSERT INTO served(distribution_id, path, publication_id, since) SELECT d.id, d.path, `+publication+`, CAST(? AS bigint) FROM `+serving+condition+
		` AND `+publication+` <> 0 AND NOT EXISTS (SELECT 1 FROM served s WHERE s.distribution_id = d.id AND s.until IS NULL) ORDER BY d.id`, now, arg)
	return err
}

type servedRow struct {
	owned
	ID           int64                  `db:"id"`
	Distribution content.DistributionID `db:"distribution_id"`
	Path         string                 `db:"path"`
	Publication  content.PublicationID  `db:"publication_id"`
	Since        int64                  `db:"since"`
	Until        *int64                 `db:"until"`
}

func (r servedRow) item() (int64, *content.Served) {
	return r.ID, &content.Served{Path: r.Path, PublicationID: r.Publication, Since: fromMicros(r.Since), Until: fromNullMicros(r.Until)}
}

// Served returns a page of what each distribution served, newest first.
func (q *queries) Served(ctx context.Context, ids []content.DistributionID, req page.Request) ([]*page.Of[*content.Served], error) {
	l := listing{columns: `s.id, s.distribution_id, s.path, s.publication_id, s.since, s.until`, from: "served s CROSS JOIN distribution d",
		where: `s.distribution_id = o.owner AND d.id = s.distribution_id`, key: "s.id", newest: true}
	l.narrow(q.seenDistribution())
	return pagesOf(ctx, q, l, ownersOf(ids), req, servedRow.item)
}

// ServedAt returns what was served at a path at a time, and the distribution that
// served it, as it is now: it may have another path since. It fails with
// fault.NotFound if that was nothing, or if it was deleted since.
func (q *queries) ServedAt(ctx context.Context, path string, at time.Time) (*content.Serving, error) {
	var row servingRow
	found, err := q.found(ctx, &row, `SELECT d.id, d.path, d.access, p.repository_id AS repository, p.id AS publication
		FROM (SELECT distribution_id, publication_id FROM served WHERE path = ? AND since <= ? AND (until IS NULL OR until > ?) ORDER BY since DESC, id DESC LIMIT 1) s
		JOIN distribution d ON d.id = s.distribution_id JOIN publication p ON p.id = s.publication_id`, path, micros(at), micros(at))
	if err == nil && !found {
		err = fault.New(fault.NotFound, "nothing was served here then, or it is kept no longer")
	}
	if err != nil {
		return nil, err
	}
	return row.serving(), nil
}

// maxReplaced bounds how many publications a request may be looked for in,
// besides the one that is served: one every five minutes for a day.
const maxReplaced = 300

// Replaced returns the newest publications that were served at the path of a
// distribution after a time but are no longer, whichever repository they are of.
// What another distribution served there is among them only if the same people
// may read both.
func (q *queries) Replaced(ctx context.Context, s *content.Serving, since time.Time) ([]content.Predecessor, error) {
	var rows []struct {
		Publication content.PublicationID `db:"id"`
		Repository  content.RepositoryID  `db:"repository_id"`
	}
	if err := q.sel(ctx, &rows, `SELECT p.id, p.repository_id FROM served s JOIN distribution d ON d.id = s.distribution_id JOIN publication p ON p.id = s.publication_id
		WHERE s.path = ? AND s.until > ? AND d.access = ? AND p.id <> ?
		GROUP BY p.id, p.repository_id ORDER BY max(s.id) DESC LIMIT ?`, s.Path, micros(since), s.Access, s.PublicationID, maxReplaced); err != nil {
		return nil, err
	}
	replaced := make([]content.Predecessor, len(rows))
	for i, r := range rows {
		replaced[i] = content.Predecessor{PublicationID: r.Publication, RepositoryID: r.Repository}
	}
	return replaced, nil
}

// stepBack selects the id of what a rollback of a distribution d goes back to: the
// last that it served before, by whatever steps it came there.
const stepBack = `SELECT s.id FROM served s JOIN publication p ON p.id = s.publication_id
	WHERE s.distribution_id = d.id AND NOT s.undone AND s.until IS NOT NULL
		AND s.publication_id <> COALESCE((SELECT n.publication_id FROM served n WHERE n.distribution_id = s.distribution_id AND n.until IS NULL), 0)
	ORDER BY s.id DESC LIMIT 1`

// RollbackTargets returns what each distribution would serve after a rollback, in
// the order of the ids: 0 where nothing is kept of what it served before.
func (q *queries) RollbackTargets(ctx context.Context, ids []content.DistributionID) ([]content.PublicationID, error) {
	var rows []rollbackRow
	seen := q.seenDistribution()
	err := q.sel(ctx, &rows, `SELECT d.id, COALESCE((SELECT b.publication_id FROM served b WHERE b.id = (`+stepBack+`)), 0) AS publication FROM distribution d WHERE `+q.d.in("d.id")+seen.sql,
		joined(list(q.d, ids), seen.args)...)
	return inOrder(ids, rows, rollbackRow.item), err
}

type rollbackRow struct {
	ID          content.DistributionID `db:"id"`
	Publication content.PublicationID  `db:"publication"`
}

func (r rollbackRow) item() (content.DistributionID, content.PublicationID) {
	return r.ID, r.Publication
}

// StepBack forgets that a distribution came to serve what it serves, and returns
// what it served before, by whatever steps it came there. The caller makes the
// distribution serve that. It fails with fault.Conflict if nothing that it
// served before is kept.
func (tx *Tx) StepBack(ctx context.Context, d *content.Distribution) (content.PublicationID, error) {
	if err := tx.aloneServing(ctx); err != nil {
		return 0, err
	}
	var before servedRow
	found, err := tx.found(ctx, &before, `SELECT b.id, b.distribution_id, b.path, b.publication_id, b.since, b.until FROM distribution d JOIN served b ON b.id = (`+stepBack+`)
		WHERE d.id = ?`, d.ID)
	if err == nil && !found {
		err = fault.New(fault.Conflict, "nothing is kept of what the distribution at %q served before", d.Path)
	}
	if err != nil {
		return 0, err
	}
	_, err = tx.exec(ctx, `UPDATE served SET undone = TRUE WHERE distribution_id = ? AND id >= ?`, d.ID, before.ID)
	return before.Publication, err
}
