package main_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"ream/programtest"
)

// jwt asks an issuer for a JWT of a program.
func jwt(t *testing.T, issuer, name string) string {
	t.Helper()
	var document struct {
		Endpoint string `json:"token_endpoint"`
	}
	discovery, err := http.Get(issuer + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer discovery.Body.Close()
	if err := json.NewDecoder(discovery.Body).Decode(&document); err != nil {
		t.Fatal(err)
	}
	answer, err := http.PostForm(document.Endpoint, url.Values{
		"grant_type": {"client_credentials"}, "client_id": {name}, "client_secret": {"secret"}, "scope": {"openid"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || strings.Count(got.Token, ".") != 2 {
		t.Fatalf("%s: got %s %q, %v, want a JWT", name, answer.Status, got.Token, err)
	}
	return got.Token
}

// TestOpenIDConnect lets those in who are known to an issuer.
func TestOpenIDConnect(t *testing.T) {
	t.Parallel()
	issuer, other := programtest.Start(t, "guard/oidctest"), programtest.Start(t, "guard/oidctest")
	flags := func(audience string) []string {
		return []string{"--data", t.TempDir(), "--oidc-issuer", issuer, "--oidc-audience", audience, "--oidc-role-claim", "groups",
			"--oidc-role", "ream-alice=admin,ream-bob=reader", "--oidc-role", "ream-brief=operator", "--oidc-skew", "0s"}
	}
	p := start(t, flags("ream")...)
	if strings.Contains(p.log.String(), "nobody can get in") {
		t.Errorf("it says that nobody can get in:\n%s", p.log)
	}
	p.wantRefused(`{ viewer { name } }`, 401, "UNAUTHENTICATED", "this needs a token")

	type viewer struct {
		Viewer struct{ Kind, Name, Role string }
	}
	alice, bob, brief := p.by(jwt(t, issuer, "alice")), p.by(jwt(t, issuer, "bob")), p.by(jwt(t, issuer, "brief"))
	going := brief.subscribe(t.Context(), currentProtocol, `subscription { queue { counts { total } } }`, "")
	next[any](t, going)
	for who, want := range map[*program]string{alice: "OPENID alice ADMIN", bob: "OPENID bob READER"} {
		if got := query[viewer](who, `{ viewer { kind name role } }`, nil).Viewer; got.Kind+" "+got.Name+" "+got.Role != want {
			t.Errorf("got %+v, want %s", got, want)
		}
	}
	bob.wantRefused(`mutation { purge(input: {olderThanDays: 1}) { __typename } }`, 403, "FORBIDDEN", "purge needs the role OPERATOR: you have READER")
	if status := p.status("/content/nothing/", "whoever", bob.token); status != http.StatusNotFound {
		t.Errorf("content by a JWT: got %d", status)
	}

	// Beside it, tokens are good as well, and the audit log has both.
	_, secret := alice.newToken(`name: "ci", role: OPERATOR`)
	if got := p.by(secret).follow(query[struct{ Purge struct{ ID string } }](p.by(secret), `mutation { purge(input: {olderThanDays: 9}) { ... on Work { id } } }`, nil).Purge.ID); got.State != "COMPLETED" {
		t.Errorf("by a token: got %+v", got)
	}
	entries := query[struct {
		AuditEntries struct {
			Nodes []struct {
				Operation string
				Principal struct{ Kind, Name string }
			}
		}
	}](alice, `{ auditEntries { nodes { operation principal { kind name } } } }`, nil).AuditEntries.Nodes
	var got []string
	for _, e := range entries {
		got = append(got, e.Operation+" "+e.Principal.Kind+" "+e.Principal.Name)
	}
	if want := "purge TOKEN ci, createToken OPENID alice, purge OPENID bob"; strings.Join(got, ", ") != want {
		t.Errorf("audit log: got %v, want %s", got, want)
	}

	// Who has no role, is known to another issuer, or changes what was signed.
	p.by(jwt(t, issuer, "carol")).wantRefused(`{ viewer { name } }`, 403, "FORBIDDEN", `you are known as subject "carol", but nothing in your claim "groups" gives you a role here`)
	p.by(jwt(t, other, "alice")).wantRefused(`{ viewer { name } }`, 401, "UNAUTHENTICATED", "this is neither a token nor a JWT that "+issuer+" made out to ream")
	parts, admins := strings.Split(bob.token, "."), strings.Split(alice.token, ".")
	p.by(parts[0]+"."+admins[1]+"."+parts[2]).wantRefused(`{ viewer { name } }`, 401, "UNAUTHENTICATED", "neither a token nor a JWT")
	wantSocketRefused(t, p.by(jwt(t, other, "alice")), 4403, "this is neither a token nor a JWT")

	// A socket is good for as long as the JWT.
	for range going.frames {
	}
	if e, ok := errors.AsType[*websocket.CloseError](going.ended); !ok || e.Code != 4403 || e.Text != "Forbidden: the credentials have expired" {
		t.Errorf("after the JWT's time: ended by %v, want 4403", going.ended)
	}
	brief.wantRefused(`{ viewer { name } }`, 401, "UNAUTHENTICATED", "the JWT has expired: sign in again")

	// A JWT for another program is none for this one.
	elsewhere := start(t, flags("elsewhere")...)
	elsewhere.by(alice.token).wantRefused(`{ viewer { name } }`, 401, "UNAUTHENTICATED", "made out to elsewhere")
	p.stop()
	if log := p.log.String(); strings.Contains(log, parts[2]) || strings.Contains(log, admins[2]) {
		t.Errorf("a JWT is in the log:\n%s", log)
	}
}
