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
	for _, name := range []string{"playground.js", "playground.css", "home.css", "examples.graphql"} {
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
	h := playground(built(t), `/graphql?"<x>`)
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
	h := playground(built(t), "/graphql")
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
	w := ask(t, playground(files, "/graphql"), "GET", "/playground/")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "make web") {
		t.Errorf("got status %d and no way to get the files:\n%s", w.Code, w.Body)
	}
}

func TestHome(t *testing.T) {
	t.Parallel()
	w := ask(t, Home(), "GET", "/")
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `href="/playground"`) {
		t.Errorf("got status %d and no link to the playground:\n%s", w.Code, w.Body)
	}
	if w := ask(t, Home(), "GET", "/none"); w.Code != http.StatusNotFound {
		t.Errorf("/none: got status %d, want 404", w.Code)
	}
}

// TestExamplesFitTheSchema keeps what the playground opens with runnable.
func TestExamplesFitTheSchema(t *testing.T) {
	t.Parallel()
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
	examples, err := embedded.ReadFile("pages/examples.graphql")
	if err != nil {
		t.Fatal(err)
	}
	document, problems := gqlparser.LoadQueryWithRules(schema, string(examples), nil)
	if problems != nil {
		t.Fatal(problems)
	}
	for _, name := range []string{"CreateRemote", "CreateRepository", "CreateDistribution", "Mirror", "Sync", "Watch"} {
		if document.Operations.ForName(name) == nil {
			t.Errorf("the examples lack an operation %s", name)
		}
	}
}
