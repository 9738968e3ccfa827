package main_test

import (
	"fmt"
	"strings"
	"testing"
)

// library is one of each noun, by its id.
type library struct {
	*program
	remote, repository, distribution, version, publication, unit string
}

// newLibrary mirrors a repository.
func newLibrary(t *testing.T, p *program) library {
	t.Helper()
	up := newUpstream(t, someFiles(7))
	l := library{program: p, repository: p.repository("r", up.URL+"/PULP_MANIFEST")}
	if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
		t.Fatalf("got %+v", got)
	}
	found := query[struct {
		Repository struct {
			Remote        struct{ ID string }
			LatestVersion struct {
				ID    string
				Units struct{ Nodes []struct{ ID string } }
			}
			NewestPublication struct{ ID string }
			Distributions     struct{ Nodes []struct{ ID string } }
		}
	}](p, `query($id: ID!) { repository(id: $id) { remote { id } latestVersion { id units { nodes { id } } } newestPublication { id } distributions { nodes { id } } } }`,
		map[string]any{"id": l.repository}).Repository
	l.remote, l.version, l.publication = found.Remote.ID, found.LatestVersion.ID, found.NewestPublication.ID
	l.unit, l.distribution = found.LatestVersion.Units.Nodes[0].ID, found.Distributions.Nodes[0].ID
	return l
}

func TestEveryNounByItsID(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		l := newLibrary(t, p)
		got := query[struct {
			Nodes []struct{ Typename, ID string }
		}](p, `query($ids: [ID!]!) { nodes(ids: $ids) { typename: __typename id } }`,
			map[string]any{"ids": []string{l.remote, l.repository, l.version, l.unit, l.publication, l.distribution, "task-1", "group-1", "worker-1", "repository-99", "nonsense"}}).Nodes
		var names []string
		for _, n := range got {
			names = append(names, n.Typename)
		}
		const want = "Remote Repository RepositoryVersion Unit Publication Distribution Task TaskGroup Worker  "
		if strings.Join(names, " ") != want {
			t.Errorf("nodes: got %q, want %q", names, want)
		}
		document := fmt.Sprintf(`{
			remote(id: %q) { name } byName: remote(name: "r") { id } noRemote: remote(id: "remote-99") { id } nobody: remote(name: "x") { id }
			repository(id: %q) { name version(number: 1) { id } } named: repository(name: "r") { id version(number: 7) { id } } noRepository: repository(name: "x") { id }
			repositoryVersion(id: %q) { number } publication(id: %q) { fileCount }
			distribution(id: %q) { path } at: distribution(path: "r") { id } nowhere: distribution(path: "x") { id }
			task(id: "task-1") { kind } taskGroup(id: "group-1") { name } taskOrGroup(id: "group-1") { ... on Node { id } } taskGroupCounts(id: "group-1") { total }
			queue { counts { total } }
		}`, l.remote, l.repository, l.version, l.publication, l.distribution)
		answer := query[map[string]any](p, document, nil)
		for field, want := range map[string]string{
			"remote": "map[name:r]", "byName": "map[id:" + l.remote + "]", "noRemote": "<nil>", "nobody": "<nil>",
			"repository": "map[name:r version:map[id:" + l.version + "]]", "named": "map[id:" + l.repository + " version:<nil>]", "noRepository": "<nil>",
			"repositoryVersion": "map[number:1]", "publication": "map[fileCount:8]",
			"distribution": "map[path:r]", "at": "map[id:" + l.distribution + "]", "nowhere": "<nil>",
			"task": "map[kind:repository.sync]", "taskGroup": "map[name:mirror r]", "taskOrGroup": "map[id:group-1]", "taskGroupCounts": "map[total:3]",
			"queue": "map[counts:map[total:3]]",
		} {
			if got := fmt.Sprint(answer[field]); got != want {
				t.Errorf("%s: got %s, want %s", field, got, want)
			}
		}
	})
}

