package db

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ream/content"
	"ream/fault"
	"ream/page"
)

type remoteRow struct {
	ID             content.RemoteID `db:"id"`
	Name           string           `db:"name"`
	URL            string           `db:"url"`
	Policy         content.Policy   `db:"policy"`
	Username       string           `db:"username"`
	CACert         string           `db:"ca_cert"`
	ClientCert     string           `db:"client_cert"`
	VerifyTLS      bool             `db:"verify_tls"`
	ProxyURL       string           `db:"proxy_url"`
	ProxyUsername  string           `db:"proxy_username"`
	Insecure       bool             `db:"insecure_redirects"`
	Connections    int              `db:"connections"`
	BytesPerSecond int64            `db:"bytes_per_second"`
	Stall          int64            `db:"stall_timeout"`
	Total          int64            `db:"total_timeout"`
	Retries        int              `db:"retries"`
	Secrets        secrets          `db:"secrets"`
	Created        int64            `db:"created_at"`
	Updated        int64            `db:"updated_at"`
}

// secrets are a remote's secrets as a column holds them: JSON.
type secrets content.Secrets

// Scan reads the column.
func (s *secrets) Scan(from any) error {
	switch text := from.(type) {
	case string:
		return json.Unmarshal([]byte(text), s)
	case []byte:
		return json.Unmarshal(text, s)
	}
	return fmt.Errorf("secrets are no text but %T", from)
}

// The columns of a remote's settings, and as many placeholders.
const (
	remoteSettings = `name, url, policy, username, ca_cert, client_cert, verify_tls, proxy_url, proxy_username, insecure_redirects,
		connections, bytes_per_second, stall_timeout, total_timeout, retries`
	remoteValues  = `?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?`
	remoteColumns = `id, ` + remoteSettings + `, secrets, created_at, updated_at`
)

// settingsOf are the values of remoteSettings, and then others.
func settingsOf(r *content.Remote, others ...any) []any {
	return append([]any{r.Name, r.URL, r.Policy, r.Username, r.CACert, r.ClientCert, r.VerifyTLS, r.ProxyURL, r.ProxyUsername, r.InsecureRedirects,
		r.Connections, r.BytesPerSecond, int64(r.StallTimeout / time.Second), int64(r.TotalTimeout / time.Second), r.Retries}, others...)
}

func (r remoteRow) item() (content.RemoteID, *content.Remote) {
	remote := &content.Remote{
		ID: r.ID, Name: r.Name, URL: r.URL, Policy: r.Policy,
		Username: r.Username, CACert: r.CACert, ClientCert: r.ClientCert, VerifyTLS: r.VerifyTLS,
		ProxyURL: r.ProxyURL, ProxyUsername: r.ProxyUsername,
		InsecureRedirects: r.Insecure, Connections: r.Connections, BytesPerSecond: r.BytesPerSecond,
		StallTimeout: time.Duration(r.Stall) * time.Second, TotalTimeout: time.Duration(r.Total) * time.Second, Retries: r.Retries,
		CreatedAt: fromMicros(r.Created), UpdatedAt: fromMicros(r.Updated),
	}
	if len(r.Secrets) > 0 {
		remote.Secrets = content.Secrets(r.Secrets)
	}
	return r.ID, remote
}

// Remotes returns a page of the remotes, oldest first.
func (q *queries) Remotes(ctx context.Context, req page.Request) (*page.Of[*content.Remote], error) {
	l := listing{columns: remoteColumns, from: "remote", key: "id"}
	l.narrow(q.seenRemote())
	return paged(ctx, q, l, req, remoteRow.item)
}

// RemotesByID returns remotes in the order of the ids, nil where there is none.
func (q *queries) RemotesByID(ctx context.Context, ids []content.RemoteID) ([]*content.Remote, error) {
	var rows []remoteRow
	seen := q.seenRemote()
	if err := q.sel(ctx, &rows, `SELECT `+remoteColumns+` FROM remote WHERE `+q.d.in("id")+seen.sql, joined(list(q.d, ids), seen.args)...); err != nil {
		return nil, err
	}
	return inOrder(ids, rows, remoteRow.item), nil
}

