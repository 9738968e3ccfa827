package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// schema is the server's, as far as a walk through it needs it.
type schema map[string]schemaType

type schemaType struct {
	Kind, Name                string
	Fields                    []schemaField
	Interfaces, PossibleTypes []struct{ Name string }
}

type schemaField struct {
	Name string
	Args []struct {
		Name         string
		Type         schemaRef
		DefaultValue *string
	}
	Type schemaRef
}

type schemaRef struct {
	Kind, Name string
	OfType     *schemaRef
}

// named is the type's name without lists and the like around it.
func (r schemaRef) named() string {
	for r.OfType != nil {
		r = *r.OfType
	}
	return r.Name
}

func (p *program) schema() schema {
	p.t.Helper()
	const ref = `{ kind name ofType { kind name ofType { kind name ofType { kind name } } } }`
	found := query[struct {
		Schema struct{ Types []schemaType } `json:"__schema"`
	}](p, `{ __schema { types { kind name interfaces { name } possibleTypes { name } fields { name args { name defaultValue type `+ref+` } type `+ref+` } } } }`, nil)
	s := schema{}
	for _, t := range found.Schema.Types {
		s[t.Name] = t
	}
	return s
}

// isNode reports whether things of the type have ids.
func (s schema) isNode(name string) bool {
	return slices.ContainsFunc(s[name].Interfaces, func(i struct{ Name string }) bool { return i.Name == "Node" })
}

func (s schema) hasFields(name string) bool {
	return slices.Contains([]string{"OBJECT", "INTERFACE", "UNION"}, s[name].Kind)
}

// field is a field with whatever lies below it, up to where the next node
// begins: of that only what is its own. inside are the types around it.
func (s schema) field(f schemaField, inside ...string) string {
	text := f.Name
	for _, a := range f.Args {
		if a.Type.Kind == "NON_NULL" && a.DefaultValue == nil {
			text += "(" + a.Name + ": 1)" // numbers: the roots' are not asked for here
		}
	}
	if t := f.Type.named(); s.hasFields(t) {
		text += " {" + s.below(t, inside...) + "}"
	}
	return text
}

func (s schema) below(name string, inside ...string) string {
	t := s[name]
	text := " __typename"
	for _, possible := range t.PossibleTypes {
		text += " ... on " + possible.Name + " {" + s.below(possible.Name, inside...) + "}"
	}
	if t.Kind != "OBJECT" {
		return text
	}
	for _, f := range t.Fields {
		if inner := f.Type.named(); !s.hasFields(inner) || !s.isNode(name) && !slices.Contains(inside, inner) {
			// Types have fields of the same name and other types: each is known by its own.
			text += " " + name + "_" + f.Name + ": " + s.field(f, append(inside, name)...)
		}
	}
	return text
}

// walk asks for every field of the root types, with every id, and for every
// field of every node, and hands each answer over with what was asked.
func (s schema) walk(p *program, ids map[string][]string, seen func(document string, data json.RawMessage, errs []gqlError)) {
	p.t.Helper()
	every := slices.Concat(slices.Collect(maps.Values(ids))...)
	visit := func(document string) {
		data, errs := ask[json.RawMessage](p, document, nil)
		seen(document, data, errs)
	}
	for _, f := range s["Query"].Fields {
		below := ""
		if t := f.Type.named(); s.hasFields(t) {
			below = " {" + s.below(t) + "}"
		}
		switch takes := func(name string) bool {
			return slices.ContainsFunc(f.Args, func(a struct {
				Name         string
				Type         schemaRef
				DefaultValue *string
			}) bool {
				return a.Name == name
			})
		}; {
		case takes("id"):
			for _, id := range every {
				visit(fmt.Sprintf(`{ %s(id: %q)%s }`, f.Name, id, below))
			}
		case takes("ids"):
			for _, id := range every {
				visit(fmt.Sprintf(`{ %s(ids: [%q])%s }`, f.Name, id, below))
			}
		case takes("from"):
			for _, from := range ids["RepositoryVersion"] {
				for _, to := range ids["RepositoryVersion"] {
					visit(fmt.Sprintf(`{ %s(from: %q, to: %q)%s }`, f.Name, from, to, below))
				}
			}
		default:
			visit(`{ ` + f.Name + below + ` }`)
		}
	}
	for name, of := range ids {
		list, err := json.Marshal(of)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, f := range s[name].Fields {
			visit(fmt.Sprintf(`{ nodes(ids: %s) { ... on %s { id %s } } }`, list, name, s.field(f, name)))
		}
	}
}

