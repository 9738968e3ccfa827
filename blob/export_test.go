package blob

import (
	"os"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// SmallMost is how large a blob can be that waits in memory.
const SmallMost = smallMost

// What large blobs are, and how they are written.
const (
	LargeLeast = largeLeast
	LargeMost  = largeMost
	PieceSize  = pieceSize
	Alignment  = alignment
)

// NewSlab is memory as pieces are written from, which free gives back.
func NewSlab(size int) (bytes []byte, free func(), err error) {
	s, err := newSlab(size)
	if err != nil {
		return nil, nil, err
	}
	return s.bytes, s.free, nil
}

// WritePiece writes a piece of a file.
func WritePiece(f *os.File, piece []byte, at int64) error { return writeAt(f, piece, at) }

// BypassCache has a file written past the kernel's cache.
func BypassCache(f *os.File) { bypassCache(f, true) }

// NewDiskByFile is NewDisk where file systems cannot be flushed as a whole.
func NewDiskByFile(dir string) (*Disk, error) { return newDisk(dir, false) }

// WithKeys returns options with credentials that are not the environment's.
func (o S3Options) WithKeys(access, secret string) S3Options {
	o.credentials = credentials.NewStaticV4(access, secret, "")
	return o
}
