package origin

import (
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/FastFilter/xorfilter"

	"ream/content"
)

const (
	// namesAfter is after how many paths that a publication has not, and that were
	// looked up, its paths are read: not for a client's one favicon.ico.
	namesAfter = 32
	// maxNames is of how many paths and directories they are read at most: while
	// that is done, each takes some 25 bytes of memory, and one and a fifth
	// afterwards.
	maxNames = 2 << 20
	// namesLimit is how long reading them may take.
	namesLimit = time.Minute
)

// names know which paths publications have not, so that to ask for any number of
// paths in vain costs no lookup each. They are filters: of the paths that a
// publication has not, they take one in 256 for one that it might have.
type names struct {
	lookup Lookup
	most   int // bytes of memory
	seed   maphash.Seed
	turn   chan struct{} // holds something while paths are read

	mu     sync.RWMutex
	of     map[content.PublicationID]*xorfilter.BinaryFuse8 // nil for one that has too many
	held   int                                              // bytes of memory
	missed map[content.PublicationID]int                    // how often there was nothing, of publications that are not in of
}

func newNames(lookup Lookup, most int) *names {
	return &names{lookup: lookup, most: most, seed: maphash.MakeSeed(), turn: make(chan struct{}, 1),
		of: map[content.PublicationID]*xorfilter.BinaryFuse8{}, missed: map[content.PublicationID]int{}}
}

// lack reports whether a publication surely has neither a file nor a directory
// at a path.
func (n *names) lack(id content.PublicationID, path string) bool {
	n.mu.RLock()
	filter := n.of[id]
	n.mu.RUnlock()
	return filter != nil && !filter.Contains(n.key(path))
}

func (n *names) key(path string) uint64 { return maphash.String(n.seed, path) }

// miss notes that a publication was asked for a path that it has not, and reads
// its paths if that happens often. The caller does not wait for that.
func (n *names) miss(ctx context.Context, id content.PublicationID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, known := n.of[id]; known {
		return
	}
	if n.missed[id]++; n.missed[id] < namesAfter {
		if len(n.missed) > maxServed {
			clear(n.missed)
		}
		return
	}
	select {
	case n.turn <- struct{}{}:
		n.missed[id] = 0 // should it fail, it is tried again after as many more
		go func() {
			defer func() { <-n.turn }()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), namesLimit)
			defer cancel()
			if filter, err := n.read(ctx, id); err == nil {
				n.keep(id, filter)
			}
		}()
	default: // others are read at the moment
	}
}

// read makes the filter of a publication; nil if it has too many paths.
func (n *names) read(ctx context.Context, id content.PublicationID) (*xorfilter.BinaryFuse8, error) {
	var keys []uint64
	last := ""
	if err := n.lookup.PublishedPaths(ctx, id, func(path string) (more bool) {
		keys = append(keys, n.key(path))
		// Its directories, without those that the path before was in, too.
		for i := strings.LastIndexByte(path, '/'); i > 0 && !strings.HasPrefix(last, path[:i+1]); i = strings.LastIndexByte(path[:i], '/') {
			keys = append(keys, n.key(path[:i]))
		}
		last = path
		return len(keys) <= maxNames
	}); err != nil {
		return nil, err
	}
	if len(keys) > maxNames {
		return nil, nil
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if len(keys) == 0 {
		keys = []uint64{0} // a filter of nothing cannot be made
	}
	return xorfilter.PopulateBinaryFuse8(keys)
}

// filterCost is the memory that a filter takes besides what is in it.
const filterCost = 256

func costOf(filter *xorfilter.BinaryFuse8) int {
	if filter == nil {
		return filterCost
	}
	return filterCost + len(filter.Fingerprints)
}

// keep remembers a filter, in the place of any others if there is no room.
func (n *names) keep(id content.PublicationID, filter *xorfilter.BinaryFuse8) {
	if costOf(filter) > n.most {
		filter = nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for other, its := range n.of {
		if n.held+costOf(filter) <= n.most {
			break
		}
		delete(n.of, other)
		n.held -= costOf(its)
	}
	n.of[id] = filter
	n.held += costOf(filter)
	delete(n.missed, id)
}
