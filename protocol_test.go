package main_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// Messages of graphql-transport-ws.
const (
	initialize     = `{"type":"connection_init"}`
	subscribeQueue = `{"type":"subscribe","id":"1","payload":{"query":"subscription { queue { counts { total } } }"}}`
)

// request is a subscribe message.
func request(id, query string) string {
	return fmt.Sprintf(`{"type":"subscribe","id":%q,"payload":{"query":%q}}`, id, query)
}

func TestSocketsCloseByTheProtocol(t *testing.T) {
	t.Parallel()
	p := start(t, "--data", t.TempDir())
	tests := []struct {
		name, protocol string
		talk           []string // what is no JSON is waited for
		want           int
	}{
		{"no protocol", "", nil, 4406},
		{"another protocol", "soap", nil, 4406},
		{"nothing is said", currentProtocol, nil, 4408},
		{"no init", currentProtocol, []string{`{"type":"ping"}`, "pong", `{"type":"pong"}`}, 4408},
		{"nothing is said in the older protocol", olderProtocol, nil, 4408},
		{"subscribe before init", currentProtocol, []string{subscribeQueue}, 4401},
		{"two inits", currentProtocol, []string{initialize, initialize}, 4429},
		{"two inits with a subscription between", currentProtocol, []string{initialize, subscribeQueue, "next", initialize}, 4429},
		{"no JSON", currentProtocol, []string{initialize, `{`}, 4400},
		{"two values", currentProtocol, []string{`{"type":"connection_init"}{}`}, 4400},
		{"type is missing", currentProtocol, []string{initialize, `{"id":"1"}`}, 4400},
		{"type is no text", currentProtocol, []string{initialize, `{"type":1}`}, 4400},
		{"unknown type", currentProtocol, []string{initialize, `{"type":"start"}`}, 4400},
		{"type of the server", currentProtocol, []string{initialize, `{"type":"next","id":"1","payload":{}}`}, 4400},
		{"payload of init is no object", currentProtocol, []string{`{"type":"connection_init","payload":"x"}`}, 4400},
		{"payload of ping is no object", currentProtocol, []string{`{"type":"ping","payload":"x"}`}, 4400},
		{"payload of pong is no object", currentProtocol, []string{initialize, `{"type":"pong","payload":[]}`}, 4400},
		{"subscribe without id", currentProtocol, []string{initialize, `{"type":"subscribe","payload":{"query":"{ __typename }"}}`}, 4400},
		{"subscribe with an empty id", currentProtocol, []string{initialize, request("", "{ __typename }")}, 4400},
		{"subscribe with a number for an id", currentProtocol, []string{initialize, `{"type":"subscribe","id":1,"payload":{"query":"{ __typename }"}}`}, 4400},
		{"subscribe without payload", currentProtocol, []string{initialize, `{"type":"subscribe","id":"1"}`}, 4400},
		{"subscribe without query", currentProtocol, []string{initialize, `{"type":"subscribe","id":"1","payload":{}}`}, 4400},
		{"query is no text", currentProtocol, []string{initialize, `{"type":"subscribe","id":"1","payload":{"query":1}}`}, 4400},
		{"operation name is no text", currentProtocol, []string{initialize, `{"type":"subscribe","id":"1","payload":{"query":"{ __typename }","operationName":1}}`}, 4400},
		{"variables are no object", currentProtocol, []string{initialize, `{"type":"subscribe","id":"1","payload":{"query":"{ __typename }","variables":[1]}}`}, 4400},
		{"extensions are no object", currentProtocol, []string{initialize, `{"type":"subscribe","id":"1","payload":{"query":"{ __typename }","extensions":"x"}}`}, 4400},
		{"complete without id", currentProtocol, []string{initialize, `{"type":"complete"}`}, 4400},
		{"the same id twice", currentProtocol, []string{initialize, subscribeQueue, "next", subscribeQueue}, 4409},
		{"the same id for a query", currentProtocol, []string{initialize, subscribeQueue, "next", request("1", "{ __typename }")}, 4409},
		{"a message too big", currentProtocol, []string{initialize, `{"type":"ping","payload":{"x":"` + strings.Repeat("x", 200<<10) + `"}}`}, websocket.CloseMessageTooBig},
		{"terminated in the older protocol", olderProtocol, []string{initialize, "ack", `{"type":"connection_terminate"}`}, websocket.CloseNormalClosure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, p, tt.protocol)
			talk(t, conn, tt.talk...)
			for {
				if _, _, err := conn.ReadMessage(); err == nil {
					continue
				} else if !websocket.IsCloseError(err, tt.want) {
					t.Errorf("got %v, want close code %d", err, tt.want)
				}
				return
			}
		})
	}
}

