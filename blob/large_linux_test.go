package blob_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ream/blob"
	"ream/blob/blobtest"
	"ream/fault"
)

// randomBytes are the same every time.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // it never fails
	return b
}

// beginLarge begins a blob that is announced as large.
func beginLarge(t *testing.T, d *blob.Disk) *blob.Writer {
	t.Helper()
	w, err := d.CreateSized(blob.LargeLeast)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Abort)
	return w
}

// mustLend skips a test of what cannot be done on every file system.
func mustLend(t *testing.T, w *blob.Writer) {
	t.Helper()
	if cap(w.AvailableBuffer()) == 0 {
		t.Skip("what is stored here cannot go past the cache")
	}
}

// checkFinished finishes and commits a blob, which is to have these bytes.
func checkFinished(t *testing.T, d *blob.Disk, w *blob.Writer, body []byte) {
	t.Helper()
	s, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(t.Context(), []blob.Staged{s}); err != nil {
		t.Fatal(err)
	}
	blobtest.Check(t, d, string(body))
}

// TestLarge stores what was announced as large, whatever its size really is, in
// writes of many sizes, and after some that are dropped.
func TestLarge(t *testing.T) {
	t.Parallel()
	all := randomBytes(blob.LargeLeast + blob.PieceSize + 1)
	for name, size := range map[string]int{
		"as announced": blob.LargeLeast, "a byte more": blob.LargeLeast + 1, "not quite a piece more": blob.LargeLeast + blob.PieceSize - 1,
		"nothing": 0, "a byte": 1, "a block": blob.Alignment, "a piece": blob.PieceSize, "a piece and a byte": blob.PieceSize + 1,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _ := newDisk(t)
			w := beginLarge(t, d)
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
			if s.SHA256 != blobtest.Digest(string(body)) || s.Size != int64(size) {
				t.Fatalf("Finish: got %s of %d bytes, want %s of %d", s.SHA256, s.Size, blobtest.Digest(string(body)), size)
			}
			if err := d.Commit(t.Context(), []blob.Staged{s}); err != nil {
				t.Fatal(err)
			}
			blobtest.Check(t, d, string(body))
		})
	}
}

// TestLargeInSteps stores more than room is made for at once, and less than was
// announced.
func TestLargeInSteps(t *testing.T) {
	t.Parallel()
	const size = blob.RoomStep + blob.PieceSize + 1
	d, _ := newDisk(t)
	w, err := d.CreateSized(size + blob.PieceSize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Abort)
	body := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	checkFinished(t, d, w, body)
}

