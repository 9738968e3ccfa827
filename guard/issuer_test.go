package guard_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"ream/access"
	"ream/fault"
	"ream/guard"
)

// issuer is an OpenID Connect issuer as far as those who check its JWTs meet
// it: a discovery document, keys, and JWTs signed with these. Unlike a real one
// it also makes JWTs that are wrong.
type issuer struct {
	*httptest.Server
	t *testing.T

	mu    sync.Mutex
	away  bool
	algs  []string
	keys  []jose.JSONWebKey // private
	asked map[string]int    // by path
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t, asked: map[string]int{}, algs: []string{"RS256", "ES256", "HS256", "none"}}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	i.addKey("first", rsaKey(t), "RS256")
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.asked[r.URL.Path]++
	if i.away {
		http.Error(w, "down for maintenance", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		json.NewEncoder(w).Encode(map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": i.algs})
	case "/keys":
		var set jose.JSONWebKeySet
		for _, k := range i.keys {
			set.Keys = append(set.Keys, k.Public())
		}
		json.NewEncoder(w).Encode(set)
	default:
		http.NotFound(w, r)
	}
}

func (i *issuer) addKey(id string, key crypto.Signer, alg string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = append(i.keys, jose.JSONWebKey{Key: key, KeyID: id, Algorithm: alg, Use: "sig"})
}

func (i *issuer) setAway(away bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.away = away
}

func (i *issuer) times(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked[path]
}

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// claims are those of a good JWT, with changes. Those that are nil are left out.
func (i *issuer) claims(changes map[string]any) map[string]any {
	all := map[string]any{"iss": i.URL, "aud": "ream", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "roles": []string{"operator"}}
	maps.Copy(all, changes)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	return all
}

// sign makes a JWT of claims.
func sign(t *testing.T, key any, id string, alg jose.SignatureAlgorithm, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	jwt, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return jwt
}

// jwt makes a good JWT but for the changes.
func (i *issuer) jwt(changes map[string]any) string {
	i.t.Helper()
	return sign(i.t, i.keys[0].Key, i.keys[0].KeyID, jose.RS256, i.claims(changes))
}

// trusting is a guard that takes an issuer's JWTs.
func (i *issuer) trusting(o guard.IssuerOptions) *guard.Guard {
	i.t.Helper()
	o.URL, o.Audience, o.Skew = i.URL, "ream", 30*time.Second
	if o.Claim == "" {
		o.Claim = "roles"
	}
	trusted, err := guard.NewIssuer(o)
	if err != nil {
		i.t.Fatal(err)
	}
	return guard.New(guard.Options{Tokens: away{}, Issuer: trusted, Now: o.Now})
}

func TestJWTs(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i.addKey("second", ec, "ES256")
	key := i.keys[0].Key.(*rsa.PrivateKey)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	asJSON, err := json.Marshal(i.keys[0].Public())
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	good := i.jwt(nil)
	parts := strings.Split(good, ".")
	body := func(changes map[string]any) string {
		text, err := json.Marshal(i.claims(changes))
		if err != nil {
			t.Fatal(err)
		}
		return encode(text)
	}
	at := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	g := i.trusting(guard.IssuerOptions{})
	for _, tt := range []struct {
		name, jwt string
		want      fault.Kind
	}{
		{"good", good, ""},
		{"good, by another key and algorithm", sign(t, ec, "second", jose.ES256, i.claims(nil)), ""},
		{"for several", i.jwt(map[string]any{"aud": []string{"other", "ream"}}), ""},
		{"expired within the skew", i.jwt(map[string]any{"exp": at(-20 * time.Second)}), ""},
		{"expired", i.jwt(map[string]any{"exp": at(-time.Minute)}), fault.Unauthenticated},
		{"never expires", i.jwt(map[string]any{"exp": nil}), fault.Unauthenticated},
		{"not good before tomorrow", i.jwt(map[string]any{"nbf": at(24 * time.Hour)}), fault.Unauthenticated},
		{"of another issuer", i.jwt(map[string]any{"iss": "https://evil.example.org"}), fault.Unauthenticated},
		{"of an issuer below", i.jwt(map[string]any{"iss": i.URL + "/"}), fault.Unauthenticated},
		{"for another", i.jwt(map[string]any{"aud": "other"}), fault.Unauthenticated},
		{"for nobody", i.jwt(map[string]any{"aud": nil}), fault.Unauthenticated},
		{"of nobody", i.jwt(map[string]any{"sub": nil}), fault.Unauthenticated},
		{"signed with another key", sign(t, rsaKey(t), "first", jose.RS256, i.claims(nil)), fault.Unauthenticated},
		{"signed with an unknown key", sign(t, rsaKey(t), "third", jose.RS256, i.claims(nil)), fault.Unauthenticated},
		{"not signed", encode([]byte(`{"alg":"none"}`)) + "." + body(nil) + ".", fault.Unauthenticated},
		{"not signed, with a signature", encode([]byte(`{"alg":"none","kid":"first"}`)) + "." + body(nil) + "." + parts[2], fault.Unauthenticated},
		{"the public key taken for a shared one, as PEM", sign(t, asPEM, "first", jose.HS256, i.claims(nil)), fault.Unauthenticated},
		{"the public key taken for a shared one, as JSON", sign(t, asJSON, "first", jose.HS256, i.claims(nil)), fault.Unauthenticated},
		{"an algorithm that the issuer does not use", sign(t, key, "first", jose.PS256, i.claims(nil)), fault.Unauthenticated},
		{"the algorithm of another key", encode([]byte(`{"alg":"ES256","kid":"first"}`)) + "." + parts[1] + "." + parts[2], fault.Unauthenticated},
		{"other claims with a good signature", parts[0] + "." + body(map[string]any{"roles": []string{"admin"}}) + "." + parts[2], fault.Unauthenticated},
		{"no signature", parts[0] + "." + parts[1] + ".", fault.Unauthenticated},
		{"two parts", parts[0] + "." + parts[1], fault.Unauthenticated},
		{"nothing of a JWT", "x", fault.Unauthenticated},
		{"too long", good + strings.Repeat("x", 20<<10), fault.Unauthenticated},
		{"without a role", i.jwt(map[string]any{"roles": nil}), fault.Forbidden},
		{"with other roles", i.jwt(map[string]any{"roles": []string{"OPERATOR", "owner"}}), fault.Forbidden},
	} {
		p, err := g.Identify(t.Context(), "Bearer "+tt.jwt, tt.name)
		if tt.want != "" {
			if !fault.Is(err, tt.want) || p != (access.Principal{}) {
				t.Errorf("%s: got %+v, %v, want %s", tt.name, p, err, tt.want)
			}
			continue
		}
		if err != nil || p.Kind != access.ByOpenID || p.Name != "alice" || p.Role != access.Operator || p.Limit != "" || p.Until == nil {
			t.Errorf("%s: got %+v, %v", tt.name, p, err)
		}
	}
	if n := i.times("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("the discovery document was asked for %d times", n)
	}
	if n := i.times("/keys"); n > 5 {
		t.Errorf("the keys were asked for %d times, although they were known", n)
	}
}

func TestRolesOfClaims(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	mapped := map[string]access.Role{"ream-admins": access.Admin, "staff": access.Reader, "build team": access.Operator}
	for _, tt := range []struct {
		name, claim string
		roles       map[string]access.Role
		value       map[string]any
		want        access.Role
	}{
		{"a list", "roles", nil, map[string]any{"roles": []string{"x", "reader"}}, access.Reader},
		{"the highest", "roles", nil, map[string]any{"roles": []string{"reader", "admin", "operator"}}, access.Admin},
		{"a text", "roles", nil, map[string]any{"roles": "operator"}, access.Operator},
		{"several in a text", "roles", nil, map[string]any{"roles": "x admin y"}, access.Admin},
		{"the keys of an object", "roles", nil, map[string]any{"roles": map[string]any{"admin": map[string]any{"1": "x"}}}, access.Admin},
		{"a path", "realm_access.roles", nil, map[string]any{"realm_access": map[string]any{"roles": []string{"admin"}}}, access.Admin},
		{"a name with dots", "https://example.org/roles", nil, map[string]any{"https://example.org/roles": "reader"}, access.Reader},
		{"a name with spaces, mapped", "groups", mapped, map[string]any{"groups": "build team"}, access.Operator},
		{"mapped", "groups", mapped, map[string]any{"groups": []string{"staff", "ream-admins"}}, access.Admin},
		{"what is mapped counts alone", "groups", mapped, map[string]any{"groups": []string{"admin"}}, ""},
		{"a number", "roles", nil, map[string]any{"roles": 1}, ""},
		{"numbers", "roles", nil, map[string]any{"roles": []int{1}}, ""},
		{"a path to nothing", "a.b.c", nil, map[string]any{"a": map[string]any{"b": "admin"}, "roles": "admin"}, ""},
	} {
		g := i.trusting(guard.IssuerOptions{Claim: tt.claim, Roles: tt.roles})
		p, err := g.Identify(t.Context(), "Bearer "+i.jwt(tt.value), "a")
		if p.Role != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: got %q, %v, want %q", tt.name, p.Role, err, tt.want)
		}
	}
}

