package main_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"ream/db/dbtest"
)

// scratch is where the program is built.
var scratch string

// binary builds the program once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "ream")
	out, err := exec.Command("go", "build", "-race", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "ream-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(scratch)
	os.Exit(status)
}

// program is a running server.
type program struct {
	t       *testing.T
	args    []string
	command *exec.Cmd
	log     *bytes.Buffer
	address string
	ended   chan error
}

// eachServer runs a story against a server on every kind of database.
func eachServer(t *testing.T, story func(t *testing.T, p *program)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		story(t, start(t, "--data", t.TempDir()))
	})
	if os.Getenv(dbtest.Variable) != "" {
		t.Run("postgres", func(t *testing.T) {
			t.Parallel()
			story(t, start(t, "--data", t.TempDir(), "--database", dbtest.PostgresAddress(t)))
		})
	}
}

func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{t: t, args: args}
	p.start()
	t.Cleanup(func() { p.kill() })
	return p
}

// start runs the program and waits until it says where it listens.
func (p *program) start() {
	p.t.Helper()
	path, err := binary()
	if err != nil {
		p.t.Fatal(err)
	}
	p.command = exec.Command(path, append([]string{"serve", "--listen", "127.0.0.1:0"}, p.args...)...)
	p.log = &bytes.Buffer{}
	output, err := p.command.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		p.t.Fatal(err)
	}
	ready := make(chan string, 1)
	p.ended = make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			fmt.Fprintln(p.log, lines.Text())
			if _, rest, ok := strings.Cut(lines.Text(), "msg=ready address="); ok {
				ready <- strings.Fields(rest)[0]
			}
		}
		p.ended <- p.command.Wait()
	}()
	select {
	case p.address = <-ready:
	case err := <-p.ended:
		p.t.Fatalf("the server ended: %v\n%s", err, p.log)
	case <-time.After(30 * time.Second):
		p.t.Fatal("the server is not ready after 30 seconds")
	}
}

// kill ends the program as a power cut would.
func (p *program) kill() {
	if p.command == nil {
		return
	}
	_ = p.command.Process.Kill()
	<-p.ended
	p.command = nil
	if strings.Contains(p.log.String(), "DATA RACE") {
		p.t.Errorf("the server has a data race:\n%s", p.log)
	}
}

// query sends a GraphQL request and reads its data into a T.
func query[T any](p *program, document string, variables map[string]any) T {
	p.t.Helper()
	data, errs := ask[T](p, document, variables)
	if len(errs) > 0 {
		p.t.Fatalf("%s\nerrors: %+v", document, errs)
	}
	return data
}

// gqlError is an entry of a response's errors.
type gqlError struct {
	Message    string
	Extensions struct{ Code, Field string }
}

func ask[T any](p *program, document string, variables map[string]any) (T, []gqlError) {
	p.t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := http.Post(p.address+"/graphql", "application/json", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Data   T
		Errors []gqlError
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		p.t.Fatal(err)
	}
	return answer.Data, answer.Errors
}

// repository creates a remote and a repository of that name.
func (p *program) repository(name, manifest string) (id string) {
	p.t.Helper()
	remote := query[struct{ CreateRemote struct{ ID string } }](p,
		`mutation($n: String!, $u: String!) { createRemote(input: {name: $n, url: $u}) { id } }`, map[string]any{"n": name, "u": manifest})
	return query[struct{ CreateRepository struct{ ID string } }](p,
		`mutation($n: String!, $r: ID!) { createRepository(input: {name: $n, format: FILE, remote: $r}) { id } }`,
		map[string]any{"n": name, "r": remote.CreateRemote.ID}).CreateRepository.ID
}

// finished is a task or group at its end.
type finished struct {
	ID    string
	State string
	Error *struct{ Code, Message string }
}

// sync runs a sync to its end.
func (p *program) sync(name string, mirror bool) finished {
	p.t.Helper()
	return p.follow(p.queueSync(name, mirror))
}

func (p *program) queueSync(name string, mirror bool) (id string) {
	p.t.Helper()
	return query[struct{ Sync struct{ ID string } }](p,
		`mutation($n: String!, $m: Boolean!) { sync(input: {repositories: {names: [$n]}, mirror: $m}) { ... on Work { id } } }`,
		map[string]any{"n": name, "m": mirror}).Sync.ID
}

