package main_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "ream"

// rooms says which of Ream's packages each package may import. A package
// below another follows the rules of that one, unless it is listed itself,
// and may be imported only by those that list it.
var rooms = map[string][]string{
	"fault":   {},
	"access":  {"fault"},
	"page":    {"fault"},
	"content": {"fault"},
	"task":    {"fault"},
	"event":   {"task", "fault"},
	"blob":    {"fault"},
	"secret":  {},
	"fetch":   {"fault", "secret", "plainhttp"},
	"media":   {},
	"trail":   {"lane"},
	"trace":   {"task", "fault", "trail"},
	"metric":  {"content", "task", "event", "worker", "db", "resolvers", "quota", "lane"},

	"lane":      {"quota"},
	"plainhttp": {},
	"quota":     {},
	"forwarded": {},

	"format":      {"content", "fault"},
	"format/file": {"format", "content", "fault"},

	"db":        {"access", "content", "task", "fault", "page"},
	"db/dbtest": {"db", "access", "content", "task", "fault", "page"},
	"worker":    {"task", "fault"},
	"catalog":   {"access", "content", "task", "fault", "format", "format/file", "db", "blob", "fetch", "secret", "page"},

	"graph":     {"access", "content", "task", "page", "fault", "secret"},
	"resolvers": {"graph", "catalog", "access", "content", "task", "event", "fault", "page", "media", "quota", "trail"},
	"guard":     {"access", "fault", "quota"},
	"rest":      {"access", "catalog", "content", "task", "event", "fault", "page", "media", "trail", "quota"},
	"demand":    {"blob", "content", "fault", "fetch"},
	"origin":    {"content", "blob", "demand", "fault", "lane", "media"},
	"cli":       {},

	// For tests alone.
	"blob/blobtest": {"blob", "fault", "programtest"},
	"programtest":   {},
	"web":           {},
}

// libraries says to which packages an outside library belongs. The main
// package and its tests may use all.
var libraries = map[string][]string{
	"database/sql":                    {"db"},
	"github.com/jmoiron/sqlx":         {"db"},
	"github.com/lib/pq":               {"db"},
	"github.com/pressly/goose":        {"db"},
	"modernc.org/sqlite":              {"db"},
	"github.com/Khan/genqlient":       {"cli"},
	"github.com/gorilla/websocket":    {"resolvers", "cli"},
	"github.com/99designs/gqlgen":     {"graph", "resolvers"},
	"github.com/minio/minio-go":       {"blob"},
	"github.com/vektah/gqlparser":     {"graph", "resolvers", "web", "rest"}, // rest: its test of who may do what
	"github.com/hashicorp/golang-lru": {"guard", "resolvers", "fetch", "quota"},
	"github.com/FastFilter/xorfilter": {"origin"},
	"golang.org/x/time":               {"fetch", "guard", "quota"},
	"github.com/prometheus":           {"metric"},
	"go.opentelemetry.io":             {"trace"},
	"github.com/coreos/go-oidc":       {"guard"},
	"github.com/rs/cors":              {"guard"},
	"github.com/getkin/kin-openapi":   {"rest"}, // its tests
	"github.com/chromedp":             {},       // the main package's tests alone
	"github.com/netresearch/go-cron":  {"task"},
}

// offline are the packages that may not speak HTTP. Their tests may.
var offline = []string{"format", "content", "task", "db", "worker", "catalog"}

// listed is a package as go list describes it.
type listed struct {
	ImportPath, Name, Doc              string
	Imports, TestImports, XTestImports []string
}

func list(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Name,Doc,Imports,TestImports,XTestImports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all = append(all, p)
	}
}

// below reports whether path is at or below a parent.
func below(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// room returns the entry of rooms that a package of ours follows.
func room(path string) (string, bool) {
	for {
		if _, ok := rooms[path]; ok {
			return path, true
		}
		i := strings.LastIndexByte(path, '/')
		if i < 0 {
			return "", false
		}
		path = path[:i]
	}
}

// TestArchitecture keeps the packages to the imports that they may have.
// Tests may use any package of ours: they put real ones together.
func TestArchitecture(t *testing.T) {
	t.Parallel()
	for _, p := range list(t) {
		if strings.TrimSpace(p.Doc) == "" && p.Name != "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
		if p.ImportPath == module {
			continue
		}
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		home, ok := room(name)
		if !ok {
			t.Errorf("%s is not in the table: decide what it may import", name)
			continue
		}
		for _, imported := range p.Imports {
			if ours, ok := strings.CutPrefix(imported, module+"/"); ok {
				to, _ := room(ours)
				if to != home && !slices.Contains(rooms[home], to) {
					t.Errorf("%s imports %s, which %s may not", name, ours, home)
				}
			}
			if imported == module {
				t.Errorf("%s imports the main package", name)
			}
			if imported == "net/http" && slices.ContainsFunc(offline, func(o string) bool { return below(name, o) }) {
				t.Errorf("%s imports net/http: it may not speak HTTP", name)
			}
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			for library, owners := range libraries {
				if below(imported, library) && !slices.ContainsFunc(owners, func(o string) bool { return below(name, o) }) {
					t.Errorf("%s imports %s, which belongs to %s", name, imported, strings.Join(owners, ", "))
				}
			}
		}
	}
}
