package blob

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
)

// A file of largeLeast bytes or more is written past the kernel's cache, some
// pieces at once, while the next one is filled. Through the cache it would cost
// about as much as to hash it, and drive out what is served.
const (
	largeLeast = 32 << 20
	largeMost  = 16 // such files of a storage; others go through the cache

	// Pieces are small and few, so that a processor's own cache still has what was
	// received into one when it is hashed, and when the disk takes it.
	pieceSize = 512 << 10
	pieces    = 8 // of each file

	// roomStep is how much room is made at once for pieces that will come, as long
	// as there is plenty for all large files: what is announced may be wrong, and a
	// database beside them is not to find its disk full.
	roomStep = 64 << 20
	plenty   = 2 * largeMost * roomStep

	// alignment is what addresses, offsets and lengths of direct writes are
	// multiples of: no common disk or file system asks for more.
	alignment = 4096
)

// large writes to a file past the kernel's cache. What fails is told by a later
// call. It is not safe for concurrent use.
type large struct {
	f      *os.File
	size   int64 // as announced
	room   int64 // how many bytes there is room for already
	slab   *slab // of all pieces
	aio    *aio  // nil once no more can be written
	cached bool  // whether it is written through the cache all the same

	at      int64  // where the piece belongs in the file
	piece   []byte // not yet full
	n       int    // its number
	free    []int  // of the others; the last is the one that was written last
	begun   [pieces]begun
	writing int   // how many are
	err     error // what failed: nothing is written any more

	ended bool
	all   *atomic.Int64
}

// begun is a piece that is being written.
type begun struct {
	bytes []byte
	at    int64
}

// newLarge takes over a file that was just created, and is empty. It returns nil
// if that cannot be written past the cache, or as many are already as may be,
// which all counts.
func newLarge(f *os.File, size int64, all *atomic.Int64) *large {
	l := &large{f: f, size: size, all: all}
	if all.Add(1) > largeMost || l.begin() != nil {
		l.end()
		return nil
	}
	return l
}

func (l *large) begin() (err error) {
	if l.aio, err = newAIO(pieces); err != nil {
		return err
	}
	if l.slab, err = newSlab(pieces * pieceSize); err != nil {
		return err
	}
	if err := bypassCache(l.f, true); err != nil {
		return err
	}
	l.restart()
	return nil
}

// restart begins with the first byte, while no piece is being written.
func (l *large) restart() {
	l.at, l.room, l.err, l.free = 0, 0, nil, l.free[:0]
	for n := range pieces {
		l.free = append(l.free, n)
	}
	l.next()
}

// next goes on with a piece that is free.
func (l *large) next() {
	last := len(l.free) - 1
	l.n, l.free = l.free[last], l.free[:last]
	l.piece = l.slab.bytes[l.n*pieceSize:][:0:pieceSize]
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

// writePiece begins to write the piece, and goes on with the next.
func (l *large) writePiece() error {
	if l.err != nil {
		return l.err
	}
	l.begun[l.n] = begun{l.piece, l.at}
	l.at += int64(len(l.piece))
	l.makeRoom()
	l.writing++
	if l.cached || l.aio.start(l.n, l.f, l.piece, l.begun[l.n].at) != nil {
		l.written(l.n, 0)
	}
	if l.collect(len(l.free) == 0); l.err == nil {
		l.next()
	}
	return l.err
}

// makeRoom sees to it that writes need not wait for each other, as those do that
// make a file larger. Where it cannot be done, or there is little room, they wait.
func (l *large) makeRoom() {
	if l.at <= l.room || l.at > l.size {
		return
	}
	step := min(roomStep, l.size-l.room)
	if reserve(l.f, l.room, step, plenty) != nil {
		l.size = 0 // no more of it
	}
	l.room += step
}

// collect frees the pieces that are written, of which it can wait for one.
func (l *large) collect(wait bool) {
	if err := l.aio.reap(wait, l.written); err != nil {
		l.err = cmp.Or(l.err, err)
		l.stop() // nobody knows which pieces are being written
	}
}

// stop waits until no piece is being written, and takes no more.
func (l *large) stop() {
	if l.aio != nil {
		l.aio.close()
	}
	l.aio, l.writing = nil, 0
}

// written frees a piece, of which so many bytes were written. What is missing is
// written here, to do without what the file system does not take, or know what it
// fails of.
func (l *large) written(n int, bytes int64) {
	l.writing--
	l.free = append(l.free, n)
	piece := l.begun[n]
	if bytes == int64(len(piece.bytes)) || l.err != nil {
		return
	}
	l.cached = l.cached || bytes == -int64(syscall.EINVAL)
	l.err = writeAt(l.f, piece.bytes, piece.at)
}

// writeAt writes a whole piece, through the cache where the file system does
// not take it otherwise.
func writeAt(f *os.File, piece []byte, at int64) error {
	_, err := f.WriteAt(piece, at)
	if errors.Is(err, syscall.EINVAL) {
		if err := bypassCache(f, false); err != nil {
			return err
		}
		_, err = f.WriteAt(piece, at)
	}
	if err == nil {
		startWriting(f, at, int64(len(piece))) // what went through the cache all the same
	}
	return err
}

// wait waits until no piece is being written, and tells what failed so far.
func (l *large) wait() error {
	for l.writing > 0 {
		l.collect(true)
	}
	return l.err
}

// reset drops what was written, to begin anew.
func (l *large) reset() error {
	if err := l.wait(); l.aio == nil {
		return err
	}
	l.restart()
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
	if err := l.f.Truncate(size); err != nil {
		return fmt.Errorf("cut a blob to its size: %w", err)
	}
	l.end()
	return nil
}

// end gives back what was taken. It does nothing the second time.
func (l *large) end() {
	if l.ended {
		return
	}
	_ = l.wait()                    // what could not be written is dropped
	go func(aio *aio, slab *slab) { // the kernel takes 30 ms to give up what is not used any more
		if aio != nil {
			aio.close()
		}
		if slab != nil {
			slab.free()
		}
	}(l.aio, l.slab)
	l.ended, l.aio, l.piece, l.err = true, nil, nil, os.ErrClosed
	l.all.Add(-1)
}
