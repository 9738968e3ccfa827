package main_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ream/db/dbtest"
)

// distribute makes a distribution of a repository with an access.
func (p *program) distribute(path, repository, access string) (id string) {
	p.t.Helper()
	return query[struct{ CreateDistribution struct{ ID string } }](p, `mutation($p: String!, $r: ID!, $a: DistributionAccess!) {
		createDistribution(input: {path: $p, repository: $r, access: $a}) { id } }`, map[string]any{"p": path, "r": repository, "a": access}).CreateDistribution.ID
}

// admit gives a distribution another access.
func (p *program) admit(id, access string) {
	p.t.Helper()
	query[any](p, `mutation($i: ID!, $a: DistributionAccess!) { updateDistribution(input: {id: $i, access: $a}) { access } }`, map[string]any{"i": id, "a": access})
}

func basicOf(secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte("whoever:"+secret))
}

// needsToken is what the distributions of a server tell of themselves.
func (p *program) needsToken() map[string]bool {
	p.t.Helper()
	found := query[struct {
		Distributions struct {
			Nodes []struct {
				Path       string
				NeedsToken bool
			}
		}
	}](p, `{ distributions { nodes { path needsToken } } }`, nil)
	needs := map[string]bool{}
	for _, d := range found.Distributions.Nodes {
		needs[d.Path] = d.NeedsToken
	}
	return needs
}

// TestAccess has distributions of every access on servers of every kind, and
// asks as everybody for all that can be asked.
func TestAccess(t *testing.T) {
	const everything, nothing = "server public token", "public"
	for name, mode := range map[string]struct {
		flags           []string
		nobody, limited string // what is read by those without a good token, and by those whose token is for another repository
		needs           string
	}{
		"open":             {nil, "server public", "server public", "token"},
		"tokens":           {[]string{"--require-tokens"}, nothing, nothing, "server token"},
		"tokens elsewhere": {[]string{"--require-tokens", "--public-content"}, "server public", "server public", "token"},
	} {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, args ...string) {
				p := start(t, append(args, mode.flags...)...)
				admin := p.by(p.tokenCommand("create", "boss", "--role", "admin"))
				file := bytesOf(200_000)
				up := newUpstream(t, map[string][]byte{"dir/a": file})
				r := admin.repository("r", up.URL+"/PULP_MANIFEST")
				admin.label(r, "team", "mine")
				if got := admin.follow(admin.mirror("r")); got.State != "COMPLETED" {
					t.Fatalf("got %+v", got)
				}
				for _, access := range strings.Fields(everything) {
					admin.distribute(access, r, strings.ToUpper(access))
					if got := admin.needsToken()[access]; got != slices.Contains(strings.Fields(mode.needs), access) {
						t.Errorf("%s needs a token: got %t", access, got)
					}
				}
				past := time.Now().UTC().Add(time.Second).Format("@20060102T150405Z")
				await(t, "something was served a second ago", func() bool { return p.exchange("GET", "/content/public/"+past+"/dir/a").StatusCode == 200 })

				modified := p.exchange("GET", "/content/public/dir/a").Header.Get("Last-Modified")

				_, reader := admin.newToken(`name: "reader", role: READER`)
				_, mine := admin.newToken(`name: "mine", role: READER, labels: "team=mine"`)
				_, theirs := admin.newToken(`name: "theirs", role: READER, labels: "team=theirs"`)
				gone, revoked := admin.newToken(`name: "gone", role: ADMIN`)
				if got := p.exchange("GET", "/content/token/dir/a", "Authorization", basicOf(revoked)).StatusCode; got != 200 {
					t.Errorf("before it is revoked: got %d", got)
				}
				query[any](admin, `mutation($i: ID!) { revokeToken(id: $i) { id } }`, map[string]any{"i": gone})
				asks := []struct {
					method, path string
					header       []string
					status       int
				}{
					{"GET", "/dir/a", nil, 200}, {"HEAD", "/dir/a", nil, 200}, {"GET", "/dir/a", []string{"Range", "bytes=7-9"}, 206},
					{"GET", "/dir/a", []string{"If-Modified-Since", modified}, 304},
					{"GET", "/dir/", nil, 200}, {"GET", "/dir", nil, 302}, {"GET", "", nil, 302}, {"GET", "/PULP_MANIFEST", nil, 200},
					{"GET", "/" + past + "/dir/a", nil, 200}, {"GET", "/" + past + "/dir/", nil, 200}, {"GET", "/nothing", nil, 404},
				}
				for _, who := range []struct {
					name, authorization string
					reads               string
					refusal             int
					many                bool // whether everything is asked: an address may fail only so often
				}{
					{"nobody", "", mode.nobody, 401, true},
					{"a reader", "Bearer " + reader, everything, 0, true},
					{"a reader by a password", basicOf(reader), everything, 0, true},
					{"one with the repository's label", basicOf(mine), everything, 0, true},
					{"one with another's label", "Bearer " + theirs, mode.limited, 404, true},
					{"one whose token was revoked", "Bearer " + revoked, mode.nobody, 401, false},
					{"one who guesses", basicOf("x"), mode.nobody, 401, false},
				} {
					for _, access := range strings.Fields(everything) {
						for i, ask := range asks {
							if i > 0 && !who.many {
								break
							}
							header := ask.header
							if who.authorization != "" {
								header = slices.Concat(header, []string{"Authorization", who.authorization})
							}
							want := ask.status
							if !slices.Contains(strings.Fields(who.reads), access) {
								want = who.refusal
							}
							got := p.exchange(ask.method, "/content/"+access+ask.path, header...)
							checkAccess(t, fmt.Sprintf("%s: %s %s %v", who.name, ask.method, access+ask.path, ask.header), got, want, slices.Contains(strings.Fields(mode.needs), access))
						}
					}
				}
				// Whether a distribution is there is told to nobody who would need a token for it.
				want := 404
				if mode.nobody == nothing {
					want = 401
				}
				for _, path := range []string{"/content/", "/content/elsewhere/a"} {
					if got := p.exchange("GET", path).StatusCode; got != want {
						t.Errorf("%s: got %d, want %d", path, got, want)
					}
				}
			})
		})
	}
}