func TestKeysChange(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	clock := &house{t: t}
	g := i.trusting(guard.IssuerOptions{Now: clock.time})
	identify := func(jwt string) error { _, err := g.Identify(t.Context(), "Bearer "+jwt, "a"); return err }
	old := i.jwt(nil)
	if err := identify(old); err != nil {
		t.Fatal(err)
	}
	key := rsaKey(t)
	next := sign(t, key, "next", jose.RS256, i.claims(nil))
	i.addKey("next", key, "RS256")
	clock.now.Store(int64(time.Minute))
	if err := identify(next); err != nil {
		t.Errorf("signed with a new key: %v", err)
	}
	if err := identify(old); err != nil {
		t.Errorf("signed with the old key while the issuer still has it: %v", err)
	}
	// The old key leaked, and the issuer has withdrawn it.
	i.mu.Lock()
	i.keys = i.keys[1:]
	i.mu.Unlock()
	clock.now.Store(int64(2 * time.Minute))
	third := rsaKey(t)
	i.addKey("third", third, "RS256")
	if err := identify(sign(t, third, "third", jose.RS256, i.claims(nil))); err != nil {
		t.Errorf("signed with the third key: %v", err)
	}
	if err := identify(old); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("signed with a key that was withdrawn: got %v, want UNAUTHENTICATED", err)
	}
	before := i.times("/keys")
	for range 5 {
		identify(sign(t, third, "unknown", jose.RS256, i.claims(nil)))
	}
	if n := i.times("/keys") - before; n > 1 {
		t.Errorf("JWTs of unknown keys made it ask %d times for the keys", n)
	}
}

