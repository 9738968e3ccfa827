package resolvers

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// byHash is the extension that names a document.
func byHash(hash string) string {
	return fmt.Sprintf(`{"persistedQuery":{"version":1,"sha256Hash":%q}}`, hash)
}

func TestAutomaticPersistedQueries(t *testing.T) {
	t.Parallel()
	s := newLimitedServer(t, "persisted=16KiB")
	const document = `{tasks{totalCount}}`
	send := func(body string) received {
		return request(t, s, http.MethodPost, "", body, map[string]string{"Content-Type": mediaJSON})
	}
	withHash := func(document, hash string) string {
		return fmt.Sprintf(`{"query":%q,"extensions":%s}`, document, byHash(hash))
	}
	alone := `{"extensions":` + byHash(hashOf(document)) + `}`
	const answer = `{"data":{"tasks":{"totalCount":10}}}`
	for _, step := range []struct{ name, body, want string }{
		{"not known yet", alone, `"message":"PersistedQueryNotFound","extensions":{"code":"NOT_FOUND"}`},
		{"another one's hash", withHash(document, hashOf("{a}")), `"field":"extensions.persistedQuery.sha256Hash"`},
		{"still not known", alone, "PersistedQueryNotFound"},
		{"sent with its hash", withHash(document, hashOf(document)), answer},
		{"known", alone, answer},
		{"in upper case", strings.ToUpper(byHash(hashOf(document))), "query: it is missing"},
		{"no object", `{"extensions":{"persistedQuery":"x"}}`, `"field":"extensions.persistedQuery"`},
		{"no hash", `{"extensions":{"persistedQuery":{"version":1}}}`, `"field":"extensions.persistedQuery.sha256Hash"`},
		{"of another protocol", `{"extensions":{"persistedQuery":{"version":2,"sha256Hash":"x"}}}`, `"field":"extensions.persistedQuery.version"`},
		{"nothing at all", `{"extensions":{"persistedQuery":null}}`, "query: it is missing"},
	} {
		if got := send(step.body); !strings.Contains(got.text, step.want) {
			t.Errorf("%s: got %s, want %s", step.name, got.text, step.want)
		}
	}
	get := request(t, s, http.MethodGet, "?extensions="+url.QueryEscape(byHash(hashOf(document))), "", nil)
	if !strings.Contains(get.text, answer) {
		t.Errorf("by GET: got %s", get.text)
	}
	dial(t, s, currentProtocol).say(sayInit, `{"id":"1","type":"subscribe","payload":`+alone+`}`).
		expect(hearAck, `{"id":"1","type":"next","payload":`+answer+`}`, complete1)

	for i := range 100 { // others are remembered in its place
		other := fmt.Sprintf(`{tasks(first: 1){totalCount}} # %d%s`, i, strings.Repeat(".", 500))
		if got := send(withHash(other, hashOf(other))); !strings.Contains(got.text, answer) {
			t.Fatalf("got %s", got.text)
		}
	}
	if got := send(alone); !strings.Contains(got.text, "PersistedQueryNotFound") {
		t.Errorf("after many others: got %s", got.text)
	}
}

func TestTextCache(t *testing.T) {
	t.Parallel()
	c := newTextCache(10_000)
	c.add("long", strings.Repeat("x", 1000))
	if _, ok := c.get("long"); ok {
		t.Error("a text of more than a tenth is kept")
	}
	c.add("a", "a")
	for i := range 1000 {
		c.add("a", "a")
		c.add(fmt.Sprint(i), strings.Repeat("x", 500))
		if _, ok := c.get("a"); !ok {
			t.Fatal("what is used is forgotten")
		}
	}
	if n := c.texts.Len(); c.used > 10_000 || n < 10 || n > 14 {
		t.Errorf("got %d texts in %d bytes", n, c.used)
	}
	none := newTextCache(0)
	none.add("long", strings.Repeat("x", 10_000))
	if _, ok := none.get("long"); !ok {
		t.Error("without a limit: a text is not kept")
	}
}

