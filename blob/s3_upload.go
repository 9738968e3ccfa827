package blob

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"
)

// The store computes and keeps these checksums, and refuses bytes that do not
// have them. Stores that do not know them still check the signature, which
// covers the SHA-256 as well.
const (
	checksumHeader    = "X-Amz-Checksum-Sha256"
	checksumAlgorithm = "X-Amz-Checksum-Algorithm"
)

// Commit uploads blobs under their digests. After it returned nil, they are
// stored as durably as the store does it, and the database may name them. The
// store compares what arrives with the digest, part by part if there are
// several, so that no key ever leads to other bytes. A store that refuses is
// Unavailable, and so is one that is overloaded or does not answer, if that
// lasts. After an error, what is still staged should be discarded; what was
// uploaded meanwhile is a blob that nobody names.
func (s *S3) Commit(ctx context.Context, staged []Staged) error {
	group, uploading := errgroup.WithContext(ctx)
	group.SetLimit(uploads)
	seen := make(map[string]bool, len(staged))
	for _, b := range staged {
		if seen[b.SHA256] {
			continue
		}
		seen[b.SHA256] = true
		group.Go(func() error { return s.upload(uploading, b) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, b := range staged {
		s.Discard(b)
	}
	return nil
}

func (s *S3) upload(ctx context.Context, b Staged) error {
	from, err := b.open()
	if err != nil {
		return fmt.Errorf("upload a blob: %w", curable(unstaged(err)))
	}
	defer from.Close()
	unlock, err := s.busy.lock(ctx, b.SHA256)
	if err != nil {
		return err
	}
	defer unlock()
	if b.Size > s.part {
		return s.uploadParts(ctx, b, from)
	}
	return s.persist(ctx, func() error {
		return s.put(ctx, s.key(b.SHA256), b.SHA256, io.NewSectionReader(from, 0, b.Size))
	})
}

// put uploads bytes with a digest in one request.
func (s *S3) put(ctx context.Context, key, digest string, body *io.SectionReader) error {
	sum := checksum(digest)
	done, err := s.store.PutObject(ctx, s.bucket, key, body, body.Size(), "", digest, minio.PutObjectOptions{
		UserMetadata:         map[string]string{checksumHeader: sum},
		DisableContentSha256: true, // the signature covers the digest, not one of each piece
	})
	if err != nil {
		return refused(ctx, "upload a blob", err)
	}
	return sameChecksum(done.ChecksumSHA256, sum)
}

// uploadParts uploads a large blob in parts. Memory does not grow with it.
func (s *S3) uploadParts(ctx context.Context, b Staged, from io.ReaderAt) error {
	key := s.key(b.SHA256)
	began := time.Now()
	var id string
	if err := s.persist(ctx, func() (err error) {
		if id, err = s.store.NewMultipartUpload(ctx, s.bucket, key, minio.PutObjectOptions{
			UserMetadata: map[string]string{checksumAlgorithm: "SHA256"},
		}); err != nil {
			return refused(ctx, "begin an upload", err)
		}
		return nil
	}); err != nil {
		return err
	}
	parts, err := s.putParts(ctx, b, from, id)
	if err == nil {
		err = s.persist(ctx, func() error {
			if _, err := s.store.CompleteMultipartUpload(ctx, s.bucket, key, id, parts, minio.PutObjectOptions{}); err != nil {
				return refused(ctx, "complete an upload", err)
			}
			return nil
		})
		// Its answer may be what was lost.
		if err == nil || isMissing(err) && s.uploadedSince(ctx, b, began) {
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if gone := s.store.AbortMultipartUpload(ctx, s.bucket, key, id); gone != nil && !isMissing(gone) {
		// Clean aborts it later.
		err = errors.Join(err, refused(ctx, "abort an upload", gone))
	}
	return err
}

// partsAtOnce is how many parts of one blob are uploaded at once.
const partsAtOnce = 4

// maxParts is how many parts S3 allows.
const maxParts = 10_000

// putParts uploads the parts of a blob. It fails if together they are not the
// bytes with its digest.
func (s *S3) putParts(ctx context.Context, b Staged, from io.ReaderAt, id string) ([]minio.CompletePart, error) {
	size := max(s.part, (b.Size+maxParts-1)/maxParts)
	parts := make([]minio.CompletePart, (b.Size+size-1)/size)
	whole := sha256.New()
	group, uploading := errgroup.WithContext(ctx)
	group.SetLimit(partsAtOnce)
	for i := range parts {
		if uploading.Err() != nil {
			break
		}
		offset := int64(i) * size
		section := io.NewSectionReader(from, offset, min(size, b.Size-offset))
		hash := sha256.New()
		if _, err := io.Copy(io.MultiWriter(whole, hash), section); err != nil {
			group.Go(func() error { return fmt.Errorf("read a staged blob: %w", err) })
			break
		}
		digest := hex.EncodeToString(hash.Sum(nil))
		group.Go(func() error {
			return s.persist(uploading, func() (err error) {
				parts[i], err = s.putPart(uploading, b, id, i+1, digest, io.NewSectionReader(section, 0, section.Size()))
				return err
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err // not all parts were hashed
	}
	if got := hex.EncodeToString(whole.Sum(nil)); got != b.SHA256 {
		return nil, fmt.Errorf("staged blob %s has turned into %s", b.SHA256, got)
	}
	return parts, nil
}

func (s *S3) putPart(ctx context.Context, b Staged, id string, number int, digest string, body *io.SectionReader) (minio.CompletePart, error) {
	sum := checksum(digest)
	header := make(map[string][]string)
	header[checksumHeader] = []string{sum}
	done, err := s.store.PutObjectPart(ctx, s.bucket, s.key(b.SHA256), id, number, body, body.Size(), minio.PutObjectPartOptions{
		Sha256Hex: digest, CustomHeader: header, DisableContentSha256: true,
	})
	if err != nil {
		return minio.CompletePart{}, refused(ctx, "upload a part of a blob", err)
	}
	return minio.CompletePart{PartNumber: number, ETag: done.ETag, ChecksumSHA256: sum}, sameChecksum(done.ChecksumSHA256, sum)
}

// uploadedSince reports whether a blob was stored since a moment, give or take
// what the clocks may differ.
func (s *S3) uploadedSince(ctx context.Context, b Staged, began time.Time) bool {
	info, err := s.store.StatObject(ctx, s.bucket, s.key(b.SHA256), minio.StatObjectOptions{})
	return err == nil && info.Size == b.Size && info.LastModified.After(began.Add(-maxSkew))
}

// maxSkew is by how much clocks may differ before a store refuses all requests.
const maxSkew = 15 * time.Minute

// checksum is a digest as S3 writes it.
func checksum(digest string) string {
	raw, err := hex.DecodeString(digest)
	if err != nil {
		panic(fmt.Sprintf("blob: digest %q: %v", digest, err)) // digests are made here
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// sameChecksum compares what a store says it has with what it was sent. Those
// that keep no checksums say nothing.
func sameChecksum(got, want string) error {
	if got != "" && got != want {
		return fmt.Errorf("the store has SHA-256 %s, not %s", got, want)
	}
	return nil
}