// follow subscribes to a task or group until the final frame.
func (p *program) follow(id string) (last finished) {
	p.t.Helper()
	frames := p.subscribe(p.t.Context(), `subscription($id: ID!) { taskOrGroup(id: $id) { ... on Work { id state } ... on Task { error { code message } } } }`, id)
	for frame := range frames {
		var f struct{ TaskOrGroup finished }
		if err := json.Unmarshal(frame, &f); err != nil {
			p.t.Fatal(err)
		}
		last = f.TaskOrGroup
	}
	return last
}

// subscribe opens a socket of its own and returns the data of each frame. The
// channel ends with the subscription.
func (p *program) subscribe(ctx context.Context, document, id string) <-chan json.RawMessage {
	p.t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	conn, _, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(p.address, "http")+"/graphql", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, message := range []any{
		map[string]any{"type": "connection_init"},
		map[string]any{"type": "subscribe", "id": "1", "payload": map[string]any{"query": document, "variables": map[string]any{"id": id}}},
	} {
		if err := conn.WriteJSON(message); err != nil {
			p.t.Fatal(err)
		}
		if message.(map[string]any)["type"] == "connection_init" {
			var ack struct{ Type string }
			if err := conn.ReadJSON(&ack); err != nil || ack.Type != "connection_ack" {
				p.t.Fatalf("answer to connection_init: %+v, %v", ack, err)
			}
		}
	}
	frames := make(chan json.RawMessage)
	go func() {
		defer close(frames)
		defer conn.Close()
		for {
			var m struct {
				Type    string
				Payload json.RawMessage
			}
			if err := conn.ReadJSON(&m); err != nil || m.Type == "complete" {
				return
			}
			if m.Type == "ping" {
				_ = conn.WriteJSON(map[string]any{"type": "pong"})
				continue
			}
			var payload struct{ Data json.RawMessage }
			if m.Type != "next" || json.Unmarshal(m.Payload, &payload) != nil {
				continue
			}
			select {
			case frames <- payload.Data:
			case <-ctx.Done():
				return
			}
		}
	}()
	return frames
}

// versions are how many versions a repository has, and the newest one's units.
func (p *program) versions(name string) (versions, units int) {
	p.t.Helper()
	r := query[struct {
		Repository struct {
			Versions      struct{ TotalCount int }
			LatestVersion *struct{ UnitCount int }
		}
	}](p, `query($n: String!) { repository(name: $n) { versions { totalCount } latestVersion { unitCount } } }`, map[string]any{"n": name}).Repository
	if r.LatestVersion != nil {
		units = r.LatestVersion.UnitCount
	}
	return r.Versions.TotalCount, units
}

// upstream serves a manifest and files, and misbehaves when told to.
type upstream struct {
	*httptest.Server
	mu       sync.Mutex
	files    map[string][]byte
	manifest string                                               // instead of the true one, if not empty
	before   func(w http.ResponseWriter, path string) (done bool) // each request
	served   map[string]int
}

func newUpstream(t *testing.T, files map[string][]byte) *upstream {
	u := &upstream{files: files, served: map[string]int{}}
	u.Server = httptest.NewServer(u)
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	u.mu.Lock()
	u.served[path]++
	before, manifest, file := u.before, u.manifest, u.files[path]
	if manifest == "" {
		manifest = manifestOf(u.files)
	}
	u.mu.Unlock()
	switch {
	case before != nil && before(w, path):
	case path == "PULP_MANIFEST":
		io.WriteString(w, manifest)
	case file != nil:
		w.Header().Set("Content-Length", fmt.Sprint(len(file)))
		w.Write(file)
	default:
		http.NotFound(w, r)
	}
}

func (u *upstream) set(change func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	change()
}

