package origin

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"ream/content"
	"ream/media"
)

// listing is a page of a directory, as its readers see it.
type listing struct {
	Path    string         `json:"path"`
	Entries []listingEntry `json:"entries"`
	Next    string         `json:"next,omitempty"` // URL of the next page
	Up      bool           `json:"-"`              // whether there is a directory above
}

type listingEntry struct {
	Name      string `json:"name"`
	Directory bool   `json:"directory"`
	Size      int64  `json:"size"`
	Modified  string `json:"modified,omitempty"` // when, as in RFC 3339; of files
	URL       string `json:"url"`                // relative to the listing
}

// serveDir answers with a page of a directory's names, as JSON for those who
// prefer it and as HTML for everybody else. The topmost directory is the empty
// one; every other ends with a slash.
func (h *Handler) serveDir(w http.ResponseWriter, r *http.Request, id content.PublicationID, dir string, caching []string) {
	if dir != "" {
		dir = dir[:len(dir)-1]
		if err := checkPath(dir); err != nil {
			h.fail(w, r, err)
			return
		}
	}
	after := r.URL.Query().Get("after")
	if len(after) > content.MaxPath || strings.ContainsRune(after, 0) {
		http.Error(w, "after: must be a name from the page before", http.StatusBadRequest)
		return
	}
	found, err := h.lookup.PublishedDir(r.Context(), id, dir, after, h.pageSize+1)
	if err == nil && len(found) == 0 && dir != "" {
		err = h.checkDir(r, id, dir, after)
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	page := newListing(r.URL.Path, dir, found, h.pageSize)
	header := w.Header()
	header["Cache-Control"] = caching
	header["X-Content-Type-Options"] = noSniff
	header.Add("Vary", "Accept")
	var body bytes.Buffer
	if prefersJSON(r.Header["Accept"]) {
		header.Set("Content-Type", "application/json")
		err = json.NewEncoder(&body).Encode(page)
	} else {
		header.Set("Content-Type", "text/html; charset=utf-8")
		header.Set("Content-Security-Policy", listingPolicy)
		header["Referrer-Policy"] = noReferrer
		err = listingHTML.Execute(&body, page)
	}
	if err != nil {
		h.fail(w, r, fmt.Errorf("list %s: %w", dir, err))
		return
	}
	header.Set("Content-Length", fmt.Sprint(body.Len()))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body.Bytes())
	}
}

// checkDir tells the end of a directory from a directory that is not there.
func (h *Handler) checkDir(r *http.Request, id content.PublicationID, dir, after string) error {
	if after != "" {
		below, err := h.lookup.PublishedDir(r.Context(), id, dir, "", 1)
		if err != nil || len(below) > 0 {
			return err
		}
	}
	return errNotFound
}

func newListing(urlPath, dir string, found []content.DirEntry, size int) listing {
	l := listing{Path: urlPath, Up: dir != "", Entries: []listingEntry{}}
	if len(found) > size {
		found = found[:size]
		l.Next = "?" + url.Values{"after": {found[size-1].Name}}.Encode()
	}
	for _, e := range found {
		ref := "./" + url.PathEscape(e.Name)
		if e.IsDir {
			ref += "/"
		}
		one := listingEntry{Name: e.Name, Directory: e.IsDir, Size: e.Size, URL: ref}
		if !e.ModifiedAt.IsZero() {
			one.Modified = e.ModifiedAt.UTC().Format(time.RFC3339)
		}
		l.Entries = append(l.Entries, one)
	}
	return l
}

// prefersJSON reports whether JSON is wanted more than HTML, or as much but by its
// name alone.
func prefersJSON(accept []string) bool {
	a := media.ParseAccept(accept)
	json, html := a.Quality("application/json"), a.Quality("text/html")
	return json.Q > html.Q || json.Q > 0 && json.Q == html.Q && json.Specificity == 2 && html.Specificity < 2
}

// redirectToDir sends the client to the same path with a slash behind it, by
// a relative reference that also holds behind a proxy. It is not permanent:
// the next publication may have a file there.
func redirectToDir(w http.ResponseWriter, r *http.Request) {
	ref := "./" + url.PathEscape(path.Base(r.URL.Path)) + "/"
	if r.URL.RawQuery != "" {
		ref += "?" + r.URL.RawQuery
	}
	header := w.Header()
	mayChange(header)
	header.Set("Location", ref)
	w.WriteHeader(http.StatusFound)
}

// listingStyle is the style sheet of the HTML, within it.
const listingStyle = `
body { font: 1rem/1.6 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color-scheme: light dark }
h1 { font-size: 1.25rem; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
td { padding: 0 .5rem; overflow-wrap: anywhere }
td + td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
`

// listingPolicy allows a listing its own style sheet, and nothing else.
var listingPolicy = func() string {
	sum := sha256.Sum256([]byte(listingStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

var listingHTML = template.Must(template.New("listing").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Path}}</title>
<style>` + listingStyle + `</style>
</head>
<body>
<h1>{{.Path}}</h1>
<table>
{{if .Up}}<tr><td><a href="../">../</a></td><td></td><td></td></tr>
{{end}}{{range .Entries}}<tr><td><a href="{{.URL}}">{{.Name}}{{if .Directory}}/{{end}}</a></td><td>{{.Modified}}</td><td>{{if not .Directory}}{{.Size}}{{end}}</td></tr>
{{else}}<tr><td>Nothing here.</td><td></td><td></td></tr>
{{end}}</table>
{{with .Next}}<p><a rel="next" href="{{.}}">More</a></p>
{{end}}</body>
</html>
`))