// TestLargeInParts stores pieces that the kernel does not write whole, or not past
// the cache, or not at once.
func TestLargeInParts(t *testing.T) {
	t.Parallel()
	d, _ := newDisk(t)
	w := beginLarge(t, d)
	mustLend(t, w)
	body := randomBytes(7 * blob.PieceSize)
	for i, bytes := range []int64{0, blob.PieceSize / 2, -int64(unix.EAGAIN), -int64(unix.EIO), -int64(unix.EINVAL)} {
		if err := blob.WritePart(w, body[i*blob.PieceSize:][:blob.PieceSize], bytes); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Write(body[5*blob.PieceSize:]); err != nil {
		t.Fatal(err)
	}
	checkFinished(t, d, w, body)
}

// TestLargeAborted drops a large blob while some of it is being written.
func TestLargeAborted(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	w := beginLarge(t, d)
	if _, err := w.Write(randomBytes(blob.PieceSize + 1)); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	w.Abort()
	if left := blobtest.Leftovers(t, filepath.Join(dir, "tmp")); len(left) != 0 {
		t.Errorf("staged files: got %v, want none", left)
	}
	if _, err := w.Write([]byte("more")); err == nil {
		t.Error("Write after Abort: got no error")
	}
}

// TestLargeMost begins more large blobs than may be written past the cache, whose
// memory is bounded: one lends its memory as long as it is among those.
func TestLargeMost(t *testing.T) {
	t.Parallel()
	d, _ := newDisk(t)
	lends := func(w *blob.Writer) bool { return cap(w.AvailableBuffer()) > 0 }
	var first []*blob.Writer
	for range blob.LargeMost {
		w := beginLarge(t, d)
		if len(first) == 0 {
			mustLend(t, w)
		}
		if !lends(w) {
			t.Fatalf("large blob %d goes through the cache", len(first)+1)
		}
		first = append(first, w)
	}
	late := beginLarge(t, d)
	if lends(late) {
		t.Errorf("%d large blobs are written past the cache", blob.LargeMost+1)
	}
	if _, err := late.Write(randomBytes(blob.PieceSize)); err != nil {
		t.Error(err)
	}
	late.Abort()
	first[0].Abort()
	if s, err := first[1].Finish(); err != nil {
		t.Error(err)
	} else {
		d.Discard(s)
	}
	for n := range 3 {
		if got := lends(beginLarge(t, d)); got != (n < 2) {
			t.Errorf("large blob %d after two have ended: got %t that it is written past the cache", n+1, got)
		}
	}
}

// TestLargeOnFullDisk has no room for all of a large blob.
func TestLargeOnFullDisk(t *testing.T) {
	t.Parallel()
	const room = blob.LargeLeast + 16<<20
	stories := []struct {
		name    string
		missing uint64 // of the size that is announced
		size    int    // that it really has
	}{
		{"for some pieces", 2 * blob.PieceSize, blob.LargeLeast},
		{"for part of a piece", blob.PieceSize / 2, blob.LargeLeast},
		{"for pieces that were not announced", 0, blob.LargeLeast + 20*blob.PieceSize},
	}
	for name, mount := range map[string]func(t *testing.T) (dir string, ok bool){
		"tmpfs": func(t *testing.T) (string, bool) { return tmpfs(t, fmt.Sprint("size=", room)) },
		"ext4":  func(t *testing.T) (string, bool) { return ext4(t, filepath.Join(t.TempDir(), "image"), room) },
	} {
		for _, story := range stories {
			t.Run(name+", "+story.name, func(t *testing.T) {
				t.Parallel()
				dir, ok := mount(t)
				if !ok {
					return
				}
				d := open(t, "at once", dir)
				w := beginLarge(t, d)
				var fs unix.Statfs_t
				if err := unix.Statfs(dir, &fs); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, fs.Bfree*uint64(fs.Bsize)-blob.LargeLeast+story.missing), 0o600); err != nil {
					t.Fatal(err)
				}
				_, err := w.Write(randomBytes(story.size))
				if err != nil { // then it does not go on after what is missing
					_, err = w.Write(make([]byte, 20*blob.PieceSize))
				}
				if err == nil {
					_, err = w.Finish()
				}
				if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Message(err), "free some space") {
					t.Errorf("got %v, want Unavailable, with the remedy", err)
				}
				w.Abort()
				if left := blobtest.Leftovers(t, filepath.Join(dir, "tmp")); len(left) != 0 {
					t.Errorf("staged files: got %v, want none", left)
				}
			})
		}
	}
}

// TestBypassCache writes past the cache, and through it where that is refused:
// as by other file systems at any place, here at an odd one.
func TestBypassCache(t *testing.T) {
	t.Parallel()
	dir, ok := ext4(t, filepath.Join(t.TempDir(), "image"), 16<<20)
	if !ok {
		return
	}
	f, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bypasses := func() bool {
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		if err != nil {
			t.Fatal(err)
		}
		return flags&unix.O_DIRECT != 0
	}
	if err := blob.BypassCache(f); err != nil {
		t.Fatal(err)
	}
	piece, free, err := blob.NewSlab(blob.PieceSize)
	if err != nil {
		t.Fatal(err)
	}
	defer free()
	body := randomBytes(blob.PieceSize + 1)
	copy(piece, body)
	if err := blob.WritePiece(f, piece, 0); err != nil || !bypasses() {
		t.Errorf("a piece: got %v, want it past the cache", err)
	}
	if err := blob.WritePiece(f, body[blob.PieceSize:], blob.PieceSize); err != nil || bypasses() {
		t.Errorf("an odd piece: got %v, want it through the cache", err)
	}
	if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, body) {
		t.Errorf("what is stored: got %d bytes, %v, want %d", len(got), err, len(body))
	}
}
