package quota

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// remembered bounds the clients of which a Rate knows what they did. Those that
// asked longest ago are forgotten first, and begin anew.
const remembered = 1 << 16

// Rate bounds how often each client may ask. It is safe for concurrent use.
type Rate struct {
	perSecond, burst int
	now              func() time.Time
	clients          *lru.Cache[string, *rate.Limiter]
}

// NewRate lets each client ask so often per second, evened out over bursts of
// at least one. It bounds nothing if perSecond is 0.
func NewRate(perSecond, burst int) *Rate {
	clients, err := lru.New[string, *rate.Limiter](remembered)
	if err != nil {
		panic(err) // only for sizes below 1
	}
	return &Rate{perSecond: perSecond, burst: max(burst, 1), now: time.Now, clients: clients}
}

// PerSecond is how often a client may ask in a second; 0 for as often as it
// wants.
func (r *Rate) PerSecond() int { return r.perSecond }

// Take lets a client ask once more, and returns 0. If it asked too often it may
// not, and is to wait for the returned time first.
func (r *Rate) Take(client string) time.Duration {
	if r.perSecond <= 0 {
		return 0
	}
	bucket, known := r.clients.Get(client)
	if !known {
		fresh := rate.NewLimiter(rate.Limit(r.perSecond), r.burst)
		if bucket, known, _ = r.clients.PeekOrAdd(client, fresh); !known {
			bucket = fresh
		}
	}
	now := r.now()
	asked := bucket.ReserveN(now, 1)
	wait := asked.DelayFrom(now)
	if wait > 0 {
		asked.CancelAt(now)
	}
	return wait
}
