package blob

import (
	"os"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// SmallMost is how large a blob can be that waits in memory.
const SmallMost = smallMost

// What large blobs are, and how they are written.
const (
	LargeLeast = largeLeast
	LargeMost  = largeMost
	PieceSize  = pieceSize
	RoomStep   = roomStep
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
func BypassCache(f *os.File) error { return bypassCache(f, true) }

// NewDiskByFile is NewDisk where file systems cannot be flushed as a whole.
func NewDiskByFile(dir string) (*Disk, error) { return newDisk(dir, false) }

// WithKeys returns options with credentials that are not the environment's.
func (o S3Options) WithKeys(access, secret string) S3Options {
	o.credentials = credentials.NewStaticV4(access, secret, "")
	return o
}

// Fewer is how many requests that were refused are made again at once.
const Fewer = fewer

// WithPause returns options for uploads that are tried again after a pause.
func (o S3Options) WithPause(pause, patience time.Duration) S3Options {
	o.pause, o.Patience = pause, patience
	return o
}

// WritePart writes a piece of a large blob of which the kernel wrote, as it says,
// so many bytes, or failed with an error's number that is negative.
func WritePart(w *Writer, piece []byte, bytes int64) error {
	l := w.large
	w.hash.Write(piece)
	w.size += pieceSize
	l.piece = append(l.piece, piece...)
	l.begun[l.n] = begun{l.piece, l.at}
	l.at += pieceSize
	l.writing++
	l.written(l.n, bytes)
	l.next()
	return l.err
}

// Flushed is the directory whose file system a Disk flushes; false if it flushes
// file by file.
func Flushed(d *Disk) (os.FileInfo, bool) {
	dir := d.durable.dir.Load()
	if dir == nil {
		return nil, false
	}
	info, err := dir.Stat()
	return info, err == nil
}