// ids are those of everything there is, by type.
func (p *program) ids() map[string][]string {
	p.t.Helper()
	type node struct {
		ID   string
		Type string `json:"__typename"`
	}
	type nodes struct{ Nodes []node }
	const n = `{ nodes { id __typename } }`
	lists := query[map[string]nodes](p, `{ remotes `+n+` repositories `+n+` distributions `+n+` publications `+n+` tasks `+n+` taskGroups `+n+` schedules `+n+` tokens `+n+` auditEntries `+n+` }`, nil)
	inner := query[struct {
		Repositories struct {
			Nodes []struct {
				Versions struct{ Nodes []struct{ Units nodes } }
			}
		}
		Versions struct {
			Nodes []struct{ Versions nodes }
		}
		Queue struct{ Workers []node }
	}](p, `{ repositories { nodes { versions { nodes { units `+n+` } } } } versions: repositories { nodes { versions `+n+` } } queue { workers { id __typename } } }`, nil)
	for i, r := range inner.Repositories.Nodes {
		lists[fmt.Sprint("versions ", i)] = inner.Versions.Nodes[i].Versions
		for j, v := range r.Versions.Nodes {
			lists[fmt.Sprint("units ", i, j)] = v.Units
		}
	}
	lists["workers"] = nodes{inner.Queue.Workers}
	ids := map[string][]string{}
	for _, list := range lists {
		for _, n := range list.Nodes {
			ids[n.Type] = append(ids[n.Type], n.ID)
		}
	}
	return ids
}

// label gives a repository labels.
func (p *program) label(id, key, value string) {
	p.t.Helper()
	query[any](p, `mutation($i: ID!, $k: String!, $v: String!) { updateRepository(input: {id: $i, labels: [{key: $k, value: $v}]}) { id } }`,
		map[string]any{"i": id, "k": key, "v": value})
}

