// Package web holds the pages that the server shows in a browser, built into
// the binary: they need nothing from the internet.
package web

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// The pages are Ream's own; dist holds what make web builds and fetches.
//
//go:embed pages all:dist
var embedded embed.FS

// vendored are the files without which there is no playground.
var vendored = []string{"react.js", "react-dom.js", "graphiql.js", "graphiql.css"}

const (
	playgroundPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-" + nonceMark + "'; connect-src 'self' ws: wss:; " +
		"img-src 'self' data:; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	pagesPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-" + nonceMark + "'; connect-src 'self' ws: wss:; " +
		"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	plainPolicy = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// Playground returns the pages at /playground and below, where people try the
// GraphQL API that answers at the path endpoint, and read the reference of its
// schema unless that is nil. A build without the playground's files has a page
// there that says how to get them.
func Playground(endpoint string, schema *ast.Schema) http.Handler {
	return playground(embedded, endpoint, schema)
}

func playground(files fs.FS, endpoint string, schema *ast.Schema) http.Handler {
	all := load(files)
	name, policy := "playground.html", playgroundPolicy
	for _, needed := range vendored {
		if all[needed] == nil {
			name, policy = "missing.html", plainPolicy
		}
	}
	page := all.page(name, policy, view{Endpoint: endpoint, Reference: schema != nil})
	if schema != nil {
		all["reference"] = all.reference(schema)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.Trim(strings.TrimPrefix(r.URL.Path, "/playground"), "/")
		switch a := all[name]; {
		case name == "":
			page.ServeHTTP(w, r)
		case a != nil:
			a.ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	})
}
