package web

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// built returns the pages as they are after make web.
func built(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{"playground.js", "playground.css", "home.css", "reference.css", "examples.graphql"} {
		text, err := embedded.ReadFile("pages/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files["pages/"+name] = &fstest.MapFile{Data: text}
	}
	for _, name := range vendored {
		files["dist/"+name+".gz"] = &fstest.MapFile{Data: zip(t, "content of "+name)}
	}
	return files
}

func ask(t *testing.T, h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPlayground(t *testing.T) {
	t.Parallel()
	h := playground(built(t), `/graphql?"<x>`, nil)
	w := ask(t, h, "GET", "/playground")
	if w.Code != http.StatusOK {
		t.Fatalf("status: got %d, want 200", w.Code)
	}
	page := w.Body.String()
	if want := `data-endpoint="/graphql?&#34;&lt;x&gt;"`; !strings.Contains(page, want) {
		t.Errorf("page lacks %s:\n%s", want, page)
	}
	if regexp.MustCompile(`<script[^>]*>[^<]|https?://|\son\w+=`).MatchString(page) {
		t.Errorf("page has an inline script or an outside reference:\n%s", page)
	}
	policy := w.Header().Get("Content-Security-Policy")
	nonce := regexp.MustCompile(`data-nonce="([A-Z2-7]{26,})"`).FindStringSubmatch(page)
	if nonce == nil {
		t.Fatalf("page lacks a nonce:\n%s", page)
	}
	if !strings.Contains(policy, "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-"+nonce[1]+"';") || strings.Contains(policy, "unsafe") {
		t.Errorf("Content-Security-Policy: got %q", policy)
	}
	if again := ask(t, h, "GET", "/playground").Body.String(); strings.Contains(again, nonce[1]) {
		t.Error("the nonce of one answer is in the next")
	}
	references := regexp.MustCompile(`(?:src|href|examples)="(/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(references) != 7 {
		t.Errorf("references: got %d, want 7: %v", len(references), references)
	}
	for _, m := range references {
		w := ask(t, h, "GET", m[1], "Accept-Encoding", "gzip")
		if w.Code != http.StatusOK {
			t.Errorf("%s: got status %d, want 200", m[1], w.Code)
		}
		if got, want := w.Header().Get("Cache-Control"), "public, max-age=31536000, immutable"; got != want {
			t.Errorf("%s: Cache-Control: got %q, want %q", m[1], got, want)
		}
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	h := playground(built(t), "/graphql", nil)
	tag := ask(t, h, "GET", "/playground/react.js", "Accept-Encoding", "gzip").Header().Get("ETag")
	const plain = "content of react.js"
	tests := []struct {
		name, method, target string
		header               []string
		status               int
		encoding, body       string
	}{
		{"gzip", "GET", "/playground/react.js", []string{"Accept-Encoding", "br, gzip"}, 200, "gzip", string(zip(t, plain))},
		{"plain", "GET", "/playground/react.js", nil, 200, "", plain},
		{"gzip refused", "GET", "/playground/react.js", []string{"Accept-Encoding", "gzip;q=0.0, br"}, 200, "", plain},
		{"old version", "GET", "/playground/react.js?v=1", nil, 200, "", plain},
		{"HEAD", "HEAD", "/playground/react.js", nil, 200, "", ""},
		{"same etag", "GET", "/playground/react.js", []string{"Accept-Encoding", "gzip", "If-None-Match", tag}, 304, "", ""},
		{"etag of another encoding", "GET", "/playground/react.js", []string{"If-None-Match", tag}, 200, "", plain},
		{"unknown", "GET", "/playground/none.js", nil, 404, "", "404 page not found\n"},
		{"page source", "GET", "/playground/playground.html", nil, 404, "", "404 page not found\n"},
		{"POST", "POST", "/playground/react.js", nil, 405, "", "only GET and HEAD are answered here\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := ask(t, h, tt.method, tt.target, tt.header...)
			if w.Code != tt.status {
				t.Errorf("status: got %d, want %d", w.Code, tt.status)
			}
			if got := w.Header().Get("Content-Encoding"); got != tt.encoding {
				t.Errorf("Content-Encoding: got %q, want %q", got, tt.encoding)
			}
			if got := w.Body.String(); got != tt.body {
				t.Errorf("body: got %q, want %q", got, tt.body)
			}
			if got := w.Header().Get("Cache-Control"); tt.status == 200 && got != "no-cache" {
				t.Errorf("Cache-Control: got %q, want no-cache", got)
			}
		})
	}
}

func TestPlaygroundWithoutItsFiles(t *testing.T) {
	t.Parallel()
	files := built(t)
	delete(files, "dist/graphiql.js.gz")
	w := ask(t, playground(files, "/graphql", nil), "GET", "/playground/")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "make web") {
		t.Errorf("got status %d and no way to get the files:\n%s", w.Code, w.Body)
	}
}

func TestReference(t *testing.T) {
	t.Parallel()
	schema := readSchema(t)
	h := playground(built(t), "/graphql", schema)
	w := ask(t, h, "GET", "/playground/reference")
	page := w.Body.String()
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("got status %d, %s", w.Code, w.Header().Get("Content-Type"))
	}
	if zipped := ask(t, h, "GET", "/playground/reference", "Accept-Encoding", "gzip"); zipped.Header().Get("Content-Encoding") != "gzip" || zipped.Body.Len() > len(page)/3 {
		t.Errorf("gzipped: got %d bytes of %d", zipped.Body.Len(), len(page))
	}
	if regexp.MustCompile(`<script|https?://[^<]*"|\son\w+=`).MatchString(page) {
		t.Error("the page has a script or an outside reference")
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("%s is there twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("a link leads to %s, which is not there", m[1])
		}
	}
	says := func(id, description string) {
		t.Helper()
		if !ids[id] || !strings.Contains(page, string(prose(description))) {
			t.Errorf("the page does not tell of %s", id)
		}
	}
	for name, d := range schema.Types {
		if strings.HasPrefix(name, "__") {
			continue
		}
		says(name, d.Description)
		for _, f := range own(d.Fields) {
			says(name+"."+f.Name, f.Description)
			for _, a := range f.Arguments {
				says(name+"."+f.Name, a.Description)
			}
		}
		for _, v := range d.EnumValues {
			says(name+"."+v.Name, v.Description)
		}
	}
	for _, path := range []string{"/playground", "/playground/"} {
		if !strings.Contains(ask(t, h, "GET", path).Body.String(), `"/playground/reference"`) {
			t.Errorf("%s does not lead to the reference", path)
		}
	}
}

func TestReferenceOfAHiddenSchema(t *testing.T) {
	t.Parallel()
	h := playground(built(t), "/graphql", nil)
	if w := ask(t, h, "GET", "/playground/reference"); w.Code != http.StatusNotFound {
		t.Errorf("got status %d, want 404", w.Code)
	}
	for _, page := range []string{ask(t, h, "GET", "/playground").Body.String(), ask(t, pages(withPages(t), false), "GET", "/").Body.String(), ask(t, pages(built(t), false), "GET", "/").Body.String()} {
		if strings.Contains(page, "/playground/reference") {
			t.Errorf("a page leads to the reference, which is not there:\n%s", page)
		}
	}
}

func TestReferenceTellsMore(t *testing.T) {
	t.Parallel()
	schema, err := gqlparser.LoadSchema(&ast.Source{Input: `
		type Query { "Old <b>." old(n: [Int!]! = [1]): String @deprecated(reason: "use ` + "`new`" + `, it is <i>better") }
		type Mutation { a(one: One): U } type Subscription { a: N }
		input One @oneOf { x: Int y: Int } union U = A | B type A implements N { id: ID } type B { id: ID @deprecated } interface N { id: ID }`})
	if err != nil {
		t.Fatal(err)
	}
	page := ask(t, playground(built(t), "/graphql", schema), "GET", "/playground/reference").Body.String()
	for _, want := range []string{
		`Old &lt;b&gt;.<p class="deprecated">Deprecated: use <code>new</code>, it is &lt;i&gt;better</p>`,
		`n: [<a href="#Int">Int</a>!]! = [1]`,
		`Deprecated: No longer supported`,
		`Exactly one of these has to be given.`,
		`One of <a href="#A">A</a>, <a href="#B">B</a>`,
		`Implements <a href="#N">N</a>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s:\n%s", want, page)
		}
	}
}

// readSchema is Ream's, from its sources.
func readSchema(t *testing.T) *ast.Schema {
	t.Helper()
	paths, err := filepath.Glob("../graph/*.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	var sources []*ast.Source
	for _, path := range append(paths, "../schema.graphqls") {
		if strings.Contains(path, "golden") {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, &ast.Source{Name: path, Input: string(text)})
	}
	schema, err := gqlparser.LoadSchema(sources...)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestExamplesFitTheSchema keeps what the playground opens with runnable.
func TestExamplesFitTheSchema(t *testing.T) {
	t.Parallel()
	examples, err := embedded.ReadFile("pages/examples.graphql")
	if err != nil {
		t.Fatal(err)
	}
	document, problems := gqlparser.LoadQueryWithRules(readSchema(t), string(examples), nil)
	if problems != nil {
		t.Fatal(problems)
	}
	for _, name := range []string{"CreateRemote", "CreateRepository", "CreateDistribution", "Mirror", "Sync", "Watch"} {
		if document.Operations.ForName(name) == nil {
			t.Errorf("the examples lack an operation %s", name)
		}
	}
}