// TestLimitsHideOtherRepositories has two repositories, one of which nobody with
// a limited token may learn anything of. All that is about it has "theirs" in
// its name, and whatever the API can be asked is asked.
func TestLimitsHideOtherRepositories(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		p := start(t, append(args, "--require-tokens", "--limits", "aliases=0,tokens=0,rate=0")...) // for the walk
		admin := p.by(p.tokenCommand("create", "boss", "--role", "admin"))
		repositories := map[string]string{}
		for _, name := range []string{"mine", "theirs"} {
			up := newUpstream(t, map[string][]byte{name + "-1": []byte(name + " one"), name + "-2": []byte(name + " two")})
			repositories[name] = admin.repository(name, up.URL+"/PULP_MANIFEST?of="+name)
			admin.label(repositories[name], "team", name)
			for range 2 {
				up.set(func() { delete(up.files, name+"-1") })
				if got := admin.follow(admin.mirror(name)); got.State != "COMPLETED" {
					t.Fatalf("%s: got %+v", name, got)
				}
				up.set(func() { up.files[name+"-3"] = []byte(name + " three") })
			}
			query[any](admin, `mutation($n: String!, $c: String!) { createSchedule(input: {name: $n, cron: $c, operation: {sync: {repositories: {names: [$n]}}}}) { id } }`, map[string]any{"n": name, "c": "@yearly"})
		}
		both := admin.queueGroup()
		if got := admin.follow(both); got.State != "COMPLETED" {
			t.Fatalf("both: got %+v", got)
		}
		theirs := admin.queueSync("theirs", false)
		admin.follow(theirs)

		_, secret := admin.newToken(`name: "limited", role: OPERATOR, labels: "team=mine"`)
		limited := p.by(secret)
		s, ids := admin.schema(), admin.ids()
		for _, kind := range []string{"Remote", "Repository", "RepositoryVersion", "Unit", "Publication", "Distribution", "Task", "TaskGroup", "Worker", "Schedule", "Token", "AuditEntry"} {
			if len(ids[kind]) == 0 {
				t.Errorf("there is no %s to look for", kind)
			}
		}
		for kind := range s {
			if s[kind].Kind == "OBJECT" && s.isNode(kind) && len(ids[kind]) == 0 {
				t.Errorf("the walk has no %s: add one to it", kind)
			}
		}
		found := map[string]int{}
		s.walk(admin, ids, func(document string, data json.RawMessage, errs []gqlError) {
			if len(errs) > 0 {
				t.Errorf("%s as admin: %+v", document, errs)
			}
			if strings.Contains(string(data), "theirs") {
				found["theirs, by an admin"]++
			}
		})
		s.walk(limited, ids, func(document string, data json.RawMessage, errs []gqlError) {
			for _, e := range errs {
				if e.Extensions.Code != "FORBIDDEN" {
					t.Errorf("%s: %+v", document, e)
				}
			}
			if text := fmt.Sprintf("%s %+v", data, errs); strings.Contains(text, "theirs") {
				t.Errorf("%s: got %s", document, text)
			}
			if strings.Contains(string(data), "mine") {
				found["mine"]++
			}
		})
		if found["theirs, by an admin"] < 50 || found["mine"] < 50 {
			t.Errorf("in so many answers: %v: the walk does not go where the names are", found)
		}

		// By name, to follow, and to work on.
		for _, document := range []string{`{ repository(name: "theirs") { id } }`, `{ remote(name: "theirs") { id } }`, `{ distribution(path: "theirs") { id } }`} {
			if got, errs := ask[map[string]any](limited, document, nil); len(errs) > 0 || !slices.Equal(slices.Collect(maps.Values(got)), []any{nil}) {
				t.Errorf("%s: got %v %+v, want null", document, got, errs)
			}
		}
		theirDistribution := query[struct{ Distribution struct{ ID string } }](admin, `{ distribution(path: "theirs") { id } }`, nil).Distribution.ID
		for _, c := range []struct{ field, id string }{
			{"repository { id }", repositories["theirs"]}, {"distribution { id }", theirDistribution},
			{"task { id }", theirs}, {"taskOrGroup { __typename }", theirs}, {"taskGroup { id }", both}, {"taskGroupCounts { total }", both}, {"taskOrGroup { __typename }", both},
		} {
			name, below, _ := strings.Cut(c.field, " ")
			sub := limited.subscribe(t.Context(), currentProtocol, `subscription($id: ID!) { `+name+`(id: $id) `+below+` }`, c.id)
			if frame, more := <-sub.frames; more || sub.ended == nil || !strings.Contains(sub.ended.Error(), "NOT_FOUND") {
				t.Errorf("following %s: got %s, %v, want NOT_FOUND", c.id, frame, sub.ended)
			}
		}
		for _, list := range []string{`repositories { nodes { label: name } }`, `distributions { nodes { label: path } }`} {
			frame := string(<-limited.subscribe(t.Context(), currentProtocol, "subscription { "+list+" }", "").frames)
			if !strings.HasSuffix(frame, `":{"nodes":[{"label":"mine"}]}}`) {
				t.Errorf("following %s: got %s, want mine alone", list, frame)
			}
		}
		const counts = `{ queue { counts { total } throughput { samples { at } } } }`
		asked, errs := ask[json.RawMessage](limited, counts, nil)
		tasks := len(query[struct {
			Tasks struct{ Nodes []struct{ ID string } }
		}](limited, `{ tasks(first: 100) { nodes { id } } }`, nil).Tasks.Nodes)
		want := fmt.Sprintf(`{"queue":{"counts":{"total":%d},"throughput":{"samples":[]}}}`, tasks)
		pushed := <-limited.subscribe(t.Context(), currentProtocol, "subscription "+counts, "").frames
		if tasks < 4 || len(errs) > 0 || string(asked) != want || !strings.Contains(string(pushed), want) {
			t.Errorf("the queue of %d tasks: got %s %+v and %s, want %s", tasks, asked, errs, pushed, want)
		}
		theirVersion := query[struct {
			Repository struct{ LatestVersion struct{ ID string } }
		}](admin, `{ repository(name: "theirs") { latestVersion { id } } }`, nil).Repository.LatestVersion.ID
		theirUnit := query[struct {
			RepositoryVersion struct {
				Units struct{ Nodes []struct{ ID string } }
			}
		}](admin, `query($v: ID!) { repositoryVersion(id: $v) { units { nodes { id } } } }`, map[string]any{"v": theirVersion}).RepositoryVersion.Units.Nodes[0].ID
		for _, c := range []struct{ mutation, code string }{
			{`modifyRepository(input: {repository: "` + repositories["theirs"] + `", remove: ["` + theirUnit + `"]}) { id }`, "BAD_INPUT"},
			{`modifyRepository(input: {repository: "` + repositories["mine"] + `", add: ["` + theirUnit + `"]}) { id }`, "BAD_INPUT"},
			{`copyUnits(input: {version: "` + theirVersion + `", repository: "` + repositories["mine"] + `"}) { id }`, "BAD_INPUT"},
			{`restoreVersion(input: {version: "` + theirVersion + `"}) { id }`, "BAD_INPUT"},
			{`deleteVersion(input: {version: "` + theirVersion + `"}) { id }`, "BAD_INPUT"},
			{`sync(input: {repositories: {ids: ["` + repositories["theirs"] + `"]}}) { __typename }`, "BAD_INPUT"},
			{`sync(input: {repositories: {names: ["mine", "theirs"]}}) { __typename }`, "BAD_INPUT"},
			{`publish(input: {repositories: {names: ["theirs"]}}) { __typename }`, "BAD_INPUT"},
			{`mirror(input: {repositories: {names: ["theirs"]}}) { id }`, "BAD_INPUT"},
			{`mirror(input: {repositories: {names: ["mine"]}, path: "theirs"}) { id }`, "FORBIDDEN"},
			{`cancel(id: "` + theirs + `") { __typename }`, "NOT_FOUND"},
			{`cancel(id: "` + both + `") { __typename }`, "NOT_FOUND"},
			{`retry(id: "` + theirs + `") { __typename }`, "NOT_FOUND"},
			{`retry(id: "` + both + `") { __typename }`, "NOT_FOUND"},
			{`deleteRepository(id: "` + repositories["mine"] + `") { id }`, "FORBIDDEN"},
			{`updateRepository(input: {id: "` + repositories["theirs"] + `", labels: [{key: "team", value: "mine"}]}) { id }`, "FORBIDDEN"},
		} {
			if _, errs := ask[any](limited, "mutation { "+c.mutation+" }", nil); len(errs) != 1 || errs[0].Extensions.Code != c.code {
				t.Errorf("%s: got %+v, want %s", c.mutation, errs, c.code)
			}
		}
		for _, selector := range []string{`all: true`, `labels: "team"`} {
			group := query[struct {
				Sync struct {
					ID    string
					Tasks struct{ Nodes []struct{ Name string } }
				}
			}](limited, `mutation { sync(input: {repositories: {`+selector+`}}) { ... on TaskGroup { id tasks { nodes { name } } } } }`, nil).Sync
			if len(group.Tasks.Nodes) != 1 || group.Tasks.Nodes[0].Name != "sync mine" {
				t.Errorf("%s: got %+v, want a sync of mine alone", selector, group)
			}
			if got := limited.follow(group.ID); got.State != "COMPLETED" {
				t.Errorf("%s: got %+v", selector, got)
			}
		}

		// Content.
		for path, want := range map[string]int{
			"/content/mine/mine-3": http.StatusOK, "/content/mine/": http.StatusOK,
			"/content/theirs/theirs-3": http.StatusNotFound, "/content/theirs/": http.StatusNotFound, "/content/theirs": http.StatusNotFound,
		} {
			if got := limited.status(path, "", ""); got != want {
				t.Errorf("%s: got %d, want %d", path, got, want)
			}
			if got := p.status(path, "apt", secret); got != want {
				t.Errorf("%s by a password: got %d, want %d", path, got, want)
			}
			if got := admin.status(path, "", ""); got != http.StatusOK {
				t.Errorf("%s as admin: got %d", path, got)
			}
		}
	})
}
