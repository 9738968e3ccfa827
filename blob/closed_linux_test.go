package blob_test

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"ream/blob"
	"ream/blob/blobtest"
	"ream/fault"
)

// asStranger carries out f as a user who owns nothing below dir, and to whom all is
// open that is open to everybody.
func asStranger(t *testing.T, dir string, f func()) {
	t.Helper()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if os.Geteuid() == 0 {
		const nobody = 65534
		unix.SetfsuidRetUid(nobody)
		defer unix.SetfsuidRetUid(0)
	}
	f()
}

// openUp makes all below a directory open to everybody.
func openUp(t *testing.T, dir string) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(path, 0o777)
	}); err != nil {
		t.Fatal(err)
	}
}

// wantClosed wants an error to say whose fault it is, and no paths.
func wantClosed(t *testing.T, what string, err error, dir string) {
	t.Helper()
	if message := fault.Message(err); !fault.Is(err, fault.Unavailable) || !strings.Contains(message, "may not be read or written by this user") || strings.Contains(message, dir) {
		t.Errorf("%s: got %v, want that this user may not", what, err)
	} else if !strings.Contains(err.Error(), dir) {
		t.Errorf("%s: got %v, want the path for the log", what, err)
	}
}

// isUnreadable reports whether an error is about one blob alone.
func isUnreadable(err error, body string) bool {
	u, ok := errors.AsType[*blob.Unreadable](err)
	return ok && u.SHA256 == blobtest.Digest(body) && fault.Is(err, fault.Unavailable)
}

// TestClosedFiles uses a storage some of whose files belong to somebody else, as
// when they were restored by another user.
func TestClosedFiles(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		closed  string // below the storage; empty for the file of a process that is gone
		attempt func(t *testing.T, d *blob.Disk) error
	}{
		"Open": {"sha256/" + blobtest.Digest("closed")[:2] + "/" + blobtest.Digest("closed")[2:], func(t *testing.T, d *blob.Disk) error {
			_, err := d.Open(t.Context(), blobtest.Digest("closed"), 6)
			return err
		}},
		"Verify, and all is closed": {"sha256", func(t *testing.T, d *blob.Disk) error {
			_, err := d.Verify(t.Context(), blobtest.Digest("closed"), 6)
			if isUnreadable(err, "closed") {
				t.Errorf("got %v, want that it is not of one blob alone", err)
			}
			return err
		}},
		"Stored": {"sha256/00", func(t *testing.T, d *blob.Disk) (err error) {
			for _, err = range d.Stored(t.Context(), "") {
			}
			return err
		}},
		"Remove": {"lock", func(t *testing.T, d *blob.Disk) error {
			_, err := d.Remove(t.Context(), []string{blobtest.Digest("closed")}, 0)
			return err
		}},
		"Create": {"tmp", func(_ *testing.T, d *blob.Disk) error {
			_, err := d.Create()
			return err
		}},
		"Commit": {"sha256/" + blobtest.Digest("new")[:2], func(t *testing.T, d *blob.Disk) error { return commit(t, d, []string{"new"}) }},
		"Clean":  {"tmp", func(t *testing.T, d *blob.Disk) error { return d.Clean(t.Context(), 0) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, dir := newDisk(t)
			blobtest.Store(t, d, "closed")
			openUp(t, dir)
			closed := filepath.Join(dir, tt.closed)
			if err := os.Chmod(closed, 0); err != nil {
				t.Fatal(err)
			}
			asStranger(t, dir, func() { wantClosed(t, name, tt.attempt(t, d), dir) })
			openUp(t, dir)
		})
	}
}

// TestVerifyUnreadable verifies blobs that cannot be read on disk: each is told
// apart from a storage that is away, and stays where it is.
func TestVerifyUnreadable(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	blobtest.Store(t, d, "closed", "open", "stuck")
	openUp(t, dir)
	if err := os.Chmod(path(dir, "closed"), 0); err != nil {
		t.Fatal(err)
	}
	// What leads to itself cannot be opened by anybody.
	if err := os.Symlink(path(dir, "circle"), path(dir, "circle")); err != nil {
		t.Fatal(err)
	}
	// What is damaged cannot be moved away from a directory that is closed.
	blobtest.SpoilDisk(t, dir, blobtest.Digest("stuck"), "stock")
	if err := os.Chmod(filepath.Dir(path(dir, "stuck")), 0o555); err != nil {
		t.Fatal(err)
	}
	asStranger(t, dir, func() {
		for _, body := range []string{"closed", "circle", "stuck"} {
			if c, err := d.Verify(t.Context(), blobtest.Digest(body), int64(len(body))); !isUnreadable(err, body) || strings.Contains(fault.Message(err), dir) {
				t.Errorf("%s: got %v, %v, want Unreadable", body, c, err)
			}
		}
		if c, err := d.Verify(t.Context(), blobtest.Digest("open"), 4); c != blob.Intact || err != nil {
			t.Errorf("another: got %v, %v", c, err)
		}
	})
	openUp(t, filepath.Join(dir, "tmp"))
	if err := os.Chmod(path(dir, "closed"), 0o600); err != nil {
		t.Fatal(err)
	}
	blobtest.Check(t, d, "closed")
	back := blobtest.VanishFromDisk(t, dir)
	if _, err := d.Verify(t.Context(), blobtest.Digest("open"), 4); isUnreadable(err, "open") || !fault.Is(err, fault.Unavailable) {
		t.Errorf("away: got %v, want Unavailable, and not of one blob alone", err)
	}
	back()
}

// TestVerifyUnreadableObject verifies a blob that the store refuses to give, and
// then one while it refuses everything.
func TestVerifyUnreadableObject(t *testing.T) {
	t.Parallel()
	server := blobtest.StartS3(t)
	o := server.Options(t, server.Bucket(t))
	o.Tries = 1
	var status atomic.Int32
	var all atomic.Bool
	o.Endpoint = server.Behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodPut && (all.Load() || strings.HasSuffix(r.URL.Path, key("bad"))) {
			w.WriteHeader(int(status.Load()))
			return
		}
		next.ServeHTTP(w, r)
	}).Endpoint
	s := newS3(t, o)
	blobtest.Store(t, s, "bad", "good")
	for _, code := range []int32{http.StatusServiceUnavailable, http.StatusForbidden, http.StatusBadRequest} {
		status.Store(code)
		if c, err := s.Verify(t.Context(), blobtest.Digest("bad"), 3); !isUnreadable(err, "bad") {
			t.Errorf("%d: got %v, %v, want Unreadable", code, c, err)
		}
		if c, err := s.Verify(t.Context(), blobtest.Digest("good"), 4); c != blob.Intact || err != nil {
			t.Errorf("another: got %v, %v", c, err)
		}
	}
	for _, code := range []int32{http.StatusServiceUnavailable, http.StatusForbidden} {
		status.Store(code)
		all.Store(true)
		if _, err := s.Verify(t.Context(), blobtest.Digest("good"), 4); isUnreadable(err, "good") || !fault.Is(err, fault.Unavailable) {
			t.Errorf("the bucket answers %d: got %v, want Unavailable, and not of one blob alone", code, err)
		}
		all.Store(false)
	}
}
