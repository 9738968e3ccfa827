package blob

import (
	"crypto/sha256"
	"errors"
	"os"
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

func TestKernelTells(t *testing.T) {
	t.Parallel()
	for release, want := range map[string]bool{
		"5.8.0": true, "5.10.0-32-amd64": true, "6.18.44-fc": true, "6.1": true, "10.0.1": true,
		"5.7.19": false, "4.18.0-553.el8.x86_64": false, "3.2": false, "": false, "strange": false,
	} {
		if got := kernelTells(release); got != want {
			t.Errorf("%q: got %t, want %t", release, got, want)
		}
	}
}
