// Package blob keeps the bytes of artifacts, each once, by its SHA-256: on disk
// or in an S3-compatible store.
//
// A blob is written to a file of its own, or to memory if it is small, finished,
// and committed under its digest. What is stored does not count until then: only digests that the
// database names after a Commit may be trusted. Both storages keep a blob at
// sha256/ab/cdef… below where they are, so that one can be copied to the other.
package blob

import (
	"crypto/sha256"
	"errors"
	"io/fs"
	"strings"
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

// blobs is where all of them lie in a storage.
const blobs = "sha256/"

// name is where a blob lies in a storage.
func name(sha256 string) string { return blobs + sha256[:2] + "/" + sha256[2:] }

// digestAt is the digest whose blob lies at a name.
func digestAt(at string) (sha256 string, ok bool) {
	rest, ok := strings.CutPrefix(at, blobs)
	if !ok || len(rest) < 3 || rest[2] != '/' {
		return "", false
	}
	sha256 = rest[:2] + rest[3:]
	return sha256, isDigest(sha256)
}

func missing(sha256 string) error {
	return fault.New(fault.NotFound, "there is no blob %.80q", sha256)
}

// curable tells what somebody else can put right from other errors: a full disk, or
// one that fails, and files that this process has no rights to.
func curable(err error) error {
	if _, told := errors.AsType[*fault.Error](err); told {
		return err
	}
	var cure string
	switch {
	case isFull(err):
		cure = "the storage's disk is full: free some space and try again"
	case errors.Is(err, fs.ErrPermission):
		cure = "the storage's files may not be read or written by this user: give them to it"
	case errors.Is(err, syscall.EROFS):
		cure = "the storage's file system is read-only: mount it for writing"
	case errors.Is(err, syscall.EIO):
		cure = "the storage's disk fails: see the system's log"
	default:
		return err
	}
	return fault.Wrap(err, fault.Unavailable, "%s", cure)
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
