package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"ream/rest/resttest"
)

// openAPI is the document that the server has.
var openAPI = sync.OnceValues(func() (*resttest.Contract, error) {
	text, err := os.ReadFile("rest/openapi.json")
	if err != nil {
		return nil, err
	}
	return resttest.Load(text)
})

// restClient talks to a server as its document says.
type restClient struct {
	*program
	contract *resttest.Contract
	http     *http.Client
}

func newRESTClient(p *program) restClient {
	p.t.Helper()
	contract, err := openAPI()
	if err != nil {
		p.t.Fatal(err)
	}
	return restClient{p, contract, contract.Client(p.t)}
}

// restWork is a task, a group, a page of tasks or a problem.
type restWork struct {
	status int
	header http.Header

	Href, Type, ID, Name, State string
	Finished                    bool
	Counts                      struct{ Completed, Failed, Skipped, Total, Revision int }
	Progress                    struct{ BytesDone int }
	Error                       *struct{ Code, Message string }
	Group, RetryOf              *struct{ Href, ID string }
	Created                     []string
	Tasks                       json.RawMessage // of a page; where they are, of a group
	Preview                     string
	Code, Field, Detail         string
}

// readPage reads a page of a list.
func readPage[T any](c restClient, path string) (page T) {
	c.t.Helper()
	response, err := c.http.Get(c.address + path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || json.Unmarshal(text, &page) != nil {
		c.t.Fatalf("%s: got %s, %v\n%s", path, response.Status, err, text)
	}
	return page
}

// send sends a request. Headers are names and values by turns.
func (c restClient) send(method, path string, body any, headers ...string) (w restWork) {
	c.t.Helper()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		content = strings.NewReader(string(text))
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.address+path, content)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	w.status, w.header = response.StatusCode, response.Header
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &w); err != nil {
			c.t.Fatalf("%s: %v\n%s", path, err, text)
		}
	}
	return w
}

// named selects repositories by name.
func named(names ...string) map[string]any { return map[string]any{"names": names} }

