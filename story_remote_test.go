package main_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// remote creates a remote from an input without a name and a repository of
// that name.
func (p *program) remote(name string, input map[string]any) (id string) {
	p.t.Helper()
	input["name"] = name
	id = query[struct{ CreateRemote struct{ ID string } }](p, `mutation($in: CreateRemoteInput!) { createRemote(input: $in) { id } }`, map[string]any{"in": input}).CreateRemote.ID
	query[any](p, `mutation($n: String!, $r: ID!) { createRepository(input: {name: $n, format: FILE, remote: $r}) { id } }`, map[string]any{"n": name, "r": id})
	return id
}

func (p *program) update(id string, input map[string]any) {
	p.t.Helper()
	input["id"] = id
	query[any](p, `mutation($in: UpdateRemoteInput!) { updateRemote(input: $in) { id } }`, map[string]any{"in": input})
}

// completes and fails run a sync that must end so.
func (p *program) completes(name string) {
	p.t.Helper()
	if got := p.sync(name, true); got.State != "COMPLETED" {
		p.t.Errorf("%s: got %+v %+v, want COMPLETED", name, got, got.Error)
	}
}

func (p *program) fails(name, code, message string) {
	p.t.Helper()
	if got := p.sync(name, true); got.State != "FAILED" || got.Error == nil || got.Error.Code != code || !strings.HasSuffix(got.Error.Message, message) {
		p.t.Errorf("%s: got %+v %+v, want FAILED with %s %q", name, got, got.Error, code, message)
	}
}

// certificate makes a certificate that is its own authority, for 127.0.0.1 and
// for clients.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// The secrets of TestSecretsStaySecret.
const (
	leakPassword = "leak-PASSWORD-94c1"
	leakToken    = "leak-TOKEN-5be2"
	leakHeader   = "leak-HEADER-7fd3"
	leakProxy    = "leak-PROXY-2ea4"
)

