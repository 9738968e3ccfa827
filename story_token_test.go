package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"ream/db/dbtest"
)

// runCommand runs a command of the program, with variables of the environment, and
// returns its exit status and what it wrote.
func runCommand(t *testing.T, variables []string, words ...string) (status int, stdout, stderr string) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, path, words...)
	command.Env = append(os.Environ(), variables...)
	var out, errs strings.Builder
	command.Stdout, command.Stderr = &out, &errs
	err = command.Run()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		status = e.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return status, out.String(), errs.String()
}

// tokenCommand runs ream token on the server's own database.
func (p *program) tokenCommand(words ...string) string {
	p.t.Helper()
	database := p.args[:len(p.args):len(p.args)]
	for i, word := range database {
		if word == "--require-tokens" || word == "--public-content" || word == "--limits" {
			database = database[:i]
			break
		}
	}
	status, out, errs := runCommand(p.t, nil, append(append([]string{"token"}, words...), database...)...)
	if status != 0 {
		p.t.Fatalf("ream token %v: status %d\n%s%s", words, status, out, errs)
	}
	return strings.TrimSpace(out)
}

// newToken makes a token as the program's token may.
func (p *program) newToken(fields string) (id, secret string) {
	p.t.Helper()
	made := query[struct {
		CreateToken struct {
			Token  struct{ ID string }
			Secret string
		}
	}](p, `mutation { createToken(input: {`+fields+`}) { token { id } secret } }`, nil).CreateToken
	return made.Token.ID, made.Secret
}

// answerTo sends a query, and returns the answer's status, headers and errors.
func (p *program) answerTo(document string) (*http.Response, []gqlError) {
	p.t.Helper()
	body, err := json.Marshal(map[string]any{"query": document})
	if err != nil {
		p.t.Fatal(err)
	}
	post, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.address+"/graphql", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	post.Header.Set("Content-Type", "application/json")
	post.Header.Set("Accept", "application/graphql-response+json")
	response := p.send(post)
	defer response.Body.Close()
	var answer struct{ Errors []gqlError }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		p.t.Fatal(err)
	}
	return response, answer.Errors
}

// wantRefused checks that a request is refused with a status and a code.
func (p *program) wantRefused(document string, status int, code, message string) {
	p.t.Helper()
	response, errs := p.answerTo(document)
	if response.StatusCode != status || len(errs) != 1 || errs[0].Extensions.Code != code || !strings.Contains(errs[0].Message, message) {
		p.t.Errorf("%s: got %s %+v, want %d %s %q", document, response.Status, errs, status, code, message)
	}
}

// status is the status for a path, with a user and password if these are given.
func (p *program) status(path, user, password string) int {
	p.t.Helper()
	get, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.address+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if user != "" {
		get.SetBasicAuth(user, password)
	}
	response := p.send(get)
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode
}

