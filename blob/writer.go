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
	f     *os.File
	hash  hash.Hash
	size  int64
	last  time.Time // when something was last written, or when it began
	ended bool      // finished or aborted

	begun  int64  // up to where the kernel was asked to write to disk
	synced bool   // whether the file is to be made durable when it is finished
	mark   uint64 // of durable, from before the first byte
}

// Write appends to the blob. A full disk is Unavailable.
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.hash.Write(p[:n])
	w.size += int64(n)
	w.last = time.Now()
	if err != nil {
		return n, full(fmt.Errorf("write a blob: %w", err))
	}
	if w.size-w.begun >= stride {
		startWriting(w.f, w.begun, w.size-w.begun)
		w.begun = w.size
	}
	return n, nil
}

// Reset drops what was written, to begin anew.
func (w *Writer) Reset() error {
	if err := w.f.Truncate(0); err != nil {
		return fmt.Errorf("reset a blob: %w", err)
	}
	if _, err := w.f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reset a blob: %w", err)
	}
	w.hash.Reset()
	w.size, w.begun = 0, 0
	return nil
}

// Reader opens the blob for reading beside, also while it grows, and after it
// was finished, committed or dropped. The caller closes it.
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
	if w.synced {
		if err := w.f.Sync(); err != nil {
			w.Abort()
			return Staged{}, full(fmt.Errorf("finish a blob: %w", err))
		}
	}
	w.ended = true
	if err := w.f.Close(); err != nil {
		os.Remove(w.f.Name())
		return Staged{}, full(fmt.Errorf("finish a blob: %w", err))
	}
	return Staged{SHA256: w.SHA256(), Size: w.size, path: w.f.Name(), written: w.last, mark: w.mark}, nil
}

// Abort drops the blob. It does nothing once the blob was finished.
func (w *Writer) Abort() {
	if w.ended {
		return
	}
	w.ended = true
	w.f.Close()
	os.Remove(w.f.Name())
}

// Staged is a finished blob that is not committed yet.
type Staged struct {
	SHA256  string
	Size    int64
	path    string
	written time.Time
	mark    uint64
}
