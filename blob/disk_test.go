package blob_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ream/blob"
	"ream/blob/blobtest"
)

func newDisk(t *testing.T) (*blob.Disk, string) {
	t.Helper()
	dir := t.TempDir()
	d, err := blob.NewDisk(dir)
	if err != nil {
		t.Fatalf("NewDisk: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return d, dir
}

// try stores a body, and drops it if that fails.
func try(t *testing.T, d *blob.Disk, body string) error {
	w, err := d.Create()
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.WriteString(w, body); err != nil {
		return err
	}
	s, err := w.Finish()
	if err != nil {
		return err
	}
	defer d.Discard(s)
	return d.Commit(t.Context(), []blob.Staged{s})
}

// path is where a body lies in a storage's directory.
func path(dir, body string) string {
	digest := blobtest.Digest(body)
	return filepath.Join(dir, "sha256", digest[:2], digest[2:])
}

func TestDisk(t *testing.T) {
	t.Parallel()
	for name, newDisk := range map[string]func(dir string) (*blob.Disk, error){
		"at once":      blob.NewDisk,
		"file by file": blob.NewDiskByFile,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			blobtest.Run(t, func(t *testing.T) blobtest.Opened {
				dir := t.TempDir()
				d, err := newDisk(dir)
				if err != nil {
					t.Fatalf("open the storage: %v", err)
				}
				t.Cleanup(func() { d.Close() })
				return blobtest.Opened{
					Storage: d, Staging: filepath.Join(dir, "tmp"),
					Spoil:       func(t *testing.T, sha256, body string) { blobtest.SpoilDisk(t, dir, sha256, body) },
					Quarantined: func(t *testing.T) map[string]string { return blobtest.QuarantinedOnDisk(t, dir) },
					Vanish:      func(t *testing.T) func() { return blobtest.VanishFromDisk(t, dir) },
				}
			})
		})
	}
}

func TestDiskLayout(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	blobtest.Store(t, d, "one")
	if got, err := os.ReadFile(path(dir, "one")); err != nil || string(got) != "one" {
		t.Errorf("%s: got %q, %v", path(dir, "one"), got, err)
	}
	f, err := d.Open(t.Context(), blobtest.Digest("one"), 3)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, ok := f.(*os.File); !ok {
		t.Errorf("Open: got a %T, want an *os.File, which the kernel can send", f)
	}
}

// TestVerifyLinks verifies blobs that are links to where somebody keeps them: the
// link of a damaged one is moved aside, and not what it leads to.
func TestVerifyLinks(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	elsewhere := t.TempDir()
	for body, bytes := range map[string]string{"intact": "intact", "damaged": "d@maged", "longer": "longer!"} {
		file := filepath.Join(elsewhere, body)
		if err := os.WriteFile(file, []byte(bytes), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(file, path(dir, body)); err != nil {
			t.Fatal(err)
		}
	}
	for body, want := range map[string]blob.Condition{"intact": blob.Intact, "damaged": blob.Damaged, "longer": blob.Damaged} {
		if got, err := d.Verify(t.Context(), blobtest.Digest(body), int64(len(body))); got != want || err != nil {
			t.Errorf("Verify of %q: got %v, %v, want %v", body, got, err, want)
		}
	}
	blobtest.Check(t, d, "intact")
	aside := 0
	for a, err := range d.Aside(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		aside++
		if err := d.RemoveAside(t.Context(), a); err != nil {
			t.Error(err)
		}
	}
	if left := blobtest.QuarantinedOnDisk(t, dir); aside != 2 || len(left) != 0 {
		t.Errorf("moved aside: got %d, and %v once they are removed, want two", aside, left)
	}
	for body, want := range map[string]string{"damaged": "d@maged", "longer": "longer!"} {
		if got, err := os.ReadFile(filepath.Join(elsewhere, body)); err != nil || string(got) != want {
			t.Errorf("behind the link: got %q, %v", got, err)
		}
		blobtest.CheckMissing(t, d, body)
	}
}

// thisHost is how names of this machine's staging directories begin.
func thisHost(t *testing.T) string {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(host, "-", "_")
}

func TestDiskThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := blob.NewDisk(file); err == nil {
		t.Errorf("NewDisk of a file: got %v, want an error", d)
	}
}

// TestTakenName commits a small blob whose name leads to what a power cut left
// of it.
func TestTakenName(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	s := blobtest.Small{Storage: d, Most: 100}
	if err := os.WriteFile(path(dir, "whole"), []byte("who"), 0o600); err != nil {
		t.Fatal(err)
	}
	staged := blobtest.Stage(t, s, "whole")
	other := blobtest.Stage(t, s, "other")
	if err := s.Commit(t.Context(), []blob.Staged{staged, other}); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	blobtest.Check(t, s, "whole")
	blobtest.Check(t, s, "other")
	if left := blobtest.Leftovers(t, filepath.Join(dir, "tmp")); len(left) != 0 {
		t.Errorf("staged files: got %v, want none", left)
	}
}

// owner is what a process on a machine calls its staging directory.
func owner(host, name string) string { return host + "-" + name + strings.Repeat("2", 26-len(name)) }