func TestIssuerIsAway(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	clock := &house{t: t}
	g := i.trusting(guard.IssuerOptions{Now: clock.time})
	identify := func(jwt string) error { _, err := g.Identify(t.Context(), "Bearer "+jwt, "a"); return err }
	i.setAway(true)
	for range 50 { // which is nobody's failure
		if err := identify(i.jwt(nil)); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("got %v, want UNAVAILABLE", err)
		}
	}
	if n := i.times("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("it was asked %d times, want once in a while", n)
	}
	i.setAway(false)
	clock.now.Store(int64(time.Minute))
	if err := identify(i.jwt(nil)); err != nil {
		t.Errorf("when it is there again: %v", err)
	}
	i.setAway(true)
	clock.now.Store(int64(2 * time.Minute))
	if err := identify(i.jwt(nil)); err != nil {
		t.Errorf("with a key that is known: %v", err)
	}
	if err := identify(sign(t, rsaKey(t), "next", jose.RS256, i.claims(nil))); !fault.Is(err, fault.Unavailable) {
		t.Errorf("with a key that it alone knows: got %v, want UNAVAILABLE", err)
	}
}

func TestIssuerOptions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		o    guard.IssuerOptions
		want string
	}{
		"good":                 {guard.IssuerOptions{URL: "https://sign-in.example.org/realm", Audience: "ream", Claim: "roles"}, ""},
		"on loopback":          {guard.IssuerOptions{URL: "http://localhost:9000", Audience: "ream", Claim: "roles"}, ""},
		"without TLS":          {guard.IssuerOptions{URL: "http://sign-in.example.org", Audience: "ream", Claim: "roles"}, "want https"},
		"no URL":               {guard.IssuerOptions{URL: "sign-in.example.org", Audience: "ream", Claim: "roles"}, "want its URL"},
		"with a password":      {guard.IssuerOptions{URL: "https://a:b@sign-in.example.org", Audience: "ream", Claim: "roles"}, "want its URL"},
		"without an audience":  {guard.IssuerOptions{URL: "https://sign-in.example.org", Claim: "roles"}, "audience"},
		"without a role claim": {guard.IssuerOptions{URL: "https://sign-in.example.org", Audience: "ream"}, "claim"},
	} {
		_, err := guard.NewIssuer(tt.o)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}
