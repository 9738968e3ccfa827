package catalog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ream/blob"
	"ream/blob/blobtest"
	"ream/content"
	"ream/db"
	"ream/db/dbtest"
	"ream/fault"
	"ream/fetch"
	"ream/task"
)

// mirroring is a sync of an upstream whose files hold what follows the last
// slash of their paths.
type mirroring struct {
	*syncing
	*httptest.Server
	storage string
	blobs   *blob.Disk

	mu     sync.Mutex
	asked  map[string]int // by body
	before func(w http.ResponseWriter, r *http.Request) (done bool)
	report func(code string, done int64)
	told   []string // of failures: their paths and codes
}

func newMirroring(t *testing.T, d *db.DB) *mirroring {
	m := &mirroring{storage: t.TempDir(), asked: map[string]int{}}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	base, err := url.Parse(m.URL + "/PULP_MANIFEST")
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.NewDisk(m.storage)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blobs.Close() })
	networks, err := fetch.ParseNetworks("all")
	if err != nil {
		t.Fatal(err)
	}
	c := &Catalog{DB: d, Blobs: blobs, Fetch: fetch.New(fetch.Config{Networks: networks}), Log: slog.New(slog.DiscardHandler)}
	source, err := c.Fetch.Source("upstream", fetch.Settings{URL: m.URL, Attempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	m.blobs = blobs
	m.syncing = &syncing{c: c, run: &task.Run{Progress: m}, source: source, base: base, remote: &content.Remote{ID: 1, Policy: content.Immediate}, connections: 4, keeper: newKeeper(c), failures: &failures{record: m.record}}
	return m
}

func (m *mirroring) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := filepath.Base(r.URL.Path)
	m.mu.Lock()
	m.asked[body]++
	m.mu.Unlock()
	if m.before == nil || !m.before(w, r) {
		fmt.Fprint(w, body)
	}
}

func (m *mirroring) record(_ context.Context, all []task.Failure) error {
	for _, f := range all {
		m.told = append(m.told, f.Path+" "+f.Code)
	}
	return nil
}

func (m *mirroring) Report(code, _ string, _ task.Unit, done, _ int64) {
	if m.report != nil {
		m.report(code, done)
	}
}

// fetchPaths syncs the files at paths.
func (m *mirroring) fetchPaths(ctx context.Context, t *testing.T, paths []string) error {
	t.Helper()
	var manifest strings.Builder
	for _, path := range paths {
		body := filepath.Base(path)
		fmt.Fprintf(&manifest, "%s,%s,%d\n", path, digestOf(body), len(body))
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "manifest"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(manifest.String()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	return m.fetchAll(ctx, fetchedManifest{f: f})
}

func digestOf(body string) content.Digest {
	return content.Digest(fmt.Sprintf("%x", sha256.Sum256([]byte(body))))
}

// stored reads what is stored under a digest.
func (m *mirroring) stored(ctx context.Context, digest content.Digest, size int64) ([]byte, error) {
	f, err := m.blobs.Open(ctx, string(digest), size)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// checkStored checks which bodies are recorded, that their bytes are there,
// and that nothing unfinished is left.
func (m *mirroring) checkStored(t *testing.T, want ...string) {
	t.Helper()
	digests := make([]content.Digest, len(want))
	for i, body := range want {
		digests[i] = digestOf(body)
	}
	sizes, err := m.c.DB.FindArtifacts(t.Context(), digests)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range want {
		got, err := m.stored(t.Context(), digestOf(body), sizes[digestOf(body)])
		if size, ok := sizes[digestOf(body)]; !ok || size != int64(len(body)) || err != nil || string(got) != body {
			t.Errorf("%s: recorded %t with %d bytes, stored %q, %v", body, ok, size, got, err)
		}
	}
	if left := blobtest.Leftovers(t, filepath.Join(m.storage, "tmp")); len(left) > 0 {
		t.Errorf("unfinished files: got %v, want none", left)
	}
}

// TestAddress has files beside a manifest whose own address is escaped in its way.
func TestAddress(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ manifest, path, want string }{
		{"http://h/a/PULP_MANIFEST", "b/c", "http://h/a/b/c"},
		{"http://h/PULP_MANIFEST?token=1#top", "b c%2F?#é", "http://h/b%20c%252F%3F%23%C3%A9"},
		{"http://h/projects/group%2Fproject/PULP_MANIFEST", "b+c~1:2.deb", "http://h/projects/group%2Fproject/b+c~1:2.deb"},
		{"http://h/group%2Fproject", "a b", "http://h/a%20b"},
		{"file:///srv/a%20b/PULP_MANIFEST", "c d", "file:///srv/a%20b/c%20d"},
	} {
		manifest, err := url.Parse(test.manifest)
		if err != nil {
			t.Fatal(err)
		}
		got := address(manifest, test.path)
		if got != test.want {
			t.Errorf("%s beside %s: got %s, want %s", test.path, test.manifest, got, test.want)
		}
		if u, err := url.Parse(got); err != nil || u.String() != got || !strings.HasSuffix(u.Path, test.path) {
			t.Errorf("%s is read as %+v, %v", got, u, err)
		}
	}
}

func TestSyncFetchesSharedBytesOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		// More than a batch, and the same bytes close together and far apart.
		m := newMirroring(t, d)
		var paths, bodies []string
		for i := range 2*lookAt + 7 {
			paths = append(paths, fmt.Sprintf("%d/body-%d", i, i%101))
		}
		for i := range 101 {
			bodies = append(bodies, fmt.Sprintf("body-%d", i))
		}
		if err := m.fetchPaths(t.Context(), t, paths); err != nil {
			t.Fatal(err)
		}
		m.checkStored(t, bodies...)
		for body, n := range m.asked {
			if n != 1 {
				t.Errorf("%s: fetched %d times", body, n)
			}
		}
		units := map[content.UnitID]bool{}
		for _, id := range m.keeper.units {
			units[id] = true
		}
		if len(units) != len(paths) || len(m.keeper.units) != len(paths) || units[0] {
			t.Errorf("units: got %d, %d of them different, want %d", len(m.keeper.units), len(units), len(paths))
		}
		if m.files != int64(len(paths)) || m.bytes != m.inBytes {
			t.Errorf("progress: got %d of %d files, %d of %d bytes", m.files, len(paths), m.bytes, m.inBytes)
		}
	})
}

