package main_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// ream runs a command against the server, which must succeed, and returns what
// it prints.
func (p *program) ream(args ...string) string {
	p.t.Helper()
	path, err := binary()
	if err != nil {
		p.t.Fatal(err)
	}
	out, err := command(p.t, path, append(args, "--server", p.address)...)
	if err != nil {
		p.t.Fatalf("ream %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// diff compares two versions by their ids, and returns each kind with its path.
func (p *program) diff(from, to string) string {
	p.t.Helper()
	answer := query[struct {
		Diff *struct {
			Nodes []struct {
				Kind, Path    string
				Before, After *struct{ Size int }
			}
			TotalCount int
		}
	}](p, `query($from: ID!, $to: ID!) { diff(from: $from, to: $to) { totalCount nodes { kind path before { size } after { size } } } }`,
		map[string]any{"from": from, "to": to}).Diff
	if answer == nil {
		return "null"
	}
	text := fmt.Sprint(answer.TotalCount)
	for _, n := range answer.Nodes {
		if (n.Before == nil) != (n.Kind == "ADDED") || (n.After == nil) != (n.Kind == "REMOVED") {
			p.t.Errorf("%s %s: got %+v and %+v", n.Kind, n.Path, n.Before, n.After)
		}
		text += " " + n.Kind + " " + n.Path
	}
	return text
}

// TestVersionsComparedCopiedRestored does what people do with versions, by the
// commands and by GraphQL.
func TestVersionsComparedCopiedRestored(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, map[string][]byte{"a": []byte("one"), "dir/b": []byte("two"), "dir/c": []byte("three")})
		p.repository("r", up.URL+"/PULP_MANIFEST")
		p.sync("r", true)
		up.set(func() { up.files = map[string][]byte{"a": []byte("ONE"), "dir/b": []byte("two"), "d": []byte("four")} })
		p.sync("r", true)
		if got, want := p.ream("diff", "r@1"), "~ a\n+ d\n- dir/c\n"; got != want {
			t.Errorf("diff: got %q, want %q", got, want)
		}
		if got := p.diff("version-1", "version-2"); got != "3 REPLACED a ADDED d REMOVED dir/c" {
			t.Errorf("got %q", got)
		}
		if got := p.diff("version-1", "version-99"); got != "null" {
			t.Errorf("with an unknown version: got %q", got)
		}
		p.ream("restore", "r@1")
		if got := p.diff("version-1", "version-3"); got != "0" {
			t.Errorf("after a restore: got %q", got)
		}
		query[struct{}](p, `mutation { createRepository(input: {name: "copies", format: FILE}) { id } }`, nil)
		p.ream("copy", "r@2", "copies", "dir/", "a")
		if got, want := p.ream("diff", "r@2", "copies"), "- d\n"; got != want {
			t.Errorf("diff of the copy: got %q, want %q", got, want)
		}
		units := query[struct {
			RepositoryVersion struct {
				Units struct{ Nodes []struct{ ID string } }
			}
		}](p, `{ repositoryVersion(id: "version-2") { units { nodes { id } } } }`, nil).RepositoryVersion.Units.Nodes
		modified := query[struct{ ModifyRepository struct{ ID string } }](p, `mutation($add: [ID!]!, $remove: [ID!]!) {
			modifyRepository(input: {repository: "repository-2", add: $add, remove: $remove}) { id } }`,
			map[string]any{"add": []string{units[1].ID}, "remove": []string{units[0].ID}})
		if last := p.follow(modified.ModifyRepository.ID); last.State != "COMPLETED" {
			t.Errorf("got %+v", last)
		}
		if got, want := p.ream("diff", "r@2", "copies@2"), "- a\n"; got != want {
			t.Errorf("diff of the modified copy: got %q, want %q", got, want)
		}
	})
}

// fetched is what lies at a path of the server, or the status if that is another one than 200.
func (p *program) fetched(path string) string {
	p.t.Helper()
	response, err := http.Get(p.address + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		return response.Status
	}
	return string(body)
}

