package demand

import (
	"context"
	"time"

	"ream/blob"
	"ream/content"
	"ream/fault"
	"ream/fetch"
)

// fly gets the bytes of a flight, and ends it.
func (f *Fetcher) fly(ctx context.Context, k key, fl *flight) {
	defer fl.giveUp()
	defer fl.leave()
	err := f.get(ctx, k, fl)
	switch {
	case err == nil:
		f.land(k, fl, false)
		fl.reach(stored)
		return
	case f.ctx.Err() != nil:
		err = errStopping
	case ctx.Err() != nil:
		return // it was given up
	}
	if err != error(errBusy) { // of which next tells
		f.Log.Warn("a file that clients wait for was not fetched", "sha256", k.sha256, "error", err)
	}
	f.land(k, fl, true)
	fl.fail(err)
}

// get returns once the bytes are stored, by whichever process.
func (f *Fetcher) get(ctx context.Context, k key, fl *flight) error {
	var places []fetch.Place
	for {
		done, err := f.stored(ctx, k)
		if done || err != nil {
			return err
		}
		if places == nil {
			if places, err = f.find(ctx, k.sha256); err != nil {
				if done, _ := f.stored(ctx, k); done { // just now, so that they need not be known any more
					return nil
				}
				return err
			}
		}
		if done, err = f.turn(ctx, k, fl, places); done || err != nil {
			return err
		}
		// Another process fetches the same. It will have stored it, or given up.
		f.settle(k, fl, false)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(f.Look):
		}
	}
}

// turn fetches the bytes, unless another process does. From its turn on, the
// flight stays when its readers leave.
func (f *Fetcher) turn(ctx context.Context, k key, fl *flight, places []fetch.Place) (done bool, err error) {
	places, t := f.sorted(places), &turn{of: f.turns}
	if err := f.next(ctx, t, places); err != nil {
		return false, err
	}
	defer t.leave()
	f.settle(k, fl, true)
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
	if err := f.fetch(ctx, k, fl, t, places); err != nil {
		return false, err
	}
	kept = true
	return true, nil
}

// next waits until one more fetch may go on, from the host of one of the places,
// but not for long, nor if too many wait.
func (f *Fetcher) next(ctx context.Context, t *turn, places []fetch.Place) error {
	hosts := make([]string, len(places))
	for i, p := range places {
		hosts[i] = p.Host()
	}
	waiting, cancel := context.WithTimeout(ctx, f.Busy)
	defer cancel()
	if err := t.next(waiting, hosts); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.turnAway()
		return errBusy
	}
	return nil
}

// turnAway logs how many did not get a turn, once a second at most: a crowd should
// not fill the log.
func (f *Fetcher) turnAway() {
	f.mu.Lock()
	f.turnedAway++
	n, now := f.turnedAway, time.Now()
	due := now.Sub(f.crowdLogged) >= time.Second
	if due {
		f.turnedAway, f.crowdLogged = 0, now
	}
	f.mu.Unlock()
	if due {
		f.Log.Warn("files that clients wait for were not fetched: too many are", "files", n)
	}
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

// fetch tries the places, and stores what it got.
func (f *Fetcher) fetch(ctx context.Context, k key, fl *flight, t *turn, places []fetch.Place) error {
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
	if err := f.try(ctx, t, places, func(from *fetch.Source, request fetch.Request) error {
		if s.Size() > 0 {
			if err := s.Reset(); err != nil {
				return err
			}
		}
		request.Size, request.SHA256 = k.size, string(k.sha256)
		_, err := from.Get(ctx, request, s)
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

// find returns where bytes can be got, which is somewhere.
func (f *Fetcher) find(ctx context.Context, digest content.Digest) ([]fetch.Place, error) {
	places, err := f.places(ctx, digest)
	if kind := fault.KindOf(err); err != nil && kind != fault.Internal && kind != fault.Unavailable {
		return nil, upstreamError(err) // of how a remote is set, which is not the reader's to know
	}
	if err == nil && len(places) == 0 {
		return nil, &UpstreamError{reason: "nobody knows where to get it: the remote that it came from is gone"}
	}
	return places, err
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
