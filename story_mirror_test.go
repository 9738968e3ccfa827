package main_test

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"testing"
)

func TestMirrorEndToEnd(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(50))
		p.repository("files", up.URL+"/PULP_MANIFEST")
		id := p.mirror("files")
		if last := checkCounts(t, p.subscribe(t.Context(), currentProtocol, countsOfGroup, id), 3); last.Completed != 3 {
			t.Errorf("at the end: got %+v", last)
		}
		for path, want := range up.files {
			response, err := http.Get(p.address + (&url.URL{Path: "/content/files/" + path}).EscapedPath())
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || !bytes.Equal(got, want) || response.Header.Get("ETag") != `"`+digest(want)+`"` {
				t.Errorf("%s: got %d bytes, status %s, ETag %s, %v", path, len(got), response.Status, response.Header.Get("ETag"), err)
			}
		}
		// As clients ask that put a slash behind a base that ends with one.
		for _, path := range []string{"/content/files//dir 0/file-0.bin", "/content//files/dir 0/./file-0.bin", "/content/files/dir 1/../dir 0/file-0.bin"} {
			if got := p.get(path); !bytes.Equal(got, up.files["dir 0/file-0.bin"]) {
				t.Errorf("%s: got %d bytes", path, len(got))
			}
		}
	})
}

func TestVersionsOnlyWhenSomethingChanged(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, map[string][]byte{"a": []byte("one"), "b": []byte("two")})
		p.repository("r", up.URL+"/PULP_MANIFEST")
		steps := []struct {
			name            string
			files           map[string][]byte
			mirror          bool
			versions, units int
		}{
			{"first", up.files, true, 1, 2},
			{"unchanged", up.files, true, 1, 2},
			{"add only keeps what upstream dropped", map[string][]byte{"a": []byte("one"), "c": []byte("three")}, false, 2, 3},
			{"mirror removes it", map[string][]byte{"a": []byte("one"), "c": []byte("three")}, true, 3, 2},
			{"other bytes at the same path", map[string][]byte{"a": []byte("ONE"), "c": []byte("three")}, false, 4, 2},
			{"nothing left", map[string][]byte{}, true, 5, 0},
		}
		for _, s := range steps {
			up.set(func() { up.files = s.files })
			if got := p.sync("r", s.mirror); got.State != "COMPLETED" {
				t.Fatalf("%s: got %+v", s.name, got)
			}
			if versions, units := p.versions("r"); versions != s.versions || units != s.units {
				t.Errorf("%s: got %d versions and %d units, want %d and %d", s.name, versions, units, s.versions, s.units)
			}
		}
	})
}
