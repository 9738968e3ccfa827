package blob_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// tmpfs mounts a file system in memory. It returns false where the process may
// not do that.
func tmpfs(t *testing.T, options string) (dir string, ok bool) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Logf("not tested on a tmpfs: %v", err)
		return "", false
	}
	t.Cleanup(func() { unmount(t, dir) })
	return dir, true
}

// ext4 makes an ext4 file system in a file and mounts it. It returns false
// where the process may not do that.
func ext4(t *testing.T, image string, size int64) (dir string, ok bool) {
	t.Helper()
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, size); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mkfs.ext4", "-q", image).CombinedOutput(); err != nil {
		t.Logf("not tested on an ext4: %v\n%s", err, out)
		return "", false
	}
	return loop(t, image)
}

// loop mounts the file system in a file.
func loop(t *testing.T, image string) (dir string, ok bool) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "mounted")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-o", "loop", image, dir).CombinedOutput(); err != nil {
		t.Logf("not tested on an ext4: %v\n%s", err, out)
		return "", false
	}
	t.Cleanup(func() { unmount(t, dir) })
	return dir, true
}

func unmount(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
		t.Errorf("unmount: %v", err)
	}
}
