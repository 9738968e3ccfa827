// Package blobtest tests storages of blobs: one suite for all of them, and a
// real S3 server to run it against.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"ream/blob"
	"ream/fault"
)

// Storage is what every storage of blobs can do.
type Storage interface {
	Create() (*blob.Writer, error)
	CreateSized(size int64) (*blob.Writer, error)
	Commit(ctx context.Context, staged []blob.Staged) error
	Discard(staged blob.Staged)
	Open(ctx context.Context, sha256 string, size int64) (io.ReadSeekCloser, error)
	Stored(ctx context.Context, after string) iter.Seq2[blob.Stored, error]
	Remove(ctx context.Context, digests []string, olderThan time.Duration) ([]string, error)
	Verify(ctx context.Context, sha256 string, size int64) (blob.Condition, error)
	Aside(ctx context.Context) iter.Seq2[blob.Aside, error]
	RemoveAside(ctx context.Context, a blob.Aside) error
	Clean(ctx context.Context, olderThan time.Duration) error
	Identity(ctx context.Context) (string, error)
	Identify(ctx context.Context, id string) (string, error)
	Close() error
}

// Opened is an empty storage, and where it stages blobs.
type Opened struct {
	Storage
	Staging string
	// Spoil puts other bytes where a blob lies, and Quarantined lists what was
	// moved aside, by name.
	Spoil       func(t *testing.T, sha256, body string)
	Quarantined func(t *testing.T) map[string]string
	// Vanish takes the storage away with all that is in it, until back is called.
	Vanish func(t *testing.T) (back func())
}

// Small is a storage whose blobs of no more than Most bytes wait in memory.
type Small struct {
	Storage
	Most int64
}

// Create begins a blob in memory, which goes on in a file if there is more of it.
func (s Small) Create() (*blob.Writer, error) { return s.CreateSized(s.Most) }

// Run tests a kind of storage, with blobs that are staged in files and in
// memory. Each call of open must return one that is empty.
func Run(t *testing.T, open func(t *testing.T) Opened) {
	for name, test := range map[string]func(*testing.T, Opened){
		"Commit":       testCommit,
		"SameDigest":   testSameDigest,
		"Concurrently": testConcurrently,
		"Canceled":     testCanceled,
		"Writer":       testWriter,
		"Missing":      testMissing,
		"WrongSize":    testWrongSize,
		"Read":         testRead,
		"Stored":       testStored,
		"Remove":       testRemove,
		"Verify":       testVerify,
		"Aside":        testAside,
		"Clean":        testClean,
		"Identity":     testIdentity,
		"Vanished":     testVanished,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
		t.Run(name+", small", func(t *testing.T) {
			t.Parallel()
			o := open(t)
			o.Storage = Small{o.Storage, 16}
			test(t, o)
		})
	}
}

// Digest is the SHA-256 of a body.
func Digest(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// Stage writes a body and finishes it.
func Stage(t testing.TB, s Storage, body string) blob.Staged {
	t.Helper()
	w, err := s.Create()
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatalf("Write: %v", err)
	}
	staged, err := w.Finish()
	if err != nil {
		t.Fatalf("Finish: %v", err)
	}
	return staged
}

// Store commits bodies.
func Store(t testing.TB, s Storage, bodies ...string) {
	t.Helper()
	var staged []blob.Staged
	for _, body := range bodies {
		staged = append(staged, Stage(t, s, body))
	}
	if err := s.Commit(t.Context(), staged); err != nil {
		t.Fatalf("Commit: %v", err)
	}
}

// Check fails unless a body is stored.
func Check(t testing.TB, s Storage, body string) {
	t.Helper()
	f, err := s.Open(t.Context(), Digest(body), int64(len(body)))
	if err != nil {
		t.Errorf("Open(%.20q): %v", body, err)
		return
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || string(got) != body {
		t.Errorf("blob: got %.20q, %d bytes, %v, want %.20q, %d bytes", got, len(got), err, body, len(body))
	}
}

// CheckMissing fails if a body is stored.
func CheckMissing(t *testing.T, s Storage, body string) {
	t.Helper()
	f, err := s.Open(t.Context(), Digest(body), int64(len(body)))
	if err == nil {
		// A storage that is far away says so when it is asked for bytes.
		_, err = f.Read(make([]byte, 1))
		f.Close()
	}
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("Open(%.20q): got %v, want NotFound", body, err)
	}
}

