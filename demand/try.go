package demand

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"ream/fault"
	"ream/fetch"
)

// Clients wait, so a place is not tried as often as a sync would, and not at
// all if it asks for more patience than most clients have. After some stalls,
// counted by half ones, no other place is tried.
const (
	attempts   = 3
	patience   = 5 * time.Second
	halfStalls = 5
)

// try gets something from one place after the other until one gives it: first
// from one of the host whose turn it is, and then from the first of the others
// whose host may have one more. Each of several is asked once before those whose
// failure may pass are asked again; who stalls is not. It fails with an
// *UpstreamError, or with an error of this side, as ours tells.
func (f *Fetcher) try(ctx context.Context, t *turn, places []fetch.Place, get func(*fetch.Source, fetch.Request) error, ours func() error) error {
	several := slices.ContainsFunc(places, func(p fetch.Place) bool { return p.Source != places[0].Source })
	places = slices.Clone(places)
	var later []fetch.Place
	notBefore := map[fetch.Place]time.Time{} // those to ask again may be
	var all []error
	left := halfStalls * f.Stall / 2
	for {
		p := places[slices.IndexFunc(places, func(p fetch.Place) bool { return p.Host() == t.host })]
		request := fetch.Request{URL: p.URL, Attempts: attempts, Patience: patience, Stall: min(f.Stall, left), NotBefore: notBefore[p]}
		_, again := notBefore[p]
		switch {
		case again:
			request.Attempts = attempts - 1
		case several:
			request.Attempts = 1
		}
		began := time.Now()
		err := get(p.Source, request)
		if err == nil {
			return nil
		}
		if e := ours(); e != nil {
			return e
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		all = append(all, err)
		late := errors.Is(err, os.ErrDeadlineExceeded)
		f.note(p.Source, late)
		if late {
			left -= min(request.Stall, time.Since(began))
		}
		away := fault.Is(err, fault.Unavailable) && !errors.Is(err, fetch.ErrNoParts) && !errors.Is(err, fetch.ErrRefused)
		failed := func(other fetch.Place) bool {
			return other == p || away && other.Source == p.Source // which has other paths
		}
		places, later = slices.DeleteFunc(places, failed), slices.DeleteFunc(later, failed)
		if passing, ok := errors.AsType[*fetch.AgainError](err); ok && several && !again {
			notBefore[p] = passing.NotBefore
			later = append(later, p)
		}
		if left <= 0 || len(places)+len(later) == 0 {
			return upstreamError(all...)
		}
		if len(places) == 0 {
			places, later = later, nil
			all = slices.DeleteFunc(all, passes) // what comes instead is known soon
		}
		if err := f.next(ctx, t, places); err != nil {
			return errors.Join(append([]error{err}, all...)...)
		}
	}
}

func passes(err error) bool {
	_, ok := errors.AsType[*fetch.AgainError](err)
	return ok
}

// Sources that failed are tried after others for a while, which is longer if they
// kept a client waiting. So many are remembered at most.
const (
	failsFor   = 10 * time.Second
	stallsFor  = 30 * time.Second
	maxFailing = 1000
)

// sorted returns places, those whose sources failed just now last.
func (f *Fetcher) sorted(places []fetch.Place) []fetch.Place {
	f.mu.Lock()
	defer f.mu.Unlock()
	var well, failing []fetch.Place
	for _, p := range places {
		if time.Now().Before(f.failing[p.Source]) {
			failing = append(failing, p)
		} else {
			well = append(well, p)
		}
	}
	return slices.Concat(well, failing)
}

// note remembers that a source failed, maybe since it was late.
func (f *Fetcher) note(s *fetch.Source, late bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.failing) >= maxFailing {
		clear(f.failing)
	}
	d := failsFor
	if late {
		d = stallsFor
	}
	f.failing[s] = time.Now().Add(d)
}
