package origin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ream/blob"
	"ream/blob/blobtest"
	"ream/content"
	"ream/fault"
	"ream/origin"
)

// modified is when the test's files were published.
var modified = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// library is a Lookup in memory that counts what it is asked.
type library struct {
	mu           sync.Mutex
	served       map[string]content.PublicationID
	publications map[content.PublicationID]map[string]content.PublishedFile
	then         map[time.Time]content.PublicationID // what was served since a time
	owner        content.Serving                     // of what was served then, if another distribution has its path since
	replaced     []content.Predecessor
	access       content.Access // of all distributions
	failure      error          // what every lookup fails with, if anything
	asked        map[string]int
	bytes        int    // of the paths that were asked for
	found        func() // called before the answer to what a path is served by, if not nil
}

func (l *library) ask(what string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked[what]++
	return l.failure
}

func (l *library) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked[what]
}

func (l *library) serve(path string, id content.PublicationID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.served[path] = id
}

func (l *library) Serving(ctx context.Context, path string) (found *content.Serving, vacant string, err error) {
	if err := l.ask("serving"); err != nil {
		return nil, "", err
	}
	if l.found != nil {
		defer l.found()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes += len(path)
	none := fault.New(fault.NotFound, "distribution not found")
	for i, c := range path + "/" {
		if c != '/' {
			continue
		}
		start := path[:i]
		if start == l.owner.Path {
			return &l.owner, "", nil
		}
		if id, ok := l.served[start]; ok {
			return &content.Serving{DistributionID: 1, Path: start, PublicationID: id, Access: l.access}, "", nil
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(l.served)), func(p string) bool { return strings.HasPrefix(p, start+"/") }) {
			return nil, start, none
		}
	}
	return nil, "", none
}

func (l *library) AnyPublic(context.Context) (bool, error) {
	return l.access == content.Public, l.ask("any public")
}

func (l *library) ServedAt(ctx context.Context, path string, at time.Time) (*content.Serving, error) {
	if err := l.ask("served at"); err != nil {
		return nil, err
	}
	var newest time.Time
	for since := range l.then {
		if !since.After(at) && since.After(newest) {
			newest = since
		}
	}
	if newest.IsZero() {
		return nil, fault.New(fault.NotFound, "nothing was served then")
	}
	owner := content.Serving{DistributionID: 1, Path: path}
	if l.owner.DistributionID != 0 {
		owner = l.owner
	}
	owner.RepositoryID, owner.PublicationID = content.RepositoryID(l.then[newest]), l.then[newest]
	return &owner, nil
}

func (l *library) Replaced(context.Context, *content.Serving, time.Time) ([]content.Predecessor, error) {
	return l.replaced, l.ask("replaced")
}

func (l *library) FirstFile(_ context.Context, ids []content.PublicationID, path string) (*content.PublishedFile, error) {
	if err := l.ask("first file"); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if f, ok := l.publications[id][path]; ok {
			return &f, nil
		}
	}
	return nil, fault.New(fault.NotFound, "file not found")
}

func (l *library) PublishedFile(ctx context.Context, id content.PublicationID, path string) (*content.PublishedFile, error) {
	if err := l.ask("file"); err != nil {
		return nil, err
	}
	if f, ok := l.publications[id][path]; ok {
		return &f, nil
	}
	for other := range l.publications[id] {
		if strings.HasPrefix(other, path+"/") {
			return &content.PublishedFile{Path: path, IsDir: true}, nil
		}
	}
	return nil, fault.New(fault.NotFound, "file not found")
}

func (l *library) PublishedDir(ctx context.Context, id content.PublicationID, dir, after string, limit int) ([]content.DirEntry, error) {
	if err := l.ask("dir"); err != nil {
		return nil, err
	}
	prefix := dir + "/"
	if dir == "" {
		prefix = ""
	}
	names := map[string]content.DirEntry{}
	for path, f := range l.publications[id] {
		below, ok := strings.CutPrefix(path, prefix)
		if !ok {
			continue
		}
		name, _, isDir := strings.Cut(below, "/")
		e := content.DirEntry{Name: name, IsDir: isDir}
		if !isDir {
			e.Size, e.ModifiedAt = f.Size, f.ModifiedAt
		}
		if name > after {
			names[name] = e
		}
	}
	var entries []content.DirEntry
	for _, e := range names {
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b content.DirEntry) int { return strings.Compare(a.Name, b.Name) })
	return entries[:min(limit, len(entries))], nil
}

