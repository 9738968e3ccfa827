// Package blob keeps the bytes of artifacts, each once, by its SHA-256.
//
// A blob is written to a file of its own, finished, and committed under its
// digest. What is stored does not count until then: only digests that the
// database names after a Commit may be trusted.
package blob

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"ream/fault"
)

// Stored is a blob in a storage.
type Stored struct {
	SHA256      string
	Size        int64
	CommittedAt time.Time // when it was last committed, by the storage's clock
}

// isDigest reports whether s can be part of a blob's name.
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

// name is where a blob lies in a storage.
func name(sha256 string) string { return "sha256/" + sha256[:2] + "/" + sha256[2:] }

func missing(sha256 string) error {
	return fault.New(fault.NotFound, "there is no blob %.80q", sha256)
}

// full tells a full disk from other errors.
func full(err error) error {
	if isFull(err) && !fault.Is(err, fault.Unavailable) {
		return fault.Wrap(err, fault.Unavailable, "the storage's disk is full: free some space and try again")
	}
	return err
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// gone forgives that something is not there any more.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
