package blob

import (
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"time"
)

// stride is after how many bytes the kernel is asked to go on writing to disk.
const stride = 16 << 20

// Writer takes the bytes of one blob and hashes them as they come. It is not
// safe for concurrent use.
type Writer struct {
	staging *staging
	small   *small   // holds the bytes; nil if f does
	f       *os.File // nil if small does
	large   *large   // writes to f; nil if f is written by itself

	hash  hash.Hash
	size  int64
	last  time.Time // when something was last written, or when it began
	ended bool      // finished or aborted

	begun int64  // up to where the kernel was asked to write to disk
	mark  uint64 // of durable, from before the first byte of the file
}

// AvailableBuffer is where the bytes of the next Write may lie, so that they need
// not be copied; it has no room if they may not. They are the writer's own then.
func (w *Writer) AvailableBuffer() []byte {
	if w.large == nil {
		return nil
	}
	return w.large.available()
}

// Write appends to the blob. A full disk is Unavailable.
func (w *Writer) Write(p []byte) (int, error) {
	if w.large != nil {
		w.hash.Write(p) // before the bytes are given away, if they are the writer's own
		n, err := w.large.Write(p)
		return n, w.wrote(n, err)
	}
	n, err := w.append(p)
	w.hash.Write(p[:n])
	if err := w.wrote(n, err); err != nil {
		return n, err
	}
	if w.size-w.begun >= stride {
		startWriting(w.f, w.begun, w.size-w.begun)
		w.begun = w.size
	}
	return n, nil
}

// wrote notes how a write ended.
func (w *Writer) wrote(n int, err error) error {
	w.size += int64(n)
	w.last = time.Now()
	if err != nil {
		return curable(fmt.Errorf("write a blob: %w", err))
	}
	return nil
}

// append appends to what holds the bytes: a file as soon as there are more than
// were announced.
func (w *Writer) append(p []byte) (int, error) {
	if w.small != nil {
		if len(w.small.bytes)+len(p) <= cap(w.small.bytes) {
			w.small.bytes = append(w.small.bytes, p...)
			return len(p), nil
		}
		if err := w.spill(); err != nil {
			return 0, err
		}
	}
	return w.f.Write(p)
}

// spill goes on in a file.
func (w *Writer) spill() error {
	f, mark, err := w.staging.file()
	if err != nil {
		return err
	}
	w.f, w.mark = f, mark
	_, err = f.Write(w.small.bytes)
	w.small.free()
	w.small = nil
	return err
}

// Reset drops what was written, to begin anew.
func (w *Writer) Reset() error {
	if err := w.empty(); err != nil {
		return fmt.Errorf("reset a blob: %w", err)
	}
	w.hash.Reset()
	w.size, w.begun = 0, 0
	return nil
}

// empty empties what holds the bytes.
func (w *Writer) empty() error {
	switch {
	case w.small != nil:
		w.small.bytes = w.small.bytes[:0]
		return nil
	case w.large != nil:
		return w.large.reset()
	}
	if err := w.f.Truncate(0); err != nil {
		return err
	}
	_, err := w.f.Seek(0, io.SeekStart)
	return err
}

// Reader opens the blob for reading beside, also while it grows, and after it
// was finished, committed or dropped. It must have been begun by Create. The
// caller closes it.
func (w *Writer) Reader() (*os.File, error) {
	f, err := os.Open(w.f.Name())
	if err != nil {
		return nil, fmt.Errorf("read a blob that is written: %w", err)
	}
	return f, nil
}

// SHA256 is the digest of what was written so far.
func (w *Writer) SHA256() string { return hex.EncodeToString(w.hash.Sum(nil)) }

// Size is how many bytes were written so far.
func (w *Writer) Size() int64 { return w.size }

// Finish ends the blob. It counts once it is committed. A full disk is
// Unavailable.
func (w *Writer) Finish() (Staged, error) {
	b := Staged{SHA256: w.SHA256(), Size: w.size, small: w.small, written: w.last, mark: w.mark}
	if w.small != nil {
		w.ended = true
		return b, nil
	}
	if err := w.settle(); err != nil {
		w.Abort()
		return Staged{}, curable(fmt.Errorf("finish a blob: %w", err))
	}
	w.ended = true
	if err := w.f.Close(); err != nil {
		os.Remove(w.f.Name())
		return Staged{}, curable(fmt.Errorf("finish a blob: %w", err))
	}
	b.path = w.f.Name()
	return b, nil
}

// settle sees to it that the file has all bytes, and is durable if it must be.
func (w *Writer) settle() error {
	if w.large != nil {
		if err := w.large.finish(); err != nil {
			return err
		}
	}
	if d := w.staging.durable; d != nil && !d.whole.Load() {
		return w.f.Sync()
	}
	return nil
}

// Abort drops the blob. It does nothing once the blob was finished.
func (w *Writer) Abort() {
	if w.ended {
		return
	}
	w.ended = true
	if w.small != nil {
		w.small.free()
		return
	}
	if w.large != nil {
		w.large.end()
	}
	w.f.Close()
	os.Remove(w.f.Name())
}

// Staged is a finished blob that is not committed yet.
type Staged struct {
	SHA256  string
	Size    int64
	small   *small // holds the bytes; nil if the file at path does
	path    string
	written time.Time
	mark    uint64
}