func manifestOf(files map[string][]byte) string {
	var b strings.Builder
	for path, bytes := range files {
		fmt.Fprintf(&b, "%s,%s,%d\n", path, digest(bytes), len(bytes))
	}
	return b.String()
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// someFiles are n files of 1 KiB each, all different.
func someFiles(n int) map[string][]byte {
	files := map[string][]byte{}
	for i := range n {
		files[fmt.Sprintf("dir %d/file-%d.bin", i%3, i)] = bytes.Repeat([]byte(fmt.Sprintf("%08d", i)), 128)
	}
	return files
}

func TestMirrorEndToEnd(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(50))
		p.repository("files", up.URL+"/PULP_MANIFEST")
		id := query[struct{ Mirror struct{ ID string } }](p, `mutation { mirror(input: {repositories: {names: ["files"]}}) { id } }`, nil).Mirror.ID

		revision, finals := -1.0, 0
		for frame := range p.subscribe(t.Context(), `subscription($id: ID!) { taskGroupCounts(id: $id) { waiting running completed failed canceling canceled skipped total unfinished revision } }`, id) {
			var f struct{ TaskGroupCounts map[string]float64 }
			if err := json.Unmarshal(frame, &f); err != nil {
				t.Fatal(err)
			}
			c := f.TaskGroupCounts
			sum := c["waiting"] + c["running"] + c["completed"] + c["failed"] + c["canceling"] + c["canceled"] + c["skipped"]
			if sum != c["total"] || c["total"] != 3 || c["revision"] <= revision || finals > 0 {
				t.Errorf("frame %v after revision %v and %d final frames", c, revision, finals)
			}
			revision = c["revision"]
			if c["unfinished"] == 0 {
				finals++
			}
		}
		if finals != 1 {
			t.Errorf("final frames: got %d, want 1", finals)
		}
		if last := p.follow(id); last.State != "COMPLETED" {
			t.Errorf("the group, looked at later: got %+v", last)
		}
		for path, want := range up.files {
			response, err := http.Get(p.address + (&url.URL{Path: "/content/files/" + path}).EscapedPath())
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || !bytes.Equal(got, want) || response.Header.Get("ETag") != `"`+digest(want)+`"` {
				t.Errorf("%s: got %d bytes, status %s, ETag %s, %v", path, len(got), response.Status, response.Header.Get("ETag"), err)
			}
		}
	})
}

func TestVersionsOnlyWhenSomethingChanged(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, map[string][]byte{"a": []byte("one"), "b": []byte("two")})
		p.repository("r", up.URL+"/PULP_MANIFEST")
		steps := []struct {
			name            string
			files           map[string][]byte
			mirror          bool
			versions, units int
		}{
			{"first", up.files, true, 1, 2},
			{"unchanged", up.files, true, 1, 2},
			{"add only keeps what upstream dropped", map[string][]byte{"a": []byte("one"), "c": []byte("three")}, false, 2, 3},
			{"mirror removes it", map[string][]byte{"a": []byte("one"), "c": []byte("three")}, true, 3, 2},
			{"other bytes at the same path", map[string][]byte{"a": []byte("ONE"), "c": []byte("three")}, false, 4, 2},
			{"nothing left", map[string][]byte{}, true, 5, 0},
		}
		for _, s := range steps {
			up.set(func() { up.files = s.files })
			if got := p.sync("r", s.mirror); got.State != "COMPLETED" {
				t.Fatalf("%s: got %+v", s.name, got)
			}
			if versions, units := p.versions("r"); versions != s.versions || units != s.units {
				t.Errorf("%s: got %d versions and %d units, want %d and %d", s.name, versions, units, s.versions, s.units)
			}
		}
	})
}