// exchange sends a request of those headers alone, follows no redirection, and
// returns the answer, whose body it leaves.
func (p *program) exchange(method, path string, header ...string) *http.Response {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.address+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		p.t.Fatal(err)
	}
	response.Body.Close()
	return response
}

// checkAccess checks the status of an answer, and what caches and those who are
// refused are told.
func checkAccess(t *testing.T, what string, got *http.Response, status int, private bool) {
	t.Helper()
	if got.StatusCode != status {
		t.Errorf("%s: got %d, want %d", what, got.StatusCode, status)
		return
	}
	caching, vary, challenge := got.Header.Get("Cache-Control"), strings.Join(got.Header.Values("Vary"), " "), got.Header.Values("WWW-Authenticate")
	if status == 401 {
		if caching != "no-store" || len(challenge) != 2 || challenge[0] != `Basic realm="Ream", charset="UTF-8"` || !strings.HasPrefix(challenge[1], `Bearer realm="Ream"`) {
			t.Errorf("%s: refused with %q and %q", what, challenge, caching)
		}
		return
	}
	if strings.HasPrefix(caching, "private, ") != private || strings.Contains(vary, "Authorization") != private || len(challenge) > 0 {
		t.Errorf("%s: got %q, %q and %q, want it private: %t", what, caching, vary, challenge, private)
	}
}

// TestAccessIsByCurl reads as people do who keep their token in a file.
func TestAccessIsByCurl(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, map[string][]byte{"a": []byte("the file")})
		r := p.repository("r", up.URL+"/PULP_MANIFEST")
		d := p.distribute("d", r, "TOKEN")
		if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
			t.Fatalf("got %+v", got)
		}
		id, secret := p.newToken(`name: "ci", role: READER`)
		server, err := url.Parse(p.address)
		if err != nil {
			t.Fatal(err)
		}
		netrc := filepath.Join(t.TempDir(), "netrc")
		if err := os.WriteFile(netrc, []byte("machine "+server.Hostname()+" login token password "+secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		ways := map[string][]string{"netrc": {"--netrc-file", netrc}, "user": {"--user", "token:" + secret}, "bearer": {"--oauth2-bearer", secret}, "asked for it": {"--anyauth", "--user", ":" + secret, "-L"}}
		for way, args := range ways {
			// With --anyauth, curl prints the refusal first.
			if got := p.curl("/content/d/a", args...); !strings.HasSuffix(got.body, "the file") {
				t.Errorf("by %s: got %d %q", way, got.status, got.body)
			}
		}
		if got := p.curl("/content/d/a"); got.status != 401 || !strings.Contains(got.body, "this needs a token") {
			t.Errorf("without: got %d %q", got.status, got.body)
		}
		p.admit(d, "PUBLIC")
		if got := p.curl("/content/d/a"); got.status != 200 {
			t.Errorf("made public: got %d", got.status)
		}
		p.admit(d, "TOKEN")
		query[any](p, `mutation($i: ID!) { revokeToken(id: $i) { id } }`, map[string]any{"i": id})
		for _, way := range []string{"netrc", "bearer"} {
			if got := p.curl("/content/d/a", ways[way]...); got.status != 401 || !strings.Contains(got.body, "was revoked") {
				t.Errorf("revoked, by %s: got %d %q", way, got.status, got.body)
			}
		}
	})
}

