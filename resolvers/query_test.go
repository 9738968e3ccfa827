package resolvers

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
)

func TestOneQuestionPerLevel(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, query string
		want        map[string]int
	}{
		{
			"repositories",
			`{repositories{edges{node{remote{id} latestVersion{id repository{id}} newestPublication{version{id}}}}}}`,
			map[string]int{"Repositories": 1, "RemotesByID": 1, "VersionsByID": 1, "PublicationsByID": 1, "RepositoriesByID": 1},
		},
		{
			"lists in lists",
			`{repositories(first: 10){nodes{
				versions(first: 10){totalCount nodes{units(first: 5){totalCount nodes{path stored}}}}
				version(number: 3){id} publications(first: 2){nodes{version{id}}}}}}`,
			map[string]int{"Repositories": 1, "Versions": 1, "VersionUnits": 1, "Stored": 1, "VersionsByNumber": 1, "RepositoryPublications": 1, "VersionsByID": 1},
		},
		{
			"directories in lists",
			`{repositories(first: 10){nodes{newestPublication{entries{totalCount nodes{kind path stored}} others: entries(directory: "d", prefix: "f"){nodes{contentType}}}}}}`,
			map[string]int{"Repositories": 1, "PublicationsByID": 1, "PublishedEntries": 2, "Stored": 1},
		},
		{
			"tasks in lists",
			`{taskGroups(first: 10){nodes{retries{totalCount} tasks(first: 5){nodes{spawned(finished: false){totalCount nodes{id}} retries(first: 1){nodes{id}}}}}}}`,
			map[string]int{"Groups": 1, "GroupRetries": 1, "TasksOf": 3},
		},
		{
			"two pages of the same lists",
			`{repositories{nodes{versions(first: 1){nodes{id}} others: versions(last: 1){nodes{id}} again: versions(first: 1){nodes{id}}}}}`,
			map[string]int{"Repositories": 1, "Versions": 2},
		},
		{
			"distributions",
			`{distributions{nodes{url repository{name} publication{id version{number}}}}}`,
			map[string]int{"Distributions": 1, "RepositoriesByID": 1, "PublicationsByID": 1, "VersionsByID": 1},
		},
		{
			"tasks",
			`{tasks{edges{node{group{id} parent{id} worker{id} ahead reservations{resource} reports{code} created{... on Node{id}} failures{nodes{path}} preview{changes{nodes{path}} added: changes(kinds: [ADDED]){nodes{path}}}}}}}`,
			map[string]int{
				"Tasks": 1, "GroupsByID": 1, "TasksByID": 1, "Ahead": 1, "Reservations": 1, "Reports": 1, "Created": 1, "Failures": 1,
				"Previews": 1, "PreviewChanges": 2,
				"VersionsByID": 1, "PublicationsByID": 1,
			},
		},
		{
			"nodes",
			`{nodes(ids: ["task-1", "repository-1", "task-2", "nonsense-3", "repository-x", "repository-99"]){id} a: task(id: "task-3"){id}}`,
			map[string]int{"TasksByID": 1, "RepositoriesByID": 1},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// In a bubble, time passes only when nobody has anything to do.
			synctest.Test(t, func(t *testing.T) {
				store := &memory{}
				if a := ask(t, Resolver{Store: store}, tt.query, nil); len(a.Errors) > 0 {
					t.Fatalf("errors: %v", a.Errors)
				}
				if got := store.asked; !maps.Equal(got, tt.want) {
					t.Errorf("questions: got %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, query, want string }{
		{"node", `{node(id: "repository-3"){__typename id}}`, `{"node":{"__typename":"Repository","id":"repository-3"}}`},
		{"node of another form", `{node(id: "3"){id}}`, `{"node":null}`},
		{"unknown node", `{node(id: "task-99"){id}}`, `{"node":null}`},
		{"nodes", `{nodes(ids: ["task-99", "group-1", "x"]){__typename}}`, `{"nodes":[null,{"__typename":"TaskGroup"},null]}`},
		{"task of another form", `{task(id: "group-1"){id}}`, `{"task":null}`},
		{"union", `{taskOrGroup(id: "task-1"){... on Work{name counts{total waiting finished unfinished}}}}`,
			`{"taskOrGroup":{"name":"sync","counts":{"total":1,"waiting":1,"finished":0,"unfinished":1}}}`},
		{"union of something else", `{taskOrGroup(id: "repository-1"){... on Node{id}}}`, `{"taskOrGroup":null}`},
		{"group", `{taskGroup(id: "group-1"){id state finished counts{total revision}}}`,
			`{"taskGroup":{"id":"group-1","state":"WAITING","finished":false,"counts":{"total":10,"revision":1}}}`},
		{"counts", `{taskGroupCounts(id: "group-1"){waiting}}`, `{"taskGroupCounts":{"waiting":10}}`},
		{"counts of an unknown group", `{taskGroupCounts(id: "group-99"){waiting}}`, `{"taskGroupCounts":null}`},
		{"by an unknown name", `{repository(name: "x"){id}}`, `{"repository":null}`},
		{"task", `{task(id: "task-1"){kind priority state progress{bytesPerSecond remainingSeconds} created{... on RepositoryVersion{id}} worker{id}}}`,
			`{"task":{"kind":"repository.sync","priority":"NORMAL","state":"WAITING","progress":{"bytesPerSecond":0,"remainingSeconds":null},"created":[{"id":"version-1"}],"worker":null}}`},
		{"distribution", `{distributions{nodes{url} totalCount}}`,
			`{"distributions":{"nodes":[` + strings.TrimSuffix(strings.Repeat(`{"url":"/content/a/b/"},`, 10), ",") + `],"totalCount":10}}`},
		{"what a file has", `{publication(id: "publication-1"){entries(directory: "d"){nodes{kind name path size sha256 contentType modifiedAt stored}}}}`,
			`{"publication":{"entries":{"nodes":[{"kind":"DIRECTORY","name":"sub","path":"d/sub","size":null,"sha256":null,"contentType":null,"modifiedAt":null,"stored":null},` +
				`{"kind":"FILE","name":"x.deb","path":"d/x.deb","size":0,"sha256":"` + strings.Repeat("ab", 32) + `","contentType":"application/vnd.debian.binary-package","modifiedAt":"2026-11-01T12:00:00Z","stored":false}]}}}`},
		{"no such directory", `{publication(id: "publication-1"){entries(directory: "none"){nodes{name}}}}`, `{"publication":{"entries":null}}`},
		{"empty lists are not null", `{task(id: "task-1"){reports{code} reservations{resource}}}`, `{"task":{"reports":[],"reservations":[]}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := ask(t, Resolver{Store: &memory{}}, tt.query, nil)
			if len(a.Errors) > 0 {
				t.Fatalf("errors: %v", a.Errors)
			}
			if got := string(a.Data); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestRejectedRequests(t *testing.T) {
	t.Parallel()
	ids, err := json.Marshal(make([]string, 101))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, query string
		variables   map[string]any
		code, field string
	}{
		{"syntax", `{`, nil, "BAD_INPUT", "query"},
		{"unknown field", `{nothing}`, nil, "BAD_INPUT", "query"},
		{"missing variable", `query($id: ID!){task(id: $id){id}}`, nil, "BAD_INPUT", "id"},
		{"number too large", `{tasks(first: 99999999999){totalCount}}`, nil, "BAD_INPUT", "first"},
		{"huge number", `{tasks(first: 99999999999999999999999){totalCount}}`, nil, "BAD_INPUT", "first"},
		{"number too large in a variable", `query($n: Int){tasks(first: $n){totalCount}}`, map[string]any{"n": 99999999999}, "BAD_INPUT", "first"},
		{"page too large", `{tasks(first: 101){totalCount}}`, nil, "BAD_INPUT", "first"},
		{"page of less than one", `{tasks(last: -1){totalCount}}`, nil, "BAD_INPUT", "last"},
		{"both ends", `{tasks(first: 1, last: 1){totalCount}}`, nil, "BAD_INPUT", "last"},
		{"bad cursor", `{tasks(after: "x"){totalCount}}`, nil, "BAD_INPUT", "after"},
		{"directory that is no path", `{publication(id: "publication-1"){entries(directory: "d/"){totalCount}}}`, nil, "BAD_INPUT", "directory"},
		{"directory above", `{publication(id: "publication-1"){entries(directory: "d/../e"){totalCount}}}`, nil, "BAD_INPUT", "directory"},
		{"prefix with a slash", `{publication(id: "publication-1"){entries(prefix: "d/e"){totalCount}}}`, nil, "BAD_INPUT", "prefix"},
		{"prefix that is no name's", `{publication(id: "publication-1"){entries(prefix: "a\u0007"){totalCount}}}`, nil, "BAD_INPUT", "prefix"},
		{"too many ids", `query($ids: [ID!]!){nodes(ids: $ids){id}}`, map[string]any{"ids": json.RawMessage(ids)}, "BAD_INPUT", "ids"},
		{"neither id nor name", `{remote{id}}`, nil, "BAD_INPUT", "id"},
		{"both id and name", `{remote(id: "remote-1", name: "a"){id}}`, nil, "BAD_INPUT", "id"},
		{"two ways to select", `mutation($s: RepositorySelector!){sync(input: {repositories: $s}){__typename}}`,
			map[string]any{"s": map[string]any{"all": true, "labels": "a"}}, "BAD_INPUT", "repositories"},
		{"no way to select", `mutation($s: RepositorySelector!){publish(input: {repositories: $s}){__typename}}`,
			map[string]any{"s": map[string]any{"all": nil}}, "BAD_INPUT", "repositories"},
		{"unknown remote", `mutation{deleteRemote(id: "repository-1"){id}}`, nil, "NOT_FOUND", ""},
		{"unknown work", `mutation{cancel(id: "x"){__typename}}`, nil, "NOT_FOUND", ""},
		{"version zero", `mutation{publish(input: {repositories: {all: true}, version: 0}){__typename}}`, nil, "BAD_INPUT", "version"},
		{"deferred", `{tasks{... @defer {totalCount}}}`, nil, "BAD_INPUT", "query"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, log := askLogged(t, Resolver{Store: &memory{}}, tt.query, tt.variables)
			if got := a.code(t); got != tt.code {
				t.Errorf("code: got %s with %v, want %s", got, a.Errors, tt.code)
			}
			field := ""
			if len(a.Errors) > 0 {
				field, _ = a.Errors[0].Extensions["field"].(string)
			}
			if field != tt.field {
				t.Errorf("field: got %q, want %q", field, tt.field)
			}
			if log != "" {
				t.Errorf("log: got %s, want nothing", log)
			}
		})
	}
}

func TestIntrospectionIsWithinLimits(t *testing.T) {
	t.Parallel()
	const query = `{__schema{types{name fields{name type{...T} args{type{...T}}}}}} fragment T on __Type{name ofType{name ofType{name ofType{name ofType{name}}}}}`
	if a := ask(t, Resolver{Store: &memory{}}, query, nil); len(a.Errors) > 0 {
		t.Errorf("errors: %v", a.Errors)
	}
}
