package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// upstream serves a manifest and files, and misbehaves when told to.
type upstream struct {
	*httptest.Server
	t    *testing.T
	over chan struct{} // closed when the test ends

	mu       sync.Mutex
	files    map[string][]byte
	manifest string                                               // instead of the true one, if not empty
	before   func(w http.ResponseWriter, path string) (done bool) // each request
	served   map[string]int
}

func newUpstream(t *testing.T, files map[string][]byte) *upstream {
	u := &upstream{t: t, over: make(chan struct{}), files: files, served: map[string]int{}}
	u.Server = httptest.NewServer(u)
	t.Cleanup(u.Close)
	t.Cleanup(func() { close(u.over) })
	return u
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	u.mu.Lock()
	u.served[path]++
	before, manifest, file := u.before, u.manifest, u.files[path]
	if manifest == "" {
		manifest = manifestOf(u.files)
	}
	u.mu.Unlock()
	switch {
	case before != nil && before(w, path):
	case path == "PULP_MANIFEST":
		io.WriteString(w, manifest)
	case file != nil:
		w.Header().Set("Content-Length", fmt.Sprint(len(file)))
		w.Write(file)
	default:
		http.NotFound(w, r)
	}
}

// hold makes requests for a file wait: reached is closed by the first of them,
// and release lets all go on. So does the end of the test.
func (u *upstream) hold(file string) (reached <-chan struct{}, release func()) {
	first, free := make(chan struct{}), make(chan struct{})
	var once sync.Once
	release = sync.OnceFunc(func() { close(free) })
	u.t.Cleanup(release)
	u.set(func() {
		u.before = func(_ http.ResponseWriter, path string) bool {
			if path == file || strings.HasSuffix(path, "/"+file) {
				once.Do(func() { close(first) })
				<-free
			}
			return false
		}
	})
	return first, release
}

// add puts a new file there.
func (u *upstream) add(path string, bytes []byte) { u.set(func() { u.files[path] = bytes }) }

func (u *upstream) set(change func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	change()
}

func manifestOf(files map[string][]byte) string {
	var b strings.Builder
	for path, bytes := range files {
		fmt.Fprintf(&b, "%s,%s,%d\n", path, digest(bytes), len(bytes))
	}
	return b.String()
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// madeFiles is how many files someFiles made.
var madeFiles atomic.Int64

// someFiles are n files of 1 KiB each. No two that it ever returns are equal, so
// that no sync finds what another one has stored.
func someFiles(n int) map[string][]byte {
	files, first := map[string][]byte{}, int(madeFiles.Add(int64(n)))-n
	for i := range n {
		files[fmt.Sprintf("dir %d/file-%d.bin", i%3, i)] = bytes.Repeat([]byte(fmt.Sprintf("%08d", first+i)), 128)
	}
	return files
}
