package origin

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"ream/content"
	"ream/fault"
)

// maxServed bounds how many places a snapshot holds.
const maxServed = 10_000

// lookupLimit bounds a lookup that several requests wait for.
const lookupLimit = 10 * time.Second

// served remembers what distributions serve: in a snapshot that is replaced
// as a whole after a change, and when it has grown old.
type served struct {
	lookup  Lookup
	age     time.Duration
	keep    time.Duration // for how long what was replaced is looked into
	now     func() time.Time
	current atomic.Pointer[snapshot]
}

// snapshot holds what was found since a moment. Lookups that began with a
// snapshot end in it, so a late answer never enters a newer one.
type snapshot struct {
	since   time.Time
	flights singleflight.Group
	public  atomic.Pointer[bool] // whether anything is; nil as long as that is not known

	mu     sync.RWMutex
	byPath map[string]place
	byTime map[moment]content.Serving
}

// place is what is known of a path and all below it: the distribution that is
// there, or that there is none.
type place struct {
	serving content.Serving // its Path is empty if there is none
	above   bool            // there are distributions below, of which nothing is known
}

// moment is the path of a distribution at a time.
type moment struct {
	path string
	at   int64 // in microseconds since 1970
}

func newServed(lookup Lookup, age, keep time.Duration, now func() time.Time) *served {
	s := &served{lookup: lookup, age: age, keep: keep, now: now}
	s.forget()
	return s
}

func (s *served) forget() { s.current.Store(s.empty()) }

func (s *served) empty() *snapshot {
	return &snapshot{since: s.now(), byPath: make(map[string]place), byTime: make(map[moment]content.Serving)}
}

// snapshot returns one that is not too old.
func (s *served) snapshot() *snapshot {
	old := s.current.Load()
	if s.now().Sub(old.since) < s.age {
		return old
	}
	s.current.CompareAndSwap(old, s.empty())
	return s.current.Load()
}

var errNoDistribution error = fault.New(fault.NotFound, "no distribution serves this path")

// find returns what the distribution serves in whose tree path lies, and
// fault.NotFound if there is none.
func (s *served) find(ctx context.Context, path string) (content.Serving, error) {
	now, clean := s.snapshot(), strings.TrimSuffix(path, "/")
	found, known := now.find(clean)
	if known && found.Path != "" {
		return found, nil
	}
	if err := checkPath(clean); err != nil {
		return content.Serving{}, err
	}
	// Most requests are for files, and those of one directory share a lookup. It
	// is for the path of the one that started it, and tells of all others but in a
	// directory with distributions in it.
	var err error
	if i := strings.LastIndexByte(path, '/'); i > 0 && !known {
		found, known, err = s.ask(ctx, now, path[:i+1], clean)
	}
	if err == nil && !known {
		found, _, err = s.ask(ctx, now, clean, clean)
	}
	if err == nil && found.Path == "" {
		err = errNoDistribution
	}
	return found, err
}

// ask looks up what is at path, and what the distribution serves in whose tree it
// lies. Callers with the same key share one lookup, so it outlives the one that
// happened to start it. It may have been for another path and tell
// nothing of this one: ask then reports false.
func (s *served) ask(ctx context.Context, now *snapshot, key, path string) (found content.Serving, known bool, err error) {
	type answer struct {
		path string
		place
	}
	flight := now.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupLimit)
		defer cancel()
		at, found, err := s.locate(ctx, path)
		if err == nil {
			now.add(at, found)
		}
		return answer{at, found}, err
	})
	select {
	case <-ctx.Done():
		return content.Serving{}, false, ctx.Err()
	case done := <-flight:
		a := done.Val.(answer)
		return a.serving, a.tellsOf(a.path, path), done.Err
	}
}

// locate looks up the place that tells of path, and where it is.
func (s *served) locate(ctx context.Context, path string) (string, place, error) {
	found, vacant, err := s.lookup.Serving(ctx, path)
	switch {
	case fault.Is(err, fault.NotFound) && vacant != "":
		return vacant, place{}, nil
	case fault.Is(err, fault.NotFound):
		return path, place{above: true}, nil
	case err != nil:
		return "", place{}, err
	}
	if s.keep > 0 {
		if found.Replaced, err = s.lookup.Replaced(ctx, found, s.now().Add(-s.keep)); err != nil {
			return "", place{}, err
		}
	}
	return found.Path, place{serving: *found}, nil
}

// tellsOf reports whether a place at a path tells of another one.
func (p place) tellsOf(at, path string) bool {
	below, ok := strings.CutPrefix(path, at)
	return ok && (below == "" || below[0] == '/' && !p.above)
}

// anyPublic reports whether any distribution is everybody's, which it looks up
// once for each snapshot, or whether that is not known.
func (s *served) anyPublic(ctx context.Context) bool {
	now := s.snapshot()
	if known := now.public.Load(); known != nil {
		return *known
	}
	flight := now.flights.DoChan("", func() (any, error) { // no path is that
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupLimit)
		defer cancel()
		found, err := s.lookup.AnyPublic(ctx)
		if err == nil {
			now.public.Store(&found)
		}
		return found || err != nil, nil
	})
	select {
	case <-ctx.Done():
		return true
	case done := <-flight:
		return done.Val.(bool)
	}
}

// checkPath tells a path that nothing can be published at.
func checkPath(path string) error {
	if err := content.CheckPath(path); err != nil {
		return fault.Wrap(err, fault.NotFound, "not found: no clean path")
	}
	return nil
}

// find looks for every start of path that ends before a slash. No
// distribution lies below another, so the first one found is the only one.
func (n *snapshot) find(path string) (_ content.Serving, known bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	for end := 0; end < len(path); {
		if i := strings.IndexByte(path[end:], '/'); i >= 0 {
			end += i
		} else {
			end = len(path)
		}
		if found, ok := n.byPath[path[:end]]; ok && (!found.above || end == len(path)) {
			return found.serving, true
		}
		end++
	}
	return content.Serving{}, false
}

func (n *snapshot) add(path string, p place) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.byPath) >= maxServed {
		clear(n.byPath)
	}
	n.byPath[strings.Clone(path)] = p // that of a request would keep all of its address
}
