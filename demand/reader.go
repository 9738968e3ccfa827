package demand

import (
	"context"
	"errors"
	"io"

	"ream/content"
	"ream/fetch"
)

// Reader is bytes that may have to be fetched. Nothing is before the first
// Read. It is not safe for concurrent use.
type Reader struct {
	ctx    context.Context
	f      *Fetcher
	key    key
	offset int64

	flight  *flight // nil before the first Read
	attempt int     // of the flight, that bytes were read of; -1 before the first
	blob    io.ReadSeekCloser

	part part
}

// Open returns the bytes with a digest, of which there have to be as many as
// size. Reading blocks until they are here, and fails with an *UpstreamError if
// upstream does not give them as they should be. It ends with ctx.
func (f *Fetcher) Open(ctx context.Context, sha256 string, size int64) *Reader {
	return &Reader{ctx: ctx, f: f, key: key{content.Digest(sha256), size}, attempt: -1}
}

// Seek changes where the next Read begins.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.offset
	case io.SeekEnd:
		offset += r.key.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start of a file")
	}
	r.offset = offset
	return offset, nil
}

// Read waits for bytes at the place where the last one ended.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.read(p)
	r.offset += int64(n)
	return n, err
}

func (r *Reader) read(p []byte) (int, error) {
	if r.part.has(r.offset) {
		n, err := r.readPart(p)
		if !errors.Is(err, fetch.ErrNoParts) {
			return n, err
		}
		r.dropPart() // it has to be the whole
	}
	if r.flight == nil {
		var err error
		if r.flight, err = r.f.join(r.key); err != nil {
			return 0, err
		}
	}
	for r.blob == nil {
		v := r.flight.view()
		switch {
		case v.state == failed:
			return 0, v.err
		case r.attempt >= 0 && r.attempt != v.attempt:
			return 0, errAnew
		case v.state == stored && v.file == nil:
			return r.readStored(p)
		case r.offset >= r.key.size && v.readable == r.key.size:
			return 0, io.EOF
		case r.offset < v.readable:
			n, still, err := r.flight.readAt(p, r.offset, v)
			if err == nil && !still {
				continue
			}
			if n > 0 {
				r.attempt = v.attempt
			}
			return n, err
		}
		select {
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		case <-v.changed:
		}
	}
	return r.readStored(p)
}

// readStored reads what somebody else has stored.
func (r *Reader) readStored(p []byte) (int, error) {
	if r.blob == nil {
		var err error
		if r.blob, err = r.f.blobs.Open(r.ctx, string(r.key.sha256), r.key.size); err != nil {
			return 0, err
		}
	}
	if _, err := r.blob.Seek(r.offset, io.SeekStart); err != nil {
		return 0, err
	}
	return r.blob.Read(p)
}

// Close ends the reading. A fetch that has begun goes on: others may wait for it,
// and the client may come back.
func (r *Reader) Close() error {
	r.dropPart()
	if r.flight != nil {
		r.f.leave(r.key, r.flight)
		r.flight = nil
	}
	if r.blob != nil {
		return r.blob.Close()
	}
	return nil
}
