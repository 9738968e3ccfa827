package catalog

import (
	"context"
	"strings"
	"time"

	"ream/access"
	"ream/db"
	"ream/fault"
)

// TokenInput is what a new token needs.
type TokenInput struct {
	Name      string
	Role      access.Role
	Labels    string     // a selector of the repositories that it is limited to; empty for no limit
	ExpiresAt *time.Time // nil for never
}

// CreateToken creates a token, and returns it with its secret, which nobody can
// learn again.
func (c *Catalog) CreateToken(ctx context.Context, in TokenInput) (*access.Token, string, error) {
	secret := access.NewSecret()
	hash, _ := access.HashSecret(secret)
	t, err := change(ctx, c, func(tx *db.Tx) (*access.Token, error) {
		t := &access.Token{Name: in.Name, Role: in.Role, Limit: access.Limit(strings.TrimSpace(in.Labels)),
			CreatedBy: access.CallerOf(ctx).String(), ExpiresAt: in.ExpiresAt}
		if err := checkToken(t, tx.Now()); err != nil {
			return nil, err
		}
		return t, tx.CreateToken(ctx, t, hash)
	})
	if err != nil {
		return nil, "", err
	}
	return t, secret, nil
}

func checkToken(t *access.Token, now time.Time) error {
	if err := checkName(t.Name); err != nil {
		return err
	}
	if _, err := access.ParseRole(string(t.Role)); err != nil {
		return err
	}
	if err := db.CheckSelector(string(t.Limit)); err != nil {
		return err
	}
	if t.Role == access.Admin && t.Limit != "" {
		return fault.Input("labels", "an admin cannot be limited to some repositories, since admins make tokens without a limit: choose another role")
	}
	if t.State(now) != access.Active {
		return fault.Input("expiresAt", "it is past: want a time to come, or leave it out for a token that does not expire")
	}
	return nil
}

// RevokeToken makes a token good for nothing: whoever uses it is disconnected.
// One that is revoked already stays as it is.
func (c *Catalog) RevokeToken(ctx context.Context, id access.TokenID) (*access.Token, error) {
	return change(ctx, c, func(tx *db.Tx) (*access.Token, error) { return tx.RevokeToken(ctx, id) })
}
