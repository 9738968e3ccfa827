package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"ream/db/dbtest"
)

// askedOfTheBroken are requests of every kind, over every way there is, that
// need tables which are gone. Subscriptions need some that are not: they wait
// until the database can be read.
var askedOfTheBroken = []string{
	`{ tasks { nodes { id reports { code } } } }`,
	`{ task(id: "task-1") { id reports { code } } }`,
	`{ node(id: "remote-1") { id } }`,
	`{ queue { counts { total } workers { id } throughput { samples { at } } } }`,
	`{ repositories { nodes { id remote { id } latestVersion { units { nodes { path } } } } } }`,
	`mutation { createRemote(input: {name: "leak", url: "http://example.org/PULP_MANIFEST"}) { id } }`,
	`mutation { updateSchedule(input: {id: "schedule-1", paused: true}) { id } }`,
	`mutation { cancel(id: "task-1") { ... on Task { id reports { code } } } }`,
	`subscription { taskOrGroup(id: "group-1") { ... on TaskGroup { id tasks { nodes { id reports { code } } } } } }`,
}

// TestNothingInternalIsTold breaks the server's database in different ways, and
// looks at every byte that clients get then.
func TestNothingInternalIsTold(t *testing.T) {
	t.Parallel()
	// gone takes tables away, which is a defect as any other in the program's SQL.
	gone := func(t *testing.T, p *program) {
		pool := p.openDatabase()
		defer pool.Close()
		for _, table := range []string{"task_report", "remote", "worker", "schedule", "membership"} {
			if _, err := pool.ExecContext(t.Context(), `ALTER TABLE `+table+` RENAME TO gone_`+table); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Run("tables of sqlite are gone", func(t *testing.T) {
		t.Parallel()
		p := start(t, "--data", t.TempDir())
		newLibrary(t, p)
		gone(t, p)
		p.tellsNothing(askedOfTheBroken, "INTERNAL", p.flag("--data"))
	})
	if os.Getenv(dbtest.Variable) == "" {
		return
	}
	t.Run("tables of postgres are gone", func(t *testing.T) {
		t.Parallel()
		p := start(t, "--data", t.TempDir(), "--database", dbtest.PostgresAddress(t))
		newLibrary(t, p)
		gone(t, p)
		p.tellsNothing(askedOfTheBroken, "INTERNAL", p.flag("--data"), p.flag("--database"))
	})
	t.Run("postgres is gone", func(t *testing.T) {
		t.Parallel()
		proxy, through := dbtest.NewProxy(t, dbtest.PostgresAddress(t))
		p := start(t, "--data", t.TempDir(), "--database", through)
		newLibrary(t, p)
		proxy.Refuse()
		asked := slices.DeleteFunc(slices.Clone(askedOfTheBroken), isSubscription)
		p.tellsNothing(asked, "UNAVAILABLE", p.flag("--data"), through)
	})
}

func isSubscription(document string) bool { return strings.HasPrefix(document, "subscription") }

// secrets are words that only those know who see the inside: of the databases,
// their drivers, the runtime, the network.
var secrets = []string{
	"sql", "SQL", "pq:", "postgres", "relation", "no such table", "no such column", "SELECT ", "INSERT ", "UPDATE ", "constraint", "gone_",
	"goroutine", "runtime", ".go", "panic", "nil pointer", "dial tcp", "refused", "EOF", "127.0.0.1", "localhost", "/tmp", "driver", "context",
}

// tellsNothing sends requests over every way, and looks at the answers: they have
// the code, and neither these addresses nor any other secret.
func (p *program) tellsNothing(asked []string, code string, addresses ...string) {
	p.t.Helper()
	for _, document := range asked {
		for way, raw := range map[string]func(string) []byte{"POST": p.rawPost, "events": p.rawEvents, currentProtocol: p.rawSocket, olderProtocol: p.rawOlderSocket} {
			if way == "POST" && isSubscription(document) {
				continue
			}
			got := raw(document)
			if !bytes.Contains(got, []byte(`"code":"`+code+`"`)) {
				p.t.Errorf("%s by %s: got %s, want %s", document, way, got, code)
			}
			p.check(document+" by "+way, got, addresses)
		}
	}
	for _, path := range []string{"/readyz", "/content/", "/content/r/", "/content/r/file-1"} {
		response, err := http.Get(p.address + path)
		if err != nil {
			p.t.Fatal(err)
		}
		p.check(path, allOf(p.t, response), addresses)
	}
}

func (p *program) check(what string, got []byte, addresses []string) {
	p.t.Helper()
	for _, word := range append(slices.Clone(secrets), addresses...) {
		if bytes.Contains(got, []byte(word)) {
			p.t.Errorf("%s tells %q:\n%s", what, word, got)
		}
	}
	if _, after, found := strings.Cut(string(got), `"code":"INTERNAL","id":"`); found {
		id, _, _ := strings.Cut(after, `"`)
		p.log.await(p.t, "internal error", id)
	}
}

// allOf is an answer with its headers.
func allOf(t *testing.T, response *http.Response) []byte {
	t.Helper()
	defer response.Body.Close()
	var b bytes.Buffer
	if err := response.Header.Write(&b); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(&b, response.Body); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (p *program) rawPost(document string) []byte { return p.post(document, "application/json") }

func (p *program) rawEvents(document string) []byte { return p.post(document, serverEvents) }

// post sends a document and returns what comes for it.
func (p *program) post(document, accept string) []byte {
	p.t.Helper()
	body, err := json.Marshal(map[string]any{"query": document})
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.address+"/graphql", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", accept)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	return allOf(p.t, response)
}

func (p *program) rawSocket(document string) []byte {
	return p.converse(currentProtocol, "subscribe", document)
}

func (p *program) rawOlderSocket(document string) []byte {
	return p.converse(olderProtocol, "start", document)
}

// converse runs an operation on a socket of its own and returns all that is
// said until it ends.
func (p *program) converse(protocol, subscribe, document string) []byte {
	p.t.Helper()
	conn := dial(p.t, p, protocol)
	defer conn.Close()
	request, err := json.Marshal(map[string]any{"id": "1", "type": subscribe, "payload": map[string]any{"query": document}})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, message := range [][]byte{[]byte(`{"type":"connection_init"}`), request} {
		if err := conn.WriteMessage(websocket.TextMessage, message); err != nil {
			p.t.Fatal(err)
		}
	}
	var all bytes.Buffer
	for {
		_, text, err := conn.ReadMessage()
		if err != nil {
			fmt.Fprintln(&all, err)
			return all.Bytes()
		}
		fmt.Fprintf(&all, "%s\n", text)
		if bytes.Contains(text, []byte(`"complete"`)) || bytes.Contains(text, []byte(`"type":"error"`)) {
			return all.Bytes()
		}
	}
}