func TestOnlyRegisteredDocuments(t *testing.T) {
	t.Parallel()
	const (
		count  = `query Count {tasks{totalCount}}`
		first  = `query First($n: Int!) {tasks(first: $n){nodes{id}}}`
		answer = `{"tasks":{"totalCount":10}}`
	)
	manifests := [][]byte{
		[]byte(`{"format":"apollo-persisted-query-manifest","version":1,"operations":[{"id":"` + hashOf(count) + `","name":"Count","type":"query","body":"` + count + `"}]}`),
		[]byte(`{"first": "` + first + `"}`),
	}
	documents, err := ReadDocuments(DefaultLimits(), manifests...)
	if err != nil || documents.Len() != 2 {
		t.Fatalf("got %+v, %v", documents, err)
	}
	s := newServerWith(t, Options{Documents: documents, OnlyDocuments: true})
	send := func(body string) string {
		return request(t, s, http.MethodPost, "", body, map[string]string{"Content-Type": mediaJSON}).text
	}
	for name, tt := range map[string]struct{ body, want string }{
		"by its hash":        {`{"extensions":` + byHash(hashOf(count)) + `}`, answer},
		"by its text":        {fmt.Sprintf(`{"query":%q}`, count), answer},
		"with both":          {fmt.Sprintf(`{"query":%q,"extensions":%s}`, count, byHash(hashOf(count))), answer},
		"by its own name":    {`{"variables":{"n":1},"extensions":` + byHash("first") + `}`, `"id":"task-1"`},
		"another text":       {`{"query":"{__typename}"}`, `"code":"FORBIDDEN"`},
		"introspection":      {`{"query":"{__schema{types{name}}}"}`, `"code":"FORBIDDEN"`},
		"with a space more":  {fmt.Sprintf(`{"query":%q}`, count+" "), `"code":"FORBIDDEN"`},
		"another hash":       {`{"extensions":` + byHash(hashOf("{__typename}")) + `}`, `"code":"FORBIDDEN"`},
		"a hash that lies":   {fmt.Sprintf(`{"query":"{__typename}","extensions":%s}`, byHash(hashOf(count))), `"code":"FORBIDDEN"`},
		"limits still apply": {`{"variables":{"n":101},"extensions":` + byHash("first") + `}`, `"field":"first"`},
	} {
		if got := send(tt.body); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
	dial(t, s, currentProtocol).say(sayInit, `{"id":"1","type":"subscribe","payload":{"query":"{__typename}"}}`).
		expect(hearAck, `{"id":"1","type":"error","payload":[{"message":"this document is not registered, and no other is answered: the server's operator can register it","extensions":{"code":"FORBIDDEN"}}]}`)
}

func TestDocumentsThatAreRefused(t *testing.T) {
	t.Parallel()
	deep := `{task(id: \"a\"){` + strings.Repeat("parent{", 15) + "id" + strings.Repeat("}", 15) + "}}"
	for name, tt := range map[string]struct{ manifest, want string }{
		"no JSON":               {`{"a": `, "want JSON"},
		"a list":                {`["{__typename}"]`, "want JSON"},
		"null":                  {`null`, "want JSON"},
		"no GraphQL":            {`{"a": "{"}`, "document a: "},
		"not of the schema":     {`{"a": "{nothing}"}`, "document a: "},
		"too deep":              {`{"a": "` + deep + `"}`, "limit depth=15"},
		"too many tokens":       {`{"a": "{` + strings.Repeat("__typename ", 1000) + `}"}`, "limit tokens=1000"},
		"an operation too much": {`{"a": "query A {__typename} query B ` + deep + `"}`, "operation B: "},
	} {
		if _, err := ReadDocuments(DefaultLimits(), []byte(tt.manifest)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

func TestHiddenSchema(t *testing.T) {
	t.Parallel()
	for _, query := range []string{`{__schema{types{name}}}`, `{__type(name:"Task"){name}}`} {
		if a := askWith(t, Resolver{Store: &memory{}}, Options{HideSchema: true}, query, nil); len(a.Errors) == 0 || strings.Contains(string(a.Data), "Task") {
			t.Errorf("%s: got %s with %v", query, a.Data, a.Errors)
		}
		if a := askWith(t, Resolver{Store: &memory{}}, Options{}, query, nil); len(a.Errors) > 0 || !strings.Contains(string(a.Data), "Task") {
			t.Errorf("%s: got %s with %v", query, a.Data, a.Errors)
		}
	}
	if a := askWith(t, Resolver{Store: &memory{}}, Options{HideSchema: true}, `{__typename}`, nil); string(a.Data) != `{"__typename":"Query"}` {
		t.Errorf("a type's name: got %s with %v", a.Data, a.Errors)
	}
	for _, query := range []string{
		`{tsk{id}}`, `{task(idd:"1"){id}}`, `{task}`, `{tasks(filter:{stats:[WAITING]}){totalCount}}`,
		`{tasks(filter:{states:[WATING]}){totalCount}}`, `{tasks(filter:{states:["WAITING"]}){totalCount}}`,
	} {
		if a := askWith(t, Resolver{Store: &memory{}}, Options{}, query, nil); len(a.Errors) == 0 || !strings.Contains(fmt.Sprint(a.Errors), "Did you mean") {
			t.Errorf("%s: got %v, want a suggestion", query, a.Errors)
		}
		if a := askWith(t, Resolver{Store: &memory{}}, Options{HideSchema: true}, query, nil); len(a.Errors) == 0 || strings.Contains(fmt.Sprint(a.Errors), "Did you mean") {
			t.Errorf("%s: got %v, want no suggestion", query, a.Errors)
		}
	}
}
