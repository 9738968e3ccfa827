package resolvers

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ream/task"
)

// FuzzFrames says whatever comes, a message a line, on a socket of either
// protocol.
func FuzzFrames(f *testing.F) {
	const subscribe = `{"id":"1","type":"subscribe","payload":{"query":"{x}"}}`
	for _, said := range []string{
		sayInit + "\n" + subscribe + "\n" + subscribe,
		sayInit + "\n" + subscribe + "\n" + `{"id":"1","type":"complete"}` + "\n" + subscribe,
		sayInit + "\n" + sayInit,
		subscribe,
		`{"type":"ping","payload":{"a":1}}` + "\n" + `{"type":"pong"}`,
		`{"type":"connection_init","payload":"x"}`,
		sayInit + "\n" + `{"id":"1","type":"start","payload":{"query":"{x}","variables":[]}}` + "\n" + `{"id":"1","type":"stop"}`,
		sayInit + "\n" + `{"id":"","type":"subscribe","payload":null}`,
		sayInit + "\n" + `{"id":"1","type":"subscribe","payload":{"extensions":{"persistedQuery":{}}}}` + "\n" + `{"type":"connection_terminate"}`,
		"null\n[]\n{}\n\"\"\n{\"type\":7}",
	} {
		f.Add(said, true)
		f.Add(said, false)
	}
	f.Fuzz(func(t *testing.T, said string, older bool) {
		const limit = 3
		c := newConversation(older, limit)
		for line := range strings.SplitSeq(said, "\n") {
			v := c.received(true, []byte(line))
			if c.running > limit || len(c.exchanges) > c.running {
				t.Fatalf("%q: %d operations, %d ids", line, c.running, len(c.exchanges))
			}
			if v.code != 0 {
				if v.code != 1000 && (v.code < 4400 || v.code > 4429) || v.reply != nil || v.begin != nil {
					t.Fatalf("%q: got %+v", line, v)
				}
				return
			}
			if v.reply != nil && !json.Valid(v.reply) {
				t.Fatalf("%q: got %s", line, v.reply)
			}
			if v.begin != nil && (!json.Valid(v.begin.quoted) || !c.says(v.begin, false)) {
				t.Fatalf("%q: got %+v", line, v.begin)
			}
			if v.end != nil && c.says(v.end, true) {
				t.Fatalf("%q: the client is told more", line)
			}
		}
	})
}

// FuzzBodies sends whatever comes as the body of a request.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{
		`{"query":"{queue{counts{total}}}"}`,
		`{"query":"query($n:Int){tasks(first:$n){nodes{id}}}","variables":{"n":3}}`,
		`{"query":"query($n:Int){tasks(first:$n){nodes{id}}}","variables":{"n":1e999}}`,
		`{"query":"query($s:RepositorySelector!){node(id:\"x\"){id}}","variables":{"s":{"ids":[{}]}}}`,
		`{"query":"query a{__typename} query b{__typename}","operationName":"c"}`,
		`{"query":"{...F} fragment F on Query{...F}"}`,
		`{"query":"{nodes(ids:[\"task-1\",\"x\",\"repository-99\"]){id ...on Task{name}}}"}`,
		`{"query":"mutation{cancel(id:\"x\"){__typename}}"}`,
		`{"query":"subscription{queue{counts{total}}}"}`,
		`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}`,
		`[{"query":"{__typename}"},{"query":"{a}"}]`,
		`[]`, `[null]`, `{`, `null`, `{}},{}`, "\xff",
	} {
		f.Add(body)
	}
	h := NewHandler(Resolver{Store: &memory{}, Catalog: &requests{}, Hub: endless{&task.Queue{}}, Now: time.Now}, Options{Log: slog.New(slog.DiscardHandler), Guard: openGuard{}, Limits: DefaultLimits()})
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequestWithContext(asAdmin(t.Context()), http.MethodPost, "/graphql", strings.NewReader(body))
		r.Header.Set("Content-Type", mediaJSON)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		answer := w.Body.String()
		switch w.Code {
		case http.StatusOK, http.StatusBadRequest, http.StatusTooManyRequests, http.StatusRequestEntityTooLarge:
		default:
			t.Errorf("got status %d: %s", w.Code, answer)
		}
		if !json.Valid([]byte(answer)) {
			t.Errorf("no JSON: %s", answer)
		}
	})
}