// TestAccessIsByApt has apt-get read a list of packages by a token in its file of
// credentials.
func TestAccessIsByApt(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("there is no apt-get")
	}
	p := start(t, "--data", t.TempDir())
	packages := "Package: hello\nVersion: 1\nArchitecture: all\nFilename: ./hello.deb\nSize: 0\nSHA256: " + strings.Repeat("0", 64) + "\n"
	release := fmt.Sprintf("Suite: x\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n %x %d Packages\n", sha256.Sum256([]byte(packages)), len(packages))
	up := newUpstream(t, map[string][]byte{"Packages": []byte(packages), "Release": []byte(release)})
	r := p.repository("r", up.URL+"/PULP_MANIFEST")
	p.distribute("d", r, "TOKEN")
	if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
		t.Fatalf("got %+v", got)
	}
	_, secret := p.newToken(`name: "apt", role: READER`)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"sources.list": "deb [trusted=yes] " + p.address + "/content/d/ ./\n", "lists/partial/x": "", "cache/archives/partial/x": "", "auth/x": "",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	update := func() (string, error) {
		command := exec.CommandContext(t.Context(), "apt-get", "update", "-o", "Dir::Etc::sourcelist="+dir+"/sources.list", "-o", "Dir::Etc::sourceparts=-",
			"-o", "Dir::State::lists="+dir+"/lists", "-o", "Dir::Cache="+dir+"/cache", "-o", "Dir::Etc::netrc=-", "-o", "Dir::Etc::netrcparts="+dir+"/auth",
			"-o", "APT::Sandbox::User=", "-o", "Acquire::AllowInsecureRepositories=true", "-o", "Acquire::http::Proxy=DIRECT")
		out, err := command.CombinedOutput()
		return string(out), err
	}
	if out, err := update(); err == nil || !strings.Contains(out, "401  Unauthorized") {
		t.Errorf("without: got %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "auth", "ream.conf"), []byte("machine "+p.address+"/content/ login token password "+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := update(); err != nil {
		t.Errorf("with the token: got %v\n%s", err, out)
	}
	if lists, err := filepath.Glob(filepath.Join(dir, "lists", "*_Packages*")); err != nil || len(lists) != 1 {
		t.Errorf("lists: got %v, %v", lists, err)
	}
}

// TestAccessOnDemand gets nothing from upstream for those who may not read it.
func TestAccessOnDemand(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, map[string][]byte{"large": bytesOf(1 << 20)})
		p.onDemand("d", up)
		d := query[struct{ Distribution struct{ ID string } }](p, `{ distribution(path: "d") { id } }`, nil).Distribution.ID
		p.admit(d, "TOKEN")
		if got := p.exchange("GET", "/content/d/large").StatusCode; got != 401 || up.times("large") != 0 {
			t.Errorf("nobody: got %d, and upstream was asked %d times", got, up.times("large"))
		}
		_, secret := p.newToken(`name: "ci", role: READER`)
		if got := p.by(secret).get("/content/d/large"); len(got) != 1<<20 || up.times("large") != 1 {
			t.Errorf("a reader: got %d bytes, and upstream was asked %d times", len(got), up.times("large"))
		}
	})
}

// TestAccessOfTwoServers changes on one server what another one answers.
func TestAccessOfTwoServers(t *testing.T) {
	t.Parallel()
	shared := []string{"--data", t.TempDir(), "--database", dbtest.PostgresAddress(t)}
	p, other := start(t, shared...), start(t, shared...)
	up := newUpstream(t, map[string][]byte{"a": []byte("the file")})
	r := p.repository("r", up.URL+"/PULP_MANIFEST")
	d := p.distribute("d", r, "TOKEN")
	if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
		t.Fatalf("got %+v", got)
	}
	for _, tt := range []struct {
		access string
		status int
	}{{"TOKEN", 401}, {"PUBLIC", 200}, {"TOKEN", 401}, {"SERVER", 200}} {
		p.admit(d, tt.access)
		if got := p.exchange("GET", "/content/d/a").StatusCode; got != tt.status {
			t.Errorf("%s: got %d, want %d", tt.access, got, tt.status)
		}
		await(t, "the other server knows of "+tt.access, func() bool { return other.exchange("GET", "/content/d/a").StatusCode == tt.status })
	}
}
