package demand_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"ream/blob"
	"ream/content"
	"ream/db"
	"ream/demand"
	"ream/fetch"
)

// small is the size up to which the tests' files are small.
const small = 256 << 10

// desk is a fetcher with an upstream.
type desk struct {
	*demand.Fetcher
	t      *testing.T
	db     *db.DB
	blobs  *blob.Disk
	room   error        // of the records
	keeps  func() error // before a file is recorded; may be nil
	places []fetch.Place
	of     map[string][]fetch.Place // by digest, of files that are not at all of the places

	options demand.Options
}

// newDesk returns one whose files come from upstreams, the first first. Those
// of one database are like several processes.
func newDesk(t *testing.T, d *db.DB, o demand.Options, upstreams ...*upstream) *desk {
	t.Helper()
	return newDeskOn(t, d, newDisk(t), o, upstreams...)
}

func newDisk(t *testing.T) *blob.Disk {
	t.Helper()
	blobs, err := blob.NewDisk(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blobs.Close() })
	return blobs
}

// newDeskOn is newDesk with a storage that tests share.
func newDeskOn(t *testing.T, d *db.DB, blobs *blob.Disk, o demand.Options, upstreams ...*upstream) *desk {
	t.Helper()
	networks, err := fetch.ParseNetworks("all")
	if err != nil {
		t.Fatal(err)
	}
	client := fetch.New(fetch.Config{Networks: networks, Backoff: func(int) time.Duration { return 0 }})
	k := &desk{t: t, db: d, blobs: blobs, options: o}
	for _, up := range upstreams {
		source, err := client.Source(up.URL, fetch.Settings{URL: up.URL, Stall: up.stall})
		if err != nil {
			t.Fatal(err)
		}
		k.places = append(k.places, fetch.Place{Source: source, URL: up.URL + "/file"})
	}
	return k.another()
}

// another returns one like a second process on the same database and storage.
func (k *desk) another() *desk {
	twin, o := *k, k.options
	o.Small, o.Look = small, time.Millisecond
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	twin.Fetcher = demand.New(records{k.db, k.room, k.keeps}, k.blobs, func(_ context.Context, digest content.Digest) ([]fetch.Place, error) {
		if places, ok := k.of[string(digest)]; ok {
			return places, nil
		}
		return k.places, nil
	}, o)
	k.t.Cleanup(twin.Close)
	return &twin
}

// records are those of a database, with room and failures as a test says.
type records struct {
	*db.DB
	room  error
	keeps func() error
}

func (r records) Room() error { return r.room }

func (r records) KeepFetched(ctx context.Context, a content.Artifact, holder string) error {
	if r.keeps != nil {
		if err := r.keeps(); err != nil {
			return err
		}
	}
	return r.DB.KeepFetched(ctx, a, holder)
}

// read reads a file as a client would.
func (k *desk) read(file []byte) ([]byte, error) {
	r := k.Open(k.t.Context(), digest(file), int64(len(file)))
	defer r.Close()
	return io.ReadAll(r)
}

// gets reads a file that has to be right.
func (k *desk) gets(file []byte) {
	k.t.Helper()
	if got, err := k.read(file); err != nil || !bytes.Equal(got, file) {
		k.t.Errorf("got %d bytes, %v, want %d", len(got), err, len(file))
	}
}

// holds reports whether a file is stored. What is recorded has to be there.
func (k *desk) holds(file []byte) bool {
	k.t.Helper()
	stored, err := k.db.Stored(k.t.Context(), []content.Artifact{{SHA256: content.Digest(digest(file)), Size: int64(len(file))}})
	if err != nil {
		k.t.Fatal(err)
	}
	b, err := k.blobs.Open(k.t.Context(), digest(file), int64(len(file)))
	if err == nil {
		defer b.Close()
		if got, err := io.ReadAll(b); err != nil || !bytes.Equal(got, file) {
			k.t.Errorf("stored are %d bytes, %v, want %d", len(got), err, len(file))
		}
	}
	if stored[0] && err != nil {
		k.t.Errorf("it is recorded, but the storage says %v", err)
	}
	return stored[0]
}

// awaitStored waits until a file is stored, which happens soon after the last
// byte of a large one was read.
func (k *desk) awaitStored(file []byte) {
	k.t.Helper()
	for !k.holds(file) {
		select {
		case <-k.t.Context().Done():
			k.t.Fatal("it is not stored")
		case <-time.After(time.Millisecond):
		}
	}
}

// fileOf has so many bytes, which differ from those of other seeds.
func fileOf(seed byte, size int) []byte {
	file := make([]byte, size)
	for i := range file {
		file[i] = byte(i>>8) ^ byte(i)*31 ^ seed
	}
	return file
}

func digest(file []byte) string {
	sum := sha256.Sum256(file)
	return hex.EncodeToString(sum[:])
}

// upstream answers its nth request by the nth step, and later ones by the last.
type upstream struct {
	*httptest.Server
	stall  time.Duration // of its remote
	mu     sync.Mutex
	ranges []string // of the requests
}

func newUpstream(t *testing.T, steps ...http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.mu.Lock()
		u.ranges = append(u.ranges, r.Header.Get("Range"))
		step := steps[min(len(u.ranges), len(steps))-1]
		u.mu.Unlock()
		step(w, r)
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) asked() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.ranges)
}

// gives answers with a file, or parts of it.
func gives(file []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file))
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// breaks answers with the first bytes of a file, and breaks off.
func breaks(file []byte, after int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Write(file[:after])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// gate answers with the first bytes of a file, and with the rest once it is
// opened.
type gate struct {
	file    []byte
	first   int
	reached chan struct{}
	open    chan struct{}
}

func newGate(t *testing.T, file []byte, first int) *gate {
	g := &gate{file, first, make(chan struct{}, 100), make(chan struct{})}
	t.Cleanup(g.release)
	return g
}

func (g *gate) release() {
	select {
	case <-g.open:
	default:
		close(g.open)
	}
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Write(g.file[:g.first])
	http.NewResponseController(w).Flush()
	g.reached <- struct{}{}
	select {
	case <-g.open:
	case <-r.Context().Done():
	}
	w.Write(g.file[g.first:])
}