// RemoteByName returns the remote of that name. It fails with fault.NotFound
// if there is none.
func (q *queries) RemoteByName(ctx context.Context, name string) (*content.Remote, error) {
	return q.oneRemote(ctx, fault.New(fault.NotFound, "there is no remote %q", name), ``, `name = ?`, name)
}

// LockRemote returns a remote that nobody else changes until the transaction
// ends. It fails with fault.NotFound if there is none.
func (tx *Tx) LockRemote(ctx context.Context, id content.RemoteID) (*content.Remote, error) {
	return tx.oneRemote(ctx, missing(id), tx.d.forUpdate, `id = ?`, id)
}

func (q *queries) oneRemote(ctx context.Context, none error, lock, condition string, arg any) (*content.Remote, error) {
	var row remoteRow
	seen := q.seenRemote()
	found, err := q.found(ctx, &row, `SELECT `+remoteColumns+` FROM remote WHERE `+condition+seen.sql+lock, joined(arg, seen.args)...)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, none
	}
	_, r := row.item()
	return r, nil
}

// CreateRemote stores a new remote without its secrets, which need its ID to
// be sealed, and fills in its ID and times. It fails with fault.Conflict if the
// name is taken.
func (tx *Tx) CreateRemote(ctx context.Context, r *content.Remote) error {
	// The list is in the order of the IDs: what was read of it stays complete.
	if err := tx.alone(ctx, "new remotes"); err != nil {
		return err
	}
	now := micros(tx.now())
	found, err := tx.found(ctx, &r.ID, `INSERT INTO remote(`+remoteSettings+`, created_at, updated_at)
		VALUES (`+remoteValues+`, ?, ?) ON CONFLICT (name) DO NOTHING RETURNING id`, settingsOf(r, now, now)...)
	if err == nil && !found {
		return nameTaken("remote", r.Name)
	}
	r.CreatedAt, r.UpdatedAt = fromMicros(now), fromMicros(now)
	tx.touched.catalog = true
	return err
}

// UpdateRemote stores a remote's settings, secrets included, and fills in
// when. It fails with fault.Conflict if another one has the name, and with
// fault.NotFound if there is no such remote.
func (tx *Tx) UpdateRemote(ctx context.Context, r *content.Remote) error {
	secrets := "{}"
	if len(r.Secrets) > 0 {
		secrets = encode(r.Secrets)
	}
	now := micros(tx.now())
	n, err := tx.exec(ctx, `UPDATE remote SET (`+remoteSettings+`) = (`+remoteValues+`), secrets = ?, updated_at = ? WHERE id = ?`,
		settingsOf(r, secrets, now, r.ID)...)
	switch {
	case tx.d.code(err) == uniqueViolation:
		return nameTaken("remote", r.Name)
	case err == nil && n == 0:
		return missing(r.ID)
	}
	r.UpdatedAt = fromMicros(now)
	tx.touched.catalog = true
	return err
}

// DeleteRemote deletes a remote. It fails with fault.Conflict while a
// repository uses it or has files that are to be fetched from it alone, and
// with fault.NotFound if there is no such remote.
func (tx *Tx) DeleteRemote(ctx context.Context, id content.RemoteID) error {
	r, err := tx.LockRemote(ctx, id)
	if err != nil {
		return err
	}
	var user string
	switch used, err := tx.found(ctx, &user, `SELECT name FROM repository WHERE remote_id = ? ORDER BY id LIMIT 1`, id); {
	case err != nil:
		return err
	case used:
		return fault.New(fault.Conflict, "remote %q is used by repository %q: give that another remote first", r.Name, user)
	}
	if err := tx.keepOnlySource(ctx, r); err != nil {
		return err
	}
	tx.touched.catalog = true
	if _, err := tx.exec(ctx, `DELETE FROM unit_source WHERE remote_id = ?`, id); err != nil {
		return err
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