// Leftovers are the files below a staging directory, without locks.
func Leftovers(t *testing.T, staging string) []string {
	t.Helper()
	var names []string
	if err := filepath.WalkDir(staging, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && e.Name() != "lock" {
			names = append(names, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return names
}

func checkNothingLeft(t *testing.T, o Opened) {
	t.Helper()
	if left := Leftovers(t, o.Staging); len(left) != 0 {
		t.Errorf("staged files: got %v, want none", left)
	}
}

// large is enough for several parts of the smallest size that S3 allows.
var large = strings.Repeat("0123456789abcde\n", 11<<16)

func testCommit(t *testing.T, o Opened) {
	bodies := []string{"one", "two", "", strings.Repeat("some", 50_000), large}
	var staged []blob.Staged
	for _, body := range bodies {
		s := Stage(t, o, body)
		if s.SHA256 != Digest(body) || s.Size != int64(len(body)) {
			t.Errorf("staged: got %s, %d bytes, want %s, %d bytes", s.SHA256, s.Size, Digest(body), len(body))
		}
		CheckMissing(t, o, body+"?")
		staged = append(staged, s)
	}
	CheckMissing(t, o, "one")
	if err := o.Commit(t.Context(), staged); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	for _, body := range bodies {
		Check(t, o, body)
	}
	checkNothingLeft(t, o)
	if err := o.Commit(t.Context(), nil); err != nil {
		t.Errorf("Commit of nothing: %v", err)
	}
}

func testSameDigest(t *testing.T, o Opened) {
	Store(t, o, "same", "same", "other")
	open, err := o.Open(t.Context(), Digest("same"), 4)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	Store(t, o, "same")
	Check(t, o, "same")
	Check(t, o, "other")
	if got, err := io.ReadAll(open); err != nil || string(got) != "same" {
		t.Errorf("reader from before: got %q, %v, want its bytes", got, err)
	}
	checkNothingLeft(t, o)
}

func testConcurrently(t *testing.T, o Opened) {
	bodies := []string{"shared", "shared too"}
	var commits, readers sync.WaitGroup
	var committed atomic.Int64 // of all Commits
	for range 8 {
		staged := []blob.Staged{Stage(t, o, bodies[0]), Stage(t, o, bodies[1])}
		commits.Go(func() {
			if err := o.Commit(t.Context(), staged); err != nil {
				t.Errorf("Commit: %v", err)
			}
			committed.Add(1)
		})
	}
	// Whoever opens a name after the first Commit reads the whole bytes, and
	// before it none but those.
	read := func(body string) ([]byte, error) {
		f, err := o.Open(t.Context(), Digest(body), int64(len(body)))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(f)
	}
	for _, body := range bodies {
		readers.Go(func() {
			_, small := o.Storage.(Small)
			for n := int64(0); n < 8; {
				n = committed.Load()
				got, err := read(body)
				if n == 0 && (fault.Is(err, fault.NotFound) || small && err != nil) {
					continue
				}
				if err != nil || string(got) != body {
					t.Errorf("read meanwhile: got %q, %v, want %q", got, err, body)
				}
			}
		})
	}
	commits.Wait()
	readers.Wait()
	checkNothingLeft(t, o)
}

func testCanceled(t *testing.T, o Opened) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := Stage(t, o, "late")
	if err := o.Commit(ctx, []blob.Staged{s}); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: got %v, want context.Canceled", err)
	}
	o.Discard(s)
	CheckMissing(t, o, "late")
	checkNothingLeft(t, o)
}

func testWriter(t *testing.T, o Opened) {
	w, err := o.Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "a longer first attempt"); err != nil {
		t.Fatal(err)
	}
	if w.Size() != 22 || w.SHA256() != Digest("a longer first attempt") {
		t.Errorf("before Reset: got %d bytes, %s", w.Size(), w.SHA256())
	}
	if err := w.Reset(); err != nil {
		t.Fatalf("Reset: %v", err)
	}
	if w.Size() != 0 || w.SHA256() != Digest("") {
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
	if err := o.Commit(t.Context(), []blob.Staged{s}); err != nil {
		t.Fatalf("Commit: %v", err)
	}
	o.Discard(s) // likewise
	Check(t, o, "second")

	w, err = o.Create()
	if err != nil {
		t.Fatal(err)
	}
	w.Abort()
	w.Abort()
	checkNothingLeft(t, o)
}

func testMissing(t *testing.T, o Opened) {
	CheckMissing(t, o, "missing")
	for _, digest := range []string{"", "a", strings.ToUpper(Digest("missing")), "../" + Digest("x")[3:], strings.Repeat("/", 64)} {
		if f, err := o.Open(t.Context(), digest, 1); f != nil || !fault.Is(err, fault.NotFound) {
			t.Errorf("Open(%q): got %v, %v, want NotFound", digest, f, err)
		}
	}
}

func testWrongSize(t *testing.T, o Opened) {
	Store(t, o, "four")
	for _, size := range []int64{1, 3, 5, 100} {
		f, err := o.Open(t.Context(), Digest("four"), size)
		if err == nil {
			_, err = io.ReadAll(f)
			f.Close()
		}
		if err == nil || fault.Is(err, fault.NotFound) {
			t.Errorf("a blob of 4 bytes opened as of %d: got %v, want an error", size, err)
		}
	}
}

func testRead(t *testing.T, o Opened) {
	small := large[:10_000]
	Store(t, o, small, large)
	open := func(body string) io.ReadSeekCloser {
		f, err := o.Open(t.Context(), Digest(body), int64(len(body)))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := open(small)
	defer f.Close()
	if err := iotest.TestReader(f, []byte(small)); err != nil {
		t.Error(err)
	}
	g := open(large)
	defer g.Close()
	size := int64(len(large))
	for _, part := range []struct{ offset, length int64 }{{0, 10}, {size - 5, 5}, {size, 0}, {5, 5}, {5 << 20, 3 << 20}, {8 << 20, 100}, {1, size - 1}} {
		if _, err := g.Seek(part.offset, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, part.length)
		_, err := io.ReadFull(g, got)
		if want := large[part.offset : part.offset+part.length]; err != nil || !bytes.Equal(got, []byte(want)) {
			t.Errorf("%d bytes from %d on: got %.20q, %v, want %.20q", part.length, part.offset, got, err, want)
		}
	}
}

// list reads what Stored tells.
func list(t *testing.T, s Storage, after string) (digests []string) {
	t.Helper()
	for b, err := range s.Stored(t.Context(), after) {
		if err != nil {
			t.Fatalf("Stored: %v", err)
		}
		digests = append(digests, b.SHA256)
	}
	return digests
}

func testStored(t *testing.T, o Opened) {
	if got := list(t, o, ""); len(got) != 0 {
		t.Errorf("an empty storage: got %v", got)
	}
	began := time.Now().Add(-2 * time.Second) // a storage may count in seconds
	bodies := map[string]string{}
	var want []string
	for _, body := range []string{"a", "bb", "ccc", "dddd", "eeeee", "ffffff", ""} {
		bodies[Digest(body)] = body
		want = append(want, Digest(body))
		Store(t, o, body)
	}
	slices.Sort(want)
	if got := list(t, o, ""); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for i, after := range want {
		if got := list(t, o, after); !slices.Equal(got, want[i+1:]) {
			t.Errorf("after %s: got %v, want %v", after, got, want[i+1:])
		}
	}
	for b, err := range o.Stored(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if body := bodies[b.SHA256]; b.Size != int64(len(body)) || b.CommittedAt.Before(began) || time.Until(b.CommittedAt) > time.Minute {
			t.Errorf("got %+v, want %d bytes, committed just now", b, len(body))
		}
		if b.SHA256 == want[2] {
			break
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range o.Stored(canceled, "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: got %v, want context.Canceled", err)
		}
		break
	}
}

func testRemove(t *testing.T, o Opened) {
	Store(t, o, "kept", "dropped", "too")
	all := []string{Digest("dropped"), Digest("unknown"), "no digest", Digest("too")}
	if removed, err := o.Remove(t.Context(), all, time.Hour); len(removed) != 0 || err != nil {
		t.Errorf("Remove of what was just committed: got %v, %v, want nothing", removed, err)
	}
	Check(t, o, "dropped")
	removed, err := o.Remove(t.Context(), all, 0)
	slices.Sort(removed)
	want := []string{Digest("dropped"), Digest("too")}
	slices.Sort(want)
	if err != nil || !slices.Equal(removed, want) {
		t.Errorf("Remove: got %v, %v, want %v", removed, err, want)
	}
	CheckMissing(t, o, "dropped")
	CheckMissing(t, o, "too")
	Check(t, o, "kept")
	Store(t, o, "dropped")
	Check(t, o, "dropped")
}