func TestSyncNamesTheFirstFailure(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := newMirroring(t, d)
		later := make(chan struct{})
		m.before = func(w http.ResponseWriter, r *http.Request) bool {
			switch r.URL.Path {
			case "/bad-1":
				<-later
			case "/bad-2":
				defer close(later)
			default:
				return false
			}
			http.NotFound(w, r)
			return true
		}
		err := m.fetchPaths(t.Context(), t, []string{"good-1", "bad-1", "good-2", "bad-2", "good-3"})
		if err == nil || !strings.Contains(err.Error(), "/bad-1: 404") {
			t.Errorf("got %v, want the failure of bad-1", err)
		}
		m.checkStored(t, "good-1", "good-2", "good-3")
	})
}

// TestSyncSkips leaves out one file that is cut off, and takes one whose bytes
// are not at the first of their paths from the next.
func TestSyncSkips(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := newMirroring(t, d)
		m.skips = true
		var log bytes.Buffer
		m.c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		m.before = func(w http.ResponseWriter, r *http.Request) bool {
			switch r.URL.Path {
			case "/cut":
				w.Header().Set("Content-Length", "3")
				fmt.Fprint(w, "cu")
				panic(http.ErrAbortHandler)
			case "/gone/shared":
				http.NotFound(w, r)
				return true
			}
			return false
		}
		m.connections = 1 // so that the paths are asked for in their order
		if err := m.fetchPaths(t.Context(), t, []string{"one", "cut", "gone/shared", "here/shared", "again/shared", "two"}); err != nil {
			t.Fatal(err)
		}
		slices.Sort(m.told)
		if got, want := fmt.Sprint(m.told), "[cut UNAVAILABLE gone/shared NOT_FOUND]"; got != want {
			t.Errorf("failures: got %s, want %s", got, want)
		}
		if got := log.String(); !strings.Contains(got, "path=cut") || !strings.Contains(got, "(tried 1 times): ") {
			t.Errorf("log: got %q, want the cause of what is missing", got)
		}
		m.checkStored(t, "one", "shared", "two")
		if len(m.keeper.units) != 4 || m.files != 4 || m.bytes != int64(len("one"+"shared"+"shared"+"two")) {
			t.Errorf("got %d units, and %d files with %d bytes", len(m.keeper.units), m.files, m.bytes)
		}
	})
}