func TestBadInputNamesItsField(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		l := newLibrary(t, p)
		remote := func(fields string) string { return `mutation { createRemote(input: {` + fields + `}) { id } }` }
		repository := func(fields string) string { return `mutation { createRepository(input: {` + fields + `}) { id } }` }
		distribution := func(fields string) string { return `mutation { createDistribution(input: {` + fields + `}) { id } }` }
		change := func(noun, id, fields string) string {
			return `mutation { update` + noun + `(input: {id: "` + id + `", ` + fields + `}) { id } }`
		}
		remove := func(noun, id string) string { return `mutation { delete` + noun + `(id: "` + id + `") { id } }` }
		work := func(operation, selector string) string {
			return `mutation { ` + operation + `(input: {repositories: ` + selector + `}) { ... on Work { id } } }`
		}
		const url = `, url: "http://example.org/PULP_MANIFEST"`
		long := strings.Repeat("a", 201)
		tests := []struct{ name, document, code, field, message string }{
			{"remote without a name", remote(`name: ""` + url), "BAD_INPUT", "name", "want up to 200"},
			{"remote with a long name", remote(`name: "` + long + `"` + url), "BAD_INPUT", "name", "want up to 200"},
			{"remote with a NUL", remote(`name: "a\u0000b"` + url), "BAD_INPUT", "name", "it holds a NUL character"},
			{"remote of a taken name", remote(`name: "r"` + url), "CONFLICT", "", `there is already a remote named "r"`},
			{"remote of no URL", remote(`name: "x", url: "::"`), "BAD_INPUT", "url", "URL"},
			{"remote of another scheme", remote(`name: "x", url: "ftp://example.org/PULP_MANIFEST"`), "BAD_INPUT", "url", ""},
			{"remote of a directory", remote(`name: "x", url: "http://example.org/"`), "BAD_INPUT", "url", "it names a directory"},
			{"remote with a secret", remote(`name: "x", url: "http://a:b@example.org/PULP_MANIFEST"`), "BAD_INPUT", "url", "may not hold a user name or password"},
			{"remote with no connections", remote(`name: "x", connections: 0` + url), "BAD_INPUT", "connections", "want 1 to 64"},
			{"remote with many connections", remote(`name: "x", connections: 65` + url), "BAD_INPUT", "connections", "want 1 to 64"},
			{"remote of an unknown policy", remote(`name: "x", policy: SOMETIMES` + url), "BAD_INPUT", "policy", "SOMETIMES"},
			{"renamed to nothing", change("Remote", l.remote, `name: ""`), "BAD_INPUT", "name", "want up to 200"},
			{"changed to a directory", change("Remote", l.remote, `url: "http://example.org/"`), "BAD_INPUT", "url", "it names a directory"},
			{"changed connections", change("Remote", l.remote, `connections: -1`), "BAD_INPUT", "connections", "want 1 to 64"},
			{"unknown remote changed", change("Remote", "remote-99", `name: "x"`), "NOT_FOUND", "", "there is no remote-99"},
			{"no remote's id changed", change("Remote", "x", `name: "x"`), "NOT_FOUND", "", `there is no remote "x"`},
			{"remote in use deleted", remove("Remote", l.remote), "CONFLICT", "", `remote "r" is used by repository "r"`},
			{"unknown remote deleted", remove("Remote", "remote-99"), "NOT_FOUND", "", "there is no remote-99"},

			{"repository without a name", repository(`name: " ", format: FILE`), "BAD_INPUT", "name", "want up to 200"},
			{"repository of a taken name", repository(`name: "r", format: FILE`), "CONFLICT", "", `there is already a repository named "r"`},
			{"repository of an unknown remote", repository(`name: "x", format: FILE, remote: "remote-99"`), "BAD_INPUT", "remote", "there is no remote-99"},
			{"repository of no remote's id", repository(`name: "x", format: FILE, remote: "repository-1"`), "BAD_INPUT", "remote", "ids look like remote-12"},
			{"repository with a bad label", repository(`name: "x", format: FILE, labels: [{key: "a b", value: ""}]`), "BAD_INPUT", "labels", `the key "a b"`},
			{"repository with a bad value", repository(`name: "x", format: FILE, labels: [{key: "a", value: "b c"}]`), "BAD_INPUT", "labels", `the value of "a"`},
			{"repository with a label twice", repository(`name: "x", format: FILE, labels: [{key: "a", value: ""}, {key: "a", value: "1"}]`), "BAD_INPUT", "labels", `"a" is given twice`},
			{"repository renamed to nothing", change("Repository", l.repository, `name: ""`), "BAD_INPUT", "name", "want up to 200"},
			{"repository moved to an unknown remote", change("Repository", l.repository, `remote: "remote-99"`), "BAD_INPUT", "remote", "there is no remote-99"},
			{"unknown repository changed", change("Repository", "repository-99", `name: "x"`), "NOT_FOUND", "", "there is no repository-99"},
			{"served repository deleted", remove("Repository", l.repository), "CONFLICT", "", `is served by the distribution at "r"`},
			{"unknown repository deleted", remove("Repository", "repository-99"), "NOT_FOUND", "", "there is no repository-99"},

			{"distribution of nothing", distribution(`path: "x"`), "BAD_INPUT", "repository", "either a repository or a publication"},
			{"distribution of two", distribution(`path: "x", repository: "` + l.repository + `", publication: "` + l.publication + `"`), "BAD_INPUT", "repository", "either a repository or a publication"},
			{"distribution of an unknown repository", distribution(`path: "x", repository: "repository-99"`), "BAD_INPUT", "repository", "there is no repository-99"},
			{"distribution of an unknown publication", distribution(`path: "x", publication: "publication-99"`), "BAD_INPUT", "publication", "there is no publication-99"},
			{"distribution at an absolute path", distribution(`path: "/x", repository: "` + l.repository + `"`), "BAD_INPUT", "path", "absolute"},
			{"distribution above the root", distribution(`path: "x/../../y", repository: "` + l.repository + `"`), "BAD_INPUT", "path", `".."`},
			{"distribution at a long path", distribution(`path: "` + strings.Repeat("a/", 600) + `", repository: "` + l.repository + `"`), "BAD_INPUT", "path", "1024"},
			{"distribution at a taken path", distribution(`path: "r", repository: "` + l.repository + `"`), "CONFLICT", "", `there is already a distribution at "r"`},
			{"distribution below another", distribution(`path: "r/x", repository: "` + l.repository + `"`), "CONFLICT", "", "lies below"},
			{"distribution moved to a bad path", change("Distribution", l.distribution, `path: "a//b"`), "BAD_INPUT", "path", "empty segment"},
			{"distribution changed to two", change("Distribution", l.distribution, `repository: "`+l.repository+`", publication: "`+l.publication+`"`), "BAD_INPUT", "publication", "either"},
			{"distribution changed to an unknown publication", change("Distribution", l.distribution, `publication: "publication-99"`), "BAD_INPUT", "publication", "there is no publication-99"},
			{"unknown distribution changed", change("Distribution", "distribution-99", `path: "x"`), "NOT_FOUND", "", "there is no distribution-99"},
			{"unknown distribution deleted", remove("Distribution", "distribution-99"), "NOT_FOUND", "", "there is no distribution-99"},

			{"sync of an unknown id", work("sync", `{ids: ["`+l.repository+`", "repository-99"]}`), "BAD_INPUT", "repositories.ids", "there is no repository-99"},
			{"sync of no id", work("sync", `{ids: ["x"]}`), "BAD_INPUT", "repositories.ids", `there is no repository "x"`},
			{"sync of an unknown name", work("sync", `{names: ["r", "x"]}`), "BAD_INPUT", "repositories.names", `there is no repository "x"`},
			{"sync of a bad selector", work("sync", `{labels: "a b"}`), "BAD_INPUT", "repositories.labels", `"a b" is no label term`},
			{"sync of an empty selector", work("sync", `{labels: ""}`), "BAD_INPUT", "repositories.labels", "use all"},
			{"sync of not all", work("sync", `{all: false}`), "BAD_INPUT", "repositories", "all can only be true"},
			{"publication of an unknown version", `mutation { publish(input: {repositories: {names: ["r"]}, version: 7}) { ... on Work { id } } }`, "BAD_INPUT", "version", `"r" has no version 7`},
			{"publication of version 0", `mutation { publish(input: {repositories: {names: ["r"]}, version: 0}) { ... on Work { id } } }`, "BAD_INPUT", "version", "numbered 1, 2"},
			{"publication of one version of several", `mutation { publish(input: {repositories: {all: true}, version: 1}) { ... on Work { id } } }`, "BAD_INPUT", "version", "only with one repository"},
			{"mirror to a bad path", `mutation { mirror(input: {repositories: {names: ["r"]}, path: ".."}) { id } }`, "BAD_INPUT", "path", `".."`},
			{"mirror of several to a path", `mutation { mirror(input: {repositories: {all: true}, path: "x"}) { id } }`, "BAD_INPUT", "path", "only with one repository"},
			{"cancel of an unknown task", `mutation { cancel(id: "task-99") { ... on Work { id } } }`, "NOT_FOUND", "", "there is no task-99"},
			{"cancel of an unknown group", `mutation { cancel(id: "group-99") { ... on Work { id } } }`, "NOT_FOUND", "", "there is no group-99"},
			{"remote by neither", `{ remote { id } }`, "BAD_INPUT", "id", "either id or name"},
			{"repository by both", `{ repository(id: "repository-1", name: "r") { id } }`, "BAD_INPUT", "id", "either id or name"},
		}
		before := query[any](p, `{ tasks { totalCount } taskGroups { totalCount } remotes { totalCount } repositories { totalCount } distributions { totalCount } }`, nil)
		for _, tt := range tests {
			_, errs := ask[any](p, tt.document, nil)
			if len(errs) != 1 || errs[0].Extensions.Code != tt.code || errs[0].Extensions.Field != tt.field || !strings.Contains(errs[0].Message, tt.message) {
				t.Errorf("%s: got %+v, want code %s, field %q and %q", tt.name, errs, tt.code, tt.field, tt.message)
			}
		}
		_, errs := ask[any](p, `mutation($r: RepositorySelector!) { sync(input: {repositories: $r}) { ... on Work { id } } }`,
			map[string]any{"r": map[string]any{"all": true, "names": []string{"r"}}})
		if len(errs) != 1 || errs[0].Extensions.Code != "BAD_INPUT" || errs[0].Extensions.Field != "repositories" {
			t.Errorf("two selectors in a variable: got %+v", errs)
		}
		after := query[any](p, `{ tasks { totalCount } taskGroups { totalCount } remotes { totalCount } repositories { totalCount } distributions { totalCount } }`, nil)
		if fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("something was changed or queued: %v, before: %v", after, before)
		}
	})
}

