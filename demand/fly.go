package demand

import (
	"context"
	"errors"
	"slices"
	"time"

	"ream/blob"
	"ream/content"
	"ream/fault"
	"ream/fetch"
)

// Clients wait, so a place is not tried as often as a sync would, and not at
// all if it asks for more patience than most clients have.
const (
	attempts = 3
	patience = 5 * time.Second
)

// fly gets the bytes of a flight, and ends it.
func (f *Fetcher) fly(k key, fl *flight) {
	defer fl.leave()
	err := f.get(f.ctx, k, fl)
	if err == nil {
		f.land(k, false)
		fl.reach(stored)
		return
	}
	if f.ctx.Err() != nil {
		err = errStopping
	}
	f.Log.Warn("a file that clients wait for was not fetched", "sha256", k.sha256, "error", err)
	f.land(k, true)
	fl.fail(err)
}

// get returns once the bytes are stored, by whichever process.
func (f *Fetcher) get(ctx context.Context, k key, fl *flight) error {
	for {
		if done, err := f.stored(ctx, k); done || err != nil {
			return err
		}
		done, err := f.turn(ctx, k, fl)
		if done || err != nil {
			return err
		}
		// Another process fetches the same. It will have stored it, or given up.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(f.Look):
		}
	}
}

// turn fetches the bytes, unless another process does.
func (f *Fetcher) turn(ctx context.Context, k key, fl *flight) (done bool, err error) {
	leave, err := f.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	leased, err := f.records.LeaseFetch(ctx, k.sha256, f.holder, f.Lease)
	if err != nil || !leased {
		return false, err
	}
	kept := false
	defer func() {
		if kept {
			return
		}
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.Lease)
		defer cancel()
		if err := f.records.EndLease(ending, k.sha256, f.holder); err != nil {
			f.Log.Warn("the lease of a fetch was not given back, and has to run out", "sha256", k.sha256, "error", err)
		}
	}()
	// Who had the lease before may just have been done.
	if done, err := f.stored(ctx, k); done || err != nil {
		return done, err
	}
	renewing, end := context.WithCancel(ctx)
	defer end()
	f.running.Go(func() { f.renew(renewing, k) })
	if err := f.fetch(ctx, k, fl); err != nil {
		return false, err
	}
	kept = true
	return true, nil
}

// enter waits until one more fetch may go on, but not for long.
func (f *Fetcher) enter(ctx context.Context) (leave func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, f.Busy)
	defer cancel()
	if err := f.slots.Acquire(waiting, 1); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errBusy
	}
	return func() { f.slots.Release(1) }, nil
}

// renew keeps the lease for as long as the fetch takes. If it is lost, because
// the database was away, another process may fetch the same: no harm is done.
func (f *Fetcher) renew(ctx context.Context, k key) {
	ticker := time.NewTicker(f.Lease / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if _, err := f.records.LeaseFetch(ctx, k.sha256, f.holder, f.Lease); err != nil && ctx.Err() == nil {
				f.Log.Warn("the lease of a fetch was not renewed", "sha256", k.sha256, "error", err)
			}
		}
	}
}

// fetch tries the places one after the other, and stores what it got.
func (f *Fetcher) fetch(ctx context.Context, k key, fl *flight) error {
	if err := f.records.Room(); err != nil {
		return err
	}
	w, err := f.blobs.Create()
	if err != nil {
		return err
	}
	defer w.Abort()
	file, err := w.Reader()
	if err != nil {
		return err
	}
	fl.change(func() { fl.file = file })
	s := &sink{roomy{Writer: w, room: f.records.Room}, fl}
	if err := f.try(ctx, k.sha256, func(p fetch.Place) error {
		if s.Size() > 0 {
			if err := s.Reset(); err != nil {
				return err
			}
		}
		_, err := p.Source.Get(ctx, fetch.Request{URL: p.URL, Size: k.size, SHA256: string(k.sha256), Attempts: attempts, Patience: patience}, s)
		return err
	}, func() error { return s.err }); err != nil {
		return err
	}
	fl.reach(verified)
	return f.keep(ctx, k, w)
}

// keep stores what was fetched.
func (f *Fetcher) keep(ctx context.Context, k key, w *blob.Writer) error {
	staged, err := w.Finish()
	if err != nil {
		return err
	}
	if err := f.blobs.Commit(ctx, []blob.Staged{staged}); err != nil {
		f.blobs.Discard(staged)
		return err
	}
	return f.records.KeepFetched(ctx, content.Artifact{SHA256: k.sha256, Size: k.size}, f.holder)
}

// try gets something from one place after the other until one gives it. It
// fails with an *UpstreamError, or with an error of this side, as ours tells.
func (f *Fetcher) try(ctx context.Context, digest content.Digest, get func(fetch.Place) error, ours func() error) error {
	places, err := f.places(ctx, digest)
	if kind := fault.KindOf(err); err != nil && kind != fault.Internal && kind != fault.Unavailable {
		return upstreamError(err) // of how a remote is set, which is not the reader's to know
	}
	if err != nil {
		return err
	}
	if len(places) == 0 {
		return &UpstreamError{reason: "nobody knows where to get it: the remote that it came from is gone"}
	}
	var all []error
	away := map[*fetch.Source]bool{}
	for _, p := range f.sorted(places) {
		if away[p.Source] {
			continue // other paths of the same upstream
		}
		err := get(p)
		if err == nil {
			return nil
		}
		if e := ours(); e != nil {
			return e
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		away[p.Source] = fault.Is(err, fault.Unavailable) && !errors.Is(err, fetch.ErrNoParts) && !errors.Is(err, fetch.ErrRefused)
		f.note(p.Source)
		all = append(all, err)
	}
	return upstreamError(all...)
}

// Sources that failed are tried after others for a while. So many are
// remembered at most.
const (
	failsFor   = 10 * time.Second
	maxFailing = 1000
)

// sorted returns places, those whose sources failed just now last.
func (f *Fetcher) sorted(places []fetch.Place) []fetch.Place {
	f.mu.Lock()
	defer f.mu.Unlock()
	var well, failing []fetch.Place
	for _, p := range places {
		if time.Since(f.failing[p.Source]) < failsFor {
			failing = append(failing, p)
		} else {
			well = append(well, p)
		}
	}
	return slices.Concat(well, failing)
}

// note remembers that a source failed.
func (f *Fetcher) note(s *fetch.Source) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.failing) >= maxFailing {
		clear(f.failing)
	}
	f.failing[s] = time.Now()
}

// roomEvery is after how many bytes of a file it is made sure again that there
// is room for more.
const roomEvery = 1 << 20

// roomy is a blob that takes bytes as long as there is room.
type roomy struct {
	*blob.Writer
	room func() error
	err  error // why it took no more
}

func (r *roomy) Write(p []byte) (int, error) {
	before := r.Size()
	n, err := r.Writer.Write(p)
	if err == nil && before/roomEvery != r.Size()/roomEvery {
		err = r.room()
	}
	r.err = err
	return n, err
}

func (r *roomy) Reset() error {
	r.err = r.Writer.Reset()
	return r.err
}

// sink is a blob that tells its flight of what it takes.
type sink struct {
	roomy
	flight *flight
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.roomy.Write(p)
	s.flight.grow(n)
	return n, err
}

func (s *sink) Reset() error {
	s.flight.restart()
	return s.roomy.Reset()
}
