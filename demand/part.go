package demand

import (
	"context"
	"errors"
	"os"

	"ream/fetch"
)

// part is a part of a file that is got by itself.
type part struct {
	offset, end int64       // none if they are the same
	shared      *sharedPart // nil before the first Read
}

// sharedPart is a part of a file for all who ask for the same one while it comes.
type sharedPart struct {
	over   chan struct{} // closed when the part is here, or will not come
	file   *os.File      // holds the part, and has no name any more; nil if it did not come
	err    error         // why not
	giveUp context.CancelFunc

	readers int // guarded by the Fetcher's mu
}

// partKey names the bytes of a part.
type partKey struct {
	key
	offset, end int64
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
	if r.part.shared == nil {
		var err error
		if r.part.shared, err = r.f.joinPart(r.partKey()); err != nil {
			return 0, err
		}
	}
	select {
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	case <-r.part.shared.over:
	}
	if r.part.shared.err != nil {
		return 0, r.part.shared.err
	}
	return r.part.shared.file.ReadAt(p[:min(int64(len(p)), r.part.end-r.offset)], r.offset-r.part.offset)
}

func (r *Reader) partKey() partKey { return partKey{r.key, r.part.offset, r.part.end} }

// joinPart returns a part that comes, which it begins to get if nobody else has.
// The caller leaves it.
func (f *Fetcher) joinPart(k partKey) (*sharedPart, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.parts[k]
	if !ok {
		ctx, giveUp := context.WithCancel(f.ctx)
		p = &sharedPart{over: make(chan struct{}), giveUp: giveUp}
		if err := f.begin(func() { f.bringPart(ctx, k, p) }); err != nil {
			giveUp()
			return nil, err
		}
		f.parts[k] = p
	}
	p.readers++
	return p, nil
}

// leavePart gives a part up, or closes it, when nobody reads it any more.
func (f *Fetcher) leavePart(k partKey, p *sharedPart) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.readers--; p.readers > 0 {
		return
	}
	f.landPart(k, p)
	if p.file != nil {
		p.file.Close()
	}
}

// landPart lets nobody join a part any more, and ends what brings it. The caller
// holds mu.
func (f *Fetcher) landPart(k partKey, p *sharedPart) {
	if f.parts[k] == p {
		delete(f.parts, k)
	}
	p.giveUp()
}

// bringPart gets a part from upstream for all who have joined it. It takes its turn
// among all fetches until the bytes are in a file, however slowly they are read
// then. Whoever comes later gets it anew: no digest proves it.
func (f *Fetcher) bringPart(ctx context.Context, k partKey, p *sharedPart) {
	file, err := f.getPart(ctx, k)
	if err != nil && f.ctx.Err() != nil {
		err = errStopping
	}
	if _, ok := errors.AsType[*UpstreamError](err); ok {
		f.Log.Warn("a part of a file that a client waits for was not fetched", "sha256", k.sha256, "error", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.landPart(k, p)
	p.file, p.err = file, err
	if p.readers == 0 && file != nil {
		file.Close()
	}
	close(p.over)
}

// getPart gets a part from one of the places. It fails with fetch.ErrNoParts if
// one of them has the file, but gives only the whole.
func (f *Fetcher) getPart(ctx context.Context, k partKey) (*os.File, error) {
	places, err := f.find(ctx, k.sha256)
	if err != nil {
		return nil, err
	}
	places, t := f.sorted(places), &turn{of: f.turns}
	if err := f.next(ctx, t, places); err != nil {
		return nil, err
	}
	defer t.leave()
	if err := f.records.Room(); err != nil {
		return nil, err
	}
	w, err := f.blobs.Create()
	if err != nil {
		return nil, err
	}
	defer w.Abort() // whoever has opened the file reads it all the same
	s, whole := &roomy{Writer: w, room: f.records.Room}, false
	err = f.try(ctx, t, places, func(from *fetch.Source, request fetch.Request) error {
		if s.Size() > 0 {
			if err := s.Reset(); err != nil {
				return err
			}
		}
		request.Size, request.Offset, request.Length = k.size, k.offset, k.end-k.offset
		_, err := from.Get(ctx, request, s)
		whole = whole || errors.Is(err, fetch.ErrNoParts)
		return err
	}, func() error { return s.err })
	if err == nil {
		return w.Reader()
	}
	if whole && ctx.Err() == nil {
		return nil, fetch.ErrNoParts
	}
	return nil, err
}

func (r *Reader) dropPart() {
	if r.part.shared != nil {
		r.f.leavePart(r.partKey(), r.part.shared)
	}
	r.part = part{}
}