// TestSecretsStaySecret has syncs work and fail with every kind of secret, and
// then looks for them in the database, the log and the API's answers.
func TestSecretsStaySecret(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(3))
		// guarded serves to those who show all that is asked for. Others read in
		// the answer what they showed, in places that errors quote.
		guarded := func(wanted func(*http.Request) bool) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if wanted(r) {
					up.ServeHTTP(w, r)
					return
				}
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, password, _ := r.BasicAuth()
				fmt.Fprintf(conn, "HTTP/1.1 %s %s %s", password, r.Header.Get("Authorization"), r.Header.Get("X-Key"))
				conn.Close()
			})
		}
		serve := func(wanted func(*http.Request) bool) string {
			s := httptest.NewServer(guarded(wanted))
			t.Cleanup(s.Close)
			return s.URL
		}
		byPassword := serve(func(r *http.Request) bool {
			user, password, _ := r.BasicAuth()
			return user == "me" && password == leakPassword && r.Header.Get("X-Key") == leakHeader
		})
		byToken := serve(func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+leakToken })
		proxy := serve(func(r *http.Request) bool {
			return r.Header.Get("Proxy-Authorization") == "Basic "+base64.StdEncoding.EncodeToString([]byte("you:"+leakProxy))
		})
		cert, key := certificate(t)
		pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		byCertificate := httptest.NewUnstartedServer(up)
		byCertificate.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
		byCertificate.TLS.ClientCAs.AppendCertsFromPEM([]byte(cert))
		byCertificate.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are meant to fail
		byCertificate.StartTLS()
		t.Cleanup(byCertificate.Close)

		headers := []any{map[string]any{"name": "X-Key", "value": leakHeader}}
		ids := map[string]string{
			"password": p.remote("password", map[string]any{"url": byPassword + "/PULP_MANIFEST", "username": "me", "password": leakPassword, "headers": headers, "retries": 0}),
			"token":    p.remote("token", map[string]any{"url": byToken + "/PULP_MANIFEST", "token": leakToken, "retries": 0}),
			"key":      p.remote("key", map[string]any{"url": byCertificate.URL + "/PULP_MANIFEST", "caCert": cert, "clientCert": cert, "clientKey": key, "retries": 0}),
			"proxy":    p.remote("proxy", map[string]any{"url": "http://files.example.org/PULP_MANIFEST", "proxyUrl": proxy, "proxyUsername": "you", "proxyPassword": leakProxy, "retries": 0}),
		}
		for name := range ids {
			p.completes(name)
		}
		// Half of what is wanted, so that the other half is repeated in answers.
		p.update(ids["password"], map[string]any{"headers": []any{map[string]any{"name": "X-Key", "value": leakHeader + "x"}}})
		p.fails("password", "UNAVAILABLE", "/PULP_MANIFEST: its answer is not valid HTTP (tried 1 times)")
		p.update(ids["password"], map[string]any{"headers": headers, "password": leakPassword + "x"})
		p.fails("password", "UNAVAILABLE", "/PULP_MANIFEST: its answer is not valid HTTP (tried 1 times)")
		p.update(ids["token"], map[string]any{"token": leakToken + "x"})
		p.fails("token", "UNAVAILABLE", "/PULP_MANIFEST: its answer is not valid HTTP (tried 1 times)")
		p.update(ids["proxy"], map[string]any{"proxyPassword": leakProxy + "x"})
		p.fails("proxy", "UNAVAILABLE", "/PULP_MANIFEST: its answer is not valid HTTP (tried 1 times)")
		p.update(ids["key"], map[string]any{"caCert": ""})
		p.fails("key", "UNAVAILABLE", "/PULP_MANIFEST: its TLS certificate is not of an authority that is trusted: caCert names others")
		byCertificate.Close()
		p.fails("key", "UNAVAILABLE", "/PULP_MANIFEST: the connection was refused (tried 1 times)")
		if _, errs := ask[any](p, `mutation { createRemote(input: {name: "bad", url: "http://h/a", token: "`+leakToken+` ", username: "me", clientKey: "`+leakPassword+`"}) { id } }`, nil); len(errs) != 1 {
			t.Errorf("bad secrets: got %+v, want one error", errs)
		}

		looked := map[string]string{
			"the API's answers": strings.Join([]string{
				p.answer(`{ remotes { nodes { id name url username hasPassword hasToken headerNames caCert clientCert hasClientKey proxyUrl proxyUsername hasProxyPassword } } }`),
				p.answer(`{ tasks { nodes { id name state error { code message } reports { message } created { ... on Node { id } } } } }`),
				p.answer(`mutation { updateRemote(input: {id: "` + ids["token"] + `", headers: [{name: "X-Key", value: "` + leakHeader + `"}]}) { id hasToken headerNames } }`),
				p.answer(`mutation { createRemote(input: {name: "bad", url: "http://h/a", token: "` + leakToken + ` "}) { id } }`),
			}, "\n"),
			"the database": p.dump(),
		}
		p.kill() // its log is whole only then
		looked["the log"] = p.log.String()
		looked["the files"] = p.files()
		for where, text := range looked {
			if len(text) < 100 {
				t.Errorf("%s cannot be all: %q", where, text)
			}
			for _, secret := range append([]string{leakPassword, leakToken, leakHeader, leakProxy}, strings.Split(key, "\n")[1:3]...) {
				for form, encoded := range map[string]string{
					"itself": secret, "in base64": base64.StdEncoding.EncodeToString([]byte(secret)), "in hex": hex.EncodeToString([]byte(secret)), "in a URL": url.QueryEscape(secret),
					"as credentials": base64.StdEncoding.EncodeToString([]byte("me:" + secret)), "as the proxy's credentials": base64.StdEncoding.EncodeToString([]byte("you:" + secret)),
				} {
					if strings.Contains(text, strings.TrimRight(encoded, "=")) {
						t.Errorf("%s is %s in %s", secret, form, where)
					}
				}
			}
		}
		for _, name := range []string{"password", "header X-Key", "token", "clientKey", "proxyPassword"} {
			if !strings.Contains(looked["the database"], name) {
				t.Errorf("the %s is not in what was looked through as the database", name)
			}
		}
	})
}

