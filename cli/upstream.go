package cli

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"
)

// upstream is a small server of file repositories for the demo.
type upstream struct {
	address  string
	server   *http.Server
	listener net.Listener
	files    map[string][]byte // by the path of the URL
}

// demoRepositories are what the demo mirrors, with their numbers of files.
var demoRepositories = map[string]int{"fonts": 60, "firmware": 40, "models": 24, "tools": 120, "docs": 200, "images": 48}

// newUpstream makes the demo's files, always the same, and listens on a free
// port of loopback.
func newUpstream(pause time.Duration) (*upstream, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the demo's upstream: %w", err)
	}
	u := &upstream{address: "http://" + listener.Addr().String(), listener: listener, files: map[string][]byte{}}
	for name, n := range demoRepositories {
		u.fill(name, n)
	}
	u.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := u.files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		// Slow enough that a person sees the work go on.
		select {
		case <-r.Context().Done():
			return
		case <-time.After(pause):
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Write(body) //nolint:errcheck // a client that is gone
	})}
	return u, nil
}

// fill makes a repository of n files.
func (u *upstream) fill(name string, n int) {
	var seed [32]byte
	copy(seed[:], name)
	random := rand.New(rand.NewChaCha8(seed))
	var manifest strings.Builder
	for i := range n {
		body := make([]byte, 4096+random.IntN(300<<10))
		for j := 0; j+8 <= len(body); j += 8 {
			binary.LittleEndian.PutUint64(body[j:], random.Uint64())
		}
		path := fmt.Sprintf("%s-%03d.bin", name, i)
		fmt.Fprintf(&manifest, "%s,%x,%d\n", path, sha256.Sum256(body), len(body))
		u.files["/"+name+"/"+path] = body
	}
	u.files["/"+name+"/PULP_MANIFEST"] = []byte(manifest.String())
}

// serve answers until the upstream is closed.
func (u *upstream) serve() error { return u.server.Serve(u.listener) }

func (u *upstream) close() error { return u.server.Close() }
