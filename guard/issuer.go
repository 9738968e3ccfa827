package guard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/sync/singleflight"

	"ream/access"
	"ream/fault"
)

// IssuerOptions are the settings of an Issuer.
type IssuerOptions struct {
	URL      string                 // as the issuer writes it in its JWTs; its discovery document lies below
	Audience string                 // for whom the JWTs have to be made out
	Claim    string                 // where the roles are: a claim's name, or a path of names with dots
	Roles    map[string]access.Role // what its values mean; "reader", "operator" and "admin" themselves if empty
	Skew     time.Duration          // by how much the issuer's clock may differ
	Now      func() time.Time       // time.Now if nil
}

// Issuer checks the JWTs of an OpenID Connect issuer. It asks for the issuer's
// discovery document when it first needs it, and for its keys when a JWT names
// one that it does not know. It is safe for concurrent use.
type Issuer struct {
	IssuerOptions
	client  *http.Client
	answers *answers
	flights singleflight.Group

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier // nil until discovered
	failed   time.Time             // when the last discovery failed
}

// How long a request to the issuer may take, how long what it answered is not
// asked for again, and how long a JWT may be.
const (
	issuerTimeout = 10 * time.Second
	answerKept    = 5 * time.Second
	maxAnswer     = 1 << 20
	maxJWT        = 16 << 10
)

// NewIssuer returns an issuer. It does not connect. It fails if an option makes
// no sense.
func NewIssuer(o IssuerOptions) (*Issuer, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the issuer: want its URL, such as https://sign-in.example.org/realm")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, errors.New("the issuer: want https, since whoever is on the way of http can give themselves any role")
	case o.Audience == "":
		return nil, errors.New("the audience: want the one that the issuer makes out JWTs for Ream to; without one, JWTs for other programs would be good here")
	case o.Claim == "":
		return nil, errors.New("the role claim: want the name of a claim")
	}
	if len(o.Roles) == 0 {
		o.Roles = map[string]access.Role{}
		for _, r := range []access.Role{access.Reader, access.Operator, access.Admin} {
			o.Roles[strings.ToLower(string(r))] = r
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	i := &Issuer{IssuerOptions: o, answers: &answers{inner: http.DefaultTransport, now: o.Now, kept: map[string]kept{}}}
	i.client = &http.Client{Timeout: issuerTimeout, Transport: i.answers}
	return i, nil
}

// invalid is why a JWT is not good: for the client, and for the log.
type invalid struct {
	message string
	cause   error
}

func (e *invalid) Error() string { return e.message + ": " + e.cause.Error() }

// verify tells who has a JWT. It fails with an *invalid, with fault.Forbidden if
// the JWT is good but gives no role, and with fault.Unavailable if the issuer
// does not answer.
func (i *Issuer) verify(ctx context.Context, text string) (access.Principal, error) {
	nobody := access.Principal{}
	if len(text) > maxJWT {
		return nobody, &invalid{"the JWT is too long", fmt.Errorf("%d bytes", len(text))}
	}
	verifier, err := i.discovered(ctx)
	if err != nil {
		return nobody, err
	}
	outcome := &outcome{}
	token, err := verifier.Verify(context.WithValue(ctx, outcomeKey{}, outcome), text)
	if _, expired := errors.AsType[*oidc.TokenExpiredError](err); expired {
		return nobody, &invalid{"the JWT has expired: sign in again", err}
	}
	switch {
	case outcome.unavailable != nil:
		return nobody, unanswered(outcome.unavailable)
	case ctx.Err() != nil:
		return nobody, ctx.Err()
	case err != nil:
		return nobody, &invalid{"this is neither a token nor a JWT that " + i.URL + " made out to " + i.Audience, err}
	}
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return nobody, &invalid{"the JWT's claims are no JSON", err}
	}
	if token.Subject == "" {
		return nobody, &invalid{"the JWT names nobody", errors.New("no subject")}
	}
	until := token.Expiry.Add(i.Skew)
	p := access.Principal{Kind: access.ByOpenID, Name: token.Subject, Role: i.role(claims), Until: &until}
	if p.Role == "" {
		return nobody, fault.New(fault.Forbidden, "you are known as %s, but nothing in your claim %q gives you a role here", p, i.Claim)
	}
	return p, nil
}

func unanswered(err error) error {
	return fault.Wrap(err, fault.Unavailable, "the issuer of the JWT does not answer: try again later")
}

