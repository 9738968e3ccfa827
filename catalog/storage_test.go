package catalog_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ream/blob"
	"ream/catalog"
	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/fetch"
	"ream/page"
	"ream/task"
)

// depot is a house with a storage on disk and an upstream, which has files
// whose bodies are their names.
type depot struct {
	house
	*httptest.Server
	dir  string
	disk *blob.Disk

	mu    sync.Mutex
	names []string
}

// eachDepot runs a test with every kind of database.
func eachDepot(t *testing.T, f func(d *depot)) {
	t.Helper()
	eachHouse(t, func(h house) {
		d := &depot{house: h, dir: h.t.TempDir()}
		d.Server = httptest.NewServer(d)
		h.t.Cleanup(d.Close)
		var err error
		if d.disk, err = blob.NewDisk(d.dir); err != nil {
			h.t.Fatal(err)
		}
		h.t.Cleanup(func() { d.disk.Close() })
		networks, err := fetch.ParseNetworks("all")
		if err != nil {
			h.t.Fatal(err)
		}
		d.Blobs, d.Fetch = d.disk, fetch.New(fetch.Config{Networks: networks})
		h.t.Cleanup(func() { d.Fetch.Close() })
		f(d)
	})
}

func (d *depot) offer(names ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names = names
}

func (d *depot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := strings.TrimPrefix(r.URL.Path, "/")
	if name == "PULP_MANIFEST" {
		for _, n := range d.names {
			fmt.Fprintf(w, "%s,%s,%d\n", n, digestOf(n), len(n))
		}
		return
	}
	for _, n := range d.names {
		if n == name {
			io.WriteString(w, n)
			return
		}
	}
	http.NotFound(w, r)
}

func digestOf(body string) content.Digest {
	return content.Digest(fmt.Sprintf("%x", sha256.Sum256([]byte(body))))
}

