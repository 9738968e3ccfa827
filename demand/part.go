package demand

import (
	"context"
	"errors"
	"os"

	"ream/content"
	"ream/fetch"
)

// part is a part of a file that is got by itself.
type part struct {
	offset, end int64    // none if they are the same
	file        *os.File // holds the part, and has no name any more; nil before the first Read
}

func (p *part) has(offset int64) bool { return offset >= p.offset && offset < p.end }

// Only says that no more will be read than length bytes from offset on. Of a
// large file, upstream is asked for such a part by itself if it is no larger
// than a small file. The digest of a part cannot be checked; that of the whole is
// the reader's to check.
func (r *Reader) Only(offset, length int64) {
	if r.key.size > r.f.Small && length > 0 && length <= r.f.Small {
		r.part = part{offset: offset, end: offset + length}
	}
}

// readPart reads on in the part, once all of it is here.
func (r *Reader) readPart(p []byte) (int, error) {
	if r.part.file == nil {
		if err := r.fetchPart(); err != nil {
			return 0, err
		}
	}
	return r.part.file.ReadAt(p[:min(int64(len(p)), r.part.end-r.offset)], r.offset-r.part.offset)
}

// fetchPart gets the part from upstream. It takes its turn among all fetches until
// the bytes are in a file, however slowly they are read then.
func (r *Reader) fetchPart() error {
	ctx, drop := context.WithCancel(r.ctx)
	defer drop()
	defer context.AfterFunc(r.f.ctx, drop)()
	request := fetch.Request{Size: r.key.size, Offset: r.part.offset, Length: r.part.end - r.part.offset, Attempts: attempts, Patience: patience}
	done := make(chan error, 1)
	r.f.mu.Lock()
	err := r.f.begin(func() {
		var err error
		r.part.file, err = r.f.getPart(ctx, r.key.sha256, request)
		done <- err
	})
	r.f.mu.Unlock()
	if err != nil {
		return err
	}
	err = <-done
	if err != nil && r.f.ctx.Err() != nil {
		return errStopping
	}
	return err
}

// getPart gets a part from one of the places. It fails with fetch.ErrNoParts if
// one of them has the file, but gives only the whole.
func (f *Fetcher) getPart(ctx context.Context, digest content.Digest, request fetch.Request) (*os.File, error) {
	leave, err := f.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := f.records.Room(); err != nil {
		return nil, err
	}
	w, err := f.blobs.Create()
	if err != nil {
		return nil, err
	}
	defer w.Abort() // whoever has opened the file reads it all the same
	s, whole := &roomy{Writer: w, room: f.records.Room}, false
	err = f.try(ctx, digest, func(p fetch.Place) error {
		if s.Size() > 0 {
			if err := s.Reset(); err != nil {
				return err
			}
		}
		request.URL = p.URL
		_, err := p.Source.Get(ctx, request, s)
		whole = whole || errors.Is(err, fetch.ErrNoParts)
		return err
	}, func() error { return s.err })
	if err == nil {
		return w.Reader()
	}
	if whole && ctx.Err() == nil {
		return nil, fetch.ErrNoParts
	}
	if _, ok := errors.AsType[*UpstreamError](err); ok {
		f.Log.Warn("a part of a file that a client waits for was not fetched", "sha256", digest, "error", err)
	}
	return nil, err
}

func (r *Reader) dropPart() {
	if r.part.file != nil {
		r.part.file.Close()
	}
	r.part = part{}
}
