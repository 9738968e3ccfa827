package blob

import (
	"bytes"
	"io"
	"os"
	"sync/atomic"
)

// Small blobs wait for their commit in memory, so that each is written once,
// where it belongs. All of a storage together take no more than smallInAll.
const (
	smallMost  = 16 << 10
	smallInAll = 16 << 20
)

// memory is what small blobs may take.
type memory struct{ used atomic.Int64 }

// take returns room for a blob of size bytes, or nil if there is none.
func (m *memory) take(size int64) *small {
	if size < 0 || size > smallMost {
		return nil
	}
	if m.used.Add(size) > smallInAll {
		m.used.Add(-size)
		return nil
	}
	return &small{of: m, room: size, bytes: make([]byte, 0, size)}
}

// small is a blob in memory.
type small struct {
	of    *memory
	room  int64 // that it took
	freed atomic.Bool
	bytes []byte
}

// free gives the room back, once.
func (s *small) free() {
	if s.freed.CompareAndSwap(false, true) {
		s.of.used.Add(-s.room)
		s.bytes = nil
	}
}

// source is what a staged blob's bytes are read from.
type source interface {
	io.ReaderAt
	io.Closer
}

// open opens a staged blob for reading.
func (b Staged) open() (source, error) {
	if b.small != nil {
		return smallSource{bytes.NewReader(b.small.bytes)}, nil
	}
	return os.Open(b.path)
}

type smallSource struct{ *bytes.Reader }

func (smallSource) Close() error { return nil }
