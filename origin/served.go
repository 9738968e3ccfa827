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

// maxServed bounds how many distributions a snapshot holds.
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
	byPath map[string]content.Serving
	byTime map[moment]content.Serving
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
	return &snapshot{since: s.now(), byPath: make(map[string]content.Serving), byTime: make(map[moment]content.Serving)}
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

// find returns what the distribution serves in whose tree path lies, and
// fault.NotFound if there is none.
func (s *served) find(ctx context.Context, path string) (content.Serving, error) {
	now := s.snapshot()
	if found, ok := now.find(path); ok {
		return found, nil
	}
	clean := strings.TrimSuffix(path, "/")
	if err := checkPath(clean); err != nil {
		return content.Serving{}, err
	}
	// Most requests are for files, and those of one directory share a lookup.
	if i := strings.LastIndexByte(clean, '/'); i > 0 && clean == path {
		found, err := s.ask(ctx, now, clean[:i])
		if !fault.Is(err, fault.NotFound) {
			return found, err
		}
	}
	return s.ask(ctx, now, clean)
}

// ask looks up which distribution has the directory dir in its tree. Callers
// with the same dir share one lookup, so it outlives the one that happened to
// start it.
func (s *served) ask(ctx context.Context, now *snapshot, dir string) (content.Serving, error) {
	flight := now.flights.DoChan(dir, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupLimit)
		defer cancel()
		found, err := s.lookup.Serving(ctx, candidates(dir))
		if err != nil {
			return content.Serving{}, err
		}
		if s.keep > 0 {
			if found.Replaced, err = s.lookup.Replaced(ctx, found, s.now().Add(-s.keep)); err != nil {
				return content.Serving{}, err
			}
		}
		now.add(*found)
		return *found, nil
	})
	select {
	case <-ctx.Done():
		return content.Serving{}, ctx.Err()
	case done := <-flight:
		return done.Val.(content.Serving), done.Err
	}
}

// anyPublic reports whether any distribution is everybody's, which it looks up
// once for each snapshot, or whether that is not known.
func (s *served) anyPublic(ctx context.Context) bool {
	now := s.snapshot()
	if known := now.public.Load(); known != nil {
		return *known
	}
	flight := now.flights.DoChan("", func() (any, error) { // no directory has that name
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

// candidates returns the paths that a distribution with dir in its tree may
// have, the longest first.
func candidates(dir string) []string {
	paths := []string{dir}
	for i := strings.LastIndexByte(dir, '/'); i > 0; i = strings.LastIndexByte(dir[:i], '/') {
		paths = append(paths, dir[:i])
	}
	return paths
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
func (n *snapshot) find(path string) (content.Serving, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	for end := 0; end < len(path); {
		if i := strings.IndexByte(path[end:], '/'); i >= 0 {
			end += i
		} else {
			end = len(path)
		}
		if found, ok := n.byPath[path[:end]]; ok {
			return found, true
		}
		end++
	}
	return content.Serving{}, false
}

func (n *snapshot) add(s content.Serving) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.byPath) >= maxServed {
		clear(n.byPath)
	}
	n.byPath[s.Path] = s
}
