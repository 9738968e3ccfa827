package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// collection is a repository of the demo's upstream.
type collection struct {
	name  string
	files int
}

// collections are what the demo mirrors: some 60 MB in files of 1 to 512 KiB.
func collections() []collection {
	return []collection{{"docs", 200}, {"tools", 160}, {"fonts", 110}, {"images", 90}, {"firmware", 60}, {"models", 40}}
}

// upstream serves file repositories whose bytes are always the same. Each file
// is made when it is asked for.
type upstream struct {
	sizes     map[string]int    // by the path of the URL
	manifests map[string]string // by the path of the URL
	pace      *pacer
}

// newUpstream lists the collections' files. All who download share so many
// bytes a second; 0 is as fast as can be.
func newUpstream(all []collection, perSecond int) *upstream {
	u := &upstream{sizes: map[string]int{}, manifests: map[string]string{}, pace: &pacer{perSecond: perSecond}}
	for _, c := range all {
		var manifest strings.Builder
		for i := range c.files {
			path := fmt.Sprintf("%02d/%s-%03d.bin", i%8, c.name, i)
			location := "/" + c.name + "/" + path
			random := rand.New(source(location))
			n := 1 << (10 + random.IntN(9))
			n += random.IntN(n)
			u.sizes[location] = n
			fmt.Fprintf(&manifest, "%s,%x,%d\n", path, sha256.Sum256(contents(location, n)), n)
		}
		u.manifests["/"+c.name+"/"+manifestName] = manifest.String()
	}
	return u
}

// source gives what looks random and depends on the text alone.
func source(text string) *rand.ChaCha8 { return rand.NewChaCha8(sha256.Sum256([]byte(text))) }

// contents are the n bytes of the file at a path.
func contents(location string, n int) []byte {
	body := make([]byte, n)
	_, _ = source(location).Read(body) // it never fails
	return body
}

// ServeHTTP answers with a manifest or a file.
func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if manifest, ok := u.manifests[r.URL.Path]; ok {
		http.ServeContent(w, r, manifestName, time.Time{}, strings.NewReader(manifest))
		return
	}
	n, ok := u.sizes[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	body := bytes.NewReader(contents(r.URL.Path, n))
	http.ServeContent(w, r, "file.bin", time.Time{}, paced{body, u.pace, r.Context()})
}

// serve listens on a free port of loopback until stop is called.
func (u *upstream) serve() (address string, stop func() error, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("start the demo's upstream: %w", err)
	}
	server := &http.Server{Handler: u, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	stop = func() error {
		err := server.Close()
		if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	}
	return "http://" + listener.Addr().String(), stop, nil
}

// pacer lets so many bytes a second through, in the order of asking. It is
// safe for concurrent use.
type pacer struct {
	perSecond int // no limit if 0

	mu   sync.Mutex
	free time.Time // when everything let through so far is through
}

// wait returns when n bytes may pass, or with ctx's error when that ends.
func (p *pacer) wait(ctx context.Context, n int) error {
	if p.perSecond == 0 {
		return nil
	}
	p.mu.Lock()
	now := time.Now()
	if p.free.Before(now) {
		p.free = now
	}
	p.free = p.free.Add(time.Duration(n) * time.Second / time.Duration(p.perSecond))
	left := p.free.Sub(now)
	p.mu.Unlock()
	return pause(ctx, left)
}

// pacedRead bounds what is read at once, so that progress is smooth.
const pacedRead = 64 << 10

// paced is a file that is read no faster than its pacer allows.
type paced struct {
	io.ReadSeeker
	pace *pacer
	ctx  context.Context // of the one request that reads
}

func (p paced) Read(b []byte) (int, error) {
	n, err := p.ReadSeeker.Read(b[:min(len(b), pacedRead)])
	if e := p.pace.wait(p.ctx, n); e != nil {
		return 0, e
	}
	return n, err
}
