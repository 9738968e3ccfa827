package origin_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestListing(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{
		"a.txt": "12345", "b&<i>.txt": "x", "dir/one": "1", "dir/two": "22", "e:f": "", "z": "z", "many/sub/x": "x",
	})
	s.publish(t, 3, nil)
	s.library.serve("void", 3)
	type entry struct {
		Name, URL string
		Directory bool
		Size      int64
	}
	tests := []struct {
		name, target string
		entries      []entry
		next         string
	}{
		{"first page", "/content/debian/stable/", []entry{
			{"a.txt", "./a.txt", false, 5}, {"b&<i>.txt", "./b&%3Ci%3E.txt", false, 1}, {"dir", "./dir/", true, 0},
		}, "?after=dir"},
		{"last page", "/content/debian/stable/?after=dir", []entry{
			{"e:f", "./e:f", false, 0}, {"many", "./many/", true, 0}, {"z", "./z", false, 1},
		}, ""},
		{"beyond the end", "/content/debian/stable/?after=zz", []entry{}, ""},
		{"below", "/content/debian/stable/dir/", []entry{{"one", "./one", false, 1}, {"two", "./two", false, 2}}, ""},
		{"below, beyond the end", "/content/debian/stable/dir/?after=x", []entry{}, ""},
		{"empty publication", "/content/void/", []entry{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := s.ask(t, "GET", tt.target, "Accept", "application/json")
			checkStatus(t, w, http.StatusOK)
			checkHeader(t, w, "Content-Type", "application/json")
			checkHeader(t, w, "Vary", "Accept")
			var got struct {
				Path, Next string
				Entries    []entry
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			path, _, _ := strings.Cut(tt.target, "?")
			if got.Path != path || got.Next != tt.next {
				t.Errorf("path, next: got %q, %q, want %q, %q", got.Path, got.Next, path, tt.next)
			}
			if len(got.Entries) != len(tt.entries) {
				t.Fatalf("entries: got %v, want %v", got.Entries, tt.entries)
			}
			for i, want := range tt.entries {
				if got.Entries[i] != want {
					t.Errorf("entry %d: got %v, want %v", i, got.Entries[i], want)
				}
			}
		})
	}
}

func TestListingHTML(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"a.txt": "12345", `"><script>alert(1)</script>/f`: "x", "c": "", "d": "", "e": ""})
	for _, accept := range []string{"", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html, application/json"} {
		w := s.ask(t, "GET", "/content/debian/stable/", "Accept", accept)
		checkStatus(t, w, http.StatusOK)
		checkHeader(t, w, "Content-Type", "text/html; charset=utf-8")
		checkHeader(t, w, "Cache-Control", "no-cache")
		body := w.Body.String()
		for _, want := range []string{`<a href="./a.txt">a.txt</a>`, `<td>5</td>`, `rel="next" href="?after=c"`} {
			if !strings.Contains(body, want) {
				t.Errorf("Accept %q: page lacks %q:\n%s", accept, want, body)
			}
		}
		if strings.Contains(body, "<script>") {
			t.Errorf("a name is markup:\n%s", body)
		}
	}
	w := s.ask(t, "HEAD", "/content/debian/stable/")
	checkStatus(t, w, http.StatusOK)
	if w.Body.Len() != 0 || w.Header().Get("Content-Length") == "0" {
		t.Errorf("HEAD: got %d bytes, Content-Length %s", w.Body.Len(), w.Header().Get("Content-Length"))
	}
}

// TestListingAccept compares what clients prefer with what they get.
func TestListingAccept(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"a": "1"})
	const html, asJSON = "text/html; charset=utf-8", "application/json"
	for accept, want := range map[string]string{
		"application/json":                          asJSON,
		"APPLICATION/JSON":                          asJSON,
		"application/*":                             asJSON,
		"text/html;q=0.1, application/json":         asJSON,
		"application/json, */*;q=0.5":               asJSON,
		"application/json, text/plain, */*":         asJSON, // it alone is named
		"application/json, text/html":               html,
		"text/html, application/json":               html,
		"application/json;q=0.9, text/html":         html,
		"application/json;q=0, text/html":           html,
		"application/json;q=0":                      html,
		"application/json;q=0.5, */*":               html,
		"application/json-patch+json":               html,
		"text/*":                                    html,
		"*/*":                                       html,
		"image/png":                                 html,
		"text/html,application/xml;q=0.9,*/*;q=0.8": html,
	} {
		w := s.ask(t, "GET", "/content/debian/stable/", "Accept", accept)
		checkStatus(t, w, http.StatusOK)
		if got := w.Header().Get("Content-Type"); got != want {
			t.Errorf("Accept: %s: got %s, want %s", accept, got, want)
		}
	}
	w := s.ask(t, "GET", "/content/debian/stable/", "Accept", "text/html;q=0.5", "Accept", asJSON)
	checkHeader(t, w, "Content-Type", asJSON)
}

func TestListingRefusesBadCursors(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"a": "a"})
	for _, after := range []string{"%00", strings.Repeat("a", 2000)} {
		checkStatus(t, s.ask(t, "GET", "/content/debian/stable/?after="+after), http.StatusBadRequest)
	}
}

// TestListingPolicy compares the style sheet of a listing with the only one that
// its policy allows.
func TestListingPolicy(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"a": "1"})
	s.publish(t, 3, nil)
	w := s.ask(t, "GET", "/content/debian/stable/", "Accept", "text/html")
	checkStatus(t, w, http.StatusOK)
	_, rest, _ := strings.Cut(w.Body.String(), "<style>")
	style, _, found := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	checkHeader(t, w, "Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	if !found || strings.Contains(w.Body.String(), "style=") {
		t.Errorf("got %s", w.Body)
	}
}
