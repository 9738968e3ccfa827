package web

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// assets are the files that pages refer to, by name.
type assets map[string]*asset

// asset is a file, and answers requests for it.
type asset struct {
	body        []byte
	zipped      bool // body is gzipped
	contentType string
	version     string // changes with the body
	policy      string // Content-Security-Policy, of pages
	named       bool   // the name changes with the body
}

// nonceMark stands in pages and their policies for a random text, which is
// another one in each answer: scripts that know it may add style sheets.
const nonceMark = "NONCE"

// load reads every file but the pages. The files are part of the binary, so
// one that cannot be read is a defect of the build.
func load(files fs.FS) assets {
	all := make(assets)
	for _, pattern := range []string{"pages/*", "dist/*.gz"} {
		names, err := fs.Glob(files, pattern)
		if err != nil {
			panic("web: " + err.Error())
		}
		for _, name := range names {
			if path.Ext(name) == ".html" {
				continue
			}
			body, err := fs.ReadFile(files, name)
			if err != nil {
				panic("web: " + err.Error())
			}
			plain, zipped := strings.CutSuffix(path.Base(name), ".gz")
			all[plain] = newAsset(plain, body, zipped)
		}
	}
	return all
}

func newAsset(name string, body []byte, zipped bool) *asset {
	sum := sha256.Sum256(body)
	types := map[string]string{
		".css":     "text/css; charset=utf-8",
		".html":    "text/html; charset=utf-8",
		".js":      "text/javascript; charset=utf-8",
		".txt":     "text/plain; charset=utf-8",
		".graphql": "application/graphql; charset=utf-8",
	}
	return &asset{
		body:        body,
		zipped:      zipped,
		contentType: types[path.Ext(name)],
		version:     hex.EncodeToString(sum[:8]),
	}
}

// view is what pages show.
type view struct {
	Endpoint  string    // where the API answers
	Reference bool      // whether there is a reference of it
	Chapters  []chapter // of the reference
}

// Nonce stands for what lets the page's own scripts add style sheets.
func (view) Nonce() string { return nonceMark }

// page renders a page. In it, asset "name" is a reference that changes with
// the file, so that browsers may keep the file forever.
func (a assets) page(name, policy string, shown view) *asset {
	reference := func(name string) (string, error) {
		if a[name] == nil {
			return "", fmt.Errorf("there is no %s", name)
		}
		return name + "?v=" + a[name].version, nil
	}
	text, err := embedded.ReadFile("pages/" + name)
	if err != nil {
		panic("web: " + err.Error())
	}
	var body bytes.Buffer
	functions := template.FuncMap{"asset": reference, "own": own, "deprecated": deprecated, "prose": prose}
	page := template.Must(template.New(name).Funcs(functions).Parse(string(text)))
	if err := page.Execute(&body, shown); err != nil {
		panic("web: " + err.Error())
	}
	p := newAsset(name, body.Bytes(), false)
	p.policy = policy
	return p
}

// ServeHTTP answers with the file, unzipped for the few clients that take no
// gzip.
func (a *asset) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are answered here", http.StatusMethodNotAllowed)
		return
	}
	body, tag := a.body, a.version
	if a.zipped {
		header.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			header.Set("Content-Encoding", "gzip")
			tag += "-gzip"
		} else {
			body = unzip(body)
		}
	}
	policy := a.policy
	if strings.Contains(policy, nonceMark) {
		nonce := rand.Text()
		policy = strings.ReplaceAll(policy, nonceMark, nonce)
		body = bytes.ReplaceAll(body, []byte(nonceMark), []byte(nonce))
		tag += "-" + nonce
	}
	header.Set("ETag", `"`+tag+`"`)
	header.Set("Content-Type", a.contentType)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-cache")
	if a.named || r.URL.Query().Get("v") == a.version {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if policy != "" {
		header.Set("Content-Security-Policy", policy)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

func acceptsGzip(accepted string) bool {
	for coding := range strings.SplitSeq(accepted, ",") {
		name, weight, _ := strings.Cut(coding, ";")
		weight = strings.TrimRight(strings.TrimSpace(weight), "0.")
		if strings.TrimSpace(name) == "gzip" && weight != "q=" {
			return true
		}
	}
	return false
}

func unzip(body []byte) []byte {
	var plain bytes.Buffer
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		_, err = io.Copy(&plain, z)
	}
	if err != nil {
		panic("web: " + err.Error())
	}
	return plain.Bytes()
}
