package main_test

import (
	"fmt"
	"testing"
	"time"
)

// TestVersionsOnDemand does all that is done with versions while the bytes of
// their units are not here: what is served afterwards is got when somebody asks,
// for as long as anything names it.
func TestVersionsOnDemand(t *testing.T) {
	eachDepot(t, func(t *testing.T, p *program, d depot) {
		files := map[string][]byte{}
		for _, name := range []string{"both", "f1", "replaced1", "promoted1", "restored1", "kept1", "snapshot1", "f2", "promoted2", "kept2", "f3"} {
			files[name] = append([]byte(name), bytesOf(100)...)
		}
		up := newUpstream(t, files)
		// Upstream keeps the files that its manifest no longer names.
		version := func(n string) {
			t.Helper()
			named := map[string][]byte{"both": files["both"]}
			for name, body := range files {
				if name[len(name)-1:] == n {
					named[name] = body
				}
			}
			up.set(func() { up.manifest = manifestOf(named) })
		}
		completes := func(id string) {
			t.Helper()
			if got := p.follow(id); got.State != "COMPLETED" {
				t.Fatalf("%s: got %+v %+v", id, got, got.Error)
			}
		}
		// serves asks for files that nobody has asked for before.
		serves := func(at string, names ...string) {
			t.Helper()
			for _, name := range names {
				if n := up.times(name); n != 0 {
					t.Errorf("%s: upstream was asked for %s %d times before", at, name, n)
				}
				if got := p.fetched("/content/" + at + "/" + name); got != string(files[name]) {
					t.Errorf("%s: %s: got %.40q", at, name, got)
				}
				await(t, name+" is fetched once", func() bool { return up.times(name) == 1 })
			}
		}

		version("1")
		p.onDemand("test", up)
		query[any](p, `mutation { createDistribution(input: {path: "prod", repository: "repository-1"}) { id } }`, nil)
		p.ream("promote", "test", "prod", "--publication", "publication-1")
		first := time.Now().UTC()
		version("2")
		completes(p.mirror("test"))
		const changes = "9 REMOVED f1 ADDED f2 REMOVED kept1 ADDED kept2 REMOVED promoted1 ADDED promoted2 REMOVED replaced1 REMOVED restored1 REMOVED snapshot1"
		if got := p.diff("version-1", "version-2"); got != changes {
			t.Errorf("diff: got %q, want %q", got, changes)
		}
		serves("test", "f2", "replaced1") // what was replaced is there for a while
		serves("prod", "promoted1", "both")
		p.ream("promote", "test", "prod")
		serves("prod", "promoted2")
		p.ream("rollback", "prod")
		serves("prod", "f1")
		serves("test/@"+first.Format(time.RFC3339Nano), "snapshot1")

		// A version that is equal to the first one, and the only one that is kept
		// besides those that are served.
		p.ream("restore", "test@1")
		if got := p.diff("version-1", "version-3"); got != "0" {
			t.Errorf("after a restore: got %q", got)
		}
		completes(query[struct{ Publish struct{ ID string } }](p, `mutation { publish(input: {repositories: {names: ["test"]}}) { ... on Work { id } } }`, nil).Publish.ID)
		serves("test", "restored1")
		query[any](p, `mutation { updateRepository(input: {id: "repository-1", keepVersions: 1}) { keepVersions } }`, nil)
		version("3")
		completes(p.mirror("test"))
		p.ream("promote", "test", "prod")
		serves("prod", "f3")

		// Nothing that is served is cleaned away, nor where its bytes can be got from.
		p.ageArtifacts(d)
		completes(query[struct{ CleanOrphans struct{ ID string } }](p, `mutation { cleanOrphans(input: {graceHours: 1}) { ... on Work { id } } }`, nil).CleanOrphans.ID)
		serves("test", "kept1")
		serves("prod", "kept2")
		if stored := fmt.Sprint(p.storedUnits("test")); stored != "map[both:true f3:true]" {
			t.Errorf("stored: got %s", stored)
		}
	})
}

// conflict fails unless a sync that removes nothing, and is asked for as a preview
// first, ends with a message.
func (p *program) conflict(name, message string) {
	p.t.Helper()
	for _, dry := range []bool{true, false} {
		before := p.storedUnits(name)
		id := query[struct{ Sync struct{ ID string } }](p, `mutation($n: String!, $d: Boolean!) { sync(input: {repositories: {names: [$n]}, mirror: false, dryRun: $d}) { ... on Work { id } } }`,
			map[string]any{"n": name, "d": dry}).Sync.ID
		if got := p.follow(id); got.State != "FAILED" || got.Error == nil || got.Error.Code != "CONFLICT" || got.Error.Message != message {
			p.t.Errorf("a sync that removes nothing, previewed: %t: got %+v %+v, want %s", dry, got, got.Error, message)
		}
		if after := p.storedUnits(name); fmt.Sprint(after) != fmt.Sprint(before) {
			p.t.Errorf("it changed %v to %v", before, after)
		}
	}
}

// TestFileThatBecomesADirectory has an upstream where a directory takes the
// place of a file.
func TestFileThatBecomesADirectory(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, map[string][]byte{"a": []byte("file"), "b/c": []byte("below")})
		p.repository("r", up.URL+"/PULP_MANIFEST")
		p.sync("r", false)
		up.set(func() { up.files = map[string][]byte{"a/x": []byte("now below"), "b": []byte("now a file")} })
		p.conflict("r", `repository "r" would have a file at "a" and another below it, at "a/x": it can have only one of them`)
		up.set(func() { up.files = map[string][]byte{"b": []byte("now a file")} })
		p.conflict("r", `repository "r" would have a file at "b" and another below it, at "b/c": it can have only one of them`)
		up.set(func() { up.files = map[string][]byte{"a/x": []byte("now below"), "b": []byte("now a file")} })
		if got, want := p.preview("r", "").String(), "2+ 2- 0~ 0, 0 files, 0 bytes, 4: REMOVED a from 4 ADDED a/x to 9 ADDED b to 10 REMOVED b/c from 5"; got != want {
			t.Errorf("what a sync would do that removes what upstream has no longer: got %s, want %s", got, want)
		}
		if got := p.sync("r", true); got.State != "COMPLETED" {
			t.Errorf("a sync that removes what upstream has no longer: got %+v %+v", got, got.Error)
		}
		if stored := fmt.Sprint(p.storedUnits("r")); stored != "map[a/x:true b:true]" {
			t.Errorf("got %s", stored)
		}
	})
}
