package rest

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ream/catalog"
	"ream/content"
	"ream/fault"
	"ream/page"
	"ream/task"
)

// read reads a body as one of the operations does.
func read(operation string, body []byte) (any, error) {
	in, err := parseBody(body)
	if err != nil {
		return nil, err
	}
	switch operation {
	case "sync":
		return syncRequest(in)
	case "publish":
		return publishRequest(in)
	case "mirror":
		return mirrorRequest(in)
	case "purge":
		return purgeRequest(in)
	case "cleanOrphans":
		return cleanOrphansRequest(in)
	case "verifyContent":
		return verifyContentRequest(in)
	}
	return workID(in)
}

func TestRequests(t *testing.T) {
	t.Parallel()
	files := catalog.Selector{Names: []string{"files"}}
	tests := []struct {
		name, operation, body string
		want                  any
	}{
		{"defaults", "sync", `{"repositories": {"names": ["files"]}}`, catalog.SyncRequest{Repositories: files, Mirror: true, OnError: content.Fail, Priority: task.Normal}},
		{"nulls", "sync", `{"repositories": {"names": ["files"], "ids": null, "labels": null, "all": null}, "mirror": null, "priority": null, "maxRunning": null, "idempotencyKey": null}`,
			catalog.SyncRequest{Repositories: files, Mirror: true, OnError: content.Fail, Priority: task.Normal}},
		{"everything", "sync", `{"repositories": {"all": true}, "mirror": false, "onError": "SKIP", "priority": "HIGH", "maxRunning": 3, "idempotencyKey": "k"}`,
			catalog.SyncRequest{Repositories: catalog.Selector{All: true}, OnError: content.Skip, Priority: task.High, MaxRunning: 3, IdempotencyKey: "k"}},
		{"ids", "publish", `{"repositories": {"ids": ["repository-3"]}, "version": 7}`,
			catalog.PublishRequest{Repositories: catalog.Selector{IDs: []content.RepositoryID{3}}, Version: 7, Priority: task.Normal}},
		{"labels", "mirror", ` {"repositories": {"labels": "a=b"}, "path": "p", "priority": "LOW"} `,
			catalog.MirrorRequest{Repositories: catalog.Selector{Labels: new("a=b")}, Path: "p", Mirror: true, OnError: content.Fail, Priority: task.Low}},
		{"none", "sync", `{"repositories": {"names": []}}`, catalog.SyncRequest{Repositories: catalog.Selector{Names: []string{}}, Mirror: true, OnError: content.Fail, Priority: task.Normal}},
		{"all of the history", "purge", `{"olderThanDays": 0, "priority": "LOW"}`, catalog.PurgeRequest{Priority: task.Low}},
		{"the old history", "purge", `{"olderThanDays": 30, "idempotencyKey": "k"}`, catalog.PurgeRequest{OlderThanDays: 30, Priority: task.Normal, IdempotencyKey: "k"}},
		{"orphans", "cleanOrphans", `{}`, catalog.CleanOrphansRequest{GraceHours: 24, Priority: task.Normal}},
		{"younger orphans", "cleanOrphans", `{"graceHours": 2, "priority": "LOW"}`, catalog.CleanOrphansRequest{GraceHours: 2, Priority: task.Low}},
		{"all that is stored", "verifyContent", `{"repositories": null, "maxRunning": 2}`, catalog.VerifyContentRequest{Priority: task.Normal, MaxRunning: 2}},
		{"what some have", "verifyContent", `{"repositories": {"names": ["files"]}}`, catalog.VerifyContentRequest{Repositories: &files, Priority: task.Normal}},
		{"work", "cancel", `{"id": "task-12"}`, "task-12"},
		{"the largest number", "sync", `{"repositories": {"all": true}, "maxRunning": 2147483647}`,
			catalog.SyncRequest{Repositories: catalog.Selector{All: true}, Mirror: true, OnError: content.Fail, Priority: task.Normal, MaxRunning: math.MaxInt32}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := read(tt.operation, []byte(tt.body))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func TestBadRequestsNameTheirField(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, operation, body, field, message string }{
		{"nothing", "sync", ``, "", "no JSON object"},
		{"null", "sync", `null`, "", "no JSON object"},
		{"an array", "sync", `[{}]`, "", "no JSON object"},
		{"two objects", "sync", `{}{}`, "", "no JSON object"},
		{"not UTF-8", "sync", "{\"id\": \"\xff\"}", "", "no JSON object"},
		{"no repositories", "sync", `{}`, "repositories", "it is missing"},
		{"null repositories", "sync", `{"repositories": null}`, "repositories", "it is missing"},
		{"repositories by name alone", "sync", `{"repositories": ["files"]}`, "repositories", "want an object"},
		{"an empty selector", "sync", `{"repositories": {}}`, "repositories", "exactly one of"},
		{"two selectors", "sync", `{"repositories": {"all": true, "names": []}}`, "repositories", "exactly one of"},
		{"not all", "sync", `{"repositories": {"all": false}}`, "repositories", "all can only be true"},
		{"an id of another noun", "sync", `{"repositories": {"ids": ["remote-1"]}}`, "repositories.ids", "ids look like repository-12"},
		{"a name alone", "sync", `{"repositories": {"names": "files"}}`, "repositories.names", "want an array of strings"},
		{"a misspelled selector", "sync", `{"repositories": {"name": ["files"]}}`, "repositories.name", "there is no such field"},
		{"a misspelled field", "sync", `{"repository": {"all": true}}`, "repository", "there is no such field"},
		{"a field in capitals", "sync", `{"Repositories": {"all": true}}`, "Repositories", "there is no such field"},
		{"a field of another operation", "sync", `{"repositories": {"all": true}, "path": "p"}`, "path", "there is no such field"},
		{"mirror as text", "sync", `{"repositories": {"all": true}, "mirror": "yes"}`, "mirror", "want true or false"},
		{"an unknown priority", "sync", `{"repositories": {"all": true}, "priority": "high"}`, "priority", "want HIGH, NORMAL or LOW"},
		{"a priority as number", "sync", `{"repositories": {"all": true}, "priority": 1}`, "priority", "want a string"},
		{"nobody may run", "sync", `{"repositories": {"all": true}, "maxRunning": 0}`, "maxRunning", "want a whole number of 1 or more, not 0"},
		{"half a task", "sync", `{"repositories": {"all": true}, "maxRunning": 1.5}`, "maxRunning", "want a whole number"},
		{"too many tasks", "sync", `{"repositories": {"all": true}, "maxRunning": 2147483648}`, "maxRunning", "want a whole number"},
		{"version 0", "publish", `{"repositories": {"all": true}, "version": 0}`, "version", "want a whole number of 1 or more, not 0"},
		{"no grace", "cleanOrphans", `{"graceHours": 0}`, "graceHours", "want a whole number of 1 or more, not 0"},
		{"of nobody", "verifyContent", `{"repositories": {}}`, "repositories", "exactly one of ids, names, labels and all must be given, not 0"},
		{"no days", "purge", `{}`, "olderThanDays", "it is missing"},
		{"null days", "purge", `{"olderThanDays": null}`, "olderThanDays", "it is missing"},
		{"days to come", "purge", `{"olderThanDays": -1}`, "olderThanDays", "want a whole number of 0 or more, not -1"},
		{"days as text", "purge", `{"olderThanDays": "30"}`, "olderThanDays", "want a whole number"},
		{"no id", "cancel", `{}`, "id", "want the id of a task or a group"},
		{"a number for an id", "retry", `{"id": 12}`, "id", "want a string"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := read(tt.operation, []byte(tt.body))
			f, ok := err.(*fault.Error)
			if !ok || f.Kind != fault.BadInput || f.Field != tt.field || !strings.Contains(f.Message, tt.message) {
				t.Errorf("got %v, want bad input in %q: %s", err, tt.field, tt.message)
			}
		})
	}
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		header     []string
		want       string
		fails      bool
	}{
		{"in the body", `"k"`, nil, "k", false},
		{"in the header", `null`, []string{"k"}, "k", false},
		{"in quotes", `null`, []string{`"a b"`}, "a b", false},
		{"in both", `"k"`, []string{`"k"`}, "k", false},
		{"two", `"k"`, []string{"l"}, "", true},
		{"two headers", `null`, []string{"k", "k"}, "", true},
		{"empty", `null`, []string{""}, "", true},
		{"empty quotes", `null`, []string{`""`}, "", true},
		{"a quote", `null`, []string{`"`}, `"`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in, err := parseBody([]byte(`{"repositories": {"all": true}, "idempotencyKey": ` + tt.body + `}`))
			if err != nil {
				t.Fatal(err)
			}
			var got catalog.SyncRequest
			if in.key, err = idempotencyKey(http.Header{"Idempotency-Key": tt.header}); err == nil {
				got, err = syncRequest(in)
			}
			if tt.fails {
				if f, ok := err.(*fault.Error); !ok || f.Field != "idempotencyKey" {
					t.Errorf("got %q, %v, want bad input in idempotencyKey", got.IdempotencyKey, err)
				}
				return
			}
			if err != nil || got.IdempotencyKey != tt.want {
				t.Errorf("got %q, %v, want %q", got.IdempotencyKey, err, tt.want)
			}
		})
	}
}

