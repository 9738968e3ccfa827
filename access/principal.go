package access

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"ream/fault"
)

// Kind says by what a principal is known.
type Kind string

// The kinds of principals.
const (
	ByToken   Kind = "TOKEN"     // a token of ours
	ByOpenID  Kind = "OPENID"    // a JWT of an OpenID Connect issuer
	Local     Kind = "LOCAL"     // a user of the system who may open the database
	Anonymous Kind = "ANONYMOUS" // nothing: whoever reaches the server
	Nobody    Kind = "NOBODY"    // nothing yet, so that nothing is allowed
)

// Limit is a label selector that the repositories have to fit which a
// principal sees and works on. The empty Limit is none.
type Limit string

// Principal is somebody who asks something of Ream.
type Principal struct {
	Kind    Kind
	Name    string // of the token, the JWT's subject, the system's user
	Role    Role
	Limit   Limit
	TokenID TokenID    // 0 unless known by a token
	Until   *time.Time // when the credentials expire; nil if they do not
}

// String names the principal in messages and in the log.
func (p Principal) String() string {
	switch p.Kind {
	case ByToken:
		return "token " + strconv.Quote(p.Name)
	case ByOpenID:
		return "subject " + strconv.Quote(p.Name)
	case Local:
		return "local user " + strconv.Quote(p.Name)
	}
	return strings.ToLower(string(p.Kind))
}

// Credentials name those by which the principal is known, wherever it is; empty
// if it is known by none.
func (p Principal) Credentials() string {
	if p.Kind == ByToken || p.Kind == ByOpenID {
		return p.String()
	}
	return ""
}

// Check returns nil if the principal has the needed role, and is not limited
// to some repositories unless limited principals will do; otherwise a
// fault.Forbidden that names what is needed.
func (p Principal) Check(needs Role, limited bool, what string) error {
	if !p.Role.Includes(needs) {
		return fault.New(fault.Forbidden, "%s needs the role %s: you have %s", what, needs, cmp.Or(string(p.Role), "none"))
	}
	if p.Limit != "" && !limited {
		return fault.New(fault.Forbidden, "%s needs the role %s without a limit to some repositories: your token is limited to %q", what, needs, p.Limit)
	}
	return nil
}

// Caller is a principal with the address from which it asks.
type Caller struct {
	Principal
	Address string // without a port; empty if it is no network's
}

type callerKey struct{}

// WithCaller says who asks in whatever is done with the context.
// Without a caller it is the program itself that acts.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf tells who asks: the zero Caller, which has no role, if it is nobody
// from outside.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
