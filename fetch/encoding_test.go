package fetch_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"ream/fault"
	"ream/fetch"
)

// encoded answers with a body that is said to be under an encoding.
func encoded(t *testing.T, encoding, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("Accept-Encoding: got %q, want identity", got)
		}
		w.Header()["Content-Encoding"] = strings.Split(encoding, "; ")
		w.Header().Set("ETag", `"v1"`)
		fmt.Fprint(w, body)
	}
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEncodedBodies(t *testing.T) {
	t.Parallel()
	hello := packed(t, "hello")
	bomb := packed(t, strings.Repeat("0", 10<<20)) // 10 kB
	const unasked = "it comes with a Content-Encoding although none was asked for"
	for _, test := range []struct {
		name     string
		path     string
		encoding string
		body     string
		request  fetch.Request // without the URL
		message  string        // empty if the body is taken as it is
	}{
		{"of a compressed file that is not known", "/Packages.gz", "x-gzip", hello, fetch.Request{Size: -1}, ""},
		{"of a known file", "/a", "gzip", hello, exactly("", hello), ""},
		{"that say they are as they are", "/a", "identity", hello, fetch.Request{Size: -1}, ""},
		{"of a file that is not known", "/PULP_MANIFEST", "gzip", hello, fetch.Request{Size: -1}, unasked},
		{"by several encodings", "/a", "br, gzip", hello, fetch.Request{Size: -1}, unasked},
		{"by an encoding after none", "/a", "identity; gzip", hello, fetch.Request{Size: -1}, unasked},
		{"of a file of another size", "/a", "gzip", hello, exactly("", "hello"), "it has more than the 5 bytes that the metadata says; " + unasked},
		{"of another file of the same size", "/a", "gzip", hello, fetch.Request{Size: int64(len(hello)), SHA256: digest("hello")}, "its SHA-256 is " + digest(hello) + ", but the metadata says " + digest("hello") + "; " + unasked},
		{"that are bombs", "/PULP_MANIFEST", "gzip", bomb, fetch.Request{Size: -1, MaxBytes: 1 << 20}, unasked},
		{"that are bombs, of a known file", "/a", "gzip", bomb, exactly("", strings.Repeat("0", 10<<20)), fmt.Sprintf("it has %d bytes, but the metadata says %d; "+unasked, len(bomb), 10<<20)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			up := newUpstream(t, encoded(t, test.encoding, test.body))
			s, _ := newSource(t, fetch.Settings{})
			test.request.URL = up.URL + test.path
			var into sink
			got, err := s.Get(t.Context(), test.request, &into)
			if test.message == "" {
				check(t, got, err, &into, test.body)
				return
			}
			if want := test.request.URL + ": " + test.message; err == nil || fault.Message(err) != want {
				t.Errorf("Get: got %v, want %q", err, want)
			}
			if into.Len() > len(test.body) {
				t.Errorf("%d bytes were written, of a body of %d", into.Len(), len(test.body))
			}
		})
	}
}

// TestCachesAreAskedAnew gets something else at first, as from a cache that
// keeps an old file.
func TestCachesAreAskedAnew(t *testing.T) {
	t.Parallel()
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cache-Control") != "no-cache" {
			fmt.Fprint(w, "stale")
			return
		}
		fmt.Fprint(w, "fresh")
	})
	s, _ := newSource(t, fetch.Settings{})
	var into sink
	got, err := s.Get(t.Context(), exactly(up.URL+"/a", "fresh"), &into)
	check(t, got, err, &into, "fresh")
}
