package blob_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ream/blob"
	"ream/fault"
)

func newDisk(t *testing.T) (*blob.Disk, string) {
	t.Helper()
	dir := t.TempDir()
	d, err := blob.NewDisk(dir)
	if err != nil {
		t.Fatalf("NewDisk: %v", err)
	}
	return d, dir
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func stage(t *testing.T, d *blob.Disk, body string) blob.Staged {
	t.Helper()
	w, err := d.Create()
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatalf("Write: %v", err)
	}
	s, err := w.Finish()
	if err != nil {
		t.Fatalf("Finish: %v", err)
	}
	return s
}

func checkBlob(t *testing.T, d *blob.Disk, body string) {
	t.Helper()
	f, err := d.Open(digest(body))
	if err != nil {
		t.Fatalf("Open(%q): %v", body, err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil || string(got) != body {
		t.Errorf("blob: got %q, %v, want %q", got, err, body)
	}
}

// leftovers are the names in tmp.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "tmp"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestCommit(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	bodies := []string{"one", "two", "", strings.Repeat("large", 100_000)}
	var staged []blob.Staged
	for _, body := range bodies {
		s := stage(t, d, body)
		if s.SHA256 != digest(body) || s.Size != int64(len(body)) {
			t.Errorf("staged: got %s, %d bytes, want %s, %d bytes", s.SHA256, s.Size, digest(body), len(body))
		}
		if _, err := d.Open(s.SHA256); !fault.Is(err, fault.NotFound) {
			t.Errorf("Open before Commit: got %v, want NotFound", err)
		}
		staged = append(staged, s)
	}
	if err := d.Commit(t.Context(), staged); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	for _, body := range bodies {
		checkBlob(t, d, body)
	}
	want := filepath.Join(dir, "sha256", digest("one")[:2], digest("one")[2:])
	if got := d.Path(digest("one")); got != want {
		t.Errorf("Path: got %s, want %s", got, want)
	}
	if left := leftovers(t, dir); len(left) != 0 {
		t.Errorf("temporary files: got %v, want none", left)
	}
	if err := d.Commit(t.Context(), nil); err != nil {
		t.Errorf("Commit of nothing: %v", err)
	}
}

func TestCommitSameDigest(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	if err := d.Commit(t.Context(), []blob.Staged{stage(t, d, "same"), stage(t, d, "same")}); err != nil {
		t.Fatalf("Commit of one digest twice: %v", err)
	}
	open, err := d.Open(digest("same"))
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := d.Commit(t.Context(), []blob.Staged{stage(t, d, "same")}); err != nil {
		t.Fatalf("Commit of what is there: %v", err)
	}
	checkBlob(t, d, "same")
	if got, err := io.ReadAll(open); err != nil || string(got) != "same" {
		t.Errorf("reader from before: got %q, %v, want its bytes", got, err)
	}
	if left := leftovers(t, dir); len(left) != 0 {
		t.Errorf("temporary files: got %v, want none", left)
	}
}

func TestCommitConcurrently(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	bodies := []string{"shared", "shared too"}
	var commits, readers sync.WaitGroup
	committed := make(chan struct{})
	for range 8 {
		staged := []blob.Staged{stage(t, d, bodies[0]), stage(t, d, bodies[1])}
		commits.Go(func() {
			if err := d.Commit(t.Context(), staged); err != nil {
				t.Errorf("Commit: %v", err)
			}
		})
	}
	// Whoever opens a name meanwhile reads the whole bytes or finds none.
	for _, body := range bodies {
		readers.Go(func() {
			for done := false; !done; {
				select {
				case <-committed:
					done = true
				default:
				}
				f, err := d.Open(digest(body))
				if fault.Is(err, fault.NotFound) && !done {
					continue
				}
				if err != nil {
					t.Errorf("Open: %v", err)
					return
				}
				got, err := io.ReadAll(f)
				f.Close()
				if err != nil || string(got) != body {
					t.Errorf("read meanwhile: got %q, %v, want %q", got, err, body)
				}
			}
		})
	}
	commits.Wait()
	close(committed)
	readers.Wait()
	if left := leftovers(t, dir); len(left) != 0 {
		t.Errorf("temporary files: got %v, want none", left)
	}
}

func TestCommitCanceled(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := stage(t, d, "late")
	if err := d.Commit(ctx, []blob.Staged{s}); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: got %v, want context.Canceled", err)
	}
	d.Discard(s)
	if _, err := d.Open(s.SHA256); !fault.Is(err, fault.NotFound) {
		t.Errorf("Open: got %v, want NotFound", err)
	}
	if left := leftovers(t, dir); len(left) != 0 {
		t.Errorf("temporary files: got %v, want none", left)
	}
}

func TestWriter(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	w, err := d.Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "a longer first attempt"); err != nil {
		t.Fatal(err)
	}
	if w.Size() != 22 || w.SHA256() != digest("a longer first attempt") {
		t.Errorf("before Reset: got %d bytes, %s", w.Size(), w.SHA256())
	}
	if err := w.Reset(); err != nil {
		t.Fatalf("Reset: %v", err)
	}
	if w.Size() != 0 || w.SHA256() != digest("") {
		t.Errorf("after Reset: got %d bytes, %s, want nothing", w.Size(), w.SHA256())
	}
	if _, err := io.WriteString(w, "second"); err != nil {
		t.Fatal(err)
	}
	s, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	w.Abort() // too late to have an effect
	if err := d.Commit(t.Context(), []blob.Staged{s}); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	d.Discard(s) // likewise
	checkBlob(t, d, "second")

	w, err = d.Create()
	if err != nil {
		t.Fatal(err)
	}
	w.Abort()
	w.Abort()
	if left := leftovers(t, dir); len(left) != 0 {
		t.Errorf("temporary files after Abort: got %v, want none", left)
	}
}

func TestOpenMissing(t *testing.T) {
	t.Parallel()
	d, _ := newDisk(t)
	for _, name := range []string{"", "a", digest("missing"), strings.ToUpper(digest("missing")), "../" + digest("x")[3:], strings.Repeat("/", 64)} {
		if f, err := d.Open(name); f != nil || !fault.Is(err, fault.NotFound) {
			t.Errorf("Open(%q): got %v, %v, want NotFound", name, f, err)
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	_, dir := newDisk(t)
	// What a killed process left: one file of yesterday, one of just now.
	old, young := filepath.Join(dir, "tmp", "blob-old"), filepath.Join(dir, "tmp", "blob-young")
	for _, path := range []string{old, young} {
		if err := os.WriteFile(path, []byte("half a blo"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	yesterday := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(old, yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	d, err := blob.NewDisk(dir) // the next start
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(t.Context(), []blob.Staged{stage(t, d, "kept")}); err != nil {
		t.Fatal(err)
	}
	if err := d.Clean(24 * time.Hour); err != nil {
		t.Fatalf("Clean: %v", err)
	}
	if got := leftovers(t, dir); len(got) != 1 || got[0] != "blob-young" {
		t.Errorf("after Clean(24h): got %v, want only blob-young", got)
	}
	if err := d.Clean(0); err != nil {
		t.Fatalf("Clean: %v", err)
	}
	if got := leftovers(t, dir); len(got) != 0 {
		t.Errorf("after Clean(0): got %v, want none", got)
	}
	checkBlob(t, d, "kept")
}
