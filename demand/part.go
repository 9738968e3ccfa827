package demand

import (
	"context"
	"errors"
	"io"

	"ream/content"
	"ream/fetch"
)

// part is a part of a file that is got by itself.
type part struct {
	offset, end int64 // none if they are the same
	body        *io.PipeReader
	drop        context.CancelFunc
}

func (p *part) has(offset int64) bool { return offset >= p.offset && offset < p.end }

// Only says that no more will be read than length bytes from offset on. Of a
// large file, upstream is asked for such a part by itself if it is no larger
// than a small file and not the file's end: whoever reads the end had the rest,
// and gets it verified. The digest of a part cannot be checked; that of the
// whole is the reader's to check.
func (r *Reader) Only(offset, length int64) {
	if r.key.size > r.f.Small && length > 0 && length <= r.f.Small && offset+length < r.key.size {
		r.part = part{offset: offset, end: offset + length}
	}
}

// readPart reads on in the part.
func (r *Reader) readPart(p []byte) (int, error) {
	if r.part.body == nil {
		if err := r.part.begin(r); err != nil {
			return 0, err
		}
	}
	n, err := r.part.body.Read(p)
	if n == 0 && errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// begin asks upstream for the part from where the reader is.
func (p *part) begin(r *Reader) error {
	ctx, drop := context.WithCancel(r.ctx)
	stop := context.AfterFunc(r.f.ctx, drop)
	body, to := io.Pipe()
	p.body, p.drop = body, func() { stop(); drop() }
	request := fetch.Request{Size: r.key.size, Offset: r.offset, Length: p.end - r.offset, Attempts: attempts, Patience: patience}
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	return r.f.begin(func() { to.CloseWithError(r.f.getPart(ctx, r.key.sha256, request, to)) })
}

// getPart gets a part from one of the places. It fails with fetch.ErrNoParts if
// one of them has the file, but gives only the whole.
func (f *Fetcher) getPart(ctx context.Context, digest content.Digest, request fetch.Request, to io.Writer) error {
	leave, err := f.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	s, whole := &partSink{to: to}, false
	err = f.try(ctx, digest, func(p fetch.Place) error {
		request.URL = p.URL
		_, err := p.Source.Get(ctx, request, s)
		whole = whole || errors.Is(err, fetch.ErrNoParts)
		return err
	}, func() error { return s.err })
	if err != nil && whole && s.n == 0 {
		return fetch.ErrNoParts
	}
	if _, ok := errors.AsType[*UpstreamError](err); ok {
		f.Log.Warn("a part of a file that a client waits for was not fetched", "sha256", digest, "error", err)
	}
	return err
}

// partSink hands a part over. What was handed over cannot be dropped again.
type partSink struct {
	to  io.Writer
	n   int
	err error // why it took no more
}

func (s *partSink) Write(p []byte) (n int, err error) {
	n, s.err = s.to.Write(p)
	s.n += n
	return n, s.err
}

func (s *partSink) Reset() error {
	if s.n > 0 {
		s.err = errAnew
	}
	return s.err
}

func (r *Reader) dropPart() {
	if r.part.body != nil {
		r.part.drop()
		r.part.body.Close()
	}
	r.part = part{}
}
