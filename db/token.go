package db

import (
	"context"
	"time"

	"ream/access"
	"ream/fault"
	"ream/page"
)

type tokenRow struct {
	ID        access.TokenID `db:"id"`
	Name      string         `db:"name"`
	Role      access.Role    `db:"role"`
	Labels    access.Limit   `db:"labels"`
	CreatedBy string         `db:"created_by"`
	Created   int64          `db:"created_at"`
	Expires   *int64         `db:"expires_at"`
	Revoked   *int64         `db:"revoked_at"`
	LastUsed  *int64         `db:"last_used_at"`
}

const tokenColumns = `id, name, role, labels, created_by, created_at, expires_at, revoked_at, last_used_at`

func (r tokenRow) item() (access.TokenID, *access.Token) {
	return r.ID, &access.Token{ID: r.ID, Name: r.Name, Role: r.Role, Limit: r.Labels, CreatedBy: r.CreatedBy, CreatedAt: fromMicros(r.Created),
		ExpiresAt: fromNullMicros(r.Expires), RevokedAt: fromNullMicros(r.Revoked), LastUsedAt: fromNullMicros(r.LastUsed)}
}

// Tokens returns a page of the tokens that the filter selects, oldest first.
func (q *queries) Tokens(ctx context.Context, f access.TokenFilter, req page.Request) (*page.Of[*access.Token], error) {
	l := listing{columns: tokenColumns, from: "access_token", key: "id"}
	l.narrow(q.unlimited())
	if f.Active {
		l.and(`revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)`, micros(q.now()))
	}
	return paged(ctx, q, l, req, tokenRow.item)
}

// TokensByID returns tokens in the order of the ids, nil where there is none.
func (q *queries) TokensByID(ctx context.Context, ids []access.TokenID) ([]*access.Token, error) {
	var rows []tokenRow
	if err := q.sel(ctx, &rows, `SELECT `+tokenColumns+` FROM access_token WHERE `+q.d.in("id")+q.unlimited().sql, list(q.d, ids)); err != nil {
		return nil, err
	}
	return inOrder(ids, rows, tokenRow.item), nil
}

// TokenByHash returns the token whose secret has a hash, whatever its state. It
// fails with fault.NotFound if there is none.
func (q *queries) TokenByHash(ctx context.Context, hash string) (*access.Token, error) {
	return q.oneToken(ctx, fault.New(fault.NotFound, "there is no such token"), `hash = ?`, hash)
}

// TokenByName returns the token of a name that is not revoked. It fails with
// fault.NotFound if there is none.
func (q *queries) TokenByName(ctx context.Context, name string) (*access.Token, error) {
	return q.oneToken(ctx, fault.New(fault.NotFound, "there is no token %q that is not revoked", name), `name = ? AND revoked_at IS NULL`, name)
}

func (q *queries) oneToken(ctx context.Context, none error, condition string, arg any) (*access.Token, error) {
	var row tokenRow
	found, err := q.found(ctx, &row, `SELECT `+tokenColumns+` FROM access_token WHERE `+condition+q.unlimited().sql, arg)
	if err == nil && !found {
		err = none
	}
	if err != nil {
		return nil, err
	}
	_, t := row.item()
	return t, nil
}

// AnyToken reports whether there is a token that is good for something.
func (q *queries) AnyToken(ctx context.Context) (bool, error) {
	var one int
	return q.found(ctx, &one, `SELECT 1 FROM access_token WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?) LIMIT 1`, micros(q.now()))
}

// CreateToken stores a new token with the hash of its secret, and fills in its
// ID and when. It fails with fault.Conflict if a token has the name that is not
// revoked.
func (tx *Tx) CreateToken(ctx context.Context, t *access.Token, hash string) error {
	now := micros(tx.now())
	found, err := tx.found(ctx, &t.ID, `INSERT INTO access_token(name, hash, role, labels, created_by, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING RETURNING id`, t.Name, hash, t.Role, t.Limit, t.CreatedBy, now, nullMicros(t.ExpiresAt))
	if err == nil && !found {
		err = fault.New(fault.Conflict, "there is already a token named %q: revoke it first, or choose another name", t.Name)
	}
	t.CreatedAt = fromMicros(now)
	return err
}

// RevokeToken makes a token good for nothing, and returns it. One that is
// revoked stays as it is. It fails with fault.NotFound if there is none.
func (tx *Tx) RevokeToken(ctx context.Context, id access.TokenID) (*access.Token, error) {
	n, err := tx.exec(ctx, `UPDATE access_token SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL`, micros(tx.now()), id)
	if err != nil {
		return nil, err
	}
	tx.touched.tokens = tx.touched.tokens || n > 0
	return tx.oneToken(ctx, missing(id), `id = ?`, id)
}

// UseTokens keeps when tokens were last used: one statement for all of them.
func (db *DB) UseTokens(ctx context.Context, used map[access.TokenID]time.Time) error {
	if len(used) == 0 {
		return nil
	}
	type use struct {
		ID access.TokenID `json:"id"`
		At int64          `json:"at"`
	}
	rows := make([]use, 0, len(used))
	for id, at := range used {
		rows = append(rows, use{id, micros(at)})
	}
	return db.InTx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `UPDATE access_token SET last_used_at = x.at FROM `+tx.d.rows("x", "id bigint", "at bigint")+`
			WHERE access_token.id = x.id AND (last_used_at IS NULL OR last_used_at < x.at)`, encode(rows))
		return err
	})
}