// TestPromotionsAreServed takes a publication from test to production and back,
// and asks for what was served before.
func TestPromotionsAreServed(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, map[string][]byte{"f": []byte("one"), "gone": []byte("was here")})
		p.repository("test", up.URL+"/PULP_MANIFEST")
		p.follow(p.mirror("test"))
		query[any](p, `mutation { createDistribution(input: {path: "prod", repository: "repository-1"}) { id } }`, nil)
		if got := p.ream("promote", "test", "prod", "--publication", "publication-1"); got != "prod serves publication-1\n" {
			t.Errorf("got %q", got)
		}
		between := time.Now().UTC()
		up.set(func() { up.files = map[string][]byte{"f": []byte("two")} })
		p.follow(p.mirror("test"))
		serves := func(when string, test, prod string) {
			t.Helper()
			if got := p.fetched("/content/test/f"); got != test {
				t.Errorf("%s: test serves %q, want %q", when, got, test)
			}
			if got := p.fetched("/content/prod/f"); got != prod {
				t.Errorf("%s: prod serves %q, want %q", when, got, prod)
			}
		}
		serves("before the promotion", "two", "one")
		if got := p.fetched("/content/test/gone"); got != "was here" {
			t.Errorf("what was replaced: got %q", got)
		}
		p.ream("promote", "test", "prod")
		serves("after the promotion", "two", "two")
		p.ream("rollback", "prod")
		serves("after the rollback", "two", "one")
		history := query[struct {
			Distribution struct {
				History struct {
					TotalCount int
					Nodes      []struct {
						Publication struct{ ID string }
						Until       *time.Time
					}
				}
			}
		}](p, `{ distribution(path: "prod") { history { totalCount nodes { publication { id } since until } } } }`, nil).Distribution.History
		var served []string
		for i, h := range history.Nodes {
			served = append(served, h.Publication.ID)
			if (h.Until == nil) != (i == 0) {
				t.Errorf("%d: until %v", i, h.Until)
			}
		}
		if want := []string{"publication-1", "publication-2", "publication-1"}; !slices.Equal(served, want) || history.TotalCount != 3 {
			t.Errorf("history: got %v of %d, want %v", served, history.TotalCount, want)
		}
		if got := p.fetched("/content/test/@" + between.AddDate(1, 0, 0).Format(time.DateOnly) + "/f"); got != "404 Not Found" {
			t.Errorf("in a year: got %q", got)
		}
		if got := p.fetched("/content/test/@2020-01-01/f"); got != "404 Not Found" {
			t.Errorf("before the server was: got %q", got)
		}
	})
}

// TestOldVersionsGo keeps one version of a repository that is synced again and
// again, and deletes another by hand.
func TestOldVersionsGo(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, map[string][]byte{"stays": []byte("s"), "f": []byte("0")})
		p.repository("r", up.URL+"/PULP_MANIFEST")
		syncs := func(n int) {
			t.Helper()
			for i := range n {
				up.set(func() { up.files["f"] = append(up.files["f"], byte('0'+i)) })
				if got := p.sync("r", true); got.State != "COMPLETED" {
					t.Fatalf("got %+v", got)
				}
			}
		}
		keep := func(n string) string {
			t.Helper()
			updated := query[struct {
				UpdateRepository struct{ KeepVersions *int }
			}](p, `mutation { updateRepository(input: {id: "repository-1", keepVersions: `+n+`}) { keepVersions } }`, nil).UpdateRepository.KeepVersions
			if updated == nil {
				return "all"
			}
			return fmt.Sprint(*updated)
		}
		syncs(3)
		p.ream("delete", "r@2")
		if got, want := p.ream("diff", "r@1", "r@3"), "~ f\n"; got != want {
			t.Errorf("diff over what was deleted: got %q, want %q", got, want)
		}
		if versions, _ := p.versions("r"); versions != 2 {
			t.Errorf("got %d versions, want 2", versions)
		}
		if got := keep("1"); got != "1" {
			t.Errorf("keeps %s", got)
		}
		syncs(2)
		if versions, units := p.versions("r"); versions != 1 || units != 2 {
			t.Errorf("got %d versions and %d units, want 1 and 2", versions, units)
		}
		if got := keep("null"); got != "all" {
			t.Errorf("keeps %s", got)
		}
		syncs(1)
		if versions, _ := p.versions("r"); versions != 2 {
			t.Errorf("got %d versions, want 2", versions)
		}
	})
}