func TestREST(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		c := newRESTClient(p)
		up := newUpstream(t, someFiles(5))
		p.repository("a", up.URL+"/PULP_MANIFEST")
		p.repository("b", up.URL+"/PULP_MANIFEST")
		p.repository("gone", up.URL+"/missing/PULP_MANIFEST")
		reached, release := up.hold("file-1.bin")

		// One repository: a task. While it is held, it is not finished.
		sync := c.send("POST", "/api/v1/sync", map[string]any{"repositories": named("a")}, "Accept", "application/vnd.ream.task+json, application/vnd.ream.task-group+json")
		if sync.status != 202 || sync.header.Get("Content-Type") != "application/vnd.ream.task+json" || sync.header.Get("Location") != sync.Href || sync.header.Get("Retry-After") == "" {
			t.Fatalf("got %+v", sync)
		}
		<-reached
		running := c.send("GET", sync.Href, nil, "Prefer", "wait=60", "If-None-Match", sync.header.Get("Etag"))
		if running.status != 200 || running.State != "RUNNING" || running.header.Get("Preference-Applied") != "wait=60" {
			t.Errorf("while it runs: got %+v", running)
		}
		release()
		done := c.send("GET", sync.Href, nil, "Prefer", "wait=60")
		if done.State != "COMPLETED" || done.Progress.BytesDone != 5*1024 || len(done.Created) != 1 || done.header.Get("Retry-After") != "" {
			t.Errorf("at its end: got %+v", done)
		}
		if again := c.send("GET", sync.Href, nil, "If-None-Match", done.header.Get("Etag")); again.status != 304 {
			t.Errorf("at its end, again: got %+v", again)
		}

		// Several: a group, of which one fails. The same key names the same work.
		request := map[string]any{"repositories": named("a", "b", "gone"), "maxRunning": 2}
		mirror := c.send("POST", "/api/v1/mirror", request, "Prefer", "wait=60", "Idempotency-Key", `"once"`)
		if mirror.status != 200 || mirror.header.Get("Content-Type") != "application/vnd.ream.task-group+json" || mirror.State != "FAILED" ||
			mirror.Counts.Completed != 6 || mirror.Counts.Failed != 1 || mirror.Counts.Skipped != 2 {
			t.Errorf("a mirror of three: got %+v", mirror)
		}
		if again := c.send("POST", "/api/v1/mirror", request, "Idempotency-Key", "once"); again.status != 202 || again.ID != mirror.ID {
			t.Errorf("with the same key: got %+v, want %s", again, mirror.ID)
		}
		request["maxRunning"] = 1
		if other := c.send("POST", "/api/v1/mirror", request, "Idempotency-Key", "once"); other.status != 409 || other.Code != "CONFLICT" {
			t.Errorf("with the same key for another request: got %+v", other)
		}
		if len(p.get("/content/b/dir 1/file-1.bin")) != 1024 {
			t.Error("b is not served")
		}

		// Its members, by state and page by page.
		names, pages := c.members(mirror.ID, "first=4")
		if want := "sync a, publish a, serve a, sync b, publish b, serve b, sync gone, publish gone, serve gone"; strings.Join(names, ", ") != want || pages != 3 {
			t.Errorf("got %q on %d pages, want %q", names, pages, want)
		}
		if names, _ := c.members(mirror.ID, "state=FAILED,SKIPPED&finished=true"); strings.Join(names, ", ") != "sync gone, publish gone, serve gone" {
			t.Errorf("what did not complete: got %q", names)
		}
		if names, pages := c.members(mirror.ID, "finished=false"); len(names) != 0 || pages != 1 {
			t.Errorf("unfinished: got %q on %d pages", names, pages)
		}

		// What failed, once more.
		up.set(func() { up.files["missing/PULP_MANIFEST"] = []byte(manifestOf(map[string][]byte{})) })
		retry := c.send("POST", "/api/v1/retry", map[string]any{"id": mirror.ID}, "Prefer", "wait=60")
		if retry.State != "COMPLETED" || retry.Counts.Total != 3 || retry.RetryOf == nil || retry.RetryOf.ID != mirror.ID {
			t.Errorf("the retry: got %+v", retry)
		}
		if got := c.send("POST", "/api/v1/retry", map[string]any{"id": retry.ID}); got.status != 409 {
			t.Errorf("a retry of what completed: got %+v", got)
		}

		// Canceled while it is held.
		up.set(func() { up.files["new.bin"] = []byte("new") })
		reached, release = up.hold("new.bin")
		sync = c.send("POST", "/api/v1/sync", map[string]any{"repositories": named("a", "b")})
		<-reached
		canceled := c.send("POST", "/api/v1/cancel", map[string]any{"id": sync.ID}, "Prefer", "wait=60")
		release()
		if canceled.status != 200 || canceled.ID != sync.ID || canceled.State != "CANCELED" {
			t.Errorf("canceled: got %+v", canceled)
		}
		if published := c.send("POST", "/api/v1/publish", map[string]any{"repositories": named("a"), "version": 1, "priority": "HIGH"}, "Prefer", "wait=60"); published.State != "COMPLETED" {
			t.Errorf("published: got %+v", published)
		}
		if purged := c.send("POST", "/api/v1/purge", map[string]any{"olderThanDays": 0}, "Prefer", "wait=60"); purged.status != 200 || purged.State != "COMPLETED" {
			t.Errorf("the purge: got %+v", purged)
		}
		if gone := c.send("GET", mirror.Href, nil); gone.status != 404 {
			t.Errorf("after the purge: got %+v", gone)
		}
		if none := c.send("POST", "/api/v1/sync", map[string]any{"repositories": map[string]any{"labels": "nobody=has"}}, "Prefer", "wait=60"); none.status != 200 || none.Type != "TaskGroup" || !none.Finished {
			t.Errorf("a selector that matches nothing: got %+v", none)
		}
	})
}