// TestSocketsTalkByTheProtocol says all of the first words and then hears all
// of the others, in their order, and nothing between.
func TestSocketsTalkByTheProtocol(t *testing.T) {
	t.Parallel()
	p := start(t, "--data", t.TempDir())
	const (
		ack  = `{"type":"connection_ack"}`
		pong = `{"type":"pong"}`
	)
	next := func(id, data string) string {
		return fmt.Sprintf(`{"id":%q,"type":"next","payload":{"data":%s}}`, id, data)
	}
	complete := func(id string) string { return fmt.Sprintf(`{"id":%q,"type":"complete"}`, id) }
	empty := next("1", `{"queue":{"counts":{"total":0}}}`)
	tests := []struct {
		name      string
		say, hear []string
	}{
		{"ping before init", []string{`{"type":"ping","payload":{"a":1}}`, initialize}, []string{`{"type":"pong","payload":{"a":1}}`, ack}},
		{"ping after init", []string{initialize, `{"type":"ping","payload":{"a":1}}`}, []string{ack, `{"type":"pong","payload":{"a":1}}`}},
		{"pong that nobody asked for", []string{`{"type":"pong"}`, initialize, `{"type":"pong","payload":{"a":1}}`, `{"type":"ping"}`}, []string{ack, pong}},
		{"init with a payload", []string{`{"type":"connection_init","payload":{"x":1}}`}, []string{ack}},
		{"init with null for a payload", []string{`{"type":"connection_init","payload":null}`}, []string{ack}},
		{"members that the protocol does not have", []string{`{"type":"connection_init","x":[1]}`, `{"type":"ping","id":"7"}`}, []string{ack, pong}},
		{"query", []string{initialize, request("a", "{ queue { counts { total } } }")}, []string{ack, next("a", `{"queue":{"counts":{"total":0}}}`), complete("a")}},
		{"query with everything", []string{initialize, `{"type":"subscribe","id":"a","payload":{"query":"query A($n: String!) { repository(name: $n) { id } } query B { __typename }","operationName":"A","variables":{"n":"x"},"extensions":{}}}`},
			[]string{ack, next("a", `{"repository":null}`), complete("a")}},
		{"mutation", []string{initialize, request("m", `mutation { createRemote(input: {name: "socket", url: "http://127.0.0.1/PULP_MANIFEST"}) { name } }`)},
			[]string{ack, next("m", `{"createRemote":{"name":"socket"}}`), complete("m")}},
		{"subscription that the server completes", []string{initialize, request("s", `subscription { taskGroup(id: "group-1") { finished counts { total } } }`)},
			[]string{ack, next("s", `{"taskGroup":{"finished":true,"counts":{"total":0}}}`), complete("s")}},
		{"complete of an unknown id", []string{initialize, complete("7"), `{"type":"ping"}`}, []string{ack, pong}},
		{"request that is no GraphQL, and its id again", []string{initialize, request("1", "{"), subscribeQueue}, []string{ack, `"id":"1","type":"error"`, empty}},
		{"request that does not fit the schema", []string{initialize, request("1", "{ nothing }"), `{"type":"ping"}`}, []string{ack, `"id":"1","type":"error"`, pong}},
		{"request that lacks a variable", []string{initialize, request("1", "query($id: ID!) { node(id: $id) { id } }"), `{"type":"ping"}`}, []string{ack, `"id":"1","type":"error"`, pong}},
		{"what is not found", []string{initialize, request("1", `subscription { taskGroup(id: "group-99") { id } }`)}, []string{ack, `"code":"NOT_FOUND"`, complete("1")}},
	}
	// An empty group, which has its final frame from the start.
	query[any](p, `mutation { sync(input: {repositories: {all: true}}) { ... on Work { id } } }`, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, p, currentProtocol)
			first, rest := 0, tt.say
			for _, want := range tt.hear {
				// One at a time: answers to different ids come in any order.
				for ; first < len(rest); first++ {
					if err := conn.WriteMessage(websocket.TextMessage, []byte(rest[first])); err != nil {
						t.Fatal(err)
					}
					if answered(rest[first]) {
						first++
						break
					}
				}
				_, got, err := conn.ReadMessage()
				if err != nil || !says(string(got), want) {
					t.Fatalf("got %s, %v, want %s", got, err, want)
				}
			}
		})
	}
}

// answered reports whether the server answers a message.
func answered(message string) bool {
	return !strings.Contains(message, `"type":"pong"`) && !strings.Contains(message, `"type":"complete"`)
}

// says reports whether a message is the JSON that is wanted, or has those words
// in it.
func says(got, want string) bool {
	if !strings.HasPrefix(want, "{") {
		return strings.Contains(got, want)
	}
	var g, w any
	if json.Unmarshal([]byte(got), &g) != nil || json.Unmarshal([]byte(want), &w) != nil {
		return false
	}
	return fmt.Sprint(g) == fmt.Sprint(w)
}

func TestSocketsCompleteOneOfTwo(t *testing.T) {
	t.Parallel()
	p := start(t, "--data", t.TempDir())
	_, release := p.repositories(1)[0].hold("file-2.bin")
	id := p.queueGroup()
	conn := dial(t, p, currentProtocol)
	follow := fmt.Sprintf(`subscription { taskGroupCounts(id: "%s") { finished } }`, id)
	talk(t, conn, initialize, "ack", request("stays", follow), `"stays"`, request("goes", follow), `"goes"`,
		`{"type":"complete","id":"goes"}`, `{"type":"ping"}`, "pong")
	release()
	for heard := ""; heard != `{"id":"stays","type":"complete"}`; {
		_, text, err := conn.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if heard = string(text); strings.Contains(heard, `"goes"`) {
			t.Errorf("after it was completed: got %s", heard)
		}
	}
	talk(t, conn, request("goes", follow), `"goes"`)
	if _, text, err := conn.ReadMessage(); err != nil || string(text) != `{"id":"goes","type":"complete"}` {
		t.Errorf("the id again: got %s, %v, want the end", text, err)
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command(t, path, "demo", "--exit")
	if err != nil || !strings.Contains(out, "18 completed of 18") || !strings.Contains(out, "its SHA-256 is the one that is published") {
		t.Errorf("got %v:\n%s", err, out)
	}
}
