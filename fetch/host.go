package fetch

import (
	"context"
	"net/url"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// maxHosts bounds the hosts that are remembered; of those that are forgotten
// while they are used, the limits begin anew.
const maxHosts = 1024

// hosts cap what each host is asked for, whichever sources ask.
type hosts struct {
	connections    int64
	bytesPerSecond int64

	mu    sync.Mutex
	known *simplelru.LRU[string, *host]
}

// host is an upstream's machine, by name: whatever its ports.
type host struct {
	slots *semaphore.Weighted
	rate  *rate.Limiter // nil without a limit
}

func newHosts(connections int, bytesPerSecond int64) *hosts {
	return &hosts{connections: int64(connections), bytesPerSecond: bytesPerSecond, known: newLRU[string, *host](maxHosts, nil)}
}

// enter waits until one more request may go to the URL's host. It fails only
// with ctx. Whoever got in has to leave by host.slots.
func (h *hosts) enter(ctx context.Context, u *url.URL) (*host, error) {
	name := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	h.mu.Lock()
	entered, ok := h.known.Get(name)
	if !ok {
		entered = &host{semaphore.NewWeighted(h.connections), newRate(h.bytesPerSecond)}
		h.known.Add(name, entered)
	}
	h.mu.Unlock()
	return entered, entered.slots.Acquire(ctx, 1)
}