// members follows the pages of a group's members.
func (c restClient) members(id, query string) (names []string, pages int) {
	c.t.Helper()
	next := regexp.MustCompile(`^<(.*)>; rel="next"$`)
	for path := "/api/v1/task-groups/" + id + "/tasks?" + query; path != ""; pages++ {
		page := c.send("GET", path, nil)
		var tasks []struct{ Name string }
		if err := json.Unmarshal(page.Tasks, &tasks); err != nil {
			c.t.Fatal(err)
		}
		for _, task := range tasks {
			names = append(names, task.Name)
		}
		path = ""
		if link := page.header.Get("Link"); link != "" {
			path = next.FindStringSubmatch(link)[1]
		}
	}
	return names, pages
}

// TestRESTSaysWhatGraphQLSays sends the same bad requests to both APIs.
func TestRESTSaysWhatGraphQLSays(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		c := newRESTClient(p)
		l := newLibrary(t, p)
		p.repository("empty", "http://127.0.0.1:1/PULP_MANIFEST")
		tests := []struct{ operation, input, status string }{
			{"sync", `{repositories: {ids: ["` + l.repository + `", "repository-99"]}}`, "400"},
			{"sync", `{repositories: {ids: ["x"]}}`, "400"},
			{"sync", `{repositories: {names: ["r", "x"]}}`, "400"},
			{"sync", `{repositories: {labels: "a b"}}`, "400"},
			{"sync", `{repositories: {labels: ""}}`, "400"},
			{"sync", `{repositories: {all: false}}`, "400"},
			{"sync", `{repositories: {all: true}, maxRunning: 0}`, "400"},
			{"sync", `{repositories: {all: true}, idempotencyKey: "` + strings.Repeat("k", 201) + `"}`, "400"},
			{"publish", `{repositories: {names: ["r"]}, version: 7}`, "400"},
			{"publish", `{repositories: {names: ["r"]}, version: 0}`, "400"},
			{"publish", `{repositories: {all: true}, version: 1}`, "400"},
			{"publish", `{repositories: {names: ["empty"]}}`, "400"},
			{"mirror", `{repositories: {names: ["r"]}, path: "../up"}`, "400"},
			{"mirror", `{repositories: {all: true}, path: "p"}`, "400"},
			{"purge", `{olderThanDays: -1}`, "400"},
			{"purge", `{olderThanDays: 36526}`, "400"},
			{"cancel", `{id: "task-99"}`, "404"},
			{"cancel", `{id: "group-99"}`, "404"},
			{"cancel", `{id: "x"}`, "404"},
			{"retry", `{id: "task-99"}`, "404"},
			{"retry", `{id: "task-1"}`, "409"},
			{"retry", `{id: "` + l.version + `"}`, "404"},
		}
		keys := regexp.MustCompile(`(\w+):`)
		for _, tt := range tests {
			document := fmt.Sprintf(`mutation { %s(input: %s) { ... on Work { id } } }`, tt.operation, tt.input)
			if strings.HasPrefix(tt.input, "{id:") {
				document = fmt.Sprintf(`mutation { %s(%s) { ... on Work { id } } }`, tt.operation, strings.Trim(tt.input, "{}"))
			}
			_, errs := ask[any](p, document, nil)
			got := c.send("POST", "/api/v1/"+tt.operation, json.RawMessage(keys.ReplaceAllString(tt.input, `"$1":`)))
			if len(errs) != 1 || fmt.Sprint(got.status) != tt.status {
				t.Errorf("%s %s: got %+v and %+v, want %s", tt.operation, tt.input, errs, got, tt.status)
				continue
			}
			if want := errs[0].Extensions; got.Code != want.Code || got.Field != want.Field {
				t.Errorf("%s %s: got %s in %q (%s), want %s in %q", tt.operation, tt.input, got.Code, got.Field, got.Detail, want.Code, want.Field)
			}
		}
	})
}

