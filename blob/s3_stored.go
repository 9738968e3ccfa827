package blob

import (
	"context"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"
)

// Stored tells what is stored, in the order of the digests, from the first
// behind after on. It ends with an error. What is committed or removed
// meanwhile may be among it or not.
func (s *S3) Stored(ctx context.Context, after string) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		o := minio.ListObjectsOptions{Prefix: s.prefix + blobs, Recursive: true}
		if isDigest(after) {
			o.StartAfter = s.key(after)
		}
		for info := range s.store.ListObjectsIter(ctx, s.bucket, o) {
			if info.Err != nil {
				yield(Stored{}, refused(ctx, "list the storage", info.Err))
				return
			}
			digest, ok := digestAt(strings.TrimPrefix(info.Key, s.prefix))
			if !ok || digest <= after {
				continue
			}
			if !yield(Stored{SHA256: digest, Size: info.Size, CommittedAt: info.LastModified}, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Stored{}, err)
		}
	}
}

// Remove removes those of some blobs that were last committed longer ago than
// olderThan, and returns them. The database must not name any of them. The
// rule of Disk.Remove holds, with two limits: the clocks of the store and of
// this machine may differ by a quarter of an hour, so olderThan must be well
// above that; and S3 cannot remove on a condition, so that a blob which another
// process commits in the instant between looking at its age and removing it is
// lost. Buckets with versions do not have that gap: the version that was looked
// at is removed, and no other.
func (s *S3) Remove(ctx context.Context, digests []string, olderThan time.Duration) (removed []string, err error) {
	var mu sync.Mutex
	group, removing := errgroup.WithContext(ctx)
	group.SetLimit(uploads)
	for _, digest := range digests {
		if !isDigest(digest) {
			continue
		}
		group.Go(func() error {
			ok, err := s.remove(removing, digest, olderThan)
			if ok {
				mu.Lock()
				removed = append(removed, digest)
				mu.Unlock()
			}
			return err
		})
	}
	err = group.Wait()
	return removed, err
}

// remove removes a blob if it is old enough.
func (s *S3) remove(ctx context.Context, digest string, olderThan time.Duration) (removed bool, err error) {
	unlock, err := s.busy.lock(ctx, digest)
	if err != nil {
		return false, err
	}
	defer unlock()
	return s.removeKey(ctx, s.key(digest), olderThan)
}

// removeKey removes all versions of an object, as far as they are old enough.
func (s *S3) removeKey(ctx context.Context, key string, olderThan time.Duration) (removed bool, err error) {
	for {
		info, is, err := s.look(ctx, "look at a blob", key)
		if err != nil || !is {
			return removed, err
		}
		if time.Since(info.LastModified) < olderThan {
			return false, nil
		}
		if err := s.store.RemoveObject(ctx, s.bucket, key, minio.RemoveObjectOptions{VersionID: info.VersionID}); err != nil {
			return removed, refused(ctx, "remove a blob", err)
		}
		removed = true
		if info.VersionID == "" {
			return true, nil // there are no others that could take its place
		}
	}
}
