package main_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestVersionsOverREST makes versions, compares them, and takes what is served
// from one distribution to another, with nothing but plain requests.
func TestVersionsOverREST(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		c := newRESTClient(p)
		up := newUpstream(t, map[string][]byte{"a": []byte("one"), "dir/b": []byte("two"), "dir/c": []byte("three")})
		p.repository("r", up.URL+"/PULP_MANIFEST")
		mirror := func() {
			t.Helper()
			if got := c.send("POST", "/api/v1/mirror", map[string]any{"repositories": named("r")}, "Prefer", "wait=60"); got.State != "COMPLETED" {
				t.Fatalf("got %+v", got)
			}
		}
		mirror()
		up.set(func() { up.files = map[string][]byte{"a": []byte("ONE"), "dir/b": []byte("two"), "d": []byte("four")} })
		mirror()
		type changes struct {
			Changes []struct {
				Path, Kind    string
				Before, After *struct{ ID string }
			}
			Next *string
		}
		diff := func(query string) (text string, units []string) {
			t.Helper()
			for next := "/api/v1/diff?" + query; next != ""; {
				page := readPage[changes](c, next)
				next = ""
				if page.Next != nil {
					next = *page.Next
				}
				for _, one := range page.Changes {
					text += " " + one.Kind + " " + one.Path
					for _, u := range []*struct{ ID string }{one.Before, one.After} {
						if u != nil {
							units = append(units, u.ID)
						}
					}
				}
			}
			return text, units
		}
		text, units := diff("from=version-1&to=version-2&first=1")
		if text != " REPLACED a ADDED d REMOVED dir/c" || len(units) != 4 {
			t.Fatalf("diff: got %q %v", text, units)
		}
		if text, _ := diff("from=version-1&to=version-2&kind=ADDED,REMOVED"); text != " ADDED d REMOVED dir/c" {
			t.Errorf("diff of some kinds: got %q", text)
		}
		for _, query := range []string{"", "?from=version-1", "?from=version-1&to=x", "?from=version-1&to=version-2&kind=MOVED"} {
			if got := c.send("GET", "/api/v1/diff"+query, nil); got.status != http.StatusBadRequest {
				t.Errorf("diff%s: got %+v", query, got)
			}
		}
		if got := c.send("GET", "/api/v1/diff?from=version-1&to=version-99", nil); got.status != http.StatusNotFound {
			t.Errorf("diff to nothing: got %+v", got)
		}
		done := func(operation string, body map[string]any, same string) {
			t.Helper()
			got := c.send("POST", "/api/v1/"+operation, body, "Prefer", "wait=60")
			if got.State != "COMPLETED" {
				t.Fatalf("%s: got %+v", operation, got)
			}
			if same == "" {
				return
			}
			if len(got.Created) != 1 {
				t.Fatalf("%s: made %v", operation, got.Created)
			}
			if text, _ := diff("from=" + same + "&to=" + got.Created[0]); text != "" {
				t.Errorf("%s: got %q", operation, text)
			}
		}
		done("modifyRepository", map[string]any{"repository": "repository-1", "add": []string{units[0], units[3]}, "remove": []string{units[2]}}, "version-1")
		done("restoreVersion", map[string]any{"version": "version-2"}, "version-2")
		p.empty("copies")
		done("copyUnits", map[string]any{"version": "version-1", "repository": "repository-2"}, "version-1")
		done("deleteVersion", map[string]any{"version": "version-3"}, "")
		if got := c.send("GET", "/api/v1/diff?from=version-1&to=version-3", nil); got.status != http.StatusNotFound {
			t.Errorf("once deleted: got %+v", got)
		}

		query[any](p, `mutation { createDistribution(input: {path: "prod", publication: "publication-1"}) { id } }`, nil)
		if got := c.send("POST", "/api/v1/promote", map[string]any{"from": "distribution-1", "to": "distribution-2", "publication": "publication-1"}); got.status != http.StatusConflict {
			t.Errorf("something else is served: got %+v", got)
		}
		if got := c.send("POST", "/api/v1/promote", map[string]any{"from": "distribution-1", "to": "distribution-2"}); got.status != http.StatusOK || got.ID != "distribution-2" {
			t.Errorf("promote: got %+v", got)
		}
		if got := p.fetched("/content/prod/a"); got != "ONE" {
			t.Errorf("promoted: got %q", got)
		}
		for _, operation := range []string{`promote {"from": "distribution-1", "to": "distribution-2"}`, `rollback {"id": "distribution-2"}`} {
			name, body, _ := strings.Cut(operation, " ")
			if got := c.send("POST", "/api/v1/"+name, json.RawMessage(body), "Idempotency-Key", "same"); got.status != http.StatusBadRequest {
				t.Errorf("%s with a key: got %+v", name, got)
			}
		}
		for range 2 { // as somebody does who lost the first answer
			if got := c.send("POST", "/api/v1/rollback", map[string]any{"id": "distribution-2", "publication": "publication-1"}); got.status != http.StatusOK {
				t.Errorf("rollback: got %+v", got)
			}
		}
		if got := p.fetched("/content/prod/a"); got != "one" {
			t.Errorf("rolled back: got %q", got)
		}

		// What was uploaded by tus.
		at := p.tus("POST", "/api/v1/uploads", strings.NewReader("mine"), "Upload-Length", "4").Header.Get("Location")
		done("uploadFiles", map[string]any{"repository": "repository-2", "files": []map[string]string{
			{"path": "own", "upload": strings.TrimPrefix(at, "/api/v1/uploads/"), "sha256": digest([]byte("mine"))}}}, "")
		if got, want := p.ream("diff", "r@1", "copies"), "+ own\n"; got != want {
			t.Errorf("uploaded: got %q, want %q", got, want)
		}
	})
}
