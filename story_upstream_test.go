package main_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func TestBadUpstreams(t *testing.T) {
	eachStorage(t, func(t *testing.T, p *program) {
		good := []byte("good")
		line := "good," + digest(good) + ",4\n"
		at := func(path string) string { return path + "," + digest(good) + ",4\n" }
		gone := func(w http.ResponseWriter, _ string) bool {
			http.Error(w, "gone", http.StatusNotFound)
			return true
		}
		// Those that are wrong in a line say which; nothing was fetched then.
		tests := []struct {
			name, manifest, message string
			before                  func(w http.ResponseWriter, path string) bool
		}{
			{name: "absolute path", manifest: line + at("/etc/passwd"), message: `PULP_MANIFEST line 2: the path "/etc/passwd" is absolute`},
			{name: "path upwards", manifest: at("a/../../b"), message: `PULP_MANIFEST line 1: the path "a/../../b" has a segment ".."`},
			{name: "path upwards at the end", manifest: at("a/.."), message: `PULP_MANIFEST line 1: the path "a/.." has a segment ".."`},
			{name: "path of a dot", manifest: at("a/./b"), message: `has a segment "."`},
			{name: "path with an empty segment", manifest: at("a//b"), message: `PULP_MANIFEST line 1: the path "a//b" has an empty segment`},
			{name: "path of a directory", manifest: at("a/"), message: `PULP_MANIFEST line 1: the path "a/" has an empty segment`},
			{name: "empty path", manifest: at(""), message: "PULP_MANIFEST line 1: the path is empty"},
			{name: "duplicate path", manifest: line + line, message: `PULP_MANIFEST line 2: the path "good" is named twice`},
			{name: "file and directory", manifest: line + at("good/other"), message: `PULP_MANIFEST line 2: the path "good/other" lies below "good", which is a file`},
			{name: "the manifest's own path", manifest: at("PULP_MANIFEST"), message: "PULP_MANIFEST line 1: the path PULP_MANIFEST is the manifest's own"},
			{name: "long path", manifest: at(strings.Repeat("a/", 512) + "a"), message: "PULP_MANIFEST line 1: the path has 1025 bytes: at most 1024 are allowed"},
			{name: "long name", manifest: at(strings.Repeat("a", 256)), message: "has a segment of more than 255 bytes"},
			{name: "long line", manifest: at(strings.Repeat("a/", 4000)), message: "PULP_MANIFEST line 1: it is longer than"},
			{name: "control character", manifest: at("a\x1bb"), message: `PULP_MANIFEST line 1: the path "a\x1bb" contains '\x1b'`},
			{name: "zero byte", manifest: at("a\x00b"), message: `PULP_MANIFEST line 1: the path "a\x00b" contains '\x00'`},
			{name: "backslash", manifest: at(`a\..\b`), message: `PULP_MANIFEST line 1: the path "a\\..\\b" contains '\\'`},
			{name: "no UTF-8", manifest: at("a\xff"), message: `PULP_MANIFEST line 1: the path "a\xff" is not UTF-8`},
			{name: "no digest", manifest: line + "other,abc,4\n", message: `PULP_MANIFEST line 2: "abc" is no SHA-256`},
			{name: "long digest", manifest: line + "other," + digest(good) + "0,4\n", message: "PULP_MANIFEST line 2"},
			{name: "negative size", manifest: "good," + digest(good) + ",-4\n", message: `PULP_MANIFEST line 1: the size "-4" is no number of bytes`},
			{name: "truncated manifest", manifest: line + "other,abc", message: "PULP_MANIFEST line 2: want path,sha256,size"},
			{name: "empty line", manifest: line + "\n" + at("x"), message: "PULP_MANIFEST line 2: it is empty"},
			{name: "no manifest", message: "/PULP_MANIFEST: 404 Not Found", before: gone},

			{name: "wrong digest", manifest: line + "other," + digest([]byte("else")) + ",5\n", message: "/other: its SHA-256 is " + digest([]byte("other"))},
			{name: "two sizes for the same bytes", manifest: line + "again," + digest(good) + ",5\n", message: "again: the manifest says 5 bytes, but the file with this SHA-256 has 4"},
			{name: "too large a size", manifest: line + "other," + digest([]byte("other")) + ",6\n", message: "/other: it has 5 bytes, but the metadata says 6"},
			{name: "too small a size", manifest: line + "other," + digest([]byte("other")) + ",4\n", message: "/other: it has more than the 4 bytes that the metadata says"},
			{name: "404", manifest: line + "missing," + digest([]byte("x")) + ",1\n", message: "/missing: 404 Not Found"},
		}
		for i, tt := range tests {
			// Of the same lengths, but not stored by another test.
			own := map[string][]byte{"good": fmt.Appendf(nil, "%04d", i), "other": fmt.Appendf(nil, "%05d", i)}
			ours := strings.NewReplacer(digest(good), digest(own["good"]), digest([]byte("other")), digest(own["other"]))
			up := newUpstream(t, own)
			up.manifest, up.before, tt.message = ours.Replace(tt.manifest), tt.before, ours.Replace(tt.message)
			name := fmt.Sprintf("r%d", i)
			p.repository(name, up.URL+"/PULP_MANIFEST")
			got := p.sync(name, true)
			if got.State != "FAILED" || got.Error == nil || !strings.Contains(got.Error.Message, tt.message) {
				t.Errorf("%s: got %+v %+v, want FAILED with %q", tt.name, got, got.Error, tt.message)
			}
			if versions, _ := p.versions(name); versions != 0 {
				t.Errorf("%s: it made a version", tt.name)
			}
			up.set(func() { up.manifest, up.before = "", nil })
			if got := p.sync(name, true); got.State != "COMPLETED" {
				t.Errorf("%s: once it is well: got %+v %+v", tt.name, got, got.Error)
			}
			up.set(func() {
				if up.served["good"] != 1 {
					t.Errorf("%s: a good file was fetched %d times in two syncs", tt.name, up.served["good"])
				}
			})
		}
	})
}