// TestCleanAbandoned cleans up after a process that is gone, and spares what
// may not be abandoned.
func TestCleanAbandoned(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	tmp := filepath.Join(dir, "tmp")
	host := thisHost(t)
	old := time.Now().Add(-25 * time.Hour)
	file := func(at string, mtime time.Time) string {
		t.Helper()
		at = filepath.Join(tmp, at)
		if err := os.MkdirAll(filepath.Dir(at), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte("half a blo"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(at, mtime, mtime); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Dir(at), mtime, mtime); err != nil {
			t.Fatal(err)
		}
		return at
	}
	tests := map[string]struct {
		path string
		kept bool
	}{
		"of this machine":             {path: file(owner(host, "GONE")+"/blob-1", time.Now())},
		"of this machine, lock lost":  {path: file(owner(host, "LOCKLESS")+"/blob-1", time.Now())},
		"of another machine, old":     {path: file(owner("elsewhere", "OLD")+"/blob-1", old)},
		"of another machine, young":   {path: file(owner("elsewhere", "YOUNG")+"/blob-1", time.Now()), kept: true},
		"of this machine, and locked": {path: file(owner(host, "LOCKED")+"/blob-1", old), kept: true},
	}
	file(owner(host, "GONE")+"/lock", time.Now())
	file(owner("elsewhere", "OLD")+"/lock", old)
	file(owner("elsewhere", "YOUNG")+"/lock", time.Now())
	defer lock(t, file(owner(host, "LOCKED")+"/lock", old)).Close()
	blobtest.Store(t, d, "kept")
	own := blobtest.Stage(t, d, "staged")

	if err := d.Clean(t.Context(), 24*time.Hour); err != nil {
		t.Fatalf("Clean: %v", err)
	}
	for name, tt := range tests {
		_, err := os.Stat(tt.path)
		if kept := err == nil; kept != tt.kept {
			t.Errorf("%s: got kept %t, want %t", name, kept, tt.kept)
		}
		if _, err := os.Stat(filepath.Dir(tt.path)); err == nil != tt.kept && filepath.Dir(tt.path) != tmp {
			t.Errorf("%s: its directory: got %v, want kept %t", name, err, tt.kept)
		}
	}
	if err := d.Commit(t.Context(), []blob.Staged{own}); err != nil {
		t.Errorf("Commit: %v", err)
	}
	blobtest.Check(t, d, "kept")
	blobtest.Check(t, d, "staged")
}

// TestCleanSparesOthers shares tmp with those who know nothing of Ream, as below
// /var: what is theirs stays, however old, also behind links.
func TestCleanSparesOthers(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	elsewhere := t.TempDir()
	host := thisHost(t)
	files := map[string]string{
		"in a directory":               filepath.Join(dir, "tmp", "mydir", "doc"),
		"in one with a dash":           filepath.Join(dir, "tmp", host+"-backup", "doc"),
		"in one with small letters":    filepath.Join(dir, "tmp", host+"-"+strings.Repeat("a", 26), "doc"),
		"in one of no machine":         filepath.Join(dir, "tmp", owner("", "X"), "doc"),
		"a file":                       filepath.Join(dir, "tmp", "file"),
		"a file, named as a directory": filepath.Join(dir, "tmp", owner(host, "FILE")),
		"behind a link":                filepath.Join(elsewhere, "thing"),
	}
	old := time.Now().Add(-72 * time.Hour)
	for _, file := range files {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{file, filepath.Dir(file)} {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"link", owner(host, "LINK"), owner("elsewhere", "LINK")} {
		link := filepath.Join(dir, "tmp", name)
		if err := os.Symlink(elsewhere, link); err != nil {
			t.Fatal(err)
		}
		files[name] = link
	}
	if err := d.Clean(t.Context(), 0); err != nil {
		t.Fatalf("Clean: %v", err)
	}
	for name, file := range files {
		if _, err := os.Lstat(file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if entries, err := os.ReadDir(elsewhere); err != nil || len(entries) != 1 {
		t.Errorf("behind the link: got %v, %v, want no lock", entries, err)
	}
}

// TestCleanBesideStart cleans again and again while others begin to stage: what
// they stage is never taken for abandoned.
func TestCleanBesideStart(t *testing.T) {
	t.Parallel()
	cleaner, dir := newDisk(t)
	var done atomic.Bool
	var cleaning sync.WaitGroup
	cleaning.Go(func() {
		for !done.Load() {
			if err := cleaner.Clean(t.Context(), 0); err != nil {
				t.Errorf("Clean: %v", err)
			}
		}
	})
	start := func() error {
		d, err := blob.NewDisk(dir)
		if err != nil {
			return err
		}
		return errors.Join(try(t, d, "staged"), d.Close())
	}
	for range 30 {
		if err := start(); err != nil {
			t.Error(err)
		}
	}
	done.Store(true)
	cleaning.Wait()
	if left := blobtest.Leftovers(t, filepath.Join(dir, "tmp")); len(left) != 0 {
		t.Errorf("staged files: got %v, want none", left)
	}
}

// TestRemoveBesideCommit commits again what is removed for its age: whatever
// comes first, it is there after the Commit.
func TestRemoveBesideCommit(t *testing.T) {
	t.Parallel()
	_, dir := newDisk(t)
	old := time.Now().Add(-48 * time.Hour)
	// As if by two processes.
	var storages [2]*blob.Disk
	for i := range storages {
		d, err := blob.NewDisk(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		storages[i] = d
	}
	blobtest.Store(t, storages[0], "again")
	for range 100 {
		if err := os.Chtimes(path(dir, "again"), old, old); err != nil {
			t.Fatal(err)
		}
		staged := blobtest.Stage(t, storages[0], "again")
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := storages[1].Remove(t.Context(), []string{blobtest.Digest("again")}, 24*time.Hour); err != nil {
				t.Errorf("Remove: %v", err)
			}
		})
		both.Go(func() {
			if err := storages[0].Commit(t.Context(), []blob.Staged{staged}); err != nil {
				t.Errorf("Commit: %v", err)
			}
		})
		both.Wait()
		blobtest.Check(t, storages[0], "again")
		if t.Failed() {
			return
		}
	}
}
