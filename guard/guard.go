// Package guard finds out who makes a request, and keeps those out who may not
// ask anything: it checks tokens and the JWTs of an OpenID Connect issuer, ends
// streams whose credentials are no longer good, slows down those who guess, and
// protects browsers from being used by the pages of others.
package guard

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"ream/access"
	"ream/fault"
)

// Tokens knows the tokens. It must be safe for concurrent use.
type Tokens interface {
	// TokenByHash returns the token whose secret has a hash, whatever its state,
	// and a fault.NotFound if there is none.
	TokenByHash(ctx context.Context, hash string) (*access.Token, error)
	// TokensByID returns tokens in the order of the ids, nil where there is none.
	TokensByID(context.Context, []access.TokenID) ([]*access.Token, error)
	// UseTokens keeps when tokens were last used.
	UseTokens(context.Context, map[access.TokenID]time.Time) error
}

// Options are the settings of a Guard.
type Options struct {
	Tokens    Tokens
	Issuer    *Issuer          // nil if no JWTs are taken
	Anonymous bool             // whether those without credentials may do everything
	Log       *slog.Logger     // slog.Default() if nil
	Now       func() time.Time // time.Now if nil
}

// Guard finds out who makes a request. It is safe for concurrent use. Run must
// be called for it to notice that credentials are no longer good.
type Guard struct {
	tokens    Tokens
	issuer    *Issuer
	anonymous bool
	log       *slog.Logger
	now       func() time.Time
	failures  *failures
	known     *known
	uses      uses
	recheck   chan struct{} // holds a token if streams are to be looked at again

	mu      sync.Mutex
	streams map[*stream]struct{} // of those who have a token
}

// New returns a guard.
func New(o Options) *Guard {
	g := &Guard{tokens: o.Tokens, issuer: o.Issuer, anonymous: o.Anonymous, log: o.Log, now: o.Now,
		recheck: make(chan struct{}, 1), streams: map[*stream]struct{}{}}
	if g.log == nil {
		g.log = slog.Default()
	}
	if g.now == nil {
		g.now = time.Now
	}
	g.failures, g.known = newFailures(g.now), newKnown(g.now)
	return g
}

// Identify tells who has the credentials of an Authorization header, or of a
// socket's first message; none if they are empty. It fails with
// fault.Unauthenticated if they are not good, with fault.RateLimited if too many
// from the same address were not, and with fault.Unavailable if nobody can tell
// at the moment.
func (g *Guard) Identify(ctx context.Context, authorization, address string) (access.Principal, error) {
	if authorization == "" {
		return g.nobody()
	}
	scheme, credentials, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return access.Principal{}, g.refuse(ctx, address, errors.New("another scheme than Bearer"), "credentials come as Authorization: Bearer, followed by a token")
	}
	return g.bearer(ctx, strings.TrimSpace(credentials), address)
}

// nobody is who shows no credentials.
func (g *Guard) nobody() (access.Principal, error) {
	if g.anonymous {
		return access.Principal{Kind: access.Anonymous, Role: access.Admin}, nil
	}
	return access.Principal{}, errNoCredentials
}

var errNoCredentials error = fault.New(fault.Unauthenticated, "this needs a token: send it as Authorization: Bearer, followed by the token")

// bearer tells who has a token or a JWT.
func (g *Guard) bearer(ctx context.Context, credentials, address string) (access.Principal, error) {
	if !strings.HasPrefix(credentials, access.SecretPrefix) && g.issuer != nil {
		return g.jwt(ctx, credentials, address)
	}
	hash, ok := access.HashSecret(credentials)
	if !ok {
		return access.Principal{}, g.refuse(ctx, address, errors.New("not as a token is written"), "this is no token, or not all of it: tokens look like %s… and end with a check sum", access.SecretPrefix)
	}
	t, err := g.token(ctx, hash, address)
	if err != nil {
		return access.Principal{}, err
	}
	switch t.State(g.now()) {
	case access.Revoked:
		return access.Principal{}, g.refuse(ctx, address, errors.New("a revoked token"), "the token was revoked: ask an administrator for another one")
	case access.Expired:
		return access.Principal{}, g.refuse(ctx, address, errors.New("an expired token"), "the token has expired: ask an administrator for another one")
	}
	g.uses.note(t.ID, g.now())
	return t.Principal(), nil
}

// token finds the token with a hash. Those that were good a moment ago are known
// without asking, also for an address from which others guess.
func (g *Guard) token(ctx context.Context, hash, address string) (*access.Token, error) {
	t, generation := g.known.find(hash)
	if t != nil {
		return t, nil
	}
	if err := g.failures.check(address); err != nil {
		return nil, err
	}
	t, err := g.tokens.TokenByHash(ctx, hash)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, g.refuse(ctx, address, errors.New("an unknown token"), "there is no such token: it may be of another server")
	case err != nil:
		return nil, err
	}
	g.known.add(hash, t, generation)
	return t, nil
}

func (g *Guard) jwt(ctx context.Context, credentials, address string) (access.Principal, error) {
	if err := g.failures.check(address); err != nil {
		return access.Principal{}, err
	}
	p, err := g.issuer.verify(ctx, credentials)
	if reason, ok := errors.AsType[*invalid](err); ok {
		return access.Principal{}, g.refuse(ctx, address, reason.cause, "%s", reason.message)
	}
	return p, err
}

// refuse counts and logs a failure, and returns the fault that says why. The
// credentials themselves are nowhere kept.
func (g *Guard) refuse(ctx context.Context, address string, cause error, format string, args ...any) error {
	if err := g.failures.add(address); err != nil {
		return err
	}
	g.log.WarnContext(ctx, "credentials refused", "address", address, "error", cause)
	return fault.New(fault.Unauthenticated, format, args...)
}

// How long it takes at most that a token is known to be no longer good although
// nobody told, that it is known to be used, and that it is used all the same.
const (
	knownFor      = 5 * time.Second
	recheckEvery  = 15 * time.Second
	usesKeptEvery = time.Minute
	lastUses      = 5 * time.Second
)

// Changed says that tokens may have been revoked. It never blocks. Requests that
// begin after it returns are checked anew, and streams soon are.
func (g *Guard) Changed() {
	g.known.forget()
	g.wake()
}

func (g *Guard) wake() {
	select {
	case g.recheck <- struct{}{}:
	default:
	}
}

// Run ends the streams of those whose tokens are no longer good, and keeps when
// tokens were used, until ctx ends.
func (g *Guard) Run(ctx context.Context) error {
	again := time.NewTicker(recheckEvery)
	defer again.Stop()
	keep := time.NewTicker(usesKeptEvery)
	defer keep.Stop()
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastUses)
			defer cancel()
			g.keepUses(ctx)
			return nil
		case <-keep.C:
			g.keepUses(ctx)
		case <-again.C:
			g.checkStreams(ctx)
		case <-g.recheck:
			g.checkStreams(ctx)
		}
	}
}

// keepUses writes when tokens were used since the last time: a request never
// waits for that.
func (g *Guard) keepUses(ctx context.Context) {
	used := g.uses.take()
	if err := g.tokens.UseTokens(ctx, used); err != nil {
		g.log.WarnContext(ctx, "when tokens were last used is not kept", "tokens", len(used), "error", err)
	}
}

// uses is when tokens were used since that was last kept.
type uses struct {
	mu   sync.Mutex
	used map[access.TokenID]time.Time
}

func (u *uses) note(id access.TokenID, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.used == nil {
		u.used = map[access.TokenID]time.Time{}
	}
	u.used[id] = at
}

func (u *uses) take() map[access.TokenID]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	used := u.used
	u.used = nil
	return used
}
