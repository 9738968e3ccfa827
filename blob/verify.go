package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// Condition is what became of a blob.
type Condition int

// The conditions in which Verify finds a blob.
const (
	Intact  Condition = iota // it is what its digest says
	Damaged                  // it was not: it has been moved aside
	Missing                  // it is not there
)

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
