package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"ream/content"
	"ream/event"
	"ream/fault"
	"ream/page"
	"ream/quota"
	"ream/task"
)

// answer is what a request was answered with.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) problem(t *testing.T) (p problem) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return p
}

// send sends a request. Headers are names and values by turns.
func (s server) send(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", mediaJSON)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	response, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

const all = `{"repositories": {"all": true}}`

func aTask(state task.State) *task.Task {
	return &task.Task{ID: 12, Kind: "repository.sync", Name: "sync files", State: state, Priority: task.Normal, CreatedAt: time.Now().UTC(), GroupID: 7}
}

func aGroup(waiting int, revision int64) *task.Group {
	return &task.Group{ID: 7, Name: "sync 3 repositories", CreatedAt: time.Now().UTC(), Tally: task.Counts{Waiting: waiting, Completed: 3 - waiting, Revision: revision}}
}

func TestOperationsAnswerByType(t *testing.T) {
	t.Parallel()
	s := serve(t, &stub{task: aTask(task.Waiting), group: aGroup(3, 1)}, Options{})
	const taskType, groupType = "application/vnd.ream.task+json", "application/vnd.ream.task-group+json"
	tests := []struct{ path, body, media, location string }{
		{"sync", all, taskType, "/api/v1/tasks/task-12"},
		{"publish", all, groupType, "/api/v1/task-groups/group-7"},
		{"mirror", all, groupType, "/api/v1/task-groups/group-7"},
		{"purge", `{"olderThanDays": 30}`, taskType, "/api/v1/tasks/task-12"},
		{"cleanOrphans", `{}`, taskType, "/api/v1/tasks/task-12"},
		{"verifyContent", `{}`, groupType, "/api/v1/task-groups/group-7"},
		{"cancel", `{"id": "task-12"}`, taskType, "/api/v1/tasks/task-12"},
		{"cancel", `{"id": "group-7"}`, groupType, "/api/v1/task-groups/group-7"},
		{"retry", `{"id": "task-12"}`, taskType, "/api/v1/tasks/task-12"},
		{"retry", `{"id": "group-7"}`, groupType, "/api/v1/task-groups/group-7"},
	}
	for _, tt := range tests {
		t.Run(tt.path+" "+tt.body, func(t *testing.T) {
			t.Parallel()
			got := s.send(t, "POST", Prefix+tt.path, tt.body)
			var body struct{ Href, Type string }
			if err := json.Unmarshal([]byte(got.body), &body); err != nil {
				t.Fatal(err)
			}
			if got.status != http.StatusAccepted || got.header.Get("Content-Type") != tt.media || got.header.Get("Location") != tt.location || body.Href != tt.location {
				t.Errorf("got %d %v %s, want 202 with %s at %s", got.status, got.header, got.body, tt.media, tt.location)
			}
			if got.header.Get("Retry-After") == "" || got.header.Get("Etag") == "" {
				t.Errorf("got %v, want Retry-After and an ETag", got.header)
			}
			plain := s.send(t, "POST", Prefix+tt.path, tt.body, "Accept", "application/json")
			if want := map[string]string{taskType: "Task", groupType: "TaskGroup"}[tt.media]; plain.header.Get("Content-Type") != mediaJSON || body.Type != want {
				t.Errorf("plain JSON: got %s of type %s, want %s", plain.header.Get("Content-Type"), body.Type, want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := serve(t, &stub{task: aTask(task.Waiting), group: aGroup(3, 1)}, Options{})
	tests := []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code, field, detail      string
	}{
		{"an unknown path", "GET", "/api/v1/nothing", "", nil, 404, "NOT_FOUND", "", "there is nothing at this path"},
		{"a slash too many", "POST", "/api/v1/sync/", all, nil, 404, "NOT_FOUND", "", "there is nothing"},
		{"a path above", "GET", "/api", "", nil, 404, "NOT_FOUND", "", "there is nothing"},
		{"GET of an operation", "GET", "/api/v1/sync", "", nil, 405, "BAD_INPUT", "", "use POST"},
		{"POST to a task", "POST", "/api/v1/tasks/task-12", all, nil, 405, "BAD_INPUT", "", "use GET"},
		{"another method", "DELETE", "/api/v1/tasks/task-12", "", nil, 405, "BAD_INPUT", "", "use GET"},
		{"a form", "POST", "/api/v1/sync", "a=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "BAD_INPUT", "", "as JSON"},
		{"no type", "POST", "/api/v1/sync", all, []string{"Content-Type", ""}, 415, "BAD_INPUT", "", "as JSON"},
		{"another charset", "POST", "/api/v1/sync", all, []string{"Content-Type", "application/json; charset=latin1"}, 415, "BAD_INPUT", "", "in UTF-8"},
		{"HTML wanted", "POST", "/api/v1/sync", all, []string{"Accept", "text/html"}, 406, "BAD_INPUT", "", "the answer comes as application/vnd.ream.task+json or"},
		{"a task wanted of a mirror", "POST", "/api/v1/mirror", all, []string{"Accept", "application/vnd.ream.task+json"}, 406, "BAD_INPUT", "", "task-group+json"},
		{"too long", "POST", "/api/v1/sync", `{"a": "` + strings.Repeat("x", bodyLimit) + `"}`, nil, 413, "BAD_INPUT", "", "larger than 1048576 bytes"},
		{"no JSON", "POST", "/api/v1/sync", "{", nil, 400, "BAD_INPUT", "", "no JSON object"},
		{"a bad field", "POST", "/api/v1/sync", `{"repositories": {"ids": ["x"]}}`, nil, 400, "BAD_INPUT", "repositories.ids", "ids look like repository-12"},
		{"a bad key", "POST", "/api/v1/sync", all, []string{"Idempotency-Key", `""`}, 400, "BAD_INPUT", "idempotencyKey", "with a text"},
		{"another site's page", "POST", "/api/v1/sync", all, []string{"Sec-Fetch-Site", "cross-site"}, 403, "FORBIDDEN", "", "pages of another site"},
		{"an unknown task", "GET", "/api/v1/tasks/task-99", "", nil, 404, "NOT_FOUND", "", "there is no task-99"},
		{"no task's id", "GET", "/api/v1/tasks/group-7", "", nil, 404, "NOT_FOUND", "", "ids look like task-12"},
		{"an unknown group", "GET", "/api/v1/task-groups/group-99", "", nil, 404, "NOT_FOUND", "", "there is no group-99"},
		{"no group's id", "GET", "/api/v1/task-groups/7", "", nil, 404, "NOT_FOUND", "", "ids look like group-7"},
		{"members of an unknown group", "GET", "/api/v1/task-groups/group-99/tasks", "", nil, 404, "NOT_FOUND", "", "there is no group-99"},
		{"failures of an unknown task", "GET", "/api/v1/tasks/task-99/failures", "", nil, 404, "NOT_FOUND", "", "there is no task-99"},
		{"a filter of failures", "GET", "/api/v1/tasks/task-12/failures?state=FAILED", "", nil, 400, "BAD_INPUT", "state", "want one of first, after"},
		{"neither to fail nor to skip", "POST", "/api/v1/sync", `{"repositories": {"all": true}, "onError": "IGNORE"}`, nil, 400, "BAD_INPUT", "onError", "want FAIL or SKIP"},
		{"an unknown kind", "GET", "/api/v1/tasks/task-12/preview?kind=MOVED", "", nil, 400, "BAD_INPUT", "kind", "no kind of change"},
		{"a bad query", "GET", "/api/v1/task-groups/group-7/tasks?first=x", "", nil, 400, "BAD_INPUT", "first", "want 1 to 100"},
		{"a malformed query", "GET", "/api/v1/task-groups/group-7/tasks?first=%zz", "", nil, 400, "BAD_INPUT", "", "malformed"},
		{"cancel of nothing", "POST", "/api/v1/cancel", `{"id": "repository-3"}`, nil, 404, "NOT_FOUND", "", "ids look like task-12"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := s.send(t, tt.method, tt.path, tt.body, tt.headers...)
			p := got.problem(t)
			if got.status != tt.status || p.Status != tt.status || p.Code != tt.code || p.Field != tt.field || !strings.Contains(p.Detail, tt.detail) {
				t.Errorf("got %d %+v, want %d %s in %q: %s", got.status, p, tt.status, tt.code, tt.field, tt.detail)
			}
			if p.Remedy == "" || p.RequestID != got.header.Get("X-Request-Id") || got.header.Get("Cache-Control") != "no-store" {
				t.Errorf("got %+v with %v", p, got.header)
			}
			if allow := got.header.Get("Allow"); (allow != "") != (tt.status == 405) {
				t.Errorf("Allow: got %q", allow)
			}
		})
	}
}

func TestFaultsHaveTheirStatus(t *testing.T) {
	t.Parallel()
	for kind, want := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			s := serve(t, &stub{err: fault.Wrap(errors.New("secret"), kind, "what went wrong")}, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
			got := s.send(t, "POST", Prefix+"sync", all)
			p := got.problem(t)
			detail := "what went wrong"
			if kind == fault.Internal {
				detail = "internal error"
			}
			if got.status != want.status || p.Code != string(kind) || p.Detail != detail || p.Remedy != want.remedy || strings.Contains(got.body, "secret") {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, want.status, kind)
			}
			if !strings.Contains(log.String(), "secret") {
				t.Errorf("the cause is not in the log: %s", log.String())
			}
			for header, status := range map[string][]int{"Retry-After": {429, 503}, "Www-Authenticate": {401}} {
				if wanted := status[0] == want.status || status[len(status)-1] == want.status; (got.header.Get(header) != "") != wanted {
					t.Errorf("%s: got %q", header, got.header.Get(header))
				}
			}
		})
	}
}

func TestInnerErrorsStayInside(t *testing.T) {
	t.Parallel()
	for name, stub := range map[string]*stub{"error": {err: errors.New("secret")}, "panic": {panics: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			s := serve(t, stub, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
			got := s.send(t, "POST", Prefix+"sync", all, "X-Request-Id", "mine")
			if p := got.problem(t); got.status != 500 || p.Detail != "internal error" || p.RequestID != "mine" || strings.Contains(got.body, "secret") {
				t.Errorf("got %d %s", got.status, got.body)
			}
			if !strings.Contains(log.String(), "secret") {
				t.Errorf("the cause is not in the log: %s", log.String())
			}
		})
	}
}

func TestOptionsAndHead(t *testing.T) {
	t.Parallel()
	s := serve(t, &stub{task: aTask(task.Completed)}, Options{})
	if got := s.send(t, "OPTIONS", Prefix+"sync", ""); got.status != 204 || got.header.Get("Allow") != "POST, OPTIONS" {
		t.Errorf("OPTIONS: got %d %v", got.status, got.header)
	}
	for _, path := range []string{"tasks/task-12", "openapi.json", "tasks/task-13"} {
		full, head := s.send(t, "GET", Prefix+path, ""), s.send(t, "HEAD", Prefix+path, "")
		if head.status != full.status || head.body != "" || head.header.Get("Content-Type") != full.header.Get("Content-Type") || head.header.Get("Content-Length") == "0" {
			t.Errorf("HEAD of %s: got %d %v %q, GET got %d %v", path, head.status, head.header, head.body, full.status, full.header)
		}
	}
}

func TestFindingsComeInPages(t *testing.T) {
	t.Parallel()
	s := serve(t, &stub{task: aTask(task.Completed)}, Options{})
	got := s.send(t, "GET", Prefix+"tasks/task-12/findings", "")
	const want = `{"href":"/api/v1/tasks/task-12/findings","findings":[{"path":"a/b","sha256":"aa","size":3,"problem":"DAMAGED","remedy":"FETCHED","message":"fetched again"},` +
		`{"path":null,"sha256":"bb","size":0,"problem":"MISSING","remedy":"NONE","message":""}],"next":null}`
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(got.body)); err != nil {
		t.Fatal(err)
	}
	if got.status != 200 || compact.String() != want {
		t.Errorf("got %d %s, want %s", got.status, got.body, want)
	}
}

func TestFailuresComeInPages(t *testing.T) {
	t.Parallel()
	s := serve(t, &stub{task: aTask(task.Completed)}, Options{})
	got := s.send(t, "GET", Prefix+"tasks/task-12/failures?first=1", "")
	next := Prefix + "tasks/task-12/failures?after=" + url.QueryEscape(page.EncodeCursor("7")) + "&first=1"
	want := `{"href":"/api/v1/tasks/task-12/failures?first=1","failures":[{"path":"a/b","url":"http://upstream/a/b","code":"NOT_FOUND","message":"http://upstream/a/b: 404 Not Found"}],"next":"` +
		strings.ReplaceAll(next, "&", `\u0026`) + `"}`
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(got.body)); err != nil {
		t.Fatal(err)
	}
	if got.status != 200 || compact.String() != want || got.header.Get("Link") != "<"+next+`>; rel="next"` {
		t.Errorf("got %d %v %s, want %s", got.status, got.header, got.body, want)
	}
}

