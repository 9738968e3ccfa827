package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"ream/fault"
)

// Stored tells what is stored, in the order of the digests, from the first
// behind after on. It ends with an error. What is committed or removed
// meanwhile may be among it or not.
func (d *Disk) Stored(ctx context.Context, after string) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		for i := range 256 {
			shard := fmt.Sprintf("%02x", i)
			if len(after) >= 2 && shard < after[:2] {
				continue
			}
			entries, err := os.ReadDir(filepath.Join(d.dir, "sha256", shard))
			if err != nil {
				err = d.away(fmt.Errorf("list the storage: %w", err))
				if errors.Is(err, fs.ErrNotExist) && !fault.Is(err, fault.Unavailable) {
					continue // a copy of the storage may lack it
				}
				yield(Stored{}, err)
				return
			}
			for _, e := range entries {
				digest := shard + e.Name()
				if !isDigest(digest) || digest <= after {
					continue
				}
				if err := ctx.Err(); err != nil {
					yield(Stored{}, err)
					return
				}
				info, err := e.Info()
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					yield(Stored{}, d.away(fmt.Errorf("list the storage: %w", err)))
					return
				}
				if !yield(Stored{SHA256: digest, Size: info.Size(), CommittedAt: info.ModTime()}, nil) {
					return
				}
			}
		}
	}
}

// Remove removes those of some blobs that were last committed longer ago than
// olderThan, and returns them. The database must not name any of them.
//
// It may run beside Commits of the same blobs, in any process: one that was
// just committed is spared, and one that was removed is stored again by its
// Commit. So a blob that was committed, but is not named in the database yet,
// is safe for as long as olderThan, which should be hours: it must be more than
// may pass between a Commit and the transaction that names what it stored,
// together with what passes between reading the database and calling Remove.
func (d *Disk) Remove(ctx context.Context, digests []string, olderThan time.Duration) (removed []string, err error) {
	for len(digests) > 0 {
		n := min(len(digests), removeAtOnce)
		done, err := d.removeSome(ctx, digests[:n], olderThan)
		removed, digests = append(removed, done...), digests[n:]
		if err != nil {
			return removed, d.away(fmt.Errorf("remove a blob: %w", err))
		}
	}
	return removed, nil
}

// removeAtOnce is how many blobs are removed while Commits wait.
const removeAtOnce = 16

func (d *Disk) removeSome(ctx context.Context, digests []string, olderThan time.Duration) (removed []string, err error) {
	lock, err := d.lock(false)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	for _, digest := range digests {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		if !isDigest(digest) {
			continue
		}
		info, err := os.Stat(d.path(digest))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return removed, err
		}
		if time.Since(info.ModTime()) < olderThan {
			continue
		}
		if err := os.Remove(d.path(digest)); err != nil {
			return removed, err
		}
		removed = append(removed, digest)
	}
	return removed, nil
}
