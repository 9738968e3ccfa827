package blob_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ream/blob"
	"ream/blob/blobtest"
	"ream/fault"
)

// exchange puts another directory into the place of a storage's, as when another
// file system is mounted there: with a copy of its blobs, and nothing else.
func exchange(t *testing.T, dir string) {
	t.Helper()
	away := filepath.Clean(dir) + "-before"
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	// As a copy by file has it: directories in which nothing lay are missing.
	if err := filepath.WalkDir(filepath.Join(away, "sha256"), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		to := dir + strings.TrimPrefix(path, away)
		body, err := os.ReadFile(path)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o750)
		}
		if err != nil {
			return err
		}
		return os.WriteFile(to, body, 0o600)
	}); err != nil {
		t.Fatal(err)
	}
}

// useful fails unless a storage does all it should.
func useful(t *testing.T, s blobtest.Storage, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		blobtest.Check(t, s, body)
	}
	for b, err := range s.Stored(t.Context(), "") {
		if err != nil {
			t.Errorf("Stored: got %v, %v", b, err)
		}
	}
	if err := s.Clean(t.Context(), 0); err != nil {
		t.Errorf("Clean: %v", err)
	}
	for _, body := range []string{"new", "new, and longer than those", "new, and another one"} {
		if err := commit(t, s, []string{body}); err != nil {
			t.Errorf("Commit of %q: %v", body, err)
		}
		blobtest.Check(t, s, body)
	}
}

// TestDiskIsExchanged uses a storage on when another file system has taken its
// place: all is as before, without a restart.
func TestDiskIsExchanged(t *testing.T) {
	t.Parallel()
	for kind := range kinds {
		for how, most := range map[string]int64{"": 0, ", small": 16} {
			t.Run(kind+how, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				var s blobtest.Storage = open(t, kind, dir)
				if most > 0 {
					s = blobtest.Small{Storage: s, Most: most}
				}
				for range 3 {
					blobtest.Store(t, s, "kept", "kept, and longer than those")
					exchange(t, dir)
					useful(t, s, "kept", "kept, and longer than those")
					if err := os.RemoveAll(filepath.Clean(dir) + "-before"); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// TestStagedIsExchanged stages a blob on a file system in whose place another one
// is when it is committed: it is lost, and its writer hears of it.
func TestStagedIsExchanged(t *testing.T) {
	t.Parallel()
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			d := open(t, kind, dir)
			blobtest.Store(t, d, "kept")
			staged := blobtest.Stage(t, d, "lost")
			exchange(t, dir)
			if err := d.Commit(t.Context(), []blob.Staged{staged}); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Message(err), "try again") {
				t.Errorf("got %v, want Unavailable", err)
			}
			d.Discard(staged)
			blobtest.CheckMissing(t, d, "lost")
			useful(t, d, "kept")
		})
	}
}

// TestFlushFollows has the flush work on the file system that is there now.
func TestFlushFollows(t *testing.T) {
	t.Parallel()
	d, dir := newDisk(t)
	before, flushed := blob.Flushed(d)
	if !flushed {
		t.Skip("this file system is flushed file by file")
	}
	blobtest.Store(t, d, "kept")
	exchange(t, dir)
	blobtest.Store(t, d, "new")
	now, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if after, _ := blob.Flushed(d); os.SameFile(before, after) || !os.SameFile(now, after) {
		t.Error("it works on what was there before")
	}
}

// TestStagingIsEmptied empties the staging directory beside a process that uses it.
func TestStagingIsEmptied(t *testing.T) {
	t.Parallel()
	storages := map[string]func(t *testing.T) (s blobtest.Storage, staging string){
		"disk": func(t *testing.T) (blobtest.Storage, string) {
			d, dir := newDisk(t)
			return d, filepath.Join(dir, "tmp")
		},
		"S3": func(t *testing.T) (blobtest.Storage, string) {
			server := blobtest.StartS3(t)
			o := server.Options(t, server.Bucket(t))
			return newS3(t, o), o.Staging
		},
	}
	for name, open := range storages {
		for what, empty := range map[string]func(staging string) error{
			"all": os.RemoveAll,
			"what is in it": func(staging string) error {
				entries, err := os.ReadDir(staging)
				for _, e := range entries {
					err = os.RemoveAll(filepath.Join(staging, e.Name()))
				}
				return err
			},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				s, staging := open(t)
				blobtest.Store(t, s, "kept")
				staged := blobtest.Stage(t, s, "lost")
				if err := empty(staging); err != nil {
					t.Fatal(err)
				}
				if err := s.Commit(t.Context(), []blob.Staged{staged}); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Message(err), "try again") {
					t.Errorf("Commit of what is gone: got %v, want Unavailable", err)
				}
				useful(t, s, "kept")
				if entries, err := os.ReadDir(staging); err != nil || len(entries) != 1 {
					t.Errorf("staging: got %v, %v, want one directory", entries, err)
				}
				// It is as safe as the one before.
				staged = blobtest.Stage(t, s, "staged")
				if err := s.Clean(t.Context(), 0); err != nil {
					t.Error(err)
				}
				if err := s.Commit(t.Context(), []blob.Staged{staged}); err != nil {
					t.Errorf("Commit after Clean: %v", err)
				}
			})
		}
	}
}

// TestNothingIsMade uses a storage whose file system is not mounted: the directory
// where it was to be mounted stays empty, and what was staged is committed once
// it is back.
func TestNothingIsMade(t *testing.T) {
	t.Parallel()
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			d := open(t, kind, dir)
			blobtest.Store(t, d, "kept")
			small := blobtest.Small{Storage: d, Most: 16}
			staged := []blob.Staged{blobtest.Stage(t, d, "new"), blobtest.Stage(t, small, "small")}
			back := blobtest.VanishFromDisk(t, dir)
			if err := os.Mkdir(dir, 0o750); err != nil {
				t.Fatal(err)
			}
			away := func(what string, err error) {
				t.Helper()
				if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Message(err), "the storage is away") {
					t.Errorf("%s: got %v, want that the storage is away", what, err)
				}
			}
			_, err := d.Create()
			away("Create", err)
			for _, s := range staged {
				away("Commit", d.Commit(t.Context(), []blob.Staged{s}))
			}
			_, err = d.Remove(t.Context(), []string{blobtest.Digest("kept")}, 0)
			away("Remove", err)
			away("Clean", d.Clean(t.Context(), 0))
			if err := os.Remove(dir); err != nil {
				t.Errorf("something was made: %v", err)
			}
			back()
			if err := d.Commit(t.Context(), staged); err != nil {
				t.Errorf("Commit once it is back: %v", err)
			}
			useful(t, d, "kept", "new", "small")
		})
	}
}