func (l *library) PublishedPaths(_ context.Context, id content.PublicationID, each func(string) bool) error {
	err := l.ask("paths")
	for _, path := range slices.Sorted(maps.Keys(l.publications[id])) {
		if err != nil || !each(path) {
			break
		}
	}
	return err
}

// shelf is an origin with something on it.
type shelf struct {
	*origin.Handler
	library *library
	blobs   storage
	log     *bytes.Buffer // guarded by logMu
	logMu   *sync.Mutex
	clock   *clock
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type lockedWriter struct {
	mu *sync.Mutex
	w  *bytes.Buffer
}

func (l lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// disk is a storage that stores quickly, as it does so without making anything
// durable.
type disk struct {
	*blob.Disk
	dir string
}

func newDisk(t testing.TB) disk {
	t.Helper()
	dir := t.TempDir()
	d, err := blob.NewDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return disk{d, dir}
}

func (d disk) path(body string) string {
	digest := sum(body)
	return filepath.Join(d.dir, "sha256", digest[:2], digest[2:])
}

func (d disk) store(t testing.TB, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if err := os.WriteFile(d.path(body), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// remote is a storage in another place.
type remote struct{ *blob.S3 }

func newRemote(t testing.TB) remote {
	t.Helper()
	server := blobtest.StartS3(t)
	s, err := blob.NewS3(t.Context(), server.Options(t, server.Bucket(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return remote{s}
}

func (r remote) store(t testing.TB, bodies ...string) {
	t.Helper()
	blobtest.Store(t, r.S3, bodies...)
}

// storage is what a shelf's bytes are in.
type storage interface {
	origin.Blobs
	store(t testing.TB, bodies ...string)
}

// eachStorage runs a test with an empty storage of each kind.
func eachStorage(t *testing.T, test func(t *testing.T, blobs storage)) {
	t.Run("disk", func(t *testing.T) {
		t.Parallel()
		test(t, newDisk(t))
	})
	t.Run("s3", func(t *testing.T) {
		t.Parallel()
		test(t, newRemote(t))
	})
}

// newShelf serves publication 1 with files at debian/stable.
func newShelf(t testing.TB, files map[string]string) *shelf {
	t.Helper()
	return newShelfOn(t, newDisk(t), origin.Options{}, files)
}

// newShelfOn is newShelf with the bytes in a storage.
func newShelfOn(t testing.TB, blobs storage, o origin.Options, files map[string]string) *shelf {
	t.Helper()
	s := &shelf{
		library: &library{
			served:       map[string]content.PublicationID{"debian/stable": 1, "unpublished": 0},
			publications: map[content.PublicationID]map[string]content.PublishedFile{},
			asked:        map[string]int{},
		},
		blobs: blobs,
		log:   new(bytes.Buffer),
		logMu: new(sync.Mutex),
		clock: &clock{now: modified},
	}
	s.publish(t, 1, files)
	o.Log = slog.New(slog.NewTextHandler(lockedWriter{s.logMu, s.log}, nil))
	o.PageSize = 3
	o.Now = s.clock.Now
	s.Handler = origin.New(s.library, blobs, o)
	return s
}

func (s *shelf) publish(t testing.TB, id content.PublicationID, files map[string]string) {
	t.Helper()
	s.library.mu.Lock()
	defer s.library.mu.Unlock()
	s.library.publications[id] = map[string]content.PublishedFile{}
	s.blobs.store(t, slices.Collect(maps.Values(files))...)
	for path, body := range files {
		s.library.publications[id][path] = content.PublishedFile{
			Path: path, SHA256: content.Digest(sum(body)), Size: int64(len(body)), ModifiedAt: modified,
		}
	}
}

func (s *shelf) logged() string {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	return s.log.String()
}

// ask answers one request; header holds name, value pairs.
func (s *shelf) ask(t testing.TB, method, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func sum(body string) string {
	d := sha256.Sum256([]byte(body))
	return hex.EncodeToString(d[:])
}

func checkStatus(t testing.TB, w *httptest.ResponseRecorder, want int) {
	t.Helper()
	if w.Code != want {
		t.Fatalf("status: got %d (%s), want %d (%s)\n%s", w.Code, http.StatusText(w.Code), want, http.StatusText(want), w.Body)
	}
}

func checkHeader(t testing.TB, w *httptest.ResponseRecorder, name, want string) {
	t.Helper()
	if got := w.Header().Get(name); got != want {
		t.Errorf("%s: got %q, want %q", name, got, want)
	}
}
