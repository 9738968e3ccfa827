package quota

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Requests bounds how many requests each client, told by the address that it
// connects from, and all of them together may have open at once. Unlike Seats it
// is made for tens of thousands of short requests a second. It is safe for
// concurrent use.
type Requests struct {
	perClient, all int

	open    atomic.Int64
	refused [2]atomic.Int64 // for a client's bound, and for that of all
	parts   [parts]part

	// recent are clients by the addresses with ports that they came from last, at the
	// places that these hash to: connections bring many requests, and reading an
	// address takes longer than all else.
	recent [recents]atomic.Pointer[recent]
	seed   maphash.Seed
}

// parts is among how many locks the clients are divided, and recents how many
// addresses are remembered at most.
const (
	parts   = 64
	recents = 4096
)

type part struct {
	mu      sync.Mutex
	clients map[network]*Client
	enough  int      // how many there may be before those without requests are forgotten
	_       [40]byte // so that no two parts share a cache line
}

type recent struct {
	remote string
	client *Client
}

// Client is who has requests open, until it is forgotten.
type Client struct {
	open atomic.Int64 // requests; below 0 once it is forgotten
}

// forgotten is so far below 0 that no number of requests leads back.
const forgotten = math.MinInt64 / 2

// network is whom Requests takes for one client: the part of an address that
// cannot be chosen. 0 is who has no address, such as the system's own users.
type network uint64

// networkOf tells a client by its address, with a port.
func networkOf(remote string) network {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return 0
	}
	addr := at.Addr().Unmap()
	if addr.Is4() {
		bytes := addr.As4()
		return network(binary.BigEndian.Uint32(bytes[:])) // which no IPv6 network is
	}
	bytes := addr.As16()
	return max(network(binary.BigEndian.Uint64(bytes[:shared/8])), 1) // that of ::1 is 0
}

// NewRequests returns bounds for each client, and for all together. 0 stands for
// none.
func NewRequests(perClient, all int) *Requests {
	q := &Requests{perClient: perClient, all: all, seed: maphash.MakeSeed()}
	for i := range q.parts {
		q.parts[i].clients, q.parts[i].enough = map[network]*Client{}, leastEnough
	}
	return q
}

// Begin counts a request from an address with a port until End is called for the
// client. If there are too many already refused is not nil and says of whom, and
// the request does not count. Who has no address is not bounded, and no client.
func (q *Requests) Begin(remote string) (client *Client, refused *Refused) {
	var open int64
	place := &q.recent[maphash.String(q.seed, remote)%recents]
	if known := place.Load(); known != nil && known.remote == remote {
		client = known.client
		open = client.open.Add(1)
	}
	if open <= 0 { // not known, or forgotten
		n := networkOf(remote)
		if n == 0 {
			return nil, nil
		}
		client, open = q.part(n).begin(n)
		place.Store(&recent{remote, client})
	}
	switch {
	case q.open.Add(1) > int64(q.all) && q.all > 0:
		refused = &Refused{Max: q.all, All: true}
		q.refused[1].Add(1)
	case open > int64(q.perClient) && q.perClient > 0:
		refused = &Refused{Max: q.perClient}
		q.refused[0].Add(1)
	default:
		return client, nil
	}
	q.End(client)
	return nil, refused
}

// End says that a request of a client has ended that was not refused.
func (q *Requests) End(client *Client) {
	if client != nil {
		q.open.Add(-1)
		client.open.Add(-1)
	}
}

// Load is what requests there are and were.
type Load struct {
	Open          int
	RefusedClient int64 // as a client had too many
	RefusedAll    int64 // as there were too many in all
}

// Load returns what requests there are, and how many were refused.
func (q *Requests) Load() Load {
	return Load{Open: int(q.open.Load()), RefusedClient: q.refused[0].Load(), RefusedAll: q.refused[1].Load()}
}

// part is where a client is found. Neighbours are in different parts.
func (q *Requests) part(n network) *part { return &q.parts[(n^n>>32)%parts] }

// leastEnough is how many clients a part remembers at least.
const leastEnough = 64

// begin counts a request of a client, which has so many then.
func (p *part) begin(n network) (c *Client, open int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.clients[n]
	if !ok {
		p.forget()
		c = &Client{}
		p.clients[n] = c
	}
	return c, c.open.Add(1)
}

// forget forgets the clients without requests if there are enough of them.
func (p *part) forget() {
	if len(p.clients) < p.enough {
		return
	}
	for n, c := range p.clients {
		if c.open.CompareAndSwap(0, forgotten) {
			delete(p.clients, n)
		}
	}
	p.enough = max(leastEnough, 2*len(p.clients))
}