// role is the highest of the roles that the claims give.
func (i *Issuer) role(claims map[string]any) (highest access.Role) {
	for _, value := range texts(find(claims, i.Claim)) {
		if r, ok := i.Roles[value]; ok && (highest == "" || r.Includes(highest)) {
			highest = r
		}
	}
	return highest
}

// find is the claim of a name, or what lies at a path of names.
func find(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok {
		return v
	}
	first, rest, ok := strings.Cut(name, ".")
	if inner, is := claims[first].(map[string]any); ok && is {
		return find(inner, rest)
	}
	return nil
}

// texts are the values of a claim: a list, a single one, several with spaces
// between them, or the keys of an object.
func texts(claim any) (values []string) {
	switch v := claim.(type) {
	case string:
		return append(strings.Fields(v), v)
	case []any:
		for _, one := range v {
			if s, ok := one.(string); ok {
				values = append(values, s)
			}
		}
	case map[string]any:
		for key := range v {
			values = append(values, key)
		}
	}
	return values
}

// discovered returns what checks JWTs as the issuer's discovery document says.
// Those who wait for it share one request.
func (i *Issuer) discovered(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	i.mu.Lock()
	verifier, failed := i.verifier, i.failed
	i.mu.Unlock()
	if verifier != nil {
		return verifier, nil
	}
	if i.Now().Sub(failed) < answerKept {
		return nil, unanswered(errors.New("the last discovery failed"))
	}
	flight := i.flights.DoChan("", func() (any, error) { return i.discover(context.WithoutCancel(ctx)) })
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case done := <-flight:
		if done.Err != nil {
			return nil, unanswered(done.Err)
		}
		return done.Val.(*oidc.IDTokenVerifier), nil
	}
}

func (i *Issuer) discover(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	ctx = oidc.ClientContext(ctx, i.client)
	provider, err := oidc.NewProvider(ctx, i.URL)
	var document struct {
		Keys       string   `json:"jwks_uri"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}
	if err == nil {
		err = provider.Claims(&document)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if err != nil {
		i.failed = i.Now()
		return nil, err
	}
	i.verifier = oidc.NewVerifier(i.URL, &keySet{oidc.NewRemoteKeySet(ctx, document.Keys), i.answers}, &oidc.Config{
		ClientID:             i.Audience,
		SupportedSigningAlgs: asymmetric(document.Algorithms),
		Now:                  func() time.Time { return i.Now().Add(-i.Skew) }, // a little later is early enough
	})
	return i.verifier, nil
}

// asymmetric are those of an issuer's algorithms that are signed with a key that
// the issuer alone has. Whoever knows the public key could sign by any other.
func asymmetric(algorithms []string) []string {
	known := []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}
	return slices.DeleteFunc(algorithms, func(a string) bool { return !slices.Contains(known, a) })
}

// outcome tells of a check what the library's error does not.
type outcome struct{ unavailable error }

type outcomeKey struct{}

// keySet checks signatures with the issuer's keys.
type keySet struct {
	inner   oidc.KeySet
	answers *answers
}

func (k *keySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.inner.VerifySignature(ctx, jwt)
	if o, ok := ctx.Value(outcomeKey{}).(*outcome); ok && err != nil {
		o.unavailable = k.answers.trouble()
	}
	return payload, err
}

// answers asks the issuer, but not again for what it answered a moment ago:
// whoever sends JWTs that name unknown keys must not make Ream ask for each.
type answers struct {
	inner http.RoundTripper
	now   func() time.Time

	mu   sync.Mutex
	kept map[string]kept
	err  error // of the last request
}

type kept struct {
	at     time.Time
	header http.Header
	body   []byte
}

// RoundTrip sends a request, unless what it asks for is kept.
func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	name := r.URL.String()
	a.mu.Lock()
	k, ok := a.kept[name]
	a.mu.Unlock()
	if !ok || a.now().Sub(k.at) >= answerKept {
		var err error
		k, err = a.ask(r)
		a.mu.Lock()
		if a.err = err; err == nil {
			a.kept[name] = k
		}
		a.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
	return &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: k.header.Clone(), Body: io.NopCloser(bytes.NewReader(k.body)), ContentLength: int64(len(k.body)), Request: r}, nil
}

func (a *answers) ask(r *http.Request) (kept, error) {
	response, err := a.inner.RoundTrip(r)
	if err != nil {
		return kept{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err == nil && (response.StatusCode != http.StatusOK || !json.Valid(body)) {
		err = fmt.Errorf("the issuer answered %s, not JSON", response.Status)
	}
	return kept{a.now(), response.Header, body}, err
}

// trouble is why the last request failed; nil if it did not.
func (a *answers) trouble() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}
