package catalog_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ream/catalog"
	"ream/content"
	"ream/fault"
	"ream/fetch"
	"ream/secret"
)

// newShelf is an upstream with manifests of two kinds, and with what is none.
func newShelf(t *testing.T) string {
	t.Helper()
	line := func(path string) string { return fmt.Sprintf("%s,%064x,7\n", path, 1) }
	mux := http.NewServeMux()
	mux.HandleFunc("/a/docs/PULP_MANIFEST", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, line("x")+line("y/z")) })
	mux.HandleFunc("/list.txt", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, line("x")) })
	mux.HandleFunc("/PULP_MANIFEST", func(w http.ResponseWriter, _ *http.Request) {})
	mux.HandleFunc("/page/{$}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") })
	mux.HandleFunc("/odd/PULP_MANIFEST", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "what?") })
	mux.HandleFunc("/long/PULP_MANIFEST", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 100_000 {
			if _, err := io.WriteString(w, line(fmt.Sprintf("file-%d", i))); err != nil {
				return // who probes has read enough
			}
		}
	})
	mux.HandleFunc("/private/PULP_MANIFEST", func(w http.ResponseWriter, r *http.Request) {
		if name, password, _ := r.BasicAuth(); name != "me" || password != "pw" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, line("x"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func TestProbe(t *testing.T) {
	eachHouse(t, func(h house) {
		networks, err := fetch.ParseNetworks("all")
		if err != nil {
			h.t.Fatal(err)
		}
		h.Fetch = fetch.New(fetch.Config{Networks: networks})
		url := newShelf(h.t)
		h.repository("docs")
		docs := content.Upstream{Format: content.File, URL: url + "/a/docs/PULP_MANIFEST", Name: "docs-2", Units: new(2), Bytes: new(int64(14))}
		for _, tt := range []struct {
			name string
			in   catalog.ProbeRequest
			want content.Upstream
		}{
			{"a directory", catalog.ProbeRequest{URL: url + "/a/docs/"}, docs},
			{"a directory without its slash", catalog.ProbeRequest{URL: " " + url + "/a/docs "}, docs},
			{"the manifest", catalog.ProbeRequest{URL: url + "/a/docs/PULP_MANIFEST#x"}, docs},
			{"a manifest of another name", catalog.ProbeRequest{URL: url + "/list.txt"}, content.Upstream{Format: content.File, URL: url + "/list.txt", Name: "127.0.0.1", Units: new(1), Bytes: new(int64(7))}},
			{"the whole host, empty", catalog.ProbeRequest{URL: url}, content.Upstream{Format: content.File, URL: url + "/PULP_MANIFEST", Name: "127.0.0.1", Units: new(0), Bytes: new(int64(0))}},
			{"longer than is read", catalog.ProbeRequest{URL: url + "/long/"}, content.Upstream{Format: content.File, URL: url + "/long/PULP_MANIFEST", Name: "long"}},
			{"with a password", catalog.ProbeRequest{URL: url + "/private/", Username: "me", Password: secret.New("pw")}, content.Upstream{Format: content.File, URL: url + "/private/PULP_MANIFEST", Name: "private", Units: new(1), Bytes: new(int64(7))}},
		} {
			got, err := h.Probe(h.t.Context(), tt.in)
			if err != nil {
				h.t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if fmt.Sprint(got.Format, got.URL, got.Name, value(got.Units), value(got.Bytes)) != fmt.Sprint(tt.want.Format, tt.want.URL, tt.want.Name, value(tt.want.Units), value(tt.want.Bytes)) {
				h.t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
			}
		}
		for _, tt := range []struct {
			name, url, field string
			kind             fault.Kind
			message          string
		}{
			{"nothing", url + "/nothing", "url", fault.NotFound, "nothing that can be mirrored is there"},
			{"a page", url + "/page/", "url", fault.NotFound, "nothing that can be mirrored is there"},
			{"another manifest", url + "/odd/", "url", fault.BadInput, "PULP_MANIFEST line 1: want path,sha256,size"},
			{"without a password", url + "/private/", "url", fault.Unavailable, "401"},
			{"nobody there", "http://127.0.0.1:1/x/", "url", fault.Unavailable, "127.0.0.1:1"},
			{"no URL", "example", "url", fault.BadInput, "want a whole URL"},
			{"another scheme", "ftp://example.org/", "url", fault.BadInput, "want http://host"},
			{"a password in the URL", "http://me:pw@example.org/", "url", fault.BadInput, "use username and password"},
			{"a directory that is not allowed", "file:///etc/", "url", fault.BadInput, "see --allow-file"},
		} {
			got, err := h.Probe(h.t.Context(), catalog.ProbeRequest{URL: tt.url})
			f, ok := err.(*fault.Error)
			if !ok || f.Kind != tt.kind || f.Field != tt.field || !strings.Contains(f.Message, tt.message) {
				h.t.Errorf("%s: got %+v, %v, want %s of %s with %q", tt.name, got, err, tt.kind, tt.field, tt.message)
			}
		}

		h.Fetch = fetch.New(fetch.Config{}) // which allows no private address
		if got, err := h.Probe(h.t.Context(), catalog.ProbeRequest{URL: url + "/a/docs/"}); !fault.Is(err, fault.Forbidden) {
			h.t.Errorf("an address that the operator does not allow: got %+v, %v", got, err)
		}
	})
}

func value[T any](p *T) string {
	if p == nil {
		return "-"
	}
	return fmt.Sprint(*p)
}