// TestRESTExamples does what the examples of the document ask for.
func TestRESTExamples(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		c := newRESTClient(p)
		up := newUpstream(t, someFiles(2))
		id := p.repository("files", up.URL+"/PULP_MANIFEST")
		query[any](p, `mutation($id: ID!) { updateRepository(input: {id: $id, labels: [{key: "env", value: "prod"}]}) { id } }`, map[string]any{"id": id})
		c.send("POST", "/api/v1/sync", map[string]any{"repositories": named("files")}, "Prefer", "wait=60")
		send := func(path string, want int) {
			for name, example := range c.contract.Document.Paths.Value(path).Post.RequestBody.Value.Content["application/json"].Examples {
				if got := c.send("POST", path, example.Value.Value, "Prefer", "wait=60"); got.status != want || want != 200 && !strings.HasPrefix(got.Detail, "there is no ") {
					t.Errorf("%s, %s: got %+v, want %d", path, name, got, want)
				}
			}
		}
		// What these are about is not there.
		about := map[string]int{"/api/v1/cancel": 404, "/api/v1/retry": 404, "/api/v1/rollback": 404, "/api/v1/promote": 400, "/api/v1/uploadFiles": 400,
			"/api/v1/modifyRepository": 400, "/api/v1/copyUnits": 400, "/api/v1/restoreVersion": 400, "/api/v1/deleteVersion": 400}
		for path, want := range about {
			send(path, want)
		}
		for path, item := range c.contract.Document.Paths.Map() {
			if item.Post != nil && about[path] == 0 {
				send(path, http.StatusOK)
			}
		}
	})
}

// TestRESTManual does what docs/rest.md tells to do with curl, while the first
// sync is held until it was asked for.
func TestRESTManual(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		p := start(t, append(args, "--log", "debug")...)
		up := newUpstream(t, someFiles(3))
		p.repository("files", up.URL+"/PULP_MANIFEST")
		_, release := up.hold("file-1.bin")
		text, err := os.ReadFile("docs/rest.md")
		if err != nil {
			t.Fatal(err)
		}
		var script strings.Builder
		for _, block := range regexp.MustCompile("(?s)```bash\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			script.WriteString(strings.ReplaceAll(block[1], "http://127.0.0.1:8080", p.address))
		}
		command := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script.String())
		command.Dir = t.TempDir()
		type result struct {
			out []byte
			err error
		}
		ended := make(chan result, 1)
		go func() {
			out, err := command.CombinedOutput()
			ended <- result{out, err}
		}()
		p.log.await(t, "msg=answered method=GET path=/api/v1/tasks/task-1 status=200")
		release()
		r := <-ended
		const completed = `  "state": "COMPLETED",` + "\n"
		const want = completed + completed + "304\n" + `      "name": "sync files",` + "\n" + `      "name": "publish files",` + "\n" + `      "name": "serve files",` + "\n" + `  "failures": [],` + "\n"
		if r.err != nil || string(r.out) != want {
			t.Errorf("got %v and\n%s\nwant\n%s", r.err, r.out, want)
		}
	})
}

// TestRESTWaitsEndWithTheServer stops a server while a client waits for work.
func TestRESTWaitsEndWithTheServer(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		c := newRESTClient(p)
		up := newUpstream(t, someFiles(1))
		p.repository("files", up.URL+"/PULP_MANIFEST")
		reached, release := up.hold("PULP_MANIFEST")
		answered := make(chan restWork, 1)
		go func() {
			got := c.send("POST", "/api/v1/sync", map[string]any{"repositories": named("files")}, "Prefer", "wait=60")
			release()
			answered <- got
		}()
		<-reached
		p.stop() // it would end with an error if it had to break the request off
		if got := <-answered; got.status != 202 || got.Finished || got.header.Get("Retry-After") == "" {
			t.Errorf("got %+v, want unfinished work", got)
		}
	})
}

// TestRESTIsLimitedWithTheRest counts what a client asks of all APIs together.
func TestRESTIsLimitedWithTheRest(t *testing.T) {
	t.Parallel()
	p := start(t, "--data", t.TempDir(), "--limits", "rate=1,burst=3")
	c := newRESTClient(p)
	ask[any](p, `{ queue { counts { total } } }`, nil)
	ask[any](p, `{ queue { counts { total } } }`, nil)
	for range 100 { // until it does not take a second
		if got := c.send("GET", "/api/v1/tasks/task-99", nil); got.status != http.StatusNotFound {
			if got.status != http.StatusTooManyRequests || got.Code != "RATE_LIMITED" || got.header.Get("Retry-After") != "1" {
				t.Errorf("got %+v", got)
			}
			return
		}
	}
	t.Error("nothing was refused")
}
