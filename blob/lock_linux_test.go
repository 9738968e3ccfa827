package blob_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ream/blob"
	"ream/blob/blobtest"
)

// TestCommitAndRemoveTakeTurns holds the lock that keeps the two apart, as
// another process does: neither changes a name meanwhile.
func TestCommitAndRemoveTakeTurns(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		held   int
		during func(d *blob.Disk, staged blob.Staged) error
		before string // what is stored until the lock is free
		after  string // and then
	}{
		"a Remove waits for a Commit": {
			held: unix.LOCK_SH,
			during: func(d *blob.Disk, _ blob.Staged) error {
				_, err := d.Remove(t.Context(), []string{blobtest.Digest("old")}, 0)
				return err
			},
			before: "old", after: "",
		},
		"a Commit waits for a Remove": {
			held: unix.LOCK_EX,
			during: func(d *blob.Disk, staged blob.Staged) error {
				return d.Commit(t.Context(), []blob.Staged{staged})
			},
			before: "old", after: "old new",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, dir := newDisk(t)
			blobtest.Store(t, d, "old")
			staged := blobtest.Stage(t, d, "new")
			f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := unix.Flock(int(f.Fd()), tt.held); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- tt.during(d, staged) }()
			awaitWaiter(t, f)
			checkStored(t, d, tt.before)
			f.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
			checkStored(t, d, tt.after)
		})
	}
}

func checkStored(t *testing.T, d *blob.Disk, bodies string) {
	t.Helper()
	for _, body := range []string{"old", "new"} {
		if strings.Contains(bodies, body) {
			blobtest.Check(t, d, body)
		} else {
			blobtest.CheckMissing(t, d, body)
		}
	}
}

// awaitWaiter returns when somebody waits for the lock of a file.
func awaitWaiter(t *testing.T, f *os.File) {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	inode := fmt.Sprintf(":%d ", stat.Ino)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		locks, err := os.ReadFile("/proc/locks")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(locks)) {
			if strings.Contains(line, "->") && strings.Contains(line, inode) {
				return
			}
		}
	}
	t.Fatal("nobody waits for the lock")
}