func TestTokens(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		p := start(t, append(args, "--require-tokens", "--log", "debug")...)
		p.log.await(t, "level=WARN", "nobody can get in yet", "ream token create")
		p.wantRefused(`{viewer{name}}`, 401, "UNAUTHENTICATED", "this needs a token")
		for _, path := range []string{"/", "/playground", "/healthz", "/readyz"} {
			if status := p.status(path, "", ""); status != 200 {
				t.Errorf("%s, which anybody may see: got %d", path, status)
			}
		}

		admin := p.by(p.tokenCommand("create", "boss", "--role", "admin"))
		if out := p.tokenCommand("list"); !strings.Contains(out, "boss") || strings.Contains(out, admin.token) {
			t.Errorf("list: got\n%s", out)
		}
		up := newUpstream(t, map[string][]byte{"a": []byte("one")})
		id, secret := admin.newToken(`name: "ci", role: OPERATOR`)
		operator := p.by(secret)
		operator.wantRefused(`{tokens{totalCount}}`, 403, "FORBIDDEN", "tokens needs the role ADMIN: you have OPERATOR")
		operator.wantRefused(`mutation{createToken(input: {name: "x", role: ADMIN}){secret}}`, 403, "FORBIDDEN", "createToken needs the role ADMIN")
		operator.repository("r", up.URL+"/PULP_MANIFEST")
		if got := operator.follow(operator.mirror("r")); got.State != "COMPLETED" {
			t.Errorf("mirror: got %+v", got)
		}
		_, secret = admin.newToken(`name: "watcher", role: READER`)
		reader := p.by(secret)
		reader.wantRefused(`mutation{sync(input: {repositories: {all: true}}){__typename}}`, 403, "FORBIDDEN", "sync needs the role OPERATOR: you have READER")

		// Content: by the token, or by it as a password.
		if got := string(reader.get("/content/r/a")); got != "one" {
			t.Errorf("content: got %q", got)
		}
		for name, want := range map[string]int{secret: 200, "x": 401} {
			if status := p.status("/content/r/a", "apt", name); status != want {
				t.Errorf("content by a password: got %d, want %d", status, want)
			}
		}
		if status := p.status("/content/r/", "", ""); status != 401 {
			t.Errorf("content without: got %d", status)
		}

		// What goes on ends with the token.
		followers := map[string]*subscription{}
		for _, protocol := range []string{currentProtocol, olderProtocol, serverEvents} {
			followers[protocol] = operator.subscribe(t.Context(), protocol, `subscription { queue { counts { total } } }`, "")
			next[any](t, followers[protocol])
		}
		others := reader.subscribe(t.Context(), currentProtocol, `subscription { queue { counts { total } } }`, "")
		next[any](t, others)
		began := time.Now()
		if out := p.tokenCommand("revoke", "ci"); out != id+" (ci) is revoked" {
			t.Errorf("revoke: got %q", out)
		}
		revoked := time.Now()
		for protocol, s := range followers {
			for range s.frames {
			}
			if protocol == serverEvents {
				if !errors.Is(s.ended, io.ErrUnexpectedEOF) { // without complete
					t.Errorf("%s: ended by %v", protocol, s.ended)
				}
			} else if e, ok := errors.AsType[*websocket.CloseError](s.ended); !ok || e.Code != 4403 || e.Text != "Forbidden: the token was revoked" {
				t.Errorf("%s: ended by %v, want 4403", protocol, s.ended)
			}
		}
		t.Logf("revoked in %s, and all streams ended after %s more", revoked.Sub(began), time.Since(revoked))
		operator.wantRefused(`{viewer{name}}`, 401, "UNAUTHENTICATED", "the token was revoked")
		query[any](admin, `mutation { sync(input: {repositories: {names: ["r"]}}) { __typename } }`, nil)
		next[any](t, others) // goes on
		wantSocketRefused(t, operator, 4403, "the token was revoked: ask an administrator for another one")
		wantSocketRefused(t, p, 4403, "this needs a token")

		// When they were last used is known after a while, or when the server stops.
		p.stop()
		p.start()
		admin.address = p.address
		used := query[struct {
			Token struct{ LastUsedAt *time.Time }
		}](admin, `{ token(name: "watcher") { lastUsedAt } }`, nil).Token.LastUsedAt
		if used == nil || time.Since(*used) > time.Hour {
			t.Errorf("last used: got %v", used)
		}
		if strings.Contains(p.log.String(), "nobody can get in") {
			t.Errorf("it says that nobody can get in:\n%s", p.log)
		}
		p.stop()
		wantNoSecrets(t, p, args, admin.token, operator.token, reader.token)
	})
}

