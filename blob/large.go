package blob

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
)

// A file of largeLeast bytes or more is written past the kernel's cache, a piece
// at a time, while the next one is filled. Through the cache it would cost about
// as much as to hash it, and drive out what is served.
const (
	largeLeast = 32 << 20
	pieceSize  = 4 << 20
	largeMost  = 16 // such files of a storage, each of which takes two pieces of memory; others go through the cache

	// alignment is what addresses, offsets and lengths of direct writes are
	// multiples of: no common disk or file system asks for more.
	alignment = 4096
)

// large writes to a file past the kernel's cache. What fails is told by a later
// call. It is not safe for concurrent use.
type large struct {
	f       *os.File
	slab    *slab      // two pieces
	at      int64      // where the piece belongs in the file
	piece   []byte     // not yet full
	written chan error // how the piece before it, in the other half of the memory, was written
	writing bool       // whether it still is
	err     error      // what failed: nothing is written any more
	all     *atomic.Int64
}

// newLarge takes over a file that was just created, and is empty. It returns nil
// if there are as many already as may be, or there is no memory; all counts them.
func newLarge(f *os.File, all *atomic.Int64) *large {
	if all.Add(1) > largeMost {
		all.Add(-1)
		return nil
	}
	s, err := newSlab(2 * pieceSize)
	if err != nil {
		all.Add(-1)
		return nil
	}
	bypassCache(f, true)
	return &large{f: f, slab: s, piece: s.bytes[:0:pieceSize], written: make(chan error, 1), all: all}
}

// available is where the bytes of the next Write may lie already.
func (l *large) available() []byte { return l.piece[len(l.piece):] }

// Write takes bytes, some of which may still be in memory when it returns. If p
// was available, its bytes are not to be looked at any more.
func (l *large) Write(p []byte) (n int, err error) {
	if l.err != nil {
		return 0, l.err
	}
	for n < len(p) {
		room := l.piece[len(l.piece):cap(l.piece)]
		taken := min(len(room), len(p)-n)
		if &room[0] != &p[n] {
			copy(room, p[n:])
		}
		l.piece = l.piece[:len(l.piece)+taken]
		n += taken
		if taken == len(room) {
			if err := l.writePiece(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// writePiece begins to write the piece, as soon as the one before it is written.
func (l *large) writePiece() error {
	if err := l.wait(); err != nil {
		return err
	}
	piece, at := l.piece, l.at
	l.at += int64(len(piece))
	half := l.slab.bytes[:pieceSize]
	if &half[0] == &piece[0] {
		half = l.slab.bytes[pieceSize:]
	}
	l.piece = half[:0:pieceSize]
	l.writing = true
	go func() { l.written <- writeAt(l.f, piece, at) }()
	return nil
}

// writeAt writes a whole piece, through the cache where the file system does
// not take it otherwise.
func writeAt(f *os.File, piece []byte, at int64) error {
	_, err := f.WriteAt(piece, at)
	if errors.Is(err, syscall.EINVAL) {
		bypassCache(f, false)
		_, err = f.WriteAt(piece, at)
	}
	if err == nil {
		startWriting(f, at, int64(len(piece))) // what went through the cache all the same
	}
	return err
}

// wait waits until no piece is being written, and tells what failed so far.
func (l *large) wait() error {
	if l.writing {
		l.writing = false
		l.err = cmp.Or(l.err, <-l.written)
	}
	return l.err
}

// reset drops what was written, to begin anew.
func (l *large) reset() error {
	_ = l.wait() // what could not be written is dropped
	if l.piece == nil {
		return os.ErrClosed
	}
	l.piece, l.at, l.err = l.piece[:0], 0, nil
	return l.f.Truncate(0)
}

// finish writes the rest. The file has its bytes then, and no more are taken.
func (l *large) finish() error {
	size, rest := l.at+int64(len(l.piece)), len(l.piece)
	if rest > 0 {
		padded := (rest + alignment - 1) / alignment * alignment
		l.piece = l.piece[:padded]
		clear(l.piece[rest:])
		if err := l.writePiece(); err != nil {
			return err
		}
	}
	if err := l.wait(); err != nil {
		return err
	}
	if l.at != size {
		if err := l.f.Truncate(size); err != nil {
			return fmt.Errorf("cut a blob to its size: %w", err)
		}
	}
	l.end()
	return nil
}

// end gives back the memory. It does nothing the second time.
func (l *large) end() {
	_ = l.wait() // what could not be written is dropped
	if l.piece != nil {
		l.slab.free()
		l.piece, l.err = nil, os.ErrClosed
		l.all.Add(-1)
	}
}