// TestSyncOfAnUpstreamThatIsAway ends soon, whatever is to be done about files.
func TestSyncOfAnUpstreamThatIsAway(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, status := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, http.StatusUnauthorized, http.StatusProxyAuthRequired} {
			for _, skips := range []bool{false, true} {
				m := newMirroring(t, d)
				m.skips = skips
				m.before = func(w http.ResponseWriter, _ *http.Request) bool {
					http.Error(w, "away", status)
					return true
				}
				var paths []string
				for i := range 10 * awayAfter {
					paths = append(paths, fmt.Sprintf("%d-%t-%d", status, skips, i))
				}
				err := m.fetchPaths(t.Context(), t, paths)
				n := len(m.told)
				if want := fmt.Sprintf("20 files in a row could not be got, so %d of %d were not asked for: %s/", len(paths)-n, len(paths), m.URL); !fault.Is(err, fault.Unavailable) || !strings.HasPrefix(fault.Message(err), want) {
					t.Errorf("%d, skips %t: got %v, want %s", status, skips, err, want)
				}
				if n < awayAfter || n > 2*awayAfter || len(m.asked) != n {
					t.Errorf("%d, skips %t: %d files were asked for, and %d told of", status, skips, len(m.asked), n)
				}
			}
		}
	})
}

// TestSyncOfTheLastFilesOfAnUpstreamThatIsAway has nothing left that could be
// asked for once upstream seems to be away.
func TestSyncOfTheLastFilesOfAnUpstreamThatIsAway(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, skips := range []bool{false, true} {
			for _, bad := range []int{awayAfter, 2*awayAfter - 1} {
				m := newMirroring(t, d)
				m.skips = skips
				m.before = func(w http.ResponseWriter, r *http.Request) bool {
					away := strings.HasPrefix(r.URL.Path, "/bad/")
					if away {
						w.WriteHeader(http.StatusServiceUnavailable)
					}
					return away
				}
				good := fmt.Sprintf("%t-%d-good", skips, bad)
				paths := []string{good}
				for i := range bad {
					paths = append(paths, fmt.Sprintf("bad/%t-%d-%d", skips, bad, i))
				}
				err := m.fetchPaths(t.Context(), t, paths)
				if skips && err != nil || !skips && (!fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), paths[1]+": 503")) {
					t.Errorf("%d, skips %t: got %v", bad, skips, err)
				}
				if len(m.told) != bad || len(m.asked) != bad+1 {
					t.Errorf("%d, skips %t: %d files were asked for, and %d told of", bad, skips, len(m.asked), len(m.told))
				}
				m.checkStored(t, good)
			}
		}
	})
}

// TestSyncOfAnUpstreamThatIsToBeLeftAlone asks nothing more once upstream said
// so, whatever is to be done about files. What is on its way by then still comes.
func TestSyncOfAnUpstreamThatIsToBeLeftAlone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, skips := range []bool{false, true} {
			m := newMirroring(t, d)
			m.skips = skips
			var asked sync.WaitGroup // for the first two
			asked.Add(2)
			over := make(chan struct{})
			refused := sync.OnceFunc(func() { close(over) })
			first, slow := fmt.Sprintf("%t-first", skips), fmt.Sprintf("%t-slow", skips)
			m.before = func(w http.ResponseWriter, r *http.Request) bool {
				switch filepath.Base(r.URL.Path) {
				case first:
					asked.Done()
				case slow:
					asked.Done()
					<-over
				default:
					asked.Wait()
					w.Header().Set("Retry-After", "3600")
					w.WriteHeader(http.StatusTooManyRequests)
					refused()
					return true
				}
				return false
			}
			paths := []string{first, slow}
			for i := range 10_000 {
				paths = append(paths, fmt.Sprintf("%t-%d", skips, i))
			}
			err := m.fetchPaths(t.Context(), t, paths)
			if later, ok := errors.AsType[*fetch.LaterError](err); !ok || !fault.Is(err, fault.Unavailable) {
				t.Errorf("skips %t: got %v, want when to try again: %v", skips, err, later)
			}
			if n := len(m.asked); n > 2+m.connections || len(m.told) == 0 || len(m.told) > m.connections {
				t.Errorf("skips %t: %d files were asked for, and %d told of", skips, n, len(m.told))
			}
			m.checkStored(t, first, slow)
		}
	})
}