func TestUpstreamThatRecovers(t *testing.T) {
	eachStorage(t, func(t *testing.T, p *program) {
		files := map[string][]byte{"limited": []byte("limited"), "broken": []byte("broken"), "cut": bytes.Repeat([]byte("cut"), 100_000), "changed": bytes.Repeat([]byte("new"), 100_000)}
		up := newUpstream(t, files)
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
				w.Write(files["cut"][:100_000])
				panic(http.ErrAbortHandler)
			case path == "changed": // it was another file when it was begun
				w.Header().Set("Content-Length", "300000")
				w.Header().Set("Accept-Ranges", "bytes")
				w.Header().Set("ETag", fmt.Sprintf(`"%d"`, n))
				w.Write(bytes.Repeat([]byte("old"), 50_000))
				panic(http.ErrAbortHandler)
			}
			return false
		}
		p.repository("r", up.URL+"/PULP_MANIFEST")
		if got := p.follow(p.mirror("r")); got.State != "COMPLETED" {
			t.Fatalf("got %+v %+v", got, got.Error)
		}
		for path, want := range files {
			if got := p.get("/content/r/" + path); !bytes.Equal(got, want) {
				t.Errorf("%s: got %.20q, %d bytes", path, got, len(got))
			}
		}
	})
}

// TestUpstreamThatDoesNotRecover stops in the middle, or is not there at all: the
// sync fails within the remote's limits, and names the file.
func TestUpstreamThatDoesNotRecover(t *testing.T) {
	eachStorage(t, func(t *testing.T, p *program) {
		body := bytes.Repeat([]byte("body"), 25_000)
		stall := func(sent int) func(http.ResponseWriter, *upstream) {
			return func(w http.ResponseWriter, up *upstream) {
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				if sent > 0 {
					w.Write(body[:sent])
					http.NewResponseController(w).Flush()
				}
				<-up.over
			}
		}
		cut := func(w http.ResponseWriter, _ *upstream) {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			w.Write(body[:50_000])
			panic(http.ErrAbortHandler)
		}
		tests := []struct {
			name, path, message string
			misbehave           func(http.ResponseWriter, *upstream)
		}{
			{"stalls before the head of the manifest", "PULP_MANIFEST", "/PULP_MANIFEST: it does not answer in time (tried 1", stall(0)},
			{"stalls in the manifest", "PULP_MANIFEST", "/PULP_MANIFEST: no bytes arrived for too long (tried 1", stall(20)},
			{"stalls before the head of a file", "bad", "/bad: it does not answer in time (tried 1", stall(0)},
			{"stalls in a file", "bad", "/bad: no bytes arrived for too long (tried 1", stall(50_000)},
			{"cuts off", "bad", "/bad: the connection ended in the middle (tried 1", cut},
			{"is not there", "", "/PULP_MANIFEST: ", nil},
		}
		var all sync.WaitGroup
		for i, tt := range tests {
			up := newUpstream(t, map[string][]byte{"bad": append(body[:len(body)-1:len(body)-1], byte(i)), "good": {byte(i)}})
			name := fmt.Sprintf("r%d", i)
			p.remote(name, map[string]any{"url": up.URL + "/PULP_MANIFEST", "stallTimeout": 3, "retries": 0})
			up.before = func(w http.ResponseWriter, path string) bool {
				if path == tt.path {
					tt.misbehave(w, up)
				}
				return path == tt.path
			}
			if tt.misbehave == nil {
				up.Close()
			}
			all.Go(func() {
				got := p.sync(name, true)
				if got.State != "FAILED" || got.Error == nil || got.Error.Code != "UNAVAILABLE" || !strings.Contains(got.Error.Message, tt.message) {
					t.Errorf("%s: got %+v %+v, want FAILED with %q", tt.name, got, got.Error, tt.message)
				}
				if versions, _ := p.versions(name); versions != 0 {
					t.Errorf("%s: it made a version", tt.name)
				}
				up.set(func() { up.before = nil })
				if tt.misbehave == nil {
					return
				}
				if got := p.sync(name, true); got.State != "COMPLETED" {
					t.Errorf("%s: once it is well: got %+v %+v", tt.name, got, got.Error)
				}
				up.set(func() {
					if up.served["good"] != 1 {
						t.Errorf("%s: the good file was fetched %d times in two syncs", tt.name, up.served["good"])
					}
				})
			})
		}
		all.Wait()
	})
}

// TestUpstreamThatIsClosed demands other credentials for every file: the sync does not ask for all of them first.
func TestUpstreamThatIsClosed(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(200))
		up.before = func(w http.ResponseWriter, path string) bool {
			if path != "PULP_MANIFEST" {
				http.Error(w, "closed", http.StatusUnauthorized)
			}
			return path != "PULP_MANIFEST"
		}
		p.repository("r", up.URL+"/PULP_MANIFEST")
		if got := p.sync("r", true); got.State != "FAILED" || got.Error == nil || !strings.Contains(got.Error.Message, ".bin: 401 Unauthorized") {
			t.Errorf("got %+v %+v", got, got.Error)
		}
		up.set(func() {
			if asked := len(up.served) - 1; asked > 50 {
				t.Errorf("it asked for %d of 200 files", asked)
			}
		})
	})
}
