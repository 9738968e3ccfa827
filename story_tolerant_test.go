package main_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// tolerated is a finished task with the files that it could not get.
type tolerated struct {
	ID, State string
	Error     *struct{ Code, Message string }
	Created   []struct {
		TypeName string `json:"__typename"`
	}
	Failures struct {
		TotalCount int
		Nodes      []struct{ Path, URL, Code, Message string }
		PageInfo   struct {
			HasNextPage bool
			EndCursor   string
		}
	}
}

// told are the failures by path, with their codes.
func (t tolerated) told() string {
	var all []string
	for _, f := range t.Failures.Nodes {
		all = append(all, f.Path+" "+f.Code)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (p *program) tolerated(id string) tolerated {
	p.t.Helper()
	return query[struct{ Task tolerated }](p, `query($id: ID!) { task(id: $id) { id state error { code message } created { __typename }
		failures { totalCount nodes { path url code message } pageInfo { hasNextPage endCursor } } } }`, map[string]any{"id": id}).Task
}

// tolerate syncs a repository to the end.
func (p *program) tolerate(name, onError string) tolerated {
	p.t.Helper()
	id := query[struct{ Sync struct{ ID string } }](p, `mutation($n: String!, $e: OnError!) { sync(input: {repositories: {names: [$n]}, onError: $e}) { ... on Work { id } } }`,
		map[string]any{"n": name, "e": onError}).Sync.ID
	p.follow(id)
	return p.tolerated(id)
}

// TestTolerantSync has an upstream of which one file is missing, one is another
// than the manifest says, and one is cut off.
func TestTolerantSync(t *testing.T) {
	eachStorage(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(5))
		for _, name := range []string{"dir/missing", "dir/wrong", "dir/cut", "stays"} {
			up.files[name] = bytes.Repeat([]byte(name), 1000)
		}
		p.remote("r", map[string]any{"url": up.URL + "/PULP_MANIFEST?secret=x", "retries": 0})
		broken := func(w http.ResponseWriter, path string) bool {
			switch path {
			case "dir/missing", "stays":
				http.Error(w, "not there", http.StatusNotFound)
				return true
			case "dir/wrong":
				w.Write(bytes.Repeat([]byte("dir/WRONG"), 1000))
				return true
			case "dir/cut":
				w.Header().Set("Content-Length", "7000")
				w.Write(up.files["dir/cut"][:3000])
				panic(http.ErrAbortHandler)
			}
			return false
		}
		const all = "dir/cut UNAVAILABLE, dir/missing NOT_FOUND, dir/wrong BAD_INPUT"

		// The first version is whole but for one file, which is there before.
		whole := up.files
		up.files = map[string][]byte{"stays": []byte("before"), "goes": []byte("goes")}
		if got := p.tolerate("r", "SKIP"); got.State != "COMPLETED" || got.Failures.TotalCount != 0 || len(got.Created) != 1 {
			t.Fatalf("of an upstream that is well: got %+v", got)
		}
		up.set(func() { up.files, up.before = whole, broken })

		// Strict: everything else is fetched, and all that failed is told.
		failed := p.tolerate("r", "FAIL")
		if failed.State != "FAILED" || failed.Error == nil || failed.told() != all+", stays NOT_FOUND" || len(failed.Created) != 0 {
			t.Errorf("strict: got %+v", failed)
		}
		if versions, _ := p.versions("r"); versions != 1 {
			t.Errorf("strict: there are %d versions", versions)
		}
		up.set(func() {
			for path := range someFiles(5) {
				if up.served[path] != 1 {
					t.Errorf("strict: %s was asked for %d times", path, up.served[path])
				}
			}
		})

		// Tolerant, by a mirror: the version has everything else, and what was at the
		// path of a broken file before.
		id := query[struct{ Mirror struct{ ID string } }](p, `mutation { mirror(input: {repositories: {names: ["r"]}, onError: SKIP}) { id } }`, nil).Mirror.ID
		if got := p.follow(id); got.State != "COMPLETED" {
			t.Fatalf("mirror: got %+v", got)
		}
		task := query[struct {
			TaskGroup struct {
				Tasks struct{ Nodes []struct{ ID string } }
			}
		}](p, `query($id: ID!) { taskGroup(id: $id) { tasks { nodes { id } } } }`,
			map[string]any{"id": id}).TaskGroup.Tasks.Nodes[0].ID
		got := p.tolerated(task)
		if got.State != "COMPLETED" || got.Error != nil || got.told() != all+", stays NOT_FOUND" || got.Failures.TotalCount != 4 || len(got.Created) != 1 {
			t.Errorf("tolerant: got %+v", got)
		}
		for _, f := range got.Failures.Nodes {
			if f.URL != up.URL+"/"+f.Path || !strings.Contains(f.Message, f.Path) || strings.Contains(f.URL+f.Message, "secret") {
				t.Errorf("tolerant: got %+v", f)
			}
		}
		if versions, units := p.versions("r"); versions != 2 || units != 6 {
			t.Errorf("tolerant: got %d versions, the newest with %d units", versions, units)
		}
		if body := p.get("/content/r/stays"); string(body) != "before" {
			t.Errorf("what was there before: got %q", body)
		}
		if body := p.get("/content/r/dir 0/file-0.bin"); !bytes.Equal(body, whole["dir 0/file-0.bin"]) {
			t.Errorf("what is well: got %d bytes", len(body))
		}
		for _, path := range []string{"goes", "dir/missing", "dir/wrong", "dir/cut"} {
			if got := p.status("/content/r/"+path, "", ""); got != http.StatusNotFound {
				t.Errorf("%s: got %d", path, got)
			}
		}

		// Page by page, over both APIs.
		c := newRESTClient(p)
		var paths []string
		for next := "/api/v1/tasks/" + task + "/failures?first=3"; next != ""; {
			page := readPage[struct {
				Failures []struct{ Path string }
				Next     *string
			}](c, next)
			next = ""
			if page.Next != nil {
				next = *page.Next
			}
			for _, f := range page.Failures {
				paths = append(paths, f.Path)
			}
		}
		var want []string
		for _, f := range got.Failures.Nodes {
			want = append(want, f.Path)
		}
		if !slices.Equal(paths, want) {
			t.Errorf("over REST: got %v, want %v", paths, want)
		}
		rest := query[struct{ Task tolerated }](p, `query($id: ID!, $c: String!) { task(id: $id) { failures(last: 2, before: $c) { nodes { path } } } }`,
			map[string]any{"id": task, "c": got.Failures.PageInfo.EndCursor}).Task.Failures.Nodes
		if fmt.Sprint(rest[0].Path, rest[1].Path) != fmt.Sprint(want[1], want[2]) {
			t.Errorf("before the last: got %+v, want %v", rest, want[1:3])
		}

		// The next sync tries again, also if the manifest is the same.
		over := c.send("POST", "/api/v1/sync", map[string]any{"repositories": named("r"), "onError": "SKIP"}, "Prefer", "wait=60")
		if over.State != "COMPLETED" || len(over.Created) != 0 || p.tolerated(over.ID).told() != all+", stays NOT_FOUND" {
			t.Errorf("again: got %+v", over)
		}
		up.set(func() { up.before = nil })
		if got := p.tolerate("r", "FAIL"); got.State != "COMPLETED" || len(got.Created) != 1 || got.Failures.TotalCount != 0 {
			t.Errorf("once it is well: got %+v", got)
		}
		if _, units := p.versions("r"); units != 9 {
			t.Errorf("once it is well: got %d units", units)
		}

		purge := query[struct{ Purge struct{ ID string } }](p, `mutation { purge(input: {olderThanDays: 0}) { ... on Work { id } } }`, nil).Purge.ID
		if got := p.follow(purge); got.State != "COMPLETED" {
			t.Errorf("purge: got %+v", got)
		}
		if got := c.send("GET", "/api/v1/tasks/"+task+"/failures", nil); got.status != http.StatusNotFound {
			t.Errorf("once purged: got %+v", got)
		}
	})
}