// answer is a response's whole body.
func (p *program) answer(document string) string {
	p.t.Helper()
	body, err := json.Marshal(map[string]any{"query": document})
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := http.Post(p.address+"/graphql", "application/json", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// flag is the value of one of the program's flags.
func (p *program) flag(name string) string {
	for i, arg := range p.args {
		if arg == name {
			return p.args[i+1]
		}
	}
	return ""
}

// openDatabase opens the program's database beside it.
func (p *program) openDatabase() *sql.DB {
	p.t.Helper()
	driver, address := "postgres", p.flag("--database")
	if address == "" {
		driver, address = "sqlite", "file:"+filepath.Join(p.flag("--data"), "ream.db")+"?_pragma=busy_timeout(10000)"
	}
	d, err := sql.Open(driver, address)
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

// dump is every row of the database.
func (p *program) dump() string {
	p.t.Helper()
	tables := `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`
	if p.flag("--database") == "" {
		tables = `SELECT name FROM sqlite_master WHERE type = 'table'`
	}
	d := p.openDatabase()
	defer d.Close()
	var b strings.Builder
	for _, table := range p.rows(d, tables) {
		for _, row := range p.rows(d, `SELECT * FROM "`+table+`"`) {
			fmt.Fprintln(&b, table, row)
		}
	}
	return b.String()
}

// rows are the rows of a query, each as one text.
func (p *program) rows(d *sql.DB, query string) (all []string) {
	p.t.Helper()
	rows, err := d.Query(query)
	if err != nil {
		p.t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		p.t.Fatal(err)
	}
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			p.t.Fatal(err)
		}
		texts := make([]string, len(columns))
		for i, v := range values {
			texts[i] = v.String
		}
		all = append(all, strings.Join(texts, " "))
	}
	if err := rows.Err(); err != nil {
		p.t.Fatal(err)
	}
	return all
}

// files are the contents of all files below --data.
func (p *program) files() string {
	p.t.Helper()
	var b strings.Builder
	if err := filepath.WalkDir(p.flag("--data"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		b.Write(content)
		return err
	}); err != nil {
		p.t.Fatal(err)
	}
	return b.String()
}

func TestSecretKey(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(1))
		p.remote("r", map[string]any{"url": up.URL + "/PULP_MANIFEST", "token": "abc"})
		keyFile := filepath.Join(p.flag("--data"), "secret.key")
		if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the key's file: got %v, %v, want mode 0600", info, err)
		}
		path, err := binary()
		if err != nil {
			t.Fatal(err)
		}
		refused := func(name, message string, args ...string) {
			t.Helper()
			if out, err := command(t, path, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...); err == nil || !strings.Contains(out, message) {
				t.Errorf("%s: got %v: %s, want %q", name, err, out, message)
			}
		}
		const another = "the database holds secrets that were sealed with another key"
		if address := p.flag("--database"); address != "" {
			elsewhere := []string{"--data", t.TempDir(), "--database", address, "--storage", filepath.Join(p.flag("--data"), "artifacts")}
			refused("a second server with a key of its own", another, elsewhere...)
			second := start(t, append(elsewhere, "--secret-key-file", keyFile)...)
			second.completes("r")
			second.kill()
		}
		p.kill()
		refused("a key file that is missing", "read the secrets' key", append(p.args, "--secret-key-file", keyFile+".not")...)
		if err := os.Rename(keyFile, keyFile+".lost"); err != nil {
			t.Fatal(err)
		}
		refused("a lost key", another, p.args...)
		refused("a lost key, again", "start once with --forget-secrets", p.args...)

		args := p.args
		p.args = append(args, "--secret-key-file", keyFile+".lost") // it was found
		p.start()
		p.completes("r")
		p.kill()
		p.args = append(args, "--forget-secrets")
		p.start()
		type remote struct{ Remote struct{ HasToken bool } }
		if query[remote](p, `{ remote(name: "r") { hasToken } }`, nil).Remote.HasToken {
			t.Error("the token was not forgotten")
		}
		p.kill()
		p.args = args
		p.start()
		p.completes("r")
	})
}

// TestSettingsOfRemotes has an upstream that wants what the settings say.
func TestSettingsOfRemotes(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(4))
		wanted := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, password, _ := r.BasicAuth(); user != "me" || password != "pw" || r.Header.Get("X-Tenant") != "7" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			up.ServeHTTP(w, r)
		}))
		t.Cleanup(wanted.Close)
		id := p.remote("r", map[string]any{"url": wanted.URL + "/PULP_MANIFEST", "username": "me", "password": "no"})
		p.fails("r", "UNAVAILABLE", "/PULP_MANIFEST: 401 Unauthorized")
		p.update(id, map[string]any{"password": "pw", "headers": []any{map[string]any{"name": "x-tenant", "value": "7"}}})
		p.completes("r")
		p.update(id, map[string]any{"username": "", "password": ""})
		p.fails("r", "UNAVAILABLE", "/PULP_MANIFEST: 401 Unauthorized")
		got := p.answer(`{ remote(name: "r") { username hasPassword headerNames connections bytesPerSecond stallTimeout totalTimeout retries verifyTls insecureRedirects } }`)
		const want = `{"data":{"remote":{"username":"","hasPassword":false,"headerNames":["X-Tenant"],"connections":16,"bytesPerSecond":0,"stallTimeout":30,"totalTimeout":21600,"retries":4,"verifyTls":true,"insecureRedirects":false}}}`
		if strings.TrimSpace(got) != want {
			t.Errorf("got %s, want %s", got, want)
		}
		tests := []struct{ name, field string }{
			{`retries: 11`, "retries"},
			{`bytesPerSecond: 1`, "bytesPerSecond"},
			{`stallTimeout: 0`, "stallTimeout"},
			{`totalTimeout: -1`, "totalTimeout"},
			{`caCert: "x"`, "caCert"},
			{`clientCert: "x"`, "clientKey"},
			{`clientKey: "x"`, "clientCert"},
			{`proxyUrl: "x"`, "proxyUrl"},
			{`proxyPassword: "x"`, "proxyUsername"},
			{`password: "x"`, "username"},
			{`username: "a:b"`, "username"},
			{`token: "a b"`, "token"},
			{`headers: [{name: "Host", value: "x"}]`, "headers"},
			{`url: "file:///etc/passwd"`, "url"},
		}
		for _, tt := range tests {
			_, errs := ask[any](p, `mutation { updateRemote(input: {id: "`+id+`", `+tt.name+`}) { id } }`, nil)
			if len(errs) != 1 || errs[0].Extensions.Code != "BAD_INPUT" || errs[0].Extensions.Field != tt.field {
				t.Errorf("%s: got %+v, want BAD_INPUT for %q", tt.name, errs, tt.field)
			}
		}
	})
}

