package demand

import (
	"context"
	"io"
	"os"
	"sync"
	"time"
)

// held is how many bytes of a file's end are held back until its digest is
// known to be right.
const held = 64 << 10

// Those who wait are told of new bytes at once after so many, or after such a
// time: to wake hundreds for each small piece would cost more than to fetch it.
const (
	tellBytes = 256 << 10
	tellAfter = 50 * time.Millisecond
)

// state says how far a flight is.
type state int

const (
	coming   state = iota
	verified       // all bytes are here and right
	stored         // they are stored as well, or somebody else stored them
	failed
)

// flight is one fetch under way, for all who wait for the same bytes. They read
// from the file that it grows, so that it costs no memory how many they are.
type flight struct {
	size   int64
	small  bool // nobody gets anything before it is stored
	giveUp context.CancelFunc

	// Guarded by the Fetcher's mu.
	readers int
	stays   bool // it goes on without readers

	mu      sync.Mutex
	changed chan struct{} // closed when something below did
	state   state
	err     error
	file    *os.File // nil before the first byte, and if somebody else stored it
	arrived int64    // bytes that may be told of
	attempt int      // grows when the bytes begin anew
	users   int      // of file: those who read, and who fetches

	got  int64 // bytes in the file
	told time.Time
}

func newFlight(size int64, small bool, giveUp context.CancelFunc) *flight {
	return &flight{size: size, small: small, giveUp: giveUp, changed: make(chan struct{}), users: 1}
}

// change lets f change what is below mu, and tells those who wait.
func (fl *flight) change(f func()) {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	f()
	close(fl.changed)
	fl.changed = make(chan struct{})
}

func (fl *flight) enter() {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.users++
}

// leave closes the file behind the last user. Nobody can read then what was not
// stored.
func (fl *flight) leave() {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	if fl.users--; fl.users > 0 || fl.file == nil {
		return
	}
	fl.file.Close()
	fl.file = nil
	if fl.err != nil {
		fl.state = failed
	}
}

// grow tells that so many bytes more are in the file.
func (fl *flight) grow(n int) {
	fl.got += int64(n)
	if now := time.Now(); fl.got-fl.arrived >= tellBytes || now.Sub(fl.told) >= tellAfter {
		fl.told = now
		fl.change(func() { fl.arrived = fl.got })
	}
}

// restart tells that all bytes are about to be replaced.
func (fl *flight) restart() {
	fl.got = 0
	fl.change(func() { fl.arrived, fl.attempt = 0, fl.attempt+1 })
}

// reach tells of a new state.
func (fl *flight) reach(s state) {
	fl.change(func() { fl.state, fl.arrived = s, fl.got })
}

// fail ends the flight. Bytes of a large file that are here and right are read
// all the same, for as long as it has users.
func (fl *flight) fail(err error) {
	fl.change(func() {
		fl.err = err
		if fl.state == coming || fl.small {
			fl.state = failed
		}
	})
}

// view is what a reader needs to know of a flight at a moment.
type view struct {
	state    state
	err      error
	file     *os.File
	attempt  int
	readable int64 // from the start; -1 if nothing may be said yet
	changed  <-chan struct{}
}

func (fl *flight) view() view {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	v := view{state: fl.state, err: fl.err, file: fl.file, attempt: fl.attempt, readable: -1, changed: fl.changed}
	switch {
	case fl.state == stored || fl.state == verified && !fl.small:
		v.readable = fl.size
	case fl.state == coming && !fl.small:
		v.readable = min(fl.arrived, fl.size-held)
	}
	return v
}

// readAt reads bytes that a view tells of. It reports false if they may have
// been replaced meanwhile.
func (fl *flight) readAt(p []byte, offset int64, v view) (n int, still bool, err error) {
	n, err = v.file.ReadAt(p[:min(int64(len(p)), v.readable-offset)], offset)
	if n > 0 {
		err = nil
	}
	fl.mu.Lock()
	defer fl.mu.Unlock()
	if fl.attempt != v.attempt {
		return 0, false, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF // bytes that are told of are there
	}
	return n, true, err
}