func TestWhatASyncAnswers(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		p.repositories(3)
		none := p.noRemote("none")
		for selector, want := range map[string]string{
			`{names: ["r0"]}`:       "Task 1",
			`{names: ["r0", "r1"]}`: "TaskGroup 2",
			`{names: ["r1", "r1"]}`: "TaskGroup 1",
			`{ids: []}`:             "TaskGroup 0",
			`{labels: "x"}`:         "TaskGroup 0",
			`{labels: "!x,!none"}`:  "TaskGroup 3",
		} {
			w := query[struct {
				Sync struct {
					Typename string `json:"__typename"`
					ID       string
					State    string
					Finished bool
					Counts   struct{ Total int }
				}
			}](p, `mutation { sync(input: {repositories: `+selector+`}) { __typename ... on Work { id state finished counts { total } } } }`, nil).Sync
			if got := fmt.Sprint(w.Typename, " ", w.Counts.Total); got != want || w.Finished != strings.HasSuffix(want, " 0") {
				t.Errorf("sync of %s: got %+v, want %s", selector, w, want)
			}
			if got := p.follow(w.ID); got.State != "COMPLETED" {
				t.Errorf("sync of %s: ended as %+v", selector, got)
			}
		}
		_, errs := ask[any](p, `mutation { sync(input: {repositories: {all: true}}) { ... on Work { id } } }`, nil)
		if len(errs) != 1 || errs[0].Extensions.Field != "repositories" || !strings.Contains(errs[0].Message, `"none" has no remote to sync from`) {
			t.Errorf("sync of all, of which %s has no remote: got %+v", none, errs)
		}
	})
}

// noRemote creates a repository without a remote, with a label of its name.
func (p *program) noRemote(name string) (id string) {
	p.t.Helper()
	return query[struct{ CreateRepository struct{ ID string } }](p,
		`mutation($n: String!) { createRepository(input: {name: $n, format: FILE, labels: [{key: $n, value: ""}]}) { id } }`, map[string]any{"n": name}).CreateRepository.ID
}
