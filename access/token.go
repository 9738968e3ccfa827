package access

import (
	"strconv"
	"time"
)

// TokenID is the ID of a token. Clients see it as "token-3".
type TokenID int64

func (id TokenID) String() string { return "token-" + strconv.FormatInt(int64(id), 10) }

// Token is what is known of a token. Its secret is not: whoever reads the
// database learns nothing by which to pass for its owner.
type Token struct {
	ID         TokenID
	Name       string // unique among those that are not revoked
	Role       Role
	Limit      Limit
	CreatedBy  string // the principal
	CreatedAt  time.Time
	ExpiresAt  *time.Time // nil for never
	RevokedAt  *time.Time // nil if it is not
	LastUsedAt *time.Time // to the minute; nil before the first time
}

// NodeID is the token's ID as clients see it.
func (t *Token) NodeID() string { return t.ID.String() }

// TokenState tells what a token is good for.
type TokenState string

// The states of a token.
const (
	Active  TokenState = "ACTIVE"
	Expired TokenState = "EXPIRED"
	Revoked TokenState = "REVOKED"
)

// State is the token's state at a time.
func (t *Token) State(now time.Time) TokenState {
	switch {
	case t.RevokedAt != nil:
		return Revoked
	case t.ExpiresAt != nil && !now.Before(*t.ExpiresAt):
		return Expired
	}
	return Active
}

// Principal is who has the token.
func (t *Token) Principal() Principal {
	return Principal{Kind: ByToken, Name: t.Name, Role: t.Role, Limit: t.Limit, TokenID: t.ID, Until: t.ExpiresAt}
}

// TokenFilter selects tokens.
type TokenFilter struct {
	Active bool // only those that are neither expired nor revoked
}