// stocked creates a repository that syncs from the upstream.
func (d *depot) stocked(name string) *content.Repository {
	d.t.Helper()
	in := input(name)
	in.URL, in.Retries = d.URL+"/PULP_MANIFEST", 0
	remote, err := d.CreateRemote(d.t.Context(), in)
	if err != nil {
		d.t.Fatal(err)
	}
	r, err := d.CreateRepository(d.t.Context(), catalog.RepositoryInput{Name: name, Format: content.File, Remote: remote.ID, KeepVersions: 1})
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// run runs the tasks of a kind that are ready, and returns the first error and
// what was reported.
func (d *depot) run(kind task.Kind) (map[string]int64, error) {
	d.t.Helper()
	claimed, err := d.DB.Cycle(d.t.Context(), d.worker, nil, nil, task.Vacancies{Total: 100, Of: map[task.Kind]int{kind: 100}})
	if err != nil {
		d.t.Fatal(err)
	}
	told := &lastReports{done: map[string]int64{}}
	for _, one := range claimed {
		failed := d.Handlers()[kind](d.t.Context(), &task.Run{Task: one, Progress: told})
		if err == nil {
			err = failed
		}
		d.finish(map[bool]task.State{true: task.Completed, false: task.Failed}[failed == nil], one)
	}
	return told.done, err
}

type lastReports struct {
	mu   sync.Mutex
	done map[string]int64
}

func (r *lastReports) Report(code, _ string, _ task.Unit, done, _ int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[code] = done
}

func (d *depot) sync(name string) error {
	d.t.Helper()
	if _, err := d.Sync(d.t.Context(), catalog.SyncRequest{Repositories: catalog.Selector{Names: []string{name}}, Mirror: true, Priority: task.Normal}); err != nil {
		d.t.Fatal(err)
	}
	_, err := d.run(catalog.SyncKind)
	return err
}

func (d *depot) mustSync(name string) {
	d.t.Helper()
	if err := d.sync(name); err != nil {
		d.t.Fatalf("sync %s: %v", name, err)
	}
}

func (d *depot) clean() map[string]int64 {
	d.t.Helper()
	if _, err := d.CleanOrphans(d.t.Context(), catalog.CleanOrphansRequest{GraceHours: 24, Priority: task.Normal}); err != nil {
		d.t.Fatal(err)
	}
	told, err := d.run(catalog.CleanKind)
	if err != nil {
		d.t.Fatalf("clean: %v", err)
	}
	return told
}

func (d *depot) verify() (map[string]int64, error) {
	d.t.Helper()
	if _, err := d.VerifyContent(d.t.Context(), catalog.VerifyContentRequest{Priority: task.Normal}); err != nil {
		d.t.Fatal(err)
	}
	return d.run(catalog.VerifyKind)
}

// age makes what the database names two days older, in it and on disk. What was
// committed and is not named yet stays as old as it is.
func (d *depot) age() {
	d.t.Helper()
	artifacts, err := d.DB.ArtifactsBetween(d.t.Context(), 0, "", "g")
	if err != nil {
		d.t.Fatal(err)
	}
	d.clock.advance(48 * time.Hour)
	then := time.Now().Add(-48 * time.Hour)
	for _, a := range artifacts {
		if err := os.Chtimes(d.path(a.SHA256), then, then); err != nil && !os.IsNotExist(err) {
			d.t.Fatal(err)
		}
	}
}

func (d *depot) path(digest content.Digest) string {
	return filepath.Join(d.dir, "sha256", string(digest[:2]), string(digest[2:]))
}

// has reports whether the database and the storage have a body.
func (d *depot) has(body string) (named, stored bool) {
	d.t.Helper()
	found, err := d.DB.FindArtifacts(d.t.Context(), []content.Digest{digestOf(body)})
	if err != nil {
		d.t.Fatal(err)
	}
	got, err := os.ReadFile(d.path(digestOf(body)))
	if err != nil && !os.IsNotExist(err) {
		d.t.Fatal(err)
	}
	return len(found) > 0, err == nil && string(got) == body
}

// wantWhole fails if a unit of a repository's newest version has no bytes.
func (d *depot) wantWhole(ctx context.Context, r *content.Repository) (units int) {
	found, err := d.DB.RepositoriesByID(ctx, []content.RepositoryID{r.ID})
	if err != nil {
		d.t.Error(err)
		return 0
	}
	versions, err := d.DB.VersionsByID(ctx, []content.VersionID{found[0].LatestID})
	if err != nil || versions[0] == nil {
		d.t.Errorf("newest version: got %v, %v", versions, err)
		return 0
	}
	if err := d.DB.UnitsInOrder(ctx, versions[0], func(u *content.Unit) error {
		units++
		f, err := d.disk.Open(ctx, string(u.SHA256), u.Size)
		if err != nil {
			return fmt.Errorf("%s of %s: %w", u.Path, versions[0].ID, err)
		}
		return f.Close()
	}); err != nil {
		d.t.Error(err)
	}
	return units
}

func (d *depot) findings(kind task.Kind) []content.Finding {
	d.t.Helper()
	var all []content.Finding
	for _, one := range d.tasks() {
		if one.Kind != kind {
			continue
		}
		pages, err := d.DB.Findings(d.t.Context(), []task.ID{one.ID}, page.Request{})
		if err != nil {
			d.t.Fatal(err)
		}
		for _, f := range nodes(pages[0]) {
			all = append(all, *f)
		}
	}
	return all
}

// TestCleanLeavesWhatASyncRecords has units that are in no version yet and have no
// bytes, as a sync on demand records them, and as one leaves that never ended.
func TestCleanLeavesWhatASyncRecords(t *testing.T) {
	eachDepot(t, func(d *depot) {
		one := &content.Unit{Format: content.File, Path: "one", SHA256: digestOf("one"), Size: 3}
		if err := d.DB.InTx(d.t.Context(), func(tx *db.Tx) error { return tx.AddUnits(d.t.Context(), []*content.Unit{one}, nil) }); err != nil {
			d.t.Fatal(err)
		}
		left := func() bool {
			d.t.Helper()
			return must[[]*content.Unit](d.t)(d.DB.UnitsByID(d.t.Context(), []content.UnitID{one.ID}))[0] != nil
		}
		if d.clean(); !left() {
			d.t.Error("what was just recorded is gone")
		}
		d.age()
		if d.clean(); left() {
			d.t.Error("what no sync ended with is still there")
		}
	})
}

func TestCleanOrphans(t *testing.T) {
	eachDepot(t, func(d *depot) {
		d.offer("both", "old", "kept")
		a, b := d.stocked("a"), d.stocked("b")
		d.mustSync("a")
		d.offer("both", "new")
		d.mustSync("a") // its first version goes, as it keeps one
		d.offer("kept")
		d.mustSync("b")
		stray := blobOf(d, "stray")
		d.age()
		if told := d.clean(); told["clean.artifacts"] != 1 || told["clean.blobs"] != 0 || told["clean.bytes"] != int64(len("old")) {
			d.t.Errorf("got %v, want one artifact, and not the blob that is new", told)
		}
		for body, want := range map[string]bool{"both": true, "new": true, "kept": true, "old": false} {
			if named, stored := d.has(body); named != want || stored != want {
				d.t.Errorf("%s: named %t, stored %t, want %t", body, named, stored, want)
			}
		}
		then := time.Now().Add(-25 * time.Hour)
		if err := os.Chtimes(d.path(stray), then, then); err != nil {
			d.t.Fatal(err)
		}
		if told := d.clean(); told["clean.artifacts"] != 0 || told["clean.blobs"] != 1 || told["clean.bytes"] != int64(len("stray")) {
			d.t.Errorf("of a blob that nothing names: got %v", told)
		}
		// What comes again is fetched again.
		d.offer("both", "old")
		d.mustSync("a")
		d.wantWhole(d.t.Context(), a)
		d.wantWhole(d.t.Context(), b)
		// What describes a publication is named by it.
		if _, err := d.Publish(d.t.Context(), catalog.PublishRequest{Repositories: catalog.Selector{Names: []string{"a"}}, Priority: task.Normal}); err != nil {
			d.t.Fatal(err)
		}
		if _, err := d.run(catalog.PublishKind); err != nil {
			d.t.Fatal(err)
		}
		d.age()
		if told := d.clean(); told["clean.artifacts"] != 1 { // "new"
			d.t.Errorf("beside a publication: got %v, want one artifact", told)
		}
		if told := d.clean(); told["clean.artifacts"]+told["clean.blobs"] != 0 {
			d.t.Errorf("of what is clean: got %v", told)
		}
		_, err := d.CleanOrphans(d.t.Context(), catalog.CleanOrphansRequest{GraceHours: 0})
		wantFault(d.t, err, fault.BadInput, "graceHours: want 1 to 8760")
	})
}

// blobOf stores a body that no artifact names.
func blobOf(d *depot, body string) content.Digest {
	d.t.Helper()
	w, err := d.disk.Create()
	if err != nil {
		d.t.Fatal(err)
	}
	io.WriteString(w, body)
	staged, err := w.Finish()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.disk.Commit(d.t.Context(), []blob.Staged{staged}); err != nil {
		d.t.Fatal(err)
	}
	return content.Digest(staged.SHA256)
}

// TestCleanBesideSyncs cleans again and again, with nothing spared, while syncs
// build upon what others leave: no version may ever have a unit without bytes.
func TestCleanBesideSyncs(t *testing.T) {
	eachDepot(t, func(d *depot) {
		sets := make([][]string, 2)
		for i := range 40 {
			sets[i%2] = append(sets[i%2], fmt.Sprintf("file-%d", i))
		}
		repositories := map[string]*content.Repository{"a": d.stocked("a"), "b": d.stocked("b")}
		var done atomic.Bool
		var cleaned, refused int64
		var cleaning sync.WaitGroup
		cleaning.Go(func() {
			for !done.Load() {
				d.age()
				cleaned += d.clean()["clean.artifacts"]
			}
		})
		const rounds = 12
		for i := range rounds {
			for name, r := range repositories {
				d.offer(append(sets[i%2], name, fmt.Sprint(name, i))...)
				switch err := d.sync(name); {
				case errors.Is(err, db.ErrCleaned):
					refused++ // it lost three times; somebody would try again
				case err != nil:
					d.t.Errorf("sync %s: %v", name, err)
				default:
					if units := d.wantWhole(d.t.Context(), r); units != 22 {
						d.t.Errorf("%s has %d units, want 22", name, units)
					}
				}
			}
		}
		done.Store(true)
		cleaning.Wait()
		d.t.Logf("%d artifacts cleaned, %d of %d syncs refused", cleaned, refused, 2*rounds)
		if cleaned == 0 {
			d.t.Error("nothing was cleaned beside the syncs")
		}
		for _, r := range repositories {
			d.wantWhole(d.t.Context(), r)
		}
	})
}

func TestVerifyContent(t *testing.T) {
	eachDepot(t, func(d *depot) {
		d.offer("intact", "damaged", "lost", "gone")
		r := d.stocked("a")
		d.mustSync("a")
		if _, err := d.Publish(d.t.Context(), catalog.PublishRequest{Repositories: catalog.Selector{Names: []string{"a"}}, Priority: task.Normal}); err != nil {
			d.t.Fatal(err)
		}
		if _, err := d.run(catalog.PublishKind); err != nil {
			d.t.Fatal(err)
		}
		if told, err := d.verify(); err != nil || told["verify.artifacts"] != 5 || len(d.findings(catalog.VerifyKind)) != 0 {
			d.t.Fatalf("of what is intact: got %v, %v", told, err)
		}
		spoil := func(digest content.Digest, body string) {
			if err := os.WriteFile(d.path(digest), []byte(body), 0o600); err != nil {
				d.t.Fatal(err)
			}
		}
		spoil(digestOf("damaged"), "dAmaged")
		spoil(digestOf("gone"), "gon")
		if err := os.Remove(d.path(digestOf("lost"))); err != nil {
			d.t.Fatal(err)
		}
		artifacts, err := d.DB.ArtifactsBetween(d.t.Context(), r.ID, "", "g")
		if err != nil || len(artifacts) != 5 {
			d.t.Fatalf("artifacts: got %v, %v, want 5", artifacts, err)
		}
		var manifest content.Artifact
		for _, a := range artifacts {
			if a.Size > 10 {
				manifest = a
			}
		}
		spoil(manifest.SHA256, "no manifest")
		d.offer("intact", "damaged", "lost") // gone is not there any more

		_, err = d.verify()
		wantFault(d.t, err, fault.NotFound, "of 4 artifacts that are damaged, missing or unreadable, 1 could not be got again: the findings tell which")
		want := map[content.Digest]string{
			digestOf("damaged"): "damaged DAMAGED FETCHED fetched again from " + d.URL + "/damaged",
			digestOf("lost"):    "lost MISSING FETCHED fetched again from " + d.URL + "/lost",
			digestOf("gone"):    "gone DAMAGED NONE " + d.URL + "/gone: 404 Not Found",
			manifest.SHA256:     "PULP_MANIFEST DAMAGED REWRITTEN written again for version-1",
		}
		found := d.findings(catalog.VerifyKind)
		for _, f := range found {
			if got := fmt.Sprint(f.Path, " ", f.Problem, " ", f.Remedy, " ", f.Message); got != want[f.SHA256] {
				d.t.Errorf("finding: got %q, want %q", got, want[f.SHA256])
			}
		}
		if len(found) != len(want) {
			d.t.Errorf("got %d findings, want %d", len(found), len(want))
		}
		for body, want := range map[string]bool{"intact": true, "damaged": true, "lost": true, "gone": false} {
			if named, stored := d.has(body); named != want || stored != want {
				d.t.Errorf("%s: named %t, stored %t, want %t", body, named, stored, want)
			}
		}
		if entries, err := os.ReadDir(filepath.Join(d.dir, "quarantine")); err != nil || len(entries) != 3 {
			d.t.Errorf("moved aside: got %v, %v, want three", entries, err)
		}
		// Upstream's metadata is as it was, but the next sync knows what is missing.
		d.offer("intact", "damaged", "lost", "gone")
		d.mustSync("a")
		d.wantWhole(d.t.Context(), r)
		if _, err := d.verify(); err != nil {
			d.t.Errorf("once synced: %v", err)
		}
	})
}

// TestVerifyOfWhatCannotBeRead has a link to itself in the place of a blob, which
// nobody can open. The others are compared all the same.
func TestVerifyOfWhatCannotBeRead(t *testing.T) {
	eachDepot(t, func(d *depot) {
		d.offer("mended", "gone", "damaged")
		r := d.stocked("a")
		d.mustSync("a")
		for _, body := range []string{"mended", "gone"} {
			at := d.path(digestOf(body))
			if err := errors.Join(os.Remove(at), os.Symlink(at, at)); err != nil {
				d.t.Fatal(err)
			}
		}
		if err := os.WriteFile(d.path(digestOf("damaged")), []byte("other"), 0o600); err != nil {
			d.t.Fatal(err)
		}
		d.offer("mended", "damaged")
		told, err := d.verify()
		wantFault(d.t, err, fault.NotFound, "of 3 artifacts that are damaged, missing or unreadable, 1 could not be got again: the findings tell which")
		if told["verify.artifacts"] != 3 {
			d.t.Errorf("got %v, want that three were looked at", told)
		}
		want := map[string]string{
			"damaged": "DAMAGED FETCHED fetched again from " + d.URL + "/damaged",
			"mended":  "UNREADABLE FETCHED fetched again from " + d.URL + "/mended",
			"gone":    "UNREADABLE NONE the storage has a file that cannot be read: see the server's log; " + d.URL + "/gone: 404 Not Found",
		}
		for _, f := range d.findings(catalog.VerifyKind) {
			if got := fmt.Sprint(f.Problem, " ", f.Remedy, " ", f.Message); got != want[f.Path] {
				d.t.Errorf("%s: got %q, want %q", f.Path, got, want[f.Path])
			}
			delete(want, f.Path)
		}
		if len(want) > 0 {
			d.t.Errorf("no findings of %v", want)
		}
		if err := os.Remove(d.path(digestOf("gone"))); err != nil {
			d.t.Fatal(err)
		}
		for body, stored := range map[string]bool{"mended": true, "damaged": true, "gone": false} {
			if named, there := d.has(body); !named || there != stored {
				d.t.Errorf("%s: named %t, stored %t", body, named, there)
			}
		}
		d.offer("mended", "gone", "damaged")
		if _, err := d.verify(); err != nil {
			d.t.Errorf("once it is there again: %v", err)
		}
		d.wantWhole(d.t.Context(), r)
	})
}

// TestVerifyOfWhatNothingNames has no remote that could give an artifact again, and
// nobody who misses it.
func TestVerifyOfWhatNothingNames(t *testing.T) {
	eachDepot(t, func(d *depot) {
		d.offer("old")
		d.stocked("a")
		d.mustSync("a")
		d.offer("new")
		d.mustSync("a") // its first version goes, as it keeps one
		if err := os.WriteFile(d.path(digestOf("old")), []byte("other"), 0o600); err != nil {
			d.t.Fatal(err)
		}
		for range 2 {
			if told, err := d.verify(); err != nil || told["verify.artifacts"] != 2 {
				d.t.Fatalf("verify: got %v, %v", told, err)
			}
		}
		found := d.findings(catalog.VerifyKind)
		if len(found) != 2 || found[0].Problem != content.Damaged || found[1].Problem != content.Missing {
			d.t.Errorf("got %+v, want that it is damaged, and missing then", found)
		}
		for _, f := range found {
			if f.Path != "old" || f.SHA256 != digestOf("old") || f.Remedy != content.Unneeded || f.Message != "nothing names it any more: a cleaning will remove it" {
				d.t.Errorf("finding: got %+v", f)
			}
		}
		d.age()
		if told := d.clean(); told["clean.artifacts"] != 1 {
			d.t.Errorf("clean: got %v, want one artifact", told)
		}
		if told, err := d.verify(); err != nil || told["verify.artifacts"] != 1 {
			d.t.Errorf("once it was cleaned: got %v, %v", told, err)
		}
	})
}

// TestCleanLeavesWhatMayBeSaved expects damaged blobs to stay for a week, and for as
// long as nothing else is left of an artifact.
func TestCleanLeavesWhatMayBeSaved(t *testing.T) {
	eachDepot(t, func(d *depot) {
		d.offer("mended", "lost")
		d.stocked("a")
		d.mustSync("a")
		for _, body := range []string{"mended", "lost"} {
			if err := os.WriteFile(d.path(digestOf(body)), []byte("other"), 0o600); err != nil {
				d.t.Fatal(err)
			}
		}
		d.offer("mended")
		_, err := d.verify()
		wantFault(d.t, err, fault.NotFound, "of 2 artifacts that are damaged, missing or unreadable, 1 could not be got again: the findings tell which")
		check := func(when string, removed, bytes int64, left ...string) {
			d.t.Helper()
			if told := d.clean(); told["clean.damaged"] != removed || told["clean.bytes"] != bytes {
				d.t.Errorf("%s: got %v, want %d of %d bytes", when, told, removed, bytes)
			}
			var found []content.Digest
			for a, err := range d.disk.Aside(d.t.Context()) {
				if err != nil {
					d.t.Fatal(err)
				}
				found = append(found, content.Digest(a.SHA256))
			}
			want := make([]content.Digest, len(left))
			for i, body := range left {
				want[i] = digestOf(body)
			}
			slices.Sort(want)
			if !slices.Equal(found, want) {
				d.t.Errorf("%s: %v are left, want %v", when, found, left)
			}
		}
		check("at once", 0, 0, "mended", "lost")
		old := func() {
			dir := filepath.Join(d.dir, "quarantine")
			for _, name := range must[[]os.DirEntry](d.t)(os.ReadDir(dir)) {
				digest, _, _ := strings.Cut(name.Name(), ".")
				if err := os.Rename(filepath.Join(dir, name.Name()), filepath.Join(dir, fmt.Sprint(digest, ".", time.Now().Add(-8*24*time.Hour).UnixMicro()))); err != nil {
					d.t.Fatal(err)
				}
			}
		}
		old()
		check("a week later", 1, 5, "lost")
		d.offer("mended", "lost")
		d.mustSync("a")
		check("once it was got again", 1, 5)

		// Nobody knows that it was moved aside, as who did so was killed then.
		if err := os.WriteFile(d.path(digestOf("lost")), []byte("other"), 0o600); err != nil {
			d.t.Fatal(err)
		}
		if _, err := d.disk.Verify(d.t.Context(), string(digestOf("lost")), 4); err != nil {
			d.t.Fatal(err)
		}
		d.offer("mended")
		old()
		check("as nobody knows of it", 0, 0, "lost")
		d.offer("mended", "lost")
		d.mustSync("a")
		for _, body := range []string{"mended", "lost"} {
			if named, stored := d.has(body); !named || !stored {
				d.t.Errorf("%s: named %t, stored %t", body, named, stored)
			}
		}
	})
}

// cut ends a context with the first line of a log.
type cut struct {
	slog.Handler
	end context.CancelFunc
}

func (c cut) Enabled(context.Context, slog.Level) bool { return true }

func (c cut) Handle(context.Context, slog.Record) error {
	c.end()
	return nil
}

// TestVerifyTellsOfWhatItMended ends a verification once it has fetched an artifact
// again. When it begins anew, that counts as stored, and is among the findings.
func TestVerifyTellsOfWhatItMended(t *testing.T) {
	eachDepot(t, func(d *depot) {
		d.offer("damaged")
		d.stocked("a")
		d.mustSync("a")
		if err := os.WriteFile(d.path(digestOf("damaged")), []byte("dAmaged"), 0o600); err != nil {
			d.t.Fatal(err)
		}
		if _, err := d.VerifyContent(d.t.Context(), catalog.VerifyContentRequest{Priority: task.Normal}); err != nil {
			d.t.Fatal(err)
		}
		run := &task.Run{Task: d.claim()[0], Progress: &lastReports{done: map[string]int64{}}}
		ctx, cancel := context.WithCancel(d.t.Context())
		defer cancel()
		d.Log = slog.New(cut{slog.DiscardHandler, cancel})
		first := d.Handlers()[catalog.VerifyKind](ctx, run)
		d.offer() // it is not needed any more
		if err := d.Handlers()[catalog.VerifyKind](d.t.Context(), run); err != nil {
			d.t.Fatalf("after %v: got %v", first, err)
		}
		found := d.findings(catalog.VerifyKind)
		if named, _ := d.has("damaged"); !named || len(found) != 1 || found[0].Path != "damaged" || found[0].Remedy != content.Fetched {
			d.t.Errorf("after %v: got %+v, named %t", first, found, named)
		}
	})
}

// TestVerifyBatches says of which parts the verification of much is made.
func TestVerifyBatches(t *testing.T) {
	eachDepot(t, func(d *depot) {
		var artifacts []content.Artifact
		for i := range 25_000 {
			artifacts = append(artifacts, content.Artifact{SHA256: digestOf(fmt.Sprint(i)), Size: 1})
		}
		if err := d.DB.InTx(d.t.Context(), func(tx *db.Tx) error { return tx.AddArtifacts(d.t.Context(), artifacts) }); err != nil {
			d.t.Fatal(err)
		}
		work, err := d.VerifyContent(d.t.Context(), catalog.VerifyContentRequest{Priority: task.Normal, MaxRunning: 2})
		if err != nil {
			d.t.Fatal(err)
		}
		group, ok := work.(*task.Group)
		if !ok || group.Name != "verify what is stored" || len(d.tasks()) != 3 || d.tasks()[2].Name != "verify what is stored, batch 3 of 3" {
			d.t.Fatalf("got %+v of %d tasks", work, len(d.tasks()))
		}
		total := 0
		for _, bounds := range [][2]content.Digest{{"00000000", "55555555"}, {"55555555", "aaaaaaaa"}, {"aaaaaaaa", "g"}} {
			part, err := d.DB.ArtifactsBetween(d.t.Context(), 0, bounds[0], bounds[1])
			if err != nil || len(part) > 10_000 {
				d.t.Errorf("from %s: got %d, %v", bounds[0], len(part), err)
			}
			total += len(part)
		}
		if total != len(artifacts) {
			d.t.Errorf("the parts have %d artifacts, want %d", total, len(artifacts))
		}
		// What several repositories have is verified in a group, however little it is.
		d.stocked("a")
		d.stocked("b")
		all := catalog.Selector{All: true}
		if work, err = d.VerifyContent(d.t.Context(), catalog.VerifyContentRequest{Repositories: &all, Priority: task.Normal}); err != nil {
			d.t.Fatal(err)
		}
		if group, ok := work.(*task.Group); !ok || group.Name != "verify 2 repositories" {
			d.t.Errorf("of two repositories: got %+v", work)
		}
	})
}
