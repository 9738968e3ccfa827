package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gorilla/websocket"
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
	response, err := http.Post(p.address+"/graphql", "application/json", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
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

// queueGroup asks for a sync of all repositories.
func (p *program) queueGroup() (id string) {
	p.t.Helper()
	return query[struct{ Sync struct{ ID string } }](p, `mutation { sync(input: {repositories: {all: true}}) { ... on Work { id } } }`, nil).Sync.ID
}

// follow subscribes to a task or group until the final frame.
func (p *program) follow(id string) (last finished) {
	p.t.Helper()
	frames := p.subscribe(p.t.Context(), `subscription($id: ID!) { taskOrGroup(id: $id) { ... on Work { id state } ... on Task { error { code message } } } }`, id)
	for frame := range frames {
		var f struct{ TaskOrGroup finished }
		if err := json.Unmarshal(frame, &f); err != nil {
			p.t.Fatal(err)
		}
		last = f.TaskOrGroup
	}
	return last
}

// subscribe opens a socket of its own and returns the data of each frame. The
// channel ends with the subscription.
func (p *program) subscribe(ctx context.Context, document, id string) <-chan json.RawMessage {
	p.t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	conn, _, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(p.address, "http")+"/graphql", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, message := range []any{
		map[string]any{"type": "connection_init"},
		map[string]any{"type": "subscribe", "id": "1", "payload": map[string]any{"query": document, "variables": map[string]any{"id": id}}},
	} {
		if err := conn.WriteJSON(message); err != nil {
			p.t.Fatal(err)
		}
		if message.(map[string]any)["type"] == "connection_init" {
			var ack struct{ Type string }
			if err := conn.ReadJSON(&ack); err != nil || ack.Type != "connection_ack" {
				p.t.Fatalf("answer to connection_init: %+v, %v", ack, err)
			}
		}
	}
	frames := make(chan json.RawMessage)
	go func() {
		defer close(frames)
		defer conn.Close()
		for {
			var m struct {
				Type    string
				Payload json.RawMessage
			}
			if err := conn.ReadJSON(&m); err != nil || m.Type == "complete" {
				return
			}
			if m.Type == "ping" {
				_ = conn.WriteJSON(map[string]any{"type": "pong"})
				continue
			}
			var payload struct{ Data json.RawMessage }
			if m.Type != "next" || json.Unmarshal(m.Payload, &payload) != nil {
				continue
			}
			select {
			case frames <- payload.Data:
			case <-ctx.Done():
				return
			}
		}
	}()
	return frames
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
