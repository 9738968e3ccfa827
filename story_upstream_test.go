package main_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestBadUpstreams(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		good := []byte("good")
		line := "good," + digest(good) + ",4\n"
		tests := []struct {
			name, manifest, message string
			before                  func(w http.ResponseWriter, path string) bool
		}{
			{name: "absolute path", manifest: line + "/etc/passwd," + digest(good) + ",4\n", message: "PULP_MANIFEST line 2: the path"},
			{name: "path upwards", manifest: "a/../../b," + digest(good) + ",4\n", message: "PULP_MANIFEST line 1: the path"},
			{name: "empty path", manifest: "," + digest(good) + ",4\n", message: "PULP_MANIFEST line 1: the path is empty"},
			{name: "duplicate path", manifest: line + line, message: "PULP_MANIFEST line 2: the path \"good\" is named twice"},
			{name: "long path", manifest: strings.Repeat("a/", 600) + "a," + digest(good) + ",4\n", message: "PULP_MANIFEST line 1"},
			{name: "truncated manifest", manifest: line + "other,abc", message: "PULP_MANIFEST line 2"},
			{name: "wrong digest", manifest: line + "other," + digest([]byte("else")) + ",5\n", message: "/other: its SHA-256 is"},
			{name: "two sizes for the same bytes", manifest: line + "again," + digest(good) + ",5\n", message: "again: the manifest says 5 bytes, but the file with this SHA-256 has 4"},
			{name: "wrong size", manifest: line + "other," + digest([]byte("other")) + ",6\n", message: "/other: it has 5 bytes, but the metadata says 6"},
			{name: "missing file", manifest: line + "missing," + digest(good) + "0,4\n", message: "PULP_MANIFEST line 2"},
			{name: "404", manifest: line + "missing," + digest([]byte("x")) + ",1\n", message: "/missing: 404 Not Found"},
			{name: "no manifest", message: "/PULP_MANIFEST: 404 Not Found", before: func(w http.ResponseWriter, _ string) bool {
				http.Error(w, "gone", http.StatusNotFound)
				return true
			}},
		}
		for i, tt := range tests {
			up := newUpstream(t, map[string][]byte{"good": good, "other": []byte("other")})
			up.manifest, up.before = tt.manifest, tt.before
			name := fmt.Sprintf("r%d", i)
			p.repository(name, up.URL+"/PULP_MANIFEST")
			got := p.sync(name, true)
			if got.State != "FAILED" || got.Error == nil || !strings.Contains(got.Error.Message, tt.message) {
				t.Errorf("%s: got %+v %+v, want FAILED with %q", tt.name, got, got.Error, tt.message)
			}
			if versions, _ := p.versions(name); versions != 0 {
				t.Errorf("%s: it made a version", tt.name)
			}
		}
	})
}

func TestUpstreamThatRecovers(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, map[string][]byte{"limited": []byte("limited"), "broken": []byte("broken"), "cut": bytes.Repeat([]byte("cut"), 100_000)})
		up.before = func(w http.ResponseWriter, path string) bool {
			up.mu.Lock()
			n := up.served[path]
			up.mu.Unlock()
			switch {
			case n > 2:
			case path == "limited":
				w.Header().Set("Retry-After", "1")
				http.Error(w, "slow down", http.StatusTooManyRequests)
				return true
			case path == "broken":
				http.Error(w, "broken", http.StatusInternalServerError)
				return true
			case path == "cut":
				w.Header().Set("Content-Length", "300000")
				w.Write(up.files["cut"][:100_000])
				panic(http.ErrAbortHandler)
			}
			return false
		}
		p.repository("r", up.URL+"/PULP_MANIFEST")
		if got := p.sync("r", true); got.State != "COMPLETED" {
			t.Errorf("got %+v %+v", got, got.Error)
		}
	})
}

// TestUpstreamThatIsClosed refuses every file, as an upstream does that is down:
// the sync does not ask for all of them first.
func TestUpstreamThatIsClosed(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(200))
		up.before = func(w http.ResponseWriter, path string) bool {
			if path != "PULP_MANIFEST" {
				http.Error(w, "closed", http.StatusForbidden)
			}
			return path != "PULP_MANIFEST"
		}
		p.repository("r", up.URL+"/PULP_MANIFEST")
		if got := p.sync("r", true); got.State != "FAILED" || got.Error == nil || !strings.Contains(got.Error.Message, ".bin: 403 Forbidden") {
			t.Errorf("got %+v %+v", got, got.Error)
		}
		up.set(func() {
			if asked := len(up.served) - 1; asked > 50 {
				t.Errorf("it asked for %d of 200 files", asked)
			}
		})
	})
}