func TestBadUpstreams(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		good := []byte("good")
		line := "good," + digest(good) + ",4\n"
		tests := []struct {
			name, manifest, message string
			before                  func(w http.ResponseWriter, path string) bool
		}{
			{name: "absolute path", manifest: line + "/etc/passwd," + digest(good) + ",4\n", message: "PULP_MANIFEST line 2: the path"},
			{name: "path upwards", manifest: "a/../../b," + digest(good) + ",4\n", message: "PULP_MANIFEST line 1: the path"},
			{name: "empty path", manifest: "," + digest(good) + ",4\n", message: "PULP_MANIFEST line 1: the path is empty"},
			{name: "duplicate path", manifest: line + line, message: "PULP_MANIFEST line 2: the path \"good\" is named twice"},
			{name: "long path", manifest: strings.Repeat("a/", 600) + "a," + digest(good) + ",4\n", message: "PULP_MANIFEST line 1"},
			{name: "truncated manifest", manifest: line + "other,abc", message: "PULP_MANIFEST line 2"},
			{name: "wrong digest", manifest: line + "other," + digest([]byte("else")) + ",5\n", message: "/other: its SHA-256 is"},
			{name: "two sizes for the same bytes", manifest: line + "again," + digest(good) + ",5\n", message: "again: the manifest says 5 bytes, but the file with this SHA-256 has 4"},
			{name: "wrong size", manifest: line + "other," + digest([]byte("other")) + ",6\n", message: "/other: it has 5 bytes, but the metadata says 6"},
			{name: "missing file", manifest: line + "missing," + digest(good) + "0,4\n", message: "PULP_MANIFEST line 2"},
			{name: "404", manifest: line + "missing," + digest([]byte("x")) + ",1\n", message: "/missing: 404 Not Found"},
			{name: "no manifest", message: "/PULP_MANIFEST: 404 Not Found", before: func(w http.ResponseWriter, _ string) bool {
				http.Error(w, "gone", http.StatusNotFound)
				return true
			}},
		}
		for i, tt := range tests {
			up := newUpstream(t, map[string][]byte{"good": good, "other": []byte("other")})
			up.manifest, up.before = tt.manifest, tt.before
			name := fmt.Sprintf("r%d", i)
			p.repository(name, up.URL+"/PULP_MANIFEST")
			got := p.sync(name, true)
			if got.State != "FAILED" || got.Error == nil || !strings.Contains(got.Error.Message, tt.message) {
				t.Errorf("%s: got %+v %+v, want FAILED with %q", tt.name, got, got.Error, tt.message)
			}
			if versions, _ := p.versions(name); versions != 0 {
				t.Errorf("%s: it made a version", tt.name)
			}
		}
	})
}

func TestUpstreamThatRecovers(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, map[string][]byte{"limited": []byte("limited"), "broken": []byte("broken"), "cut": bytes.Repeat([]byte("cut"), 100_000)})
		up.before = func(w http.ResponseWriter, path string) bool {
			up.mu.Lock()
			n := up.served[path]
			up.mu.Unlock()
			switch {
			case n > 2:
			case path == "limited":
				w.Header().Set("Retry-After", "1")
				http.Error(w, "slow down", http.StatusTooManyRequests)
				return true
			case path == "broken":
				http.Error(w, "broken", http.StatusInternalServerError)
				return true
			case path == "cut":
				w.Header().Set("Content-Length", "300000")
				w.Write(up.files["cut"][:100_000])
				panic(http.ErrAbortHandler)
			}
			return false
		}
		p.repository("r", up.URL+"/PULP_MANIFEST")
		if got := p.sync("r", true); got.State != "COMPLETED" {
			t.Errorf("got %+v %+v", got, got.Error)
		}
	})
}

func TestKilledInTheMiddle(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(30))
		reached, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		up.before = func(_ http.ResponseWriter, path string) bool {
			if strings.HasSuffix(path, "file-7.bin") {
				once.Do(func() { close(reached) })
				<-release
			}
			return false
		}
		p.repository("r", up.URL+"/PULP_MANIFEST")
		id := p.queueSync("r", true)
		<-reached
		p.kill()
		close(release)
		p.start()
		if got := p.follow(id); got.State != "COMPLETED" {
			t.Errorf("after the restart: got %+v %+v", got, got.Error)
		}
		if versions, units := p.versions("r"); versions != 1 || units != 30 {
			t.Errorf("after the restart: got %d versions and %d units", versions, units)
		}
	})
}

