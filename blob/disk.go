// Package blob keeps the bytes of artifacts on disk, each once, by its SHA-256.
package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"ream/fault"
)

// Disk is a directory of blobs. It is safe for concurrent use, also by several
// processes.
//
// What is there does not count until it was committed: only digests that the
// database names after a Commit may be trusted.
type Disk struct{ dir string }

// NewDisk returns the blobs in dir, which it creates if it is missing.
func NewDisk(dir string) (*Disk, error) {
	d := &Disk{dir: dir}
	for i := range 256 {
		if err := os.MkdirAll(filepath.Join(dir, "sha256", fmt.Sprintf("%02x", i)), 0o750); err != nil {
			return nil, fmt.Errorf("create the storage: %w", err)
		}
	}
	if err := os.MkdirAll(d.tmp(), 0o750); err != nil {
		return nil, fmt.Errorf("create the storage: %w", err)
	}
	return d, nil
}

func (d *Disk) tmp() string { return filepath.Join(d.dir, "tmp") }

// Path is where the blob with this digest lies, whether or not it exists. The
// digest must be 64 digits of lower-case hex.
func (d *Disk) Path(sha256 string) string {
	return filepath.Join(d.dir, "sha256", sha256[:2], sha256[2:])
}

// Open opens a blob for reading. It returns NotFound if there is none, also for
// what is no digest.
func (d *Disk) Open(sha256 string) (*os.File, error) {
	if !isDigest(sha256) {
		return nil, fault.New(fault.NotFound, "there is no blob %.80q", sha256)
	}
	f, err := os.Open(d.Path(sha256))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "there is no blob %s", sha256)
	}
	if err != nil {
		return nil, fmt.Errorf("open a blob: %w", err)
	}
	return f, nil
}

// isDigest reports whether s can be part of a blob's path.
func isDigest(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Clean removes files that were never finished and not touched for a while:
// what a killed process left.
func (d *Disk) Clean(olderThan time.Duration) error {
	entries, err := os.ReadDir(d.tmp())
	if err != nil {
		return fmt.Errorf("clean the storage: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) < olderThan {
			continue
		}
		if err := os.Remove(filepath.Join(d.tmp(), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("clean the storage: %w", err)
		}
	}
	return nil
}

// Create begins a blob. The writer must be finished or aborted.
func (d *Disk) Create() (*Writer, error) {
	f, err := os.CreateTemp(d.tmp(), "blob-*")
	if err != nil {
		return nil, full(fmt.Errorf("create a blob: %w", err))
	}
	return &Writer{f: f, hash: sha256.New()}, nil
}

// Writer takes the bytes of one blob and hashes them as they come. It is not
// safe for concurrent use.
type Writer struct {
	f     *os.File
	hash  hash.Hash
	size  int64
	ended bool // finished or aborted
}

// Write appends to the blob. A full disk is Unavailable.
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.hash.Write(p[:n])
	w.size += int64(n)
	if err != nil {
		return n, full(fmt.Errorf("write a blob: %w", err))
	}
	return n, nil
}

// Reset drops what was written, to begin anew.
func (w *Writer) Reset() error {
	if err := w.f.Truncate(0); err != nil {
		return fmt.Errorf("reset a blob: %w", err)
	}
	if _, err := w.f.Seek(0, 0); err != nil {
		return fmt.Errorf("reset a blob: %w", err)
	}
	w.hash.Reset()
	w.size = 0
	return nil
}

// SHA256 is the digest of what was written so far.
func (w *Writer) SHA256() string { return hex.EncodeToString(w.hash.Sum(nil)) }

// Size is how many bytes were written so far.
func (w *Writer) Size() int64 { return w.size }

// Finish ends the blob. It counts once it is committed.
func (w *Writer) Finish() (Staged, error) {
	w.ended = true
	if err := w.f.Close(); err != nil {
		os.Remove(w.f.Name())
		return Staged{}, full(fmt.Errorf("finish a blob: %w", err))
	}
	return Staged{SHA256: w.SHA256(), Size: w.size, path: w.f.Name()}, nil
}

// Abort drops the blob. It does nothing once the blob was finished.
func (w *Writer) Abort() {
	if w.ended {
		return
	}
	w.ended = true
	w.f.Close()
	os.Remove(w.f.Name())
}

// Staged is a finished blob that is not committed yet.
type Staged struct {
	SHA256 string
	Size   int64
	path   string
}

// Discard drops a staged blob. After a Commit there is nothing left to drop.
func (d *Disk) Discard(s Staged) { os.Remove(s.path) }

// Commit makes blobs durable under their digests, all at the cost of about
// one. After it returned nil, the database may name them. Their bytes are on
// disk before they take their names, so that no name ever leads to other bytes,
// and a blob that is already there is only replaced by the same bytes. After an
// error, what is still staged should be discarded.
func (d *Disk) Commit(ctx context.Context, staged []Staged) error {
	if len(staged) == 0 {
		return nil
	}
	if err := d.syncFiles(staged); err != nil {
		return full(fmt.Errorf("make blobs durable: %w", err))
	}
	for _, s := range staged {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := os.Rename(s.path, d.Path(s.SHA256)); err != nil {
			return full(fmt.Errorf("name a blob: %w", err))
		}
	}
	if err := d.syncNames(staged); err != nil {
		return full(fmt.Errorf("make blobs' names durable: %w", err))
	}
	return nil
}

// full tells a full disk from other errors.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.Wrap(err, fault.Unavailable, "the storage's disk is full: free some space and try again")
	}
	return err
}