func TestFilesOfRemotes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string][]byte{"a": []byte("one"), "sub/b": []byte("two")}
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, "in", path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "in", path), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, content := range map[string]string{"in/PULP_MANIFEST": manifestOf(files), "PULP_MANIFEST": manifestOf(files)} {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, "--data", t.TempDir(), "--allow-file", filepath.Join(dir, "in"), "--allow-file", t.TempDir())
	p.repository("in", "file://"+dir+"/in/PULP_MANIFEST")
	p.completes("in")
	_, errs := ask[any](p, `mutation($u: String!) { createRemote(input: {name: "out", url: $u}) { id } }`, map[string]any{"u": "file://" + dir + "/in/../PULP_MANIFEST"})
	if len(errs) != 1 || errs[0].Extensions.Field != "url" || !strings.Contains(errs[0].Message, "see --allow-file") {
		t.Errorf("outside: got %+v, want BAD_INPUT for url", errs)
	}
	if err := os.Remove(filepath.Join(dir, "in", "PULP_MANIFEST")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../PULP_MANIFEST", filepath.Join(dir, "in", "PULP_MANIFEST")); err != nil {
		t.Fatal(err)
	}
	p.fails("in", "UNAVAILABLE", "it cannot be read, or leads out of the directory that the operator allowed")

	p.kill()
	p.args = p.args[:2]
	p.start()
	p.fails("in", "FORBIDDEN", "it is not below a directory that the operator allowed: see --allow-file")
}

func TestPrivateUpstreams(t *testing.T) {
	t.Parallel()
	up := newUpstream(t, someFiles(1))
	p := start(t, "--data", t.TempDir(), "--private-upstreams", "10.0.0.0/8")
	p.repository("r", up.URL+"/PULP_MANIFEST")
	const refused = "its address is not of the open internet, and the operator does not allow it: see --private-upstreams"
	p.fails("r", "FORBIDDEN", refused)
	p.kill()
	// Whoever opens the server to others does not open the machine to them.
	p.args = []string{p.args[0], p.args[1], "--listen", "0.0.0.0:0", "--allow-anonymous"}
	p.start()
	p.address = strings.Replace(p.address, "[::]", "127.0.0.1", 1)
	p.fails("r", "FORBIDDEN", refused)
	p.kill()
	p.args = append(p.args, "--private-upstreams", "127.0.0.1,10.0.0.0/8")
	p.start()
	p.address = strings.Replace(p.address, "[::]", "127.0.0.1", 1)
	p.completes("r")
	up.mu.Lock()
	defer up.mu.Unlock()
	if n := up.served["PULP_MANIFEST"]; n != 1 {
		t.Errorf("the upstream was asked %d times, want once", n)
	}
}

func TestBadFlagsOfUpstreams(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args    []string
		message string
	}{
		{[]string{"--private-upstreams", "some"}, `--private-upstreams: "some" is neither all, none, nor a network such as 10.1.0.0/16`},
		{[]string{"--allow-file", "/nowhere/at/all"}, "--allow-file: "},
		{[]string{"--host-connections", "0"}, "--host-connections: want 1 or more"},
		{[]string{"--host-bytes-per-second", "1023"}, "--host-bytes-per-second: want 1024 or more, or 0"},
		{[]string{"--secret-key-file", "/nowhere/at/all"}, "read the secrets' key: "},
	} {
		out, err := command(t, path, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", t.TempDir()}, test.args...)...)
		if err == nil || !strings.Contains(out, test.message) {
			t.Errorf("%v: got %v: %s, want %q", test.args, err, out, test.message)
		}
	}
}
