package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ream/fault"
)

// randomBytes are the same every time.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // it never fails
	return b
}

// TestLarge stores what was announced as large, whatever its size really is, in
// writes of many sizes, and after some that are dropped.
func TestLarge(t *testing.T) {
	t.Parallel()
	all := randomBytes(largeLeast + pieceSize + 1)
	for name, size := range map[string]int{
		"as announced": largeLeast, "a byte more": largeLeast + 1, "not quite a piece more": largeLeast + pieceSize - 1,
		"nothing": 0, "a byte": 1, "a block": alignment, "a piece": pieceSize, "a piece and a byte": pieceSize + 1,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			d, err := NewDisk(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			w, err := d.CreateSized(largeLeast)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Abort()
			body := all[:size]
			for _, last := range []bool{false, true} {
				for rest, n := body, 1; len(rest) > 0; n = n*3%700_001 + 1 {
					n, err := w.Write(rest[:min(n, len(rest))])
					if err != nil {
						t.Fatal(err)
					}
					rest = rest[n:]
				}
				if last {
					break
				}
				if err := w.Reset(); err != nil {
					t.Fatal(err)
				}
			}
			s, err := w.Finish()
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(body)
			if s.SHA256 != hex.EncodeToString(sum[:]) || s.Size != int64(size) {
				t.Fatalf("Finish: got %s of %d bytes, want %x of %d", s.SHA256, s.Size, sum, size)
			}
			if err := d.Commit(t.Context(), []Staged{s}); err != nil {
				t.Fatal(err)
			}
			f, err := d.Open(t.Context(), s.SHA256, s.Size)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, body) {
				t.Errorf("what is stored: got %d bytes, %v, want the %d that were written", len(got), err, size)
			}
		})
	}
}

// TestLargeAborted drops a large blob while some of it is being written.
func TestLargeAborted(t *testing.T) {
	t.Parallel()
	s, err := newStaging(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	w, err := s.create(unknownSize)
	if err != nil {
		t.Fatal(err)
	}
	w.large = newLarge(w.f)
	if _, err := w.Write(randomBytes(pieceSize + 1)); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	w.Abort()
	if _, err := os.Stat(w.f.Name()); !os.IsNotExist(err) {
		t.Errorf("the file after Abort: got %v, want that it is gone", err)
	}
}

// TestLargeOnFullDisk has no room for a large blob, and then for the last of it.
func TestLargeOnFullDisk(t *testing.T) {
	t.Parallel()
	for name, missing := range map[string]int{"much": pieceSize * 8, "the last": pieceSize / 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=34m"); err != nil {
				t.Skip("mounting takes privileges: ", err)
			}
			defer unix.Unmount(dir, unix.MNT_DETACH)
			d, err := NewDisk(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			w, err := d.CreateSized(largeLeast)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Abort()
			if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 2<<20+missing), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = w.Write(randomBytes(largeLeast))
			if err != nil { // then it does not go on after what is missing
				_, err = w.Write(make([]byte, 2*pieceSize))
			}
			if err == nil {
				_, err = w.Finish()
			}
			if !fault.Is(err, fault.Unavailable) {
				t.Errorf("got %v, want Unavailable", err)
			}
		})
	}
}

// TestBypassCache writes past the cache, and through it where that is refused:
// as by other file systems at any place, here at an odd one.
func TestBypassCache(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l := newLarge(f)
	defer l.end()
	bypasses := func() bool {
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		if err != nil {
			t.Fatal(err)
		}
		return flags&unix.O_DIRECT != 0
	}
	if !bypasses() {
		t.Skip("this file system writes through the cache only")
	}
	body := randomBytes(pieceSize + 1)
	if _, err := l.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := l.wait(0); err != nil || !bypasses() {
		t.Errorf("a piece: got %v, want it past the cache", err)
	}
	if err := writeAt(f, body[pieceSize:], pieceSize); err != nil || bypasses() {
		t.Errorf("an odd piece: got %v, want it through the cache", err)
	}
	if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, body) {
		t.Errorf("what is stored: got %d bytes, %v, want %d", len(got), err, len(body))
	}
}
