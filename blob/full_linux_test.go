package blob

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ream/fault"
)

// TestFullDevice writes to a device that is always full, which needs no
// privileges.
func TestFullDevice(t *testing.T) {
	t.Parallel()
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := &Writer{f: f, hash: sha256.New()}
	n, err := w.Write([]byte("bytes"))
	if n != 0 || !fault.Is(err, fault.Unavailable) || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("Write: got %d, %v, want 0 and Unavailable because of ENOSPC", n, err)
	}
	if w.Size() != 0 || w.hash.Sum(nil)[0] != 0xe3 {
		t.Errorf("after the failed write: got %d bytes hashed, want none", w.Size())
	}
}

// TestFullDisk fills a small file system. Where the process may not mount one,
// TestFullDevice stands for it.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			return
		}
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	d, err := NewDisk(dir)
	if err != nil {
		t.Fatalf("NewDisk: %v", err)
	}
	write := func(size int) (Staged, error) {
		w, err := d.Create()
		if err != nil {
			return Staged{}, err
		}
		defer w.Abort()
		if _, err := w.Write(bytes.Repeat([]byte("x"), size)); err != nil {
			return Staged{}, err
		}
		return w.Finish()
	}
	if _, err := write(2 << 20); !fault.Is(err, fault.Unavailable) || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("too large a blob: got %v, want Unavailable because of ENOSPC", err)
	}
	// The space that it took is free again, and nothing has a name.
	s, err := write(512 << 10)
	if err != nil {
		t.Fatalf("a blob that fits: %v", err)
	}
	if n := count(t, dir); n != 1 {
		t.Errorf("files: got %d, want only the staged one", n)
	}
	if err := d.Commit(t.Context(), []Staged{s}); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	if info, err := os.Stat(d.Path(s.SHA256)); err != nil || info.Size() != 512<<10 {
		t.Errorf("blob: got %v, %v, want 512 KiB", info, err)
	}
}

func count(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	if err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			n++
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}
