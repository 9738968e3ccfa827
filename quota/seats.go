package quota

import "sync"

// Seats bounds how much each client, and all of them together, may have open
// at once. It is safe for concurrent use.
type Seats struct {
	perClient, all int

	mu    sync.Mutex
	taken int
	by    map[string]int // by client; none is 0
}

// Refused says that a client got no seat.
type Refused struct {
	Max int  // how many there are
	All bool // for all clients together, not for each of them
}

// NewSeats returns seats of which each client may take some, and all together
// may take all. 0 stands for as many as they want.
func NewSeats(perClient, all int) *Seats {
	return &Seats{perClient: perClient, all: all, by: map[string]int{}}
}

// Take gives a client a seat until it calls leave, which may be called more than
// once. If there is none, refused is not nil, and says why.
func (s *Seats) Take(client string) (leave func(), refused *Refused) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if refused := s.full(client); refused != nil {
		return nil, refused
	}
	s.taken++
	s.by[client]++
	return sync.OnceFunc(func() { s.leave(client) }), nil
}

// Full is why a client would get no seat now; nil if it would.
func (s *Seats) Full(client string) *Refused {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.full(client)
}

// Taken is how many seats are taken.
func (s *Seats) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

func (s *Seats) full(client string) *Refused {
	switch {
	case s.perClient > 0 && s.by[client] >= s.perClient:
		return &Refused{Max: s.perClient}
	case s.all > 0 && s.taken >= s.all:
		return &Refused{Max: s.all, All: true}
	}
	return nil
}

func (s *Seats) leave(client string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.by[client]--; s.by[client] == 0 {
		delete(s.by, client)
	}
}
