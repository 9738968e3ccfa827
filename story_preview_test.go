package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// preview is what a task found out that a sync would do.
type preview struct {
	Added, Removed, Replaced, Unchanged, FetchFiles, FetchBytes int
	Changes                                                     struct {
		TotalCount int
		Nodes      []struct {
			Path, Kind    string
			Before, After *struct {
				SHA256 string
				Size   int
			}
			Fetch bool
		}
	}
}

func (v *preview) String() string {
	text := fmt.Sprintf("%d+ %d- %d~ %d, %d files, %d bytes, %d:", v.Added, v.Removed, v.Replaced, v.Unchanged, v.FetchFiles, v.FetchBytes, v.Changes.TotalCount)
	for _, c := range v.Changes.Nodes {
		text += fmt.Sprintf(" %s %s", c.Kind, c.Path)
		if c.Before != nil {
			text += fmt.Sprintf(" from %d", c.Before.Size)
		}
		if c.After != nil {
			text += fmt.Sprintf(" to %d", c.After.Size)
		}
		if c.Fetch {
			text += " fetch"
		}
	}
	return text
}

// preview asks what a sync would do.
func (p *program) preview(name, options string) *preview {
	p.t.Helper()
	id := query[struct{ Sync struct{ ID string } }](p, `mutation($n: String!) { sync(input: {repositories: {names: [$n]}, dryRun: true`+options+`}) { ... on Work { id } } }`,
		map[string]any{"n": name}).Sync.ID
	if got := p.follow(id); got.State != "COMPLETED" {
		p.t.Fatalf("got %+v", got)
	}
	return query[struct{ Task struct{ Preview *preview } }](p, `query($id: ID!) { task(id: $id) { preview { added removed replaced unchanged fetchFiles fetchBytes
		changes { totalCount nodes { path kind before { sha256 size } after { sha256 size } fetch } } } } }`, map[string]any{"id": id}).Task.Preview
}

// TestPreviewOfASync asks what syncs would do, over both APIs and with the
// command, and finds that nothing was done.
func TestPreviewOfASync(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, map[string][]byte{"a": []byte("one"), "dir/b": []byte("two"), "dir/c": []byte("three"), "dir/again": []byte("three")})
		p.repository("r", up.URL+"/PULP_MANIFEST")
		if got, want := p.preview("r", "").String(), "4+ 0- 0~ 0, 3 files, 11 bytes, 4: ADDED a to 3 fetch ADDED dir/again to 5 fetch ADDED dir/b to 3 fetch ADDED dir/c to 5 fetch"; got != want {
			t.Errorf("of an empty repository: got  %s\nwant %s", got, want)
		}
		up.set(func() {
			for path, times := range up.served {
				if path != "PULP_MANIFEST" && times > 0 {
					t.Errorf("%s was fetched", path)
				}
			}
		})
		if versions := query[struct {
			Repository struct{ Versions struct{ TotalCount int } }
		}](p, `{ repository(name: "r") { versions { totalCount } } }`, nil).Repository.Versions.TotalCount; versions != 0 {
			t.Errorf("there are %d versions", versions)
		}
		p.sync("r", true)
		if got, want := p.preview("r", "").String(), "0+ 0- 0~ 4, 0 files, 0 bytes, 0:"; got != want {
			t.Errorf("once synced: got  %s\nwant %s", got, want)
		}
		// What is stored already, under whatever path, is not fetched.
		up.set(func() {
			up.files = map[string][]byte{"a": []byte("ONE!"), "dir/b": []byte("two"), "dir/again": []byte("three"), "new": []byte("three"), "z": []byte("zzzzzz")}
		})
		const replaced, added = "REPLACED a from 3 to 4 fetch", "ADDED new to 5 ADDED z to 6 fetch"
		if got, want := p.preview("r", ", mirror: false").String(), "2+ 0- 1~ 3, 2 files, 10 bytes, 3: "+replaced+" "+added; got != want {
			t.Errorf("add only: got  %s\nwant %s", got, want)
		}
		if got, want := p.preview("r", "").String(), "2+ 1- 1~ 2, 2 files, 10 bytes, 4: "+replaced+" REMOVED dir/c from 5 "+added; got != want {
			t.Errorf("mirror: got  %s\nwant %s", got, want)
		}

		out := p.ream("sync", "--dry-run", "r")
		if want := "\npreview sync of r: 2 added, 1 removed, 1 replaced, 2 unchanged; to fetch: 2 files, 10 B\n~ a (4 B)\n- dir/c (5 B)\n+ new (5 B)\n+ z (6 B)\n"; !strings.HasSuffix(out, want) {
			t.Errorf("by the command: got %q, want %q at the end", out, want)
		}

		c := newRESTClient(p)
		over := c.send("POST", "/api/v1/sync", map[string]any{"repositories": map[string]any{"all": true}, "dryRun": true}, "Prefer", "wait=60")
		if over.State != "COMPLETED" || over.Type != "TaskGroup" {
			t.Fatalf("over REST: got %+v", over)
		}
		one := c.send("POST", "/api/v1/sync", map[string]any{"repositories": named("r"), "dryRun": true}, "Prefer", "wait=60")
		if one.State != "COMPLETED" || one.Preview != one.Href+"/preview" {
			t.Fatalf("over REST: got %+v", one)
		}
		var paths []string
		for next := one.Preview + "?first=2&kind=ADDED,REMOVED"; next != ""; {
			page := readPage[struct {
				Added, FetchBytes int
				Changes           []struct{ Path, Kind string }
				Next              *string
			}](c, next)
			if page.Added != 2 || page.FetchBytes != 10 {
				t.Errorf("over REST: got %+v", page)
			}
			for _, c := range page.Changes {
				paths = append(paths, c.Kind+" "+c.Path)
			}
			next = ""
			if page.Next != nil {
				next = *page.Next
			}
		}
		if got, want := strings.Join(paths, ", "), "REMOVED dir/c, ADDED new, ADDED z"; got != want {
			t.Errorf("over REST: got %s, want %s", got, want)
		}

		// It told the truth.
		p.sync("r", true)
		if got, want := p.diff("version-1", "version-2"), "4 REPLACED a REMOVED dir/c ADDED new ADDED z"; got != want {
			t.Errorf("the sync: got %s, want %s", got, want)
		}

		// Without upstream it fails, and tells nothing.
		up.set(func() {
			up.before = func(w http.ResponseWriter, path string) bool {
				http.Error(w, "gone", http.StatusNotFound)
				return true
			}
		})
		failed := c.send("POST", "/api/v1/sync", map[string]any{"repositories": named("r"), "dryRun": true}, "Prefer", "wait=60")
		if failed.State != "FAILED" {
			t.Errorf("without upstream: got %+v", failed)
		}
		if got := c.send("GET", failed.Preview, nil); got.status != http.StatusNotFound {
			t.Errorf("without upstream: got %d", got.status)
		}
	})
}
