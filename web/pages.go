package web

import (
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// routes are the paths of the pages, as patterns of a ServeMux: the page finds
// out from its address what to show. app/src/routes.tsx has the same ones.
var routes = []string{
	"/{$}",
	"/groups/{id}",
	"/tasks/{id}",
	"/work",
	"/repositories",
	"/repositories/{id}",
	"/remotes",
	"/mirror",
	"/schedules",
	"/workers",
	"/published",
	"/published/{id}",
	"/tokens",
	"/audit",
	"/server",
}

// app is where make web puts what Vite builds of the directory of that name.
const app = "dist/app/"

// Pages returns what answers at / and below: the pages of which people work
// with the server, and lead to the playground, and to the API's reference if
// there is one. A build without them has one page at /, which says how to get
// them.
func Pages(reference bool) http.Handler {
	return pages(embedded, reference)
}

func pages(files fs.FS, reference bool) http.Handler {
	mux := http.NewServeMux()
	index, err := fs.ReadFile(files, app+"index.html.gz")
	if err != nil {
		all := load(files)
		mux.Handle("/{$}", all.page("home.html", plainPolicy, view{Reference: reference}))
		return mux
	}
	page := string(unzip(index))
	if reference {
		page = strings.Replace(page, `id="root"`, `id="root" data-reference="/playground/reference"`, 1)
	}
	shown := newAsset("index.html", []byte(page), false)
	shown.policy = pagesPolicy
	for _, route := range routes {
		mux.Handle(route, shown)
	}
	names, err := fs.Glob(files, app+"assets/*.gz")
	if err != nil {
		panic("web: " + err.Error())
	}
	for _, name := range names {
		body, err := fs.ReadFile(files, name)
		if err != nil {
			panic("web: " + err.Error())
		}
		plain := strings.TrimSuffix(path.Base(name), ".gz")
		part := newAsset(plain, body, true)
		part.named = plain != "licenses.txt" // Vite puts the hash into the names of the others
		mux.Handle("/assets/"+plain, part)
	}
	return mux
}
