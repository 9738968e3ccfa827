package blob_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// lock holds the lock of a file, as a living process does.
func lock(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return f
}