func TestPreviewComesInPages(t *testing.T) {
	t.Parallel()
	none := serve(t, &stub{task: aTask(task.Completed), unknown: true}, Options{})
	if got := none.send(t, "GET", Prefix+"tasks/task-12/preview", ""); got.status != 404 || !strings.Contains(got.body, "task-12 has no preview") {
		t.Errorf("without a preview: got %d %s", got.status, got.body)
	}
	previewed := &stub{task: aTask(task.Completed)}
	s := serve(t, previewed, Options{})
	got := s.send(t, "GET", Prefix+"tasks/task-12/preview?kind=ADDED,REMOVED&first=1", "")
	next := Prefix + "tasks/task-12/preview?after=" + url.QueryEscape(page.EncodeCursor("a/b")) + "&first=1&kind=ADDED%2CREMOVED"
	want := `{"href":"/api/v1/tasks/task-12/preview?first=1\u0026kind=ADDED%2CREMOVED","added":2,"removed":0,"replaced":0,"unchanged":5,"fetchFiles":1,"fetchBytes":7,` +
		`"changes":[{"path":"a/b","kind":"ADDED","before":null,"after":{"sha256":"` + strings.Repeat("ab", 32) + `","size":7},"fetch":true}],"next":"` + strings.ReplaceAll(next, "&", `\u0026`) + `"}`
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(got.body)); err != nil {
		t.Fatal(err)
	}
	if got.status != 200 || compact.String() != want || got.header.Get("Link") != "<"+next+`>; rel="next"` {
		t.Errorf("got %d %v %s, want %s", got.status, got.header, compact.String(), want)
	}
	if !slices.Equal(previewed.kinds, []content.PreviewKind{content.WouldAdd, content.WouldRemove}) {
		t.Errorf("asked for %v", previewed.kinds)
	}
}