func TestSyncsOfOneRepositoryNeverOverlap(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(3))
		var mu sync.Mutex
		running, most := 0, 0
		up.before = func(http.ResponseWriter, string) bool {
			mu.Lock()
			defer mu.Unlock()
			running++
			most = max(most, running)
			running--
			return false
		}
		p.repository("r", up.URL+"/PULP_MANIFEST")
		// Different requests, so that none answers with another's task.
		first, second := p.queueSync("r", true), p.queueSync("r", false)
		if first == second {
			t.Fatalf("two different syncs are one task: %s", first)
		}
		p.follow(first)
		p.follow(second)
		tasks := query[struct {
			Tasks struct {
				Nodes []struct{ StartedAt, FinishedAt time.Time }
			}
		}](p, `{ tasks(filter: {kind: "repository.sync"}) { nodes { startedAt finishedAt } } }`, nil).Tasks.Nodes
		if len(tasks) != 2 || tasks[0].StartedAt.Before(tasks[1].FinishedAt) {
			t.Errorf("the second started before the first ended: %+v", tasks)
		}
	})
}

func TestCancelWhileItRuns(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(30))
		reached, release := make(chan struct{}), make(chan struct{})
		var once sync.Once
		up.before = func(_ http.ResponseWriter, path string) bool {
			if strings.HasSuffix(path, "file-7.bin") {
				once.Do(func() { close(reached) })
				<-release
			}
			return false
		}
		t.Cleanup(func() { close(release) })
		p.repository("r", up.URL+"/PULP_MANIFEST")
		id := query[struct{ Mirror struct{ ID string } }](p, `mutation { mirror(input: {repositories: {names: ["r"]}}) { id } }`, nil).Mirror.ID
		<-reached
		for range 2 { // twice is the same as once
			query[any](p, `mutation($id: ID!) { cancel(id: $id) { ... on Work { id } } }`, map[string]any{"id": id})
		}
		if got := p.follow(id); got.State != "CANCELED" {
			t.Errorf("got %+v", got)
		}
		if versions, _ := p.versions("r"); versions != 0 {
			t.Error("a canceled sync made a version")
		}
	})
}

func TestStopIsGraceful(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(3))
		p.repository("r", up.URL+"/PULP_MANIFEST")
		p.sync("r", true)
		watching := p.subscribe(t.Context(), `subscription { queue { counts { total } } }`, "")
		<-watching
		if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-p.ended:
			if err != nil {
				t.Errorf("the server ended: %v\n%s", err, p.log)
			}
			p.command = nil
		case <-time.After(20 * time.Second):
			t.Error("the server did not stop")
		}
		for range watching { // it ends with the server
		}
	})
}

func TestSecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, "--data", dir)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "serve", "--listen", "127.0.0.1:0", "--data", dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "is in use by process") {
		t.Errorf("got %v: %s", err, out)
	}
}

func TestErrorsNameFieldAndRemedy(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		tests := []struct{ name, document, code, field string }{
			{"unknown repository", `mutation { sync(input: {repositories: {ids: ["repository-99"]}}) { ... on Work { id } } }`, "BAD_INPUT", "repositories.ids"},
			{"two selectors", `mutation($r: RepositorySelector!) { sync(input: {repositories: $r}) { ... on Work { id } } }`, "BAD_INPUT", "repositories"},
			{"secret in the URL", `mutation { createRemote(input: {name: "x", url: "http://a:b@c/PULP_MANIFEST"}) { id } }`, "BAD_INPUT", "url"},
			{"unknown task", `mutation { cancel(id: "task-99") { ... on Work { id } } }`, "NOT_FOUND", ""},
		}
		for _, tt := range tests {
			_, errs := ask[any](p, tt.document, map[string]any{"r": map[string]any{"all": true, "names": []string{"x"}}})
			if len(errs) != 1 || errs[0].Extensions.Code != tt.code || errs[0].Extensions.Field != tt.field {
				t.Errorf("%s: got %+v, want code %s and field %q", tt.name, errs, tt.code, tt.field)
			}
		}
		empty := query[struct {
			Sync struct {
				Typename string `json:"__typename"`
				Finished bool
			}
		}](p, `mutation { sync(input: {repositories: {all: true}}) { __typename ... on Work { finished } } }`, nil).Sync
		if empty.Typename != "TaskGroup" || !empty.Finished {
			t.Errorf("a selector that matches nothing: got %+v, want a finished group", empty)
		}
	})
}

// command runs the program to its end.
func command(t *testing.T, path string, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	return string(out), err
}
