package blob_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ream/blob"
	"ream/blob/blobtest"
	"ream/fault"
)

// kinds are the ways in which a Disk makes blobs durable.
var kinds = map[string]func(dir string) (*blob.Disk, error){
	"at once":      blob.NewDisk,
	"file by file": blob.NewDiskByFile,
}

// open opens a storage until the test ends.
func open(t *testing.T, kind, dir string) *blob.Disk {
	t.Helper()
	d, err := kinds[kind](dir)
	if err != nil {
		t.Fatalf("open the storage: %v", err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// checkAll fails unless exactly these bodies are stored, and nothing is left of
// others.
func checkAll(t *testing.T, d *blob.Disk, dir string, bodies []string) {
	t.Helper()
	var want, got []string
	for _, body := range bodies {
		blobtest.Check(t, d, body)
		want = append(want, blobtest.Digest(body))
	}
	for b, err := range d.Stored(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b.SHA256)
	}
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("stored: got %d blobs, want %d", len(got), len(want))
	}
	if left := blobtest.Leftovers(t, filepath.Join(dir, "tmp")); len(left) != 0 {
		t.Errorf("staged files: got %v, want none", left)
	}
}

// abandoned makes a directory as a killed process leaves it.
func abandoned(t *testing.T, tmp, name string) string {
	t.Helper()
	dir := filepath.Join(tmp, owner(thisHost(t), name))
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestFullDisk fills disks until nothing fits any more, and makes room again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disks := map[string]func(t *testing.T) (dir string, ok bool){
		"small":      func(t *testing.T) (string, bool) { return tmpfs(t, "size=1m") },
		"few inodes": func(t *testing.T) (string, bool) { return tmpfs(t, "size=16m,nr_inodes=320") },
		"ext4":       func(t *testing.T) (string, bool) { return ext4(t, filepath.Join(t.TempDir(), "image"), 6<<20) },
	}
	for name, mount := range disks {
		for kind := range kinds {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				if dir, ok := mount(t); ok {
					fillUp(t, kind, dir)
				}
			})
		}
	}
}

func fillUp(t *testing.T, kind, dir string) {
	d := open(t, kind, dir)
	// What killed processes left: one could write, one no more than begin.
	tmp := filepath.Join(dir, "tmp")
	half, empty := abandoned(t, tmp, "HALF"), abandoned(t, tmp, "EMPTY")
	for _, name := range []string{"lock", "blob-1"} {
		if err := os.WriteFile(filepath.Join(half, name), make([]byte, 9000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var stored []string
	var err error
	for n := 0; err == nil && n < 10_000; n++ {
		body := fmt.Sprint(n) + strings.Repeat("x", n*377%20_000)
		if err = try(t, d, body); err == nil {
			stored = append(stored, body)
		}
	}
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Message(err), "free some space") {
		t.Fatalf("a full disk after %d blobs: got %v, want Unavailable, with the remedy", len(stored), err)
	}

	// Others take the rest.
	ballast := filepath.Join(dir, "ballast")
	if f, err := os.Create(ballast); err == nil {
		for err == nil {
			_, err = f.Write(make([]byte, 512))
		}
		f.Close()
	}
	// Who starts on a full disk can serve, and make room.
	again := open(t, kind, dir)
	if err := try(t, again, "more"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("more on a full disk: got %v, want Unavailable", err)
	}
	if err := again.Clean(t.Context(), time.Hour); err != nil {
		t.Errorf("Clean on a full disk: %v", err)
	}
	for _, dir := range []string{half, empty} {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s after Clean: got %v, want that it is gone", dir, err)
		}
	}
	checkAll(t, again, dir, stored)
	if err := os.Remove(ballast); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	kept := stored[:len(stored)/2]
	var drop []string
	for _, body := range stored[len(kept):] {
		drop = append(drop, blobtest.Digest(body))
	}
	if removed, err := again.Remove(t.Context(), drop, 0); err != nil || len(removed) != len(drop) {
		t.Errorf("Remove: got %d, %v, want %d", len(removed), err, len(drop))
	}
	for _, d := range []*blob.Disk{d, again} {
		if err := try(t, d, "more"); err != nil {
			t.Errorf("more when there is room again: %v", err)
		}
	}
	checkAll(t, again, dir, append(slices.Clone(kept), "more"))
}

// TestFullDiskOfSmallBlobs fills disks with blobs that are written under their
// names: what fails leaves nothing.
func TestFullDiskOfSmallBlobs(t *testing.T) {
	t.Parallel()
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir, ok := tmpfs(t, "size=1m")
			if !ok {
				return
			}
			s := blobtest.Small{Storage: open(t, kind, dir), Most: 16 << 10}
			var stored, batch []string
			var err error
			for n := 0; err == nil && n < 100; n++ {
				stored, batch = append(stored, batch...), nil
				for i := range 10 {
					batch = append(batch, fmt.Sprint(n, i)+strings.Repeat("x", (n+i)*777%16_000))
				}
				err = commit(t, s, batch)
			}
			if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Message(err), "free some space") {
				t.Fatalf("a full disk after %d blobs: got %v, want Unavailable, with the remedy", len(stored), err)
			}
			whole := map[string]bool{}
			for _, body := range slices.Concat(stored, batch) {
				whole[blobtest.Digest(body)] = true
			}
			for b, err := range s.Stored(t.Context(), "") {
				if err != nil {
					t.Fatal(err)
				}
				if !whole[b.SHA256] || rehash(t, s, b) != b.SHA256 {
					t.Errorf("stored: got %+v, want what was committed", b)
				}
			}
			if removed, err := s.Remove(t.Context(), []string{blobtest.Digest(stored[0]), blobtest.Digest(stored[1])}, 0); err != nil || len(removed) != 2 {
				t.Fatalf("Remove: got %v, %v, want two", removed, err)
			}
			for len(stored) > 20 {
				if _, err := s.Remove(t.Context(), []string{blobtest.Digest(stored[2])}, 0); err != nil {
					t.Fatal(err)
				}
				stored = slices.Delete(stored, 2, 3)
			}
			if err := commit(t, s, batch); err != nil {
				t.Errorf("Commit when there is room again: %v", err)
			}
			for _, body := range slices.Concat(stored[2:], batch) {
				blobtest.Check(t, s, body)
			}
		})
	}
}