// wantSocketRefused checks that a socket is closed for want of credentials.
func wantSocketRefused(t *testing.T, p *program, code int, reason string) {
	t.Helper()
	conn := dial(t, p, currentProtocol)
	payload := `{}`
	if p.token != "" {
		payload = `{"Authorization":"Bearer ` + p.token + `"}`
	}
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"connection_init","payload":`+payload+`}`)); err != nil {
		t.Fatal(err)
	}
	_, message, err := conn.ReadMessage()
	if e, ok := errors.AsType[*websocket.CloseError](err); !ok || e.Code != code || !strings.HasPrefix(e.Text, reason) {
		t.Errorf("got %s, %v, want %d %q", message, err, code, reason)
	}
}

// wantNoSecrets looks for secrets in what the program, which has ended, logged
// and stored.
func wantNoSecrets(t *testing.T, p *program, args []string, secrets ...string) {
	t.Helper()
	kept := map[string][]byte{"the log": []byte(p.log.String())}
	err := filepath.WalkDir(args[1], func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			kept[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range kept {
		for _, secret := range secrets {
			if bytes.Contains(text, []byte(secret)) || bytes.Contains(text, []byte(secret[5:40])) {
				t.Errorf("%s has a secret", name)
			}
		}
	}
}

// TestTokenCommands runs every command that is a client of the API against a
// server that demands tokens.
func TestTokenCommands(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		// Before the server has ever run.
		status, admin, errs := runCommand(t, nil, append([]string{"token", "create", "boss", "--role", "ADMIN"}, args...)...)
		if status != 0 || errs != "" {
			t.Fatalf("create: got %d %q", status, errs)
		}
		p := start(t, append(args, "--require-tokens")...).by(strings.TrimSpace(admin))
		up := newUpstream(t, map[string][]byte{"a": []byte("one")})
		file := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(file, []byte(admin), 0o600); err != nil {
			t.Fatal(err)
		}
		server := "REAM_SERVER=" + p.address
		byVariable, byFile := []string{server, "REAM_TOKEN=" + p.token}, []string{server, "REAM_TOKEN_FILE=" + file}
		for _, tt := range []struct {
			variables []string
			words     []string
			want      string
		}{
			{byVariable, []string{"mirror", up.URL + "/", "--name", "r"}, "group-1"},
			{byFile, []string{"sync", "r"}, "task-4"},
			{[]string{server}, []string{"publish", "r", "--token", p.token}, "task-5"},
			{[]string{server}, []string{"watch", "group-1", "--token-file", file}, ""},
			{byVariable, []string{"cancel", "group-1"}, "group-1 COMPLETED: 3 completed of 3"},
			{byVariable, []string{"token", "create", "x", "--role", "reader", "--expires", "2d", "--labels", "env=prod", "--server", p.address}, "ream_"},
			{byVariable, []string{"token", "list", "--server", p.address}, "token-2  x     reader  env=prod  active"},
			{byVariable, []string{"token", "revoke", "token-2", "--server", p.address}, "token-2 (x) is revoked"},
			{byVariable, []string{"token", "list", "--all", "--server", p.address}, "env=prod  revoked"},
		} {
			status, out, errs := runCommand(t, tt.variables, tt.words...)
			if status != 0 || !strings.Contains(out, tt.want) {
				t.Errorf("%v: got %d\n%s%s", tt.words, status, out, errs)
			}
		}
		for _, tt := range []struct {
			variables []string
			words     []string
			want      string
		}{
			{[]string{server}, []string{"sync", "r"}, "ream sync: this needs a token"},
			{[]string{server, "REAM_TOKEN=ream_x"}, []string{"sync", "r"}, "ream sync: this is no token, or not all of it"},
			{byVariable, []string{"retry", "task-4"}, "task-4 completed: there is nothing to do again"},
			{byVariable, []string{"token", "revoke", "nobody", "--server", p.address}, `there is no token "nobody"`},
			{byVariable, []string{"token", "create", "boss", "--role", "reader", "--server", p.address}, `there is already a token named "boss"`},
			{nil, append([]string{"token", "create", "y", "--role", "admin", "--labels", "env=prod"}, args...), "labels: an admin cannot be limited"},
			{nil, append([]string{"token", "create", "y", "--role", "reader", "--labels", "a b"}, args...), "is no label term"},
		} {
			status, out, errs := runCommand(t, tt.variables, tt.words...)
			if status != 1 || out != "" || !strings.Contains(errs, tt.want) || strings.Contains(errs, p.token) {
				t.Errorf("%v: got %d\n%s%s, want %q", tt.words, status, out, errs, tt.want)
			}
		}
		// A watcher is told, and does not come back for ever.
		up.set(func() { up.files["b"] = []byte("two") })
		reached, release := up.hold("b")
		id := p.queueSync("r", true)
		<-reached
		_, secret := p.newToken(`name: "watcher", role: READER`)
		path, err := binary()
		if err != nil {
			t.Fatal(err)
		}
		watch := exec.CommandContext(t.Context(), path, "watch", id)
		watch.Env = append(os.Environ(), server, "REAM_TOKEN="+secret)
		output, err := watch.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		watch.Stderr = watch.Stdout
		if err := watch.Start(); err != nil {
			t.Fatal(err)
		}
		seen := newJournal()
		read := make(chan struct{})
		go func() { defer close(read); seen.read(output) }()
		seen.await(t, id)
		p.tokenCommand("revoke", "watcher")
		seen.await(t, "the token was revoked")
		<-read
		if err := watch.Wait(); err == nil {
			t.Errorf("watch ended well:\n%s", seen)
		}
		release()
		p.follow(id)
	})
}

func TestRevokedElsewhere(t *testing.T) {
	t.Parallel()
	address := dbtest.PostgresAddress(t)
	shared := []string{"--data", t.TempDir(), "--database", address, "--require-tokens"}
	a, b := start(t, shared...), start(t, shared...)
	admin := a.by(a.tokenCommand("create", "boss", "--role", "admin"))
	id, secret := admin.newToken(`name: "r", role: READER`)
	there := b.by(secret)
	s := there.subscribe(t.Context(), currentProtocol, `subscription { queue { counts { total } } }`, "")
	next[any](t, s)
	began := time.Now()
	query[any](admin, `mutation($id: ID!) { revokeToken(id: $id) { id } }`, map[string]any{"id": id})
	for range s.frames {
	}
	if e, ok := errors.AsType[*websocket.CloseError](s.ended); !ok || e.Code != 4403 {
		t.Errorf("ended by %v, want 4403", s.ended)
	}
	t.Logf("a stream of another process ended after %s", time.Since(began))
	there.wantRefused(`{viewer{name}}`, 401, "UNAUTHENTICATED", "revoked")

	// By the command, which is a process of its own.
	_, secret = admin.newToken(`name: "s", role: READER`)
	s = b.by(secret).subscribe(t.Context(), currentProtocol, `subscription { queue { counts { total } } }`, "")
	next[any](t, s)
	a.tokenCommand("revoke", "s")
	for range s.frames {
	}
	if e, ok := errors.AsType[*websocket.CloseError](s.ended); !ok || e.Code != 4403 {
		t.Errorf("by the command: ended by %v, want 4403", s.ended)
	}
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	p := start(t, "--data", t.TempDir(), "--require-tokens")
	admin := p.by(p.tokenCommand("create", "boss", "--role", "admin"))
	_, secret := admin.newToken(`name: "short", role: READER, expiresAt: "` + time.Now().Add(8*time.Second).Format(time.RFC3339Nano) + `"`)
	short := p.by(secret)
	s := short.subscribe(t.Context(), currentProtocol, `subscription { queue { counts { total } } }`, "")
	next[any](t, s)
	for range s.frames {
	}
	if e, ok := errors.AsType[*websocket.CloseError](s.ended); !ok || e.Code != 4403 || e.Text != "Forbidden: the credentials have expired" {
		t.Errorf("ended by %v, want 4403", s.ended)
	}
	short.wantRefused(`{viewer{name}}`, 401, "UNAUTHENTICATED", "the token has expired")
}