// TestSyncOfNeighboursThatAreRefused gets what lies behind more files in a row
// than would tell that upstream is away, for it answers about each of them.
func TestSyncOfNeighboursThatAreRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for name, refuse := range map[string]http.HandlerFunc{
			"forbidden":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
			"loop":       func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
			"legally":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnavailableForLegalReasons) },
			"bad-answer": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		} {
			for _, skips := range []bool{false, true} {
				m := newMirroring(t, d)
				m.skips = skips
				m.before = func(w http.ResponseWriter, r *http.Request) bool {
					bad := strings.HasPrefix(r.URL.Path, "/bad/")
					if bad {
						refuse(w, r)
					}
					return bad
				}
				first, last := fmt.Sprintf("%s-%t-first", name, skips), fmt.Sprintf("%s-%t-last", name, skips)
				paths := []string{first}
				for i := range awayAfter + 5 {
					paths = append(paths, fmt.Sprintf("bad/%s-%t-%d", name, skips, i))
				}
				err := m.fetchPaths(t.Context(), t, append(paths, last))
				if skips && err != nil || !skips && (!fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), paths[1]+": ")) {
					t.Errorf("%s, skips %t: got %v", name, skips, err)
				}
				if len(m.told) != awayAfter+5 || len(m.keeper.units) != 2 {
					t.Errorf("%s, skips %t: got %d failures and %d units", name, skips, len(m.told), len(m.keeper.units))
				}
				m.checkStored(t, first, last)
			}
		}
	})
}

// TestSyncOfAFileToBeAskedForLater gets all others, and asks for it once.
func TestSyncOfAFileToBeAskedForLater(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for _, skips := range []bool{false, true} {
			m := newMirroring(t, d)
			m.skips = skips
			var asked atomic.Int64
			m.before = func(w http.ResponseWriter, r *http.Request) bool {
				later := strings.HasPrefix(r.URL.Path, "/later/")
				if later {
					asked.Add(1)
					w.Header().Set("Retry-After", "3600")
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				return later
			}
			first, last := fmt.Sprintf("%t-first", skips), fmt.Sprintf("%t-last", skips)
			err := m.fetchPaths(t.Context(), t, []string{first, fmt.Sprintf("later/%t", skips), last})
			if skips && err != nil || !skips && (!fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "it wants to be left alone until ")) {
				t.Errorf("skips %t: got %v", skips, err)
			}
			if asked.Load() != 1 || len(m.told) != 1 || len(m.keeper.units) != 2 {
				t.Errorf("skips %t: asked %d times; got %d failures and %d units", skips, asked.Load(), len(m.told), len(m.keeper.units))
			}
			m.checkStored(t, first, last)
		}
	})
}

func TestSyncKeepsWhatItHasWhenCanceled(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		m := newMirroring(t, d)
		ctx, cancel := context.WithCancel(t.Context())
		m.before = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/slow" {
				<-r.Context().Done()
			}
			return false
		}
		m.report = func(code string, done int64) {
			if code == "sync.files" && done == 2 {
				cancel()
			}
		}
		if err := m.fetchPaths(ctx, t, []string{"one", "slow", "two"}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		m.checkStored(t, "one", "two")
	})
}

func TestKeeperThatFailsRefusesMore(t *testing.T) {
	t.Parallel()
	m := newMirroring(t, dbtest.SQLite(t))
	k := m.keeper
	land := func(body string) error {
		w, err := m.c.Blobs.Create()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
		staged, err := w.Finish()
		if err != nil {
			t.Fatal(err)
		}
		unit := &content.Unit{Format: content.File, Path: body, SHA256: digestOf(body), Size: staged.Size}
		if first, _ := k.expect(wanted{unit, 1}); !first {
			t.Fatalf("%s was expected before", body)
		}
		_, err = k.land(unit.SHA256, staged)
		return err
	}
	if err := land("one"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(m.storage, "sha256")); err != nil {
		t.Fatal(err)
	}
	k.end()
	failed := k.run(t.Context())
	if failed == nil || !strings.Contains(failed.Error(), "name a blob") {
		t.Fatalf("run: got %v, want that no blob can be named", failed)
	}
	for name, err := range map[string]error{"land": land("two"), "add": k.add(nil, nil)} {
		if !errors.Is(err, failed) {
			t.Errorf("%s afterwards: got %v, want %v", name, err, failed)
		}
	}
	m.checkStored(t)
}
