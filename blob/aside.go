package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// Aside is a damaged blob that was moved aside by Verify. It is kept for whoever
// wants to find out what happened to it.
type Aside struct {
	SHA256 string // what it should have had, in hex
	Size   int64  // what it has
	At     time.Time
}

const quarantine = "quarantine/"

// key is where the blob lies in the storage.
func (a Aside) key() string { return fmt.Sprintf("%s%s.%d", quarantine, a.SHA256, a.At.UnixMicro()) }

// asideNow is what becomes of a damaged blob.
func asideNow(sha256 string) Aside { return Aside{SHA256: sha256, At: time.Now()} }

// asideAt is what lies at the name of a blob that was moved aside.
func asideAt(name string, size int64) (a Aside, ok bool) {
	digest, at, _ := strings.Cut(name, ".")
	micros, err := strconv.ParseInt(at, 10, 64)
	a = Aside{SHA256: digest, Size: size, At: time.UnixMicro(micros)}
	return a, err == nil && isDigest(digest) && a.key() == quarantine+name
}

// Aside tells what was moved aside, in the order of the digests. It ends with an
// error.
func (d *Disk) Aside(ctx context.Context) iter.Seq2[Aside, error] {
	return func(yield func(Aside, error) bool) {
		entries, err := os.ReadDir(filepath.Join(d.dir, quarantine))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			yield(Aside{}, d.away(fmt.Errorf("list what was moved aside: %w", err)))
			return
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				yield(Aside{}, err)
				return
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				yield(Aside{}, d.away(fmt.Errorf("list what was moved aside: %w", err)))
				return
			}
			if a, ok := asideAt(e.Name(), info.Size()); ok && isFileOrLink(info) && !yield(a, nil) {
				return
			}
		}
	}
}

// isFileOrLink reports whether a blob can have been stored so, if by somebody else.
func isFileOrLink(info fs.FileInfo) bool { return info.Mode().Type()&^fs.ModeSymlink == 0 }

// RemoveAside removes for good what was moved aside, if it is still there.
func (d *Disk) RemoveAside(_ context.Context, a Aside) error {
	if err := os.Remove(filepath.Join(d.dir, filepath.FromSlash(a.key()))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d.away(fmt.Errorf("remove what was moved aside: %w", err))
	}
	return nil
}

// Aside tells what was moved aside, in the order of the digests. It ends with an
// error.
func (s *S3) Aside(ctx context.Context) iter.Seq2[Aside, error] {
	return func(yield func(Aside, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for info := range s.store.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix + quarantine, Recursive: true}) {
			if info.Err != nil {
				yield(Aside{}, refused(ctx, "list what was moved aside", info.Err))
				return
			}
			if a, ok := asideAt(strings.TrimPrefix(info.Key, s.prefix+quarantine), info.Size); ok && !yield(a, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Aside{}, err)
		}
	}
}

// RemoveAside removes for good what was moved aside, with all its versions.
func (s *S3) RemoveAside(ctx context.Context, a Aside) error {
	_, err := s.removeKey(ctx, s.prefix+a.key(), 0)
	return err
}
