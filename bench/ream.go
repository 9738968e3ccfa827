package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// ream is a running server, with a client of its API.
type ream struct {
	*process
	dir      string        // of its data and its log
	address  string        // http://host:port
	database string        // the postgres:// URL; empty with SQLite
	took     time.Duration // from its start to its first answer
}

// startReam starts a server that knows nothing yet. It runs until it is
// stopped or the run ends.
func (b *bench) startReam(ctx context.Context, d database, flags ...string) (*ream, error) {
	dir, err := b.newDir("ream")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := append([]string{"serve", "--listen", address, "--data", dir}, flags...)
	url := ""
	if d == postgres {
		if url, err = b.newDatabase(ctx); err != nil {
			return nil, err
		}
		args = append(args, "--database", url)
	}
	began := time.Now()
	p, err := b.start(dir, b.ream, args...)
	if err != nil {
		return nil, err
	}
	r := &ream{process: p, dir: dir, address: "http://" + address, database: url}
	err = p.await(ctx, func() bool {
		response, err := http.Get(r.address + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	r.took = time.Since(began)
	return r, err
}

// query sends a GraphQL request and reads its data.
func (r *ream) query(ctx context.Context, into any, document string, variables map[string]any) error {
	response, err := r.post(ctx, "application/json", document, variables)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return decode(json.NewDecoder(response.Body), into)
}

// decode reads a GraphQL response.
func decode(d *json.Decoder, into any) error {
	answer := struct {
		Data   any
		Errors []struct{ Message string }
	}{Data: into}
	if err := d.Decode(&answer); err != nil {
		return err
	}
	if len(answer.Errors) > 0 {
		return errors.New(answer.Errors[0].Message)
	}
	return nil
}

func (r *ream) post(ctx context.Context, accept, document string, variables map[string]any) (*http.Response, error) {
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.address+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", accept)
	return http.DefaultClient.Do(request)
}

// createRepository makes a repository of that name with a remote.
func (r *ream) createRepository(ctx context.Context, name, manifest string, connections int) error {
	var remote struct{ CreateRemote struct{ ID string } }
	if err := r.query(ctx, &remote, `mutation($name: String!, $url: String!, $connections: Int!) {
		createRemote(input: {name: $name, url: $url, connections: $connections}) { id } }`,
		map[string]any{"name": name, "url": manifest, "connections": connections}); err != nil {
		return err
	}
	var repository any
	return r.query(ctx, &repository, `mutation($name: String!, $remote: ID!) {
		createRepository(input: {name: $name, format: FILE, remote: $remote}) { id } }`,
		map[string]any{"name": name, "remote": remote.CreateRemote.ID})
}

// sync syncs a repository, and mirror also publishes it and serves it at its
// name. Both tell how long it took from asking for it to hearing of its end.
func (r *ream) sync(ctx context.Context, name string) (time.Duration, error) {
	return r.work(ctx, `mutation($name: String!) { work: sync(input: {repositories: {names: [$name]}}) { ... on Work { id } } }`, name)
}

func (r *ream) mirror(ctx context.Context, name string) (time.Duration, error) {
	return r.work(ctx, `mutation($name: String!) { work: mirror(input: {repositories: {names: [$name]}}) { id } }`, name)
}

func (r *ream) work(ctx context.Context, mutation, name string) (time.Duration, error) {
	began := time.Now()
	var asked struct{ Work struct{ ID string } }
	if err := r.query(ctx, &asked, mutation, map[string]any{"name": name}); err != nil {
		return 0, err
	}
	state, err := r.follow(ctx, asked.Work.ID)
	took := time.Since(began)
	if err == nil && state != "COMPLETED" {
		err = fmt.Errorf("%s is %s: %s", asked.Work.ID, state, r.words())
	}
	return took, err
}

// follow subscribes to a task or a group and returns its state once that is
// final.
func (r *ream) follow(ctx context.Context, id string) (state string, err error) {
	response, err := r.post(ctx, "text/event-stream",
		`subscription($id: ID!) { taskOrGroup(id: $id) { ... on Work { state } } }`, map[string]any{"id": id})
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if lines.Text() == "event: complete" {
			return state, nil
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var frame struct{ TaskOrGroup struct{ State string } }
		if err := decode(json.NewDecoder(strings.NewReader(data)), &frame); err != nil {
			return "", err
		}
		state = frame.TaskOrGroup.State
	}
	return "", errors.Join(fmt.Errorf("the subscription to %s ended early", id), lines.Err())
}

// versions tells how many versions a repository has.
func (r *ream) versions(ctx context.Context, name string) (int, error) {
	var found struct {
		Repository struct{ Versions struct{ TotalCount int } }
	}
	err := r.query(ctx, &found, `query($name: String!) { repository(name: $name) { versions { totalCount } } }`, map[string]any{"name": name})
	return found.Repository.Versions.TotalCount, err
}
