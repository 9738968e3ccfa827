package blob

import (
	"context"
	"fmt"

	"github.com/minio/minio-go/v7"

	"ream/fault"
)

// Verify reads a blob of size bytes and compares it with its digest, as
// Disk.Verify does. A damaged one is copied below quarantine/ and removed; the
// rule about other processes is that of Remove. If the bucket keeps versions,
// the one before takes its place, if that is intact.
func (s *S3) Verify(ctx context.Context, sha256 string, size int64) (Condition, error) {
	if !isDigest(sha256) {
		return Missing, nil
	}
	c, err := s.examine(ctx, sha256, size)
	if err != nil && ctx.Err() == nil && s.answers(ctx) {
		err = unreadable(sha256, err)
	}
	return c, err
}

// answers reports whether the bucket can be looked into.
func (s *S3) answers(ctx context.Context) bool {
	for _, err := range s.Stored(ctx, "") {
		return err == nil
	}
	return true
}

// examine is Verify of a digest, with errors of any kind.
func (s *S3) examine(ctx context.Context, sha256 string, size int64) (Condition, error) {
	found := Missing
	for tries := 0; tries < verifyTries; tries++ {
		info, is, err := s.look(ctx, "verify a blob", s.key(sha256))
		if err != nil || !is {
			return found, err
		}
		if info.Size == size {
			intact, err := s.isIntact(ctx, sha256, size)
			if err != nil || intact {
				return Intact, err
			}
		}
		moved, err := s.moveAside(ctx, sha256, info)
		if err != nil {
			return found, err
		}
		if moved {
			found, tries = Damaged, 0 // there may be many versions
		}
	}
	return found, fmt.Errorf("verify a blob: another object has taken the place of %s again and again", sha256)
}

// isIntact compares a blob of the right size with its digest.
func (s *S3) isIntact(ctx context.Context, sha256 string, size int64) (bool, error) {
	b, err := s.Open(ctx, sha256, size)
	if err != nil {
		return false, err
	}
	defer b.Close()
	got, err := hashed(ctx, b)
	if fault.Is(err, fault.NotFound) {
		return false, nil // gone since: whoever asks again sees that
	}
	return got == sha256, err
}

// moveAside moves away a version of a blob, unless it is another one by now.
func (s *S3) moveAside(ctx context.Context, sha256 string, damaged minio.ObjectInfo) (moved bool, err error) {
	unlock, err := s.busy.lock(ctx, sha256)
	if err != nil {
		return false, err
	}
	defer unlock()
	now, is, err := s.look(ctx, "look at a blob", s.key(sha256))
	if err != nil || !is {
		return false, err
	}
	if now.VersionID != damaged.VersionID || now.ETag != damaged.ETag || !now.LastModified.Equal(damaged.LastModified) {
		return false, nil
	}
	// Not the Core's CopyObject, which does not copy what has more than 5 GiB.
	if _, err := s.store.ComposeObject(ctx, minio.CopyDestOptions{Bucket: s.bucket, Object: s.prefix + asideNow(sha256).key()},
		minio.CopySrcOptions{Bucket: s.bucket, Object: s.key(sha256), VersionID: now.VersionID}); err != nil {
		return false, refused(ctx, "move a damaged blob aside", err)
	}
	if err := s.store.RemoveObject(ctx, s.bucket, s.key(sha256), minio.RemoveObjectOptions{VersionID: now.VersionID}); err != nil {
		return false, refused(ctx, "move a damaged blob aside", err)
	}
	return true, nil
}
