package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"ream/fault"
)

// Verify reads a blob of size bytes and compares it with its digest. One that
// is something else, or breaks off when it is read, is moved aside before Verify
// returns: from then on nobody opens it any more. What is committed in its place
// meanwhile stays. Verify blocks for as long as reading takes; what is no digest
// is Missing. The error is Unreadable if it is of this blob alone, and Unavailable
// if the whole storage is away.
func (d *Disk) Verify(ctx context.Context, sha256 string, size int64) (Condition, error) {
	if !isDigest(sha256) {
		return Missing, nil
	}
	c, err := d.examine(ctx, sha256, size)
	if err == nil {
		return c, nil
	}
	err = d.away(fmt.Errorf("verify a blob: %w", err))
	if ctx.Err() == nil && d.isThere() {
		err = unreadable(sha256, err)
	}
	return Missing, err
}

// isThere reports whether the storage can be looked into.
func (d *Disk) isThere() bool {
	f, err := os.Open(filepath.Join(d.dir, "sha256"))
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = f.Readdirnames(1)
	return err == nil || err == io.EOF
}

// examine is Verify of a digest, with errors of any kind.
func (d *Disk) examine(ctx context.Context, sha256 string, size int64) (Condition, error) {
	for range verifyTries {
		if err := ctx.Err(); err != nil {
			return Missing, err
		}
		f, err := d.open(sha256)
		if fault.Is(err, fault.NotFound) {
			return Missing, nil
		}
		if err != nil {
			return Missing, err
		}
		settled, condition, err := d.verify(ctx, f, sha256, size)
		f.Close()
		if err != nil {
			return Missing, err
		}
		if settled {
			return condition, nil
		}
	}
	return Missing, fmt.Errorf("another file has taken the place of %s again and again", sha256)
}

// verifyTries is how many files Verify looks at that take each other's place.
const verifyTries = 20

// verify does so with what is open. It is not settled if another file has taken
// its place, which is to be looked at instead.
func (d *Disk) verify(ctx context.Context, f *os.File, sha256 string, size int64) (settled bool, c Condition, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, Missing, err
	}
	if info.Size() == size {
		switch got, err := hashed(ctx, f); {
		case err == nil && got == sha256:
			return true, Intact, nil
		case ctx.Err() != nil:
			return false, Missing, ctx.Err()
		}
	}
	moved, err := d.moveAside(sha256, info)
	return moved, Damaged, err
}

// moveAside moves away the file of a blob, unless it is another one by now.
func (d *Disk) moveAside(sha256 string, damaged os.FileInfo) (moved bool, err error) {
	lock, err := d.lock(false)
	if err != nil {
		return false, err
	}
	defer lock.Close()
	now, err := os.Stat(d.path(sha256)) // of a link, what was read is behind it
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !os.SameFile(now, damaged) {
		return false, nil
	}
	to := filepath.Join(d.dir, filepath.FromSlash(asideNow(sha256).key()))
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return false, err
	}
	if err := rename(d.path(sha256), to); err != nil {
		return false, err
	}
	// It must not be back after a power cut.
	return true, errors.Join(syncDir(filepath.Dir(to)), syncDir(filepath.Dir(d.path(sha256))))
}
