package lane

import (
	"cmp"
	"slices"
	"time"
)

const (
	batch     = 64          // of so many connections one is closed beyond those that must be
	tellEvery = time.Minute // that connections are closed for others
)

// Load is what connections of clients there are and were.
type Load struct {
	Open   int
	Max    int   // 0 for any number
	Closed int64 // for others, or at once
}

// Load returns what connections there are, and how many were closed since there
// were too many.
func (s *Server) Load() Load {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Load{Open: len(s.conns), Max: s.MaxConns, Closed: s.displaced}
}

// add counts a connection, and makes room for it if there is none. It reports
// false if the connection itself was closed.
func (s *Server) add(o *open) bool {
	s.mu.Lock()
	if s.conns == nil {
		s.conns = map[*open]bool{}
	}
	s.conns[o] = false
	var chosen []idler
	if s.MaxConns > 0 && len(s.conns) > s.MaxConns {
		chosen = s.displace()
	}
	total, tell := s.displaced, len(chosen) > 0 && o.accepted.Sub(s.told) >= tellEvery
	if tell {
		s.told = o.accepted
	}
	s.mu.Unlock()
	for _, c := range chosen {
		_ = c.TCPConn.Close() // who serves it finds out
	}
	if tell {
		s.logf("http: there are %d connections, as many as there may be, %d of them of %s: idle ones are closed for new ones, %d so far", s.MaxConns, chosen[0].rank, chosen[0].client, total)
	}
	return o.state.Load() != closed
}

// idler is an idle connection.
type idler struct {
	*open
	state int64
	rank  int // how many connections its client has if those go first that are idle for longer
}

func (i *idler) since() time.Time { return i.accepted.Add(time.Duration(i.state)) }

// displace chooses idle connections, of those who have most, and of these the ones
// that are idle for longest: to take the highest ranks first is to take one after
// the other like that. The one that was just accepted is among those to choose
// from. A few more are chosen than must be, so that a flood does not have all
// connections looked at for each new one.
func (s *Server) displace() []idler {
	all := map[string]int{} // by client
	var idle []idler
	for o := range s.conns {
		all[o.client]++
		if state := o.state.Load(); state >= fresh {
			idle = append(idle, idler{o, state, 0})
		}
	}
	slices.SortFunc(idle, func(a, b idler) int { return a.since().Compare(b.since()) })
	for i := range idle {
		idle[i].rank = all[idle[i].client]
		all[idle[i].client]--
	}
	slices.SortStableFunc(idle, func(a, b idler) int { return cmp.Compare(b.rank, a.rank) })
	enough := max(min(s.MaxConns/batch, len(idle)/2), 1)
	chosen := idle[:0]
	for _, i := range idle {
		if len(chosen) == enough {
			break
		}
		if i.open.state.CompareAndSwap(i.state, closed) { // else a request has come
			delete(s.conns, i.open)
			chosen = append(chosen, i)
		}
	}
	s.displaced += int64(len(chosen))
	return chosen
}
