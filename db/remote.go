package db

import (
	"context"

	"ream/content"
	"ream/fault"
	"ream/page"
)

type remoteRow struct {
	ID          content.RemoteID `db:"id"`
	Name        string           `db:"name"`
	URL         string           `db:"url"`
	Policy      content.Policy   `db:"policy"`
	Connections int              `db:"connections"`
	Created     int64            `db:"created_at"`
	Updated     int64            `db:"updated_at"`
}

const remoteColumns = `id, name, url, policy, connections, created_at, updated_at`

func (r remoteRow) item() (content.RemoteID, *content.Remote) {
	return r.ID, &content.Remote{ID: r.ID, Name: r.Name, URL: r.URL, Policy: r.Policy, Connections: r.Connections,
		CreatedAt: fromMicros(r.Created), UpdatedAt: fromMicros(r.Updated)}
}

// Remotes returns a page of the remotes, oldest first.
func (q *queries) Remotes(ctx context.Context, req page.Request) (*page.Of[*content.Remote], error) {
	return paged(ctx, q, listing{columns: remoteColumns, from: "remote", key: "id"}, req, remoteRow.item)
}

// RemotesByID returns remotes in the order of the ids, nil where there is none.
func (q *queries) RemotesByID(ctx context.Context, ids []content.RemoteID) ([]*content.Remote, error) {
	var rows []remoteRow
	if err := q.sel(ctx, &rows, `SELECT `+remoteColumns+` FROM remote WHERE `+q.d.in("id"), list(q.d, ids)); err != nil {
		return nil, err
	}
	return inOrder(ids, rows, remoteRow.item), nil
}

// RemoteByName returns the remote of that name. It fails with fault.NotFound
// if there is none.
func (q *queries) RemoteByName(ctx context.Context, name string) (*content.Remote, error) {
	var row remoteRow
	found, err := q.found(ctx, &row, `SELECT `+remoteColumns+` FROM remote WHERE name = ?`, name)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no remote %q", name)
	}
	if err != nil {
		return nil, err
	}
	_, r := row.item()
	return r, nil
}

// CreateRemote stores a new remote and fills in its ID and times. It fails
// with fault.Conflict if the name is taken.
func (tx *Tx) CreateRemote(ctx context.Context, r *content.Remote) error {
	now := micros(tx.now())
	found, err := tx.found(ctx, &r.ID, `INSERT INTO remote(name, url, policy, connections, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (name) DO NOTHING RETURNING id`, r.Name, r.URL, r.Policy, r.Connections, now, now)
	if err == nil && !found {
		return nameTaken("remote", r.Name)
	}
	r.CreatedAt, r.UpdatedAt = fromMicros(now), fromMicros(now)
	return err
}

// UpdateRemote stores a remote's settings and fills in when. It fails with
// fault.Conflict if another one has the name, and with fault.NotFound if there
// is no such remote.
func (tx *Tx) UpdateRemote(ctx context.Context, r *content.Remote) error {
	now := micros(tx.now())
	n, err := tx.exec(ctx, `UPDATE remote SET name = ?, url = ?, policy = ?, connections = ?, updated_at = ? WHERE id = ?`,
		r.Name, r.URL, r.Policy, r.Connections, now, r.ID)
	switch {
	case tx.d.code(err) == uniqueViolation:
		return nameTaken("remote", r.Name)
	case err == nil && n == 0:
		return missing(r.ID)
	}
	r.UpdatedAt = fromMicros(now)
	return err
}

// DeleteRemote deletes a remote. It fails with fault.Conflict while a
// repository uses it, and with fault.NotFound if there is no such remote.
func (tx *Tx) DeleteRemote(ctx context.Context, id content.RemoteID) error {
	var name string
	found, err := tx.found(ctx, &name, `SELECT name FROM remote WHERE id = ?`+tx.d.forUpdate, id)
	if err == nil && !found {
		err = missing(id)
	}
	if err != nil {
		return err
	}
	var user string
	switch used, err := tx.found(ctx, &user, `SELECT name FROM repository WHERE remote_id = ? ORDER BY id LIMIT 1`, id); {
	case err != nil:
		return err
	case used:
		return fault.New(fault.Conflict, "remote %q is used by repository %q: give that another remote first", name, user)
	}
	_, err = tx.exec(ctx, `DELETE FROM remote WHERE id = ?`, id)
	return err
}

func nameTaken(noun, name string) error {
	return fault.New(fault.Conflict, "there is already a %s named %q", noun, name)
}

// missing is the fault for an ID without a row.
func missing(id interface{ String() string }) error {
	return fault.New(fault.NotFound, "there is no %s", id)
}