// commit stages bodies and commits them, or drops them if that fails.
func commit(t *testing.T, s blobtest.Storage, bodies []string) error {
	t.Helper()
	var staged []blob.Staged
	for _, body := range bodies {
		staged = append(staged, blobtest.Stage(t, s, body))
	}
	err := s.Commit(t.Context(), staged)
	for _, b := range staged {
		s.Discard(b)
	}
	return err
}

func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	dir, ok := tmpfs(t, "size=1m")
	if !ok {
		return
	}
	d := open(t, "at once", dir)
	blobtest.Store(t, d, "kept")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	// A process that another test is about to start holds the files that were
	// open when it was forked for a moment more.
	var err error = unix.EBUSY
	for ; errors.Is(err, unix.EBUSY); runtime.Gosched() {
		err = unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blob.NewDisk(dir); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(fault.Message(err), "read-only") {
		t.Errorf("NewDisk: got %v, want an error that names the directory and says that it is read-only", err)
	}
}

// TestLostWrites writes to a disk that fails in the background, when somebody
// else is the first whom the kernel tells about it.
func TestLostWrites(t *testing.T) {
	t.Parallel()
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			// A disk of 64 MiB that can in truth keep no more than a few.
			small, ok := tmpfs(t, "size=6m")
			if !ok {
				return
			}
			dir, ok := ext4(t, filepath.Join(small, "image"), 64<<20)
			if !ok {
				return
			}
			d := open(t, kind, dir)
			lost := strings.Repeat("0123456789abcdef", 1<<20)
			w, err := d.Create()
			if err != nil {
				t.Fatal(err)
			}
			defer w.Abort()
			if _, err := io.WriteString(w, lost); err != nil {
				t.Fatal(err)
			}
			finish := func() error {
				s, err := w.Finish()
				if err != nil {
					return err
				}
				defer d.Discard(s)
				somebody, err := os.Open(dir)
				if err != nil {
					t.Fatal(err)
				}
				defer somebody.Close()
				if err := unix.Syncfs(int(somebody.Fd())); err == nil {
					t.Fatal("the disk does not fail")
				}
				return d.Commit(t.Context(), []blob.Staged{s})
			}
			if err := finish(); !fault.Is(err, fault.Unavailable) {
				t.Errorf("got %v, want Unavailable", err)
			}
			// A disk that fails may refuse to forget the file, too.
			for b, err := range d.Stored(t.Context(), "") {
				t.Errorf("stored: got %v, %v, want nothing", b, err)
			}
		})
	}
}

// TestPowerCut looks at what is on a disk after each Commit, as if the power
// had been cut then.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			image := filepath.Join(t.TempDir(), "image")
			dir, ok := ext4(t, image, 16<<20)
			if !ok {
				return
			}
			d := blobtest.Small{Storage: open(t, kind, dir), Most: 4000}
			var stored []string
			for round := range 2 {
				var bodies []string
				for n := range 40 {
					bodies = append(bodies, fmt.Sprint(round, n, strings.Repeat("x", n*n*10)))
				}
				blobtest.Stage(t, d, fmt.Sprint("not finished before the power is cut", round))
				blobtest.Store(t, d, bodies...)
				stored = append(stored, bodies...)

				onDisk, err := os.ReadFile(image)
				if err != nil {
					t.Fatal(err)
				}
				after := filepath.Join(t.TempDir(), "image")
				if err := os.WriteFile(after, onDisk, 0o600); err != nil {
					t.Fatal(err)
				}
				restarted, ok := loop(t, after)
				if !ok {
					t.Fatal("what is on the disk cannot be mounted")
				}
				e := open(t, kind, restarted)
				if err := e.Clean(t.Context(), 24*time.Hour); err != nil {
					t.Fatalf("Clean: %v", err)
				}
				checkAll(t, e, restarted, stored)
			}
		})
	}
}
