package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"ream/fault"
)

// Condition is what became of a blob.
type Condition int

// The conditions in which Verify finds a blob.
const (
	Intact  Condition = iota // it is what its digest says
	Damaged                  // it was not: it has been moved aside
	Missing                  // it is not there
)

// Unreadable is the error of a blob that cannot be read, or not be moved aside
// although it is damaged, while the storage itself is there: it tells nothing of
// other blobs.
type Unreadable struct {
	SHA256 string
	Err    error // Unavailable
}

// Error names the blob, and the cause for the log.
func (u *Unreadable) Error() string { return "blob " + u.SHA256 + ": " + u.Err.Error() }

// Unwrap returns the cause.
func (u *Unreadable) Unwrap() error { return u.Err }

func unreadable(sha256 string, err error) error {
	if _, told := errors.AsType[*fault.Error](err); !told {
		err = fault.Wrap(err, fault.Unavailable, "the storage has a file that cannot be read: see the server's log")
	}
	return &Unreadable{sha256, err}
}

// hashed is the digest of what r gives, in hex.
func hashed(ctx context.Context, r io.Reader) (string, error) {
	hash := sha256.New()
	if _, err := io.CopyBuffer(hash, readerUntil{ctx, r}, make([]byte, 256<<10)); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// readerUntil reads until a context ends.
type readerUntil struct {
	ctx context.Context
	io.Reader
}

func (r readerUntil) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