func TestTagsTellStatesApart(t *testing.T) {
	t.Parallel()
	began := time.Now().UTC().Add(-time.Minute)
	running := aTask(task.Running)
	running.StartedAt, running.Progress = &began, task.Progress{Since: &began, BytesDone: 1, BytesTotal: 3}
	moved := *running
	moved.Progress.BytesDone = 2
	tests := []struct {
		name         string
		before, then task.Work
		same         bool
	}{
		{"a task stays", running, running, true},
		{"a task moves on", running, &moved, false},
		{"a task ends", running, aTask(task.Failed), false},
		{"a group stays", aGroup(2, 4), nil, true},
		{"a group's counts change", aGroup(2, 4), aGroup(1, 5), false},
	}
	for _, tt := range tests {
		if tt.then == nil {
			tt.then = tt.before
		}
		if got := tag(tt.before) == tag(tt.then); got != tt.same {
			t.Errorf("%s: the tags %s and %s are the same: %t, want %t", tt.name, tag(tt.before), tag(tt.then), got, tt.same)
		}
	}
	s := serve(t, &stub{task: running}, Options{})
	first := s.send(t, "GET", Prefix+"tasks/task-12", "")
	tag := first.header.Get("Etag")
	for header, want := range map[string]int{tag: 304, "*": 304, `"x", ` + strings.TrimPrefix(tag, "W/"): 304, `"x"`: 200, "": 200} {
		got := s.send(t, "GET", Prefix+"tasks/task-12", "", "If-None-Match", header)
		if got.status != want || got.header.Get("Etag") != tag || got.header.Get("Retry-After") == "" || (got.body == "") != (want == 304) {
			t.Errorf("If-None-Match: %s: got %d %v %s, want %d", header, got.status, got.header, got.body, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	tests := []struct {
		name string
		age  time.Duration
		done int64 // of 100 bytes
		want int
	}{
		{"young", 0, 0, 1},
		{"after a minute", time.Minute, 0, 6},
		{"after a day", 24 * time.Hour, 0, 30},
		{"near its end", 100 * time.Second, 98, 2},
		{"at its end", time.Hour, 100, 1},
		{"from the future", -time.Hour, 0, 1},
	}
	for _, tt := range tests {
		began := ago(tt.age)
		work := &task.Task{CreatedAt: began, Progress: task.Progress{Since: &began, BytesDone: tt.done, BytesTotal: 100}}
		if got := retryAfter(work, now); got != tt.want {
			t.Errorf("%s: got %d s, want %d s", tt.name, got, tt.want)
		}
	}
}

func TestWaits(t *testing.T) {
	t.Parallel()
	changes := make(chan event.Snapshot)
	waiting := &stub{task: aTask(task.Waiting), snapshots: changes}
	exchanges := make(chan Exchange, 10)
	s := serve(t, waiting, Options{MaxWait: time.Hour, MaxWaits: 1, Answered: func(_ context.Context, e Exchange) { exchanges <- e }})
	began := time.Now()
	get := func(headers ...string) <-chan answer {
		answered := make(chan answer, 1)
		go func() { answered <- s.send(t, "GET", Prefix+"tasks/task-12", "", headers...) }()
		return answered
	}

	// Until it is finished, whatever changes before.
	answered := get("Prefer", "wait=3600")
	changes <- aTask(task.Running)
	if got := s.send(t, "GET", Prefix+"tasks/task-12", "", "Prefer", "wait=3600"); got.status != 200 || got.header.Get("Preference-Applied") != "" {
		t.Errorf("one too many: got %d %v, want an answer at once", got.status, got.header)
	}
	<-exchanges
	changes <- aTask(task.Completed)
	if got := <-answered; got.status != 200 || got.header.Get("Preference-Applied") != "wait=3600" || !strings.Contains(got.body, `"COMPLETED"`) || got.header.Get("Retry-After") != "" {
		t.Errorf("finished: got %d %v %s", got.status, got.header, got.body)
	}
	if e := <-exchanges; e.Route != Prefix+"tasks/{id}" || e.Method != "GET" || e.Status != 200 || e.Took < 0 || e.Took > time.Since(began) {
		t.Errorf("told of %+v", e)
	}

	// Until it is no longer what the client has.
	answered = get("Prefer", "wait=3600", "If-None-Match", tag(waiting.task))
	changes <- waiting.task
	changes <- aTask(task.Running)
	if got := <-answered; got.status != 200 || !strings.Contains(got.body, `"RUNNING"`) || got.header.Get("Retry-After") == "" {
		t.Errorf("changed: got %d %v %s", got.status, got.header, got.body)
	}
	if got := <-get("Prefer", "wait=3600", "If-None-Match", `"older"`); got.status != 200 {
		t.Errorf("changed before: got %d", got.status)
	}

	// An operation answers with 200 once its work is finished.
	operated := make(chan answer, 1)
	go func() { operated <- s.send(t, "POST", Prefix+"sync", all, "Prefer", "wait=3600") }()
	changes <- aTask(task.Failed)
	if got := <-operated; got.status != 200 || got.header.Get("Location") != "/api/v1/tasks/task-12" || !strings.Contains(got.body, `"FAILED"`) {
		t.Errorf("operation: got %d %v %s", got.status, got.header, got.body)
	}

	// Until the time is up.
	if got := <-get("Prefer", "wait=1", "If-None-Match", tag(waiting.task)); got.status != 304 || got.header.Get("Preference-Applied") != "wait=1" {
		t.Errorf("time is up: got %d %v", got.status, got.header)
	}

	// Until the server stops.
	answered = get("Prefer", "wait=3600")
	changes <- aTask(task.Running)
	s.EndWaits()
	for range 2 {
		if got := <-answered; got.status != 200 || !strings.Contains(got.body, `"finished": false`) {
			t.Errorf("the server stops: got %d %s", got.status, got.body)
		}
		answered = get("Prefer", "wait=3600")
	}
	<-answered

	// Not at all if the hub has stopped.
	s = serve(t, &stub{task: aTask(task.Waiting)}, Options{})
	if got := s.send(t, "GET", Prefix+"tasks/task-12", "", "Prefer", "wait=60"); got.status != 200 {
		t.Errorf("the hub has stopped: got %d %s", got.status, got.body)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	s := serve(t, &stub{task: aTask(task.Waiting)}, Options{Rate: quota.NewRate(1, 3)})
	for range 3 {
		if got := s.send(t, "GET", "/api/v1/tasks/task-12", ""); got.status != http.StatusOK {
			t.Fatalf("got %d, want 200", got.status)
		}
	}
	for range 100 { // until it does not take a second
		if got := s.send(t, "GET", "/api/v1/tasks/task-12", ""); got.status != http.StatusOK {
			p := got.problem(t)
			if got.status != http.StatusTooManyRequests || p.Code != "RATE_LIMITED" || got.header.Get("Retry-After") != "1" || !strings.Contains(p.Detail, "more than 1 requests a second") {
				t.Errorf("got %d %v %+v", got.status, got.header, p)
			}
			return
		}
	}
	t.Error("nothing was refused")
}

// TestUnknownParametersAreNamed refuses them, with all that there are.
func TestUnknownParametersAreNamed(t *testing.T) {
	t.Parallel()
	s := serve(t, &stub{task: aTask(task.Completed)}, Options{})
	for path, want := range map[string]string{
		"diff?from=version-1&to=version-2&bogus=1": "want one of from, to, kind, first, after",
		"tasks/task-12/preview?bogus=1":            "want one of kind, first, after",
		"tasks/task-12/failures?bogus=1":           "want one of first, after",
	} {
		got := s.send(t, http.MethodGet, Prefix+path, "")
		if p := got.problem(t); got.status != http.StatusBadRequest || p.Detail != "there is no such parameter: "+want {
			t.Errorf("%s: got %d %q", path, got.status, p.Detail)
		}
	}
}

func TestListTakesTooLong(t *testing.T) {
	t.Parallel()
	s := serve(t, &stub{slow: true}, Options{Duration: 10 * time.Millisecond})
	a := s.send(t, http.MethodGet, Prefix+"diff?from=version-1&to=version-2", "")
	p := a.problem(t)
	const want = "the request took too long (limit duration=10ms): ask for less, or try again later"
	if a.status != http.StatusServiceUnavailable || p.Code != "UNAVAILABLE" || p.Detail != want || a.header.Get("Retry-After") == "" {
		t.Errorf("got %d %q with %v, want it to name the limit", a.status, a.body, a.header)
	}
}
