package quota

import (
	"encoding/binary"
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
}

// parts is among how many locks the clients are divided.
const parts = 64

type part struct {
	mu   sync.Mutex
	open map[Network]int // of those who have any
	_    [48]byte        // so that no two parts share a cache line
}

// Network is whom Requests takes for one client: the part of an address that
// cannot be chosen. 0 is who has no address, such as the system's own users.
type Network uint64

// networkOf tells a client by its address, with a port.
func networkOf(remote string) Network {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return 0
	}
	addr := at.Addr().Unmap()
	if addr.Is4() {
		bytes := addr.As4()
		return Network(binary.BigEndian.Uint32(bytes[:])) // which no IPv6 network is
	}
	bytes := addr.As16()
	return max(Network(binary.BigEndian.Uint64(bytes[:shared/8])), 1) // that of ::1 is 0
}

// NewRequests returns bounds for each client, and for all together. 0 stands for
// none.
func NewRequests(perClient, all int) *Requests {
	q := &Requests{perClient: perClient, all: all}
	for i := range q.parts {
		q.parts[i].open = map[Network]int{}
	}
	return q
}

// Begin counts a request from an address with a port until End is called for the
// client. If there are too many already refused is not nil and says of whom, and
// the request does not count. Who has no address is not bounded.
func (q *Requests) Begin(remote string) (client Network, refused *Refused) {
	client = networkOf(remote)
	if client == 0 {
		return 0, nil
	}
	if open := q.open.Add(1); q.all > 0 && open > int64(q.all) {
		q.open.Add(-1)
		q.refused[1].Add(1)
		return client, &Refused{Max: q.all, All: true}
	}
	if q.perClient <= 0 || q.part(client).add(client, q.perClient) {
		return client, nil
	}
	q.open.Add(-1)
	q.refused[0].Add(1)
	return client, &Refused{Max: q.perClient}
}

// End says that a request of a client has ended that was not refused.
func (q *Requests) End(client Network) {
	if client == 0 {
		return
	}
	q.open.Add(-1)
	if q.perClient > 0 {
		q.part(client).remove(client)
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

// part is where a client is counted. Neighbours are in different parts.
func (q *Requests) part(n Network) *part { return &q.parts[(n^n>>32)%parts] }

func (p *part) add(n Network, most int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[n] >= most {
		return false
	}
	p.open[n]++
	return true
}

func (p *part) remove(n Network) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[n]--; p.open[n] <= 0 {
		delete(p.open, n)
	}
}
