package main_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// statusWith is the status for a query from a host's page, with headers.
func (p *program) statusWith(path string, header ...string) int {
	p.t.Helper()
	post, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.address+path, strings.NewReader(`{"query":"{ viewer { kind } }"}`))
	if err != nil {
		p.t.Fatal(err)
	}
	post.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		post.Header.Set(header[i], header[i+1])
	}
	post.Host = post.Header.Get("Host")
	response := p.send(post)
	response.Body.Close()
	return response.StatusCode
}

// TestWhoGetsIn starts servers at different addresses and with different flags.
func TestWhoGetsIn(t *testing.T) {
	t.Parallel()
	const locked = "nobody can get in yet"
	for _, tt := range []struct {
		name  string
		flags []string
		open  bool
	}{
		{"loopback", nil, true},
		{"loopback, by its other name", []string{"--listen", "localhost:0"}, true},
		{"loopback that demands tokens", []string{"--require-tokens"}, false},
		{"every address", []string{"--listen", "0.0.0.0:0"}, false},
		{"every address, by no name", []string{"--listen", ":0"}, false},
		{"every address that is opened", []string{"--listen", "0.0.0.0:0", "--allow-anonymous"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, append([]string{"--data", t.TempDir()}, tt.flags...)...)
			p.address = strings.Replace(p.address, "[::]", "127.0.0.1", 1)
			if strings.Contains(p.log.String(), locked) == tt.open {
				t.Errorf("that nobody can get in: want the warning %t:\n%s", !tt.open, p.log)
			}
			if tt.open {
				if got := query[struct{ Viewer struct{ Kind, Role string } }](p, `{ viewer { kind role } }`, nil).Viewer; got.Kind != "ANONYMOUS" || got.Role != "ADMIN" {
					t.Errorf("got %+v", got)
				}
				if status := p.status("/content/nothing/", "", ""); status != http.StatusNotFound {
					t.Errorf("content: got %d", status)
				}
				return
			}
			p.wantRefused(`{ viewer { kind } }`, http.StatusUnauthorized, "UNAUTHENTICATED", "this needs a token: send it as Authorization: Bearer, followed by the token")
			if status := p.status("/content/nothing/", "", ""); status != http.StatusUnauthorized {
				t.Errorf("content: got %d", status)
			}
			p.args = p.args[:2] // which are the database's
			admin := p.by(p.tokenCommand("create", "boss", "--role", "admin"))
			if got := query[struct {
				Viewer struct{ Kind, Name, Role string }
			}](admin, `{ viewer { kind name role } }`, nil).Viewer; got.Kind != "TOKEN" || got.Name != "boss" || got.Role != "ADMIN" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestPagesOfOthers asks as a browser does for a page of another site, also of
// one whose name leads to this machine.
func TestPagesOfOthers(t *testing.T) {
	t.Parallel()
	p := start(t, "--data", t.TempDir(), "--host", "ream.example.org", "--cors-origin", "https://friend.example.org")
	host := strings.TrimPrefix(p.address, "http://")
	for _, tt := range []struct {
		name   string
		header []string
		want   int
	}{
		{"a program", []string{"Host", host}, 200},
		{"a page of the server", []string{"Host", host, "Origin", p.address}, 200},
		{"a page of a friend", []string{"Host", host, "Origin", "https://friend.example.org"}, 200},
		{"a page of a stranger", []string{"Host", host, "Origin", "https://evil.example.org"}, 403},
		{"a name that was named", []string{"Host", "ream.example.org"}, 200},
		{"a name that leads here", []string{"Host", "evil.example.org"}, 403},
		{"a name that leads here, of the same origin", []string{"Host", "evil.example.org", "Origin", "http://evil.example.org", "Sec-Fetch-Site", "same-origin"}, 403},
	} {
		if got := p.statusWith("/graphql", tt.header...); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

// TestAuditLog looks up who did what.
func TestAuditLog(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		p := start(t, append(args, "--require-tokens")...)
		admin := p.by(p.tokenCommand("create", "boss", "--role", "admin"))
		_, secret := admin.newToken(`name: "ci", role: OPERATOR`)
		ci := p.by(secret)
		remote := query[struct{ CreateRemote struct{ ID string } }](ci,
			`mutation($p: Secret) { createRemote(input: {name: "r", url: "http://127.0.0.1:1/PULP_MANIFEST", username: "me", password: $p}) { id } }`, map[string]any{"p": "hush-hush"}).CreateRemote.ID
		ask[any](ci, `mutation { createRemote(input: {name: "r", url: "http://u:hush-hush@127.0.0.1/PULP_MANIFEST"}) { id } }`, nil)
		ask[any](ci, `mutation { revokeToken(id: "token-1") { id } }`, nil)
		query[any](admin, `mutation($id: ID!) { deleteRemote(id: $id) { id } }`, map[string]any{"id": remote})

		type entry struct {
			Principal struct{ Kind, Name, Role string }
			Token     *struct{ Name string }
			Address   string
			Operation string
			Arguments string
			Results   []string
			Code      string
		}
		entries := func(filter string) []entry {
			return query[struct{ AuditEntries struct{ Nodes []entry } }](admin,
				`{ auditEntries(filter: {`+filter+`}) { nodes { principal { kind name role } token { name } address operation arguments results code } } }`, nil).AuditEntries.Nodes
		}
		var got []string
		for _, e := range entries(``) {
			got = append(got, strings.Join([]string{e.Principal.Kind, e.Principal.Name, e.Operation, strings.Join(e.Results, " "), e.Code}, ","))
			if strings.Contains(e.Arguments, "hush") || strings.Contains(e.Arguments, secret) {
				t.Errorf("%s: a secret in %s", e.Operation, e.Arguments)
			}
			if e.Principal.Kind == "TOKEN" && (e.Token == nil || e.Token.Name != e.Principal.Name || e.Address != "127.0.0.1") {
				t.Errorf("%s: got %+v", e.Operation, e)
			}
		}
		slices.Reverse(got)
		for i, want := range []string{",createToken,token-1,OK", "TOKEN,boss,createToken,token-2,OK", "TOKEN,ci,createRemote," + remote + ",OK", "TOKEN,ci,createRemote,,BAD_INPUT",
			"TOKEN,ci,revokeToken,,FORBIDDEN", "TOKEN,boss,deleteRemote," + remote + ",OK"} {
			if i >= len(got) || !strings.HasSuffix(got[i], want) {
				t.Errorf("entry %d: got %q, want %q", i, got, want)
			}
		}
		if !strings.HasPrefix(got[0], "LOCAL,") || len(got) != 6 {
			t.Errorf("got %d entries, the first %q", len(got), got[0])
		}
		for filter, want := range map[string]int{`name: "ci"`: 3, `name: "ci", failed: true`: 2, `operation: "createToken"`: 2, `since: "2100-01-01T00:00:00Z"`: 0, `until: "2100-01-01T00:00:00Z"`: 6} {
			if n := len(entries(filter)); n != want {
				t.Errorf("%s: got %d entries, want %d", filter, n, want)
			}
		}
		ci.wantRefused(`{ auditEntries { nodes { id } } }`, http.StatusForbidden, "FORBIDDEN", "auditEntries needs the role ADMIN: you have OPERATOR")
		if dump := p.dump(); strings.Contains(dump, "hush") || strings.Contains(dump, secret[5:40]) {
			t.Errorf("a secret is in the database")
		}
		p.stop()
		if log := p.log.String(); strings.Contains(log, "hush") || strings.Contains(log, secret[5:40]) {
			t.Errorf("a secret is in the log:\n%s", log)
		}
	})
}
