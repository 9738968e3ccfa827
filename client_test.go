package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
)

// query sends a GraphQL request and reads its data into a T.
func query[T any](p *program, document string, variables map[string]any) T {
	p.t.Helper()
	data, errs := ask[T](p, document, variables)
	if len(errs) > 0 {
		p.t.Fatalf("%s\nerrors: %+v", document, errs)
	}
	return data
}

// gqlError is an entry of a response's errors.
type gqlError struct {
	Message    string
	Extensions struct{ Code, Field string }
}

func ask[T any](p *program, document string, variables map[string]any) (T, []gqlError) {
	p.t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		p.t.Fatal(err)
	}
	post, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.address+"/graphql", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	post.Header.Set("Content-Type", "application/json")
	response := p.send(post)
	defer response.Body.Close()
	var answer struct {
		Data   T
		Errors []gqlError
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		p.t.Fatal(err)
	}
	return answer.Data, answer.Errors
}

// repository creates a remote and a repository of that name.
func (p *program) repository(name, manifest string) (id string) {
	p.t.Helper()
	remote := query[struct{ CreateRemote struct{ ID string } }](p,
		`mutation($n: String!, $u: String!) { createRemote(input: {name: $n, url: $u}) { id } }`, map[string]any{"n": name, "u": manifest})
	return query[struct{ CreateRepository struct{ ID string } }](p,
		`mutation($n: String!, $r: ID!) { createRepository(input: {name: $n, format: FILE, remote: $r}) { id } }`,
		map[string]any{"n": name, "r": remote.CreateRemote.ID}).CreateRepository.ID
}

// finished is a task or group at its end.
type finished struct {
	ID    string
	State string
	Error *struct{ Code, Message string }
}

// sync runs a sync to its end.
func (p *program) sync(name string, mirror bool) finished {
	p.t.Helper()
	return p.follow(p.queueSync(name, mirror))
}

func (p *program) queueSync(name string, mirror bool) (id string) {
	p.t.Helper()
	return query[struct{ Sync struct{ ID string } }](p,
		`mutation($n: String!, $m: Boolean!) { sync(input: {repositories: {names: [$n]}, mirror: $m}) { ... on Work { id } } }`,
		map[string]any{"n": name, "m": mirror}).Sync.ID
}

// mirror asks for a mirror of one repository.
func (p *program) mirror(name string) (id string) {
	p.t.Helper()
	return query[struct{ Mirror struct{ ID string } }](p, `mutation($n: String!) { mirror(input: {repositories: {names: [$n]}}) { id } }`,
		map[string]any{"n": name}).Mirror.ID
}

// queueGroup asks for a sync of all repositories.
func (p *program) queueGroup() (id string) {
	p.t.Helper()
	return query[struct{ Sync struct{ ID string } }](p, `mutation { sync(input: {repositories: {all: true}}) { ... on Work { id } } }`, nil).Sync.ID
}

// follow subscribes to a task or group until the final frame.
func (p *program) follow(id string) (last finished) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	s := p.subscribe(ctx, currentProtocol, `subscription($id: ID!) { taskOrGroup(id: $id) { ... on Work { id state } ... on Task { error { code message } } } }`, id)
	for frame := range s.frames {
		var f struct{ TaskOrGroup finished }
		if err := json.Unmarshal(frame, &f); err != nil {
			p.t.Fatal(err)
		}
		last = f.TaskOrGroup
	}
	if s.ended != nil {
		p.t.Errorf("following %s: %v\n%s", id, s.ended, p.log)
	}
	return last
}

// versions are how many versions a repository has, and the newest one's units.
func (p *program) versions(name string) (versions, units int) {
	p.t.Helper()
	r := query[struct {
		Repository struct {
			Versions      struct{ TotalCount int }
			LatestVersion *struct{ UnitCount int }
		}
	}](p, `query($n: String!) { repository(name: $n) { versions { totalCount } latestVersion { unitCount } } }`, map[string]any{"n": name}).Repository
	if r.LatestVersion != nil {
		units = r.LatestVersion.UnitCount
	}
	return r.Versions.TotalCount, units
}

// get fetches what lies at a path of the server.
func (p *program) get(path string) []byte {
	p.t.Helper()
	get, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.address+(&url.URL{Path: path}).EscapedPath(), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	response := p.send(get)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: got %s, %v", path, response.Status, err)
	}
	return body
}