func TestPreferredWait(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"":                                      0,
		"wait=5":                                5 * time.Second,
		"Wait = 5":                              5 * time.Second,
		`respond-async, wait="7"; strict`:       7 * time.Second,
		"wait=5, wait=9":                        5 * time.Second,
		"wait=0":                                0,
		"wait=-1":                               0,
		"wait=x, wait=9":                        0,
		"wait":                                  0,
		"awaiting=9":                            0,
		"wait=61":                               time.Minute,
		"wait=2147483647":                       time.Minute,
		"wait=99999999999999999999999999999999": 0,
	} {
		h := New(&stub{}, &stub{}, &stub{}, Options{})
		r := &http.Request{Header: http.Header{}}
		if header != "" {
			r.Header.Set("Prefer", header)
		}
		if got := h.preferredWait(r); got != want {
			t.Errorf("Prefer: %s: got %s, want %s", header, got, want)
		}
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	cursor := page.EncodeCursor("9")
	tests := []struct {
		query string
		f     task.Filter
		p     page.Request
		field string // at fault; empty for none
	}{
		{"", task.Filter{}, page.Request{}, ""},
		{"state=FAILED,CANCELED&state=FAILED", task.Filter{States: []task.State{task.Failed, task.Canceled}}, page.Request{}, ""},
		{"finished=false&first=100&after=" + cursor, task.Filter{Finished: new(false)}, page.Request{First: 100, After: "9"}, ""},
		{"finished=true", task.Filter{Finished: new(true)}, page.Request{}, ""},
		{"state=failed", task.Filter{}, page.Request{}, "state"},
		{"state=", task.Filter{}, page.Request{}, "state"},
		{"finished=1", task.Filter{}, page.Request{}, "finished"},
		{"finished=true&finished=false", task.Filter{}, page.Request{}, "finished"},
		{"first=0", task.Filter{}, page.Request{}, "first"},
		{"first=101", task.Filter{}, page.Request{}, "first"},
		{"first=x", task.Filter{}, page.Request{}, "first"},
		{"after=9", task.Filter{}, page.Request{}, "after"},
		{"stat=FAILED", task.Filter{}, page.Request{}, "stat"},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			t.Parallel()
			query, err := url.ParseQuery(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			f, p, err := readQuery(query, parameters)
			if tt.field != "" {
				if e, ok := err.(*fault.Error); !ok || e.Kind != fault.BadInput || e.Field != tt.field {
					t.Errorf("got %v, want bad input in %s", err, tt.field)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(f, tt.f) || p != tt.p {
				t.Errorf("got %+v, %+v, %v, want %+v, %+v", f, p, err, tt.f, tt.p)
			}
		})
	}
}

// checkFault fails if an error is not one that may be shown.
func checkFault(t *testing.T, err error) {
	t.Helper()
	f, ok := err.(*fault.Error)
	if !ok || f.Kind != fault.BadInput || f.Message == "" {
		t.Fatalf("got %v, want bad input", err)
	}
	if !utf8.ValidString(f.Field) || !utf8.ValidString(f.Message) || len(f.Field)+len(f.Message) > 1000 {
		t.Fatalf("the fault is not fit to be shown: %q, %q", f.Field, f.Message)
	}
}

func FuzzRequests(f *testing.F) {
	for _, operation := range []string{"sync", "publish", "mirror", "purge", "cancel"} {
		for _, body := range []string{
			`{"repositories": {"names": ["files"]}, "priority": "LOW", "maxRunning": 2, "idempotencyKey": "k"}`,
			`{"repositories": {"ids": ["repository-3"]}, "version": 7}`, `{"repositories": {"labels": "a=b,!c"}, "mirror": false, "path": "a/b"}`,
			`{"repositories": {"all": true}}`, `{"olderThanDays": 30}`, `{"id": "group-7"}`, `{"id": ""}`, `null`, `{"a` + strings.Repeat("ä", 200) + `": 1}`,
		} {
			f.Add(operation, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, operation string, body []byte) {
		got, err := read(operation, body)
		if err != nil {
			checkFault(t, err)
			return
		}
		var s catalog.Selector
		limits := []int{0}
		switch got := got.(type) {
		case catalog.SyncRequest:
			s, limits = got.Repositories, []int{got.MaxRunning}
		case catalog.PublishRequest:
			s, limits = got.Repositories, []int{got.MaxRunning, got.Version}
		case catalog.MirrorRequest:
			s, limits = got.Repositories, []int{got.MaxRunning}
		case catalog.PurgeRequest:
			if got.OlderThanDays < 0 {
				t.Fatalf("%d days were let through", got.OlderThanDays)
			}
			return
		case string:
			if got == "" {
				t.Fatal("an empty id was let through")
			}
			return
		}
		selects := 0
		for _, is := range []bool{s.IDs != nil, s.Names != nil, s.Labels != nil, s.All} {
			if is {
				selects++
			}
		}
		if selects != 1 {
			t.Fatalf("%d selections were let through: %+v", selects, s)
		}
		for _, n := range limits {
			if n < 0 || n > math.MaxInt32 {
				t.Fatalf("the number %d was let through", n)
			}
		}
		// What was understood is understood again, whatever its spaces and escapes.
		var plain any
		if err := json.Unmarshal(body, &plain); err != nil {
			t.Fatalf("this is no JSON, but was let through: %v", err)
		}
		if body, err = json.Marshal(plain); err != nil {
			t.Fatal(err)
		}
		if again, err := read(operation, body); err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("got %+v, then %+v, %v", got, again, err)
		}
	})
}

func FuzzQueries(f *testing.F) {
	for _, seed := range []string{"", "state=FAILED,CANCELED&finished=true", "first=100&after=" + page.EncodeCursor("12"), "after=MTo", "first=%31", "a=b", "state=%ff", "%e8=1", "%e8=1&%e8=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		query, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		filter, request, err := readQuery(query, parameters)
		if err != nil {
			checkFault(t, err)
			return
		}
		if request.First < 0 || request.First > page.Limit || len(filter.States) > len(states) {
			t.Fatalf("got %+v, %+v", filter, request)
		}
		again, err := url.ParseQuery(query.Encode())
		if err != nil {
			t.Fatal(err)
		}
		filter2, request2, err := readQuery(again, parameters)
		if err != nil || !reflect.DeepEqual(filter, filter2) || request != request2 {
			t.Fatalf("got %+v, %+v, then %+v, %+v, %v", filter, request, filter2, request2, err)
		}
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add("wait=5", `"k"`, `W/"7-ab", "x"`, "application/vnd.ream.task+json;q=0.5, */*")
	f.Add("respond-async, wait=\"99\"; a", "k", "*", "")
	f.Fuzz(func(t *testing.T, prefer, key, tags, accept string) {
		h := New(&stub{}, &stub{}, &stub{}, Options{})
		r := &http.Request{Header: http.Header{"Prefer": {prefer}, "Accept": {accept}}}
		if wait := h.preferredWait(r); wait < 0 || wait > time.Minute {
			t.Fatalf("got a wait of %s", wait)
		}
		if best, ok := accepted(r).Best(mediaTask, mediaJSON); ok != (best != "") {
			t.Fatalf("got %q, %t", best, ok)
		}
		matches(tags, `W/"7-ab"`)
		if got, err := idempotencyKey(http.Header{"Idempotency-Key": {key}}); err != nil {
			checkFault(t, err)
		} else if got == "" {
			t.Fatal("an empty key was let through")
		}
	})
}
