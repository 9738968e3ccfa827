package web

import (
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// withPages returns files as make web leaves them, with small pages.
func withPages(t *testing.T) fstest.MapFS {
	t.Helper()
	files := built(t)
	for name, text := range map[string]string{
		"index.html":            `<meta property="csp-nonce" nonce="NONCE"><div id="root"></div>`,
		"assets/index-Ab12.js":  "content of a script",
		"assets/index-Cd34.css": "content of a style sheet",
		"assets/licenses.txt":   "licenses",
		"assets/other-_x-Y7.js": "content of a part",
	} {
		files[app+name+".gz"] = &fstest.MapFile{Data: zip(t, text)}
	}
	return files
}

func TestPages(t *testing.T) {
	t.Parallel()
	h := pages(withPages(t), true)
	for _, path := range []string{"/", "/work", "/groups/group-7", "/tasks/task-12"} {
		w := ask(t, h, "GET", path)
		page, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
		nonce := regexp.MustCompile(`nonce="([A-Z2-7]{26,})"`).FindStringSubmatch(page)
		if w.Code != http.StatusOK || nonce == nil || !strings.Contains(policy, "style-src 'self' 'nonce-"+nonce[1]+"';") {
			t.Errorf("%s: got status %d, policy %q and\n%s", path, w.Code, policy, page)
		}
		if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'none'; script-src 'self';") {
			t.Errorf("%s: Content-Security-Policy: got %q", path, policy)
		}
		if !strings.Contains(page, `data-reference="/playground/reference"`) {
			t.Errorf("%s does not lead to the reference:\n%s", path, page)
		}
	}
	tests := []struct {
		path, body, kept string
		status           int
	}{
		{"/assets/index-Ab12.js", "content of a script", "public, max-age=31536000, immutable", 200},
		{"/assets/other-_x-Y7.js", "content of a part", "public, max-age=31536000, immutable", 200},
		{"/assets/licenses.txt", "licenses", "no-cache", 200},
		{"/assets/none.js", "404 page not found\n", "", 404},
		{"/assets/", "404 page not found\n", "", 404},
		{"/none", "404 page not found\n", "", 404},
		{"/groups/", "404 page not found\n", "", 404},
		{"/index.html", "404 page not found\n", "", 404},
	}
	for _, tt := range tests {
		w := ask(t, h, "GET", tt.path)
		if w.Code != tt.status || w.Body.String() != tt.body || w.Header().Get("Cache-Control") != tt.kept {
			t.Errorf("%s: got status %d, %q, kept %q, want %d, %q, %q", tt.path, w.Code, w.Body, w.Header().Get("Cache-Control"), tt.status, tt.body, tt.kept)
		}
	}
	if w := ask(t, h, "POST", "/"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: got status %d, want 405", w.Code)
	}
}

// The server answers at the paths that the pages know, and at no others.
func TestRoutes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("app/src/routes.tsx")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, m := range regexp.MustCompile(`path: '([^']+)', page:`).FindAllStringSubmatch(string(text), -1) {
		path := regexp.MustCompile(`:(\w+)`).ReplaceAllString(m[1], "{$1}")
		if path == "/" {
			path = "/{$}"
		}
		want = append(want, path)
	}
	if !slices.Equal(routes, want) {
		t.Errorf("routes: got %q, want those of app/src/routes.tsx: %q", routes, want)
	}
}

func TestABuildWithoutPages(t *testing.T) {
	t.Parallel()
	h := pages(built(t), true)
	w := ask(t, h, "GET", "/")
	for _, want := range []string{"make web build", `href="/playground"`, `href="/playground/reference"`} {
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("got status %d without %s:\n%s", w.Code, want, w.Body)
		}
	}
	if w := ask(t, h, "GET", "/work"); w.Code != http.StatusNotFound {
		t.Errorf("/work: got status %d, want 404", w.Code)
	}
}

// What a browser needs for the first page is small enough to come quickly.
func TestFirstLoad(t *testing.T) {
	t.Parallel()
	index, err := embedded.ReadFile(app + "index.html.gz")
	if err != nil {
		t.Skip("the pages are not built: make web builds them")
	}
	needed := regexp.MustCompile(`/assets/([^"]+)"`).FindAllStringSubmatch(string(unzip(index)), -1)
	chart, err := fs.Glob(embedded, app+"assets/throughput-*.gz") // of the first page, and loaded after it
	if err != nil || len(needed) == 0 || len(chart) != 2 {
		t.Fatalf("got %d parts and %d of the chart, %v", len(needed), len(chart), err)
	}
	size := len(index)
	for _, m := range needed {
		chart = append(chart, app+"assets/"+m[1]+".gz")
	}
	for _, name := range chart {
		body, err := embedded.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		size += len(body)
	}
	if size > 250_000 {
		t.Errorf("the first load is %d bytes, compressed, want at most 250,000", size)
	}
	t.Logf("the first load is %d bytes, compressed", size)
}
