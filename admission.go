package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"ream/access"
	"ream/content"
	"ream/db"
	"ream/guard"
)

// admission is what the flags say about who is let in, and from where.
type admission struct {
	anonymous     bool
	requireTokens bool
	publicContent bool
	hosts         words
	origins       words
	issuer        guard.IssuerOptions
	roles         words
}

func (a *admission) add(flags *flag.FlagSet) {
	flags.BoolVar(&a.requireTokens, "require-tokens", false, "demand a token also on loopback; elsewhere one is demanded anyway, unless --allow-anonymous is given")
	flags.BoolVar(&a.anonymous, "allow-anonymous", false, "let everybody who reaches the server do everything, also beyond loopback")
	flags.BoolVar(&a.publicContent, "public-content", false, "serve /content/ to everybody, although the rest demands a token")
	flags.Var(&a.hosts, "host", "a `NAME` of the server, besides those of loopback, by which browsers may ask it without a token; several with commas")
	flags.Var(&a.origins, "cors-origin", "an `ORIGIN` whose pages may use the API, such as https://pages.example.org; several with commas")
	flags.StringVar(&a.issuer.URL, "oidc-issuer", "", "`URL` of an OpenID Connect issuer whose JWTs are taken besides tokens; then one of them is demanded also on loopback")
	flags.StringVar(&a.issuer.Audience, "oidc-audience", "", "for whom the issuer's JWTs have to be made out")
	flags.StringVar(&a.issuer.Claim, "oidc-role-claim", "roles", "the `CLAIM` of the JWTs that holds roles, or a path to it with dots")
	flags.Var(&a.roles, "oidc-role", "what a value of the claim means, as `VALUE=ROLE` with reader, operator or admin; several with commas (default: each role is named by itself)")
	flags.DurationVar(&a.issuer.Skew, "oidc-skew", 30*time.Second, "by how much the issuer's clock may differ")
}

// check reports what the flags may not say.
func (a *admission) check() error {
	errs := []error{
		want(!a.anonymous || !a.requireTokens, "--allow-anonymous and --require-tokens: want one of them"),
		want(!a.anonymous || a.issuer.URL == "", "--allow-anonymous and --oidc-issuer: want one of them"),
		want(a.issuer.URL != "" || a.issuer.Audience == "" && len(a.roles.all) == 0, "--oidc-audience, --oidc-role: want --oidc-issuer as well"),
		want(a.issuer.Skew >= 0 && a.issuer.Skew <= 10*time.Minute, "--oidc-skew: want 0s to 10m"),
	}
	for _, o := range a.origins.all {
		if err := guard.CheckOrigin(o); err != nil {
			errs = append(errs, fmt.Errorf("--cors-origin: %w", err))
		}
	}
	for _, mapping := range a.roles.all {
		i := strings.LastIndexByte(mapping, '=')
		role, err := access.ParseRole(mapping[i+1:])
		if i < 1 || err != nil {
			errs = append(errs, fmt.Errorf("--oidc-role: %q: want VALUE=ROLE with reader, operator or admin, such as ream-admins=admin", mapping))
			continue
		}
		if a.issuer.Roles == nil {
			a.issuer.Roles = map[string]access.Role{}
		}
		a.issuer.Roles[mapping[:i]] = role
	}
	return errors.Join(errs...)
}

// demands reports whether a server that listens on an address lets in only who
// shows credentials: beyond loopback, everybody could ask it.
func (a *admission) demands(listen string) bool {
	return !a.anonymous && (a.requireTokens || a.issuer.URL != "" || !onLoopback(listen))
}

// onLoopback reports whether only this machine can reach an address.
func onLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// newGuard makes what finds out who asks.
func (o options) newGuard(e *engine) (*guard.Guard, error) {
	settings := guard.Options{Tokens: e.store, Anonymous: !o.admission.demands(o.listen), Log: e.log, Now: e.store.Now}
	if o.admission.issuer.URL != "" {
		issuer := o.admission.issuer
		issuer.Now = e.store.Now
		var err error
		if settings.Issuer, err = guard.NewIssuer(issuer); err != nil {
			return nil, fmt.Errorf("--oidc-issuer: %w", err)
		}
	}
	g := guard.New(settings)
	e.store.OnChange(func(c db.Changes) {
		if c.Tokens {
			g.Changed()
		}
	})
	return g, nil
}

// openContent reports whether a server that listens on an address lets everybody
// read content where its distribution says nothing else.
func (a *admission) openContent(listen string) bool { return a.publicContent || !a.demands(listen) }

// contentReaders lets in who may read content, as an origin wants it.
func (o options) contentReaders(g *guard.Guard) func(http.ResponseWriter, *http.Request, content.Access) (*http.Request, bool) {
	open := o.admission.openContent(o.listen)
	return func(w http.ResponseWriter, r *http.Request, a content.Access) (*http.Request, bool) {
		if a == content.Public || a != content.WithToken && open {
			return r, false
		}
		return g.Content(w, r), true
	}
}

// warnOfLockedDoor tells how to get in where nobody can.
func (o options) warnOfLockedDoor(ctx context.Context, e *engine) error {
	if !o.admission.demands(o.listen) || o.admission.issuer.URL != "" {
		return nil
	}
	found, err := e.store.AnyToken(ctx)
	if err == nil && !found {
		e.log.Warn("nobody can get in yet: make a token with \"ream token create NAME --role admin\", and the same --data and --database")
	}
	return err
}
