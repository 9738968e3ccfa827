// Package fetch downloads: with retries, limits, and the size and digest
// checked while the bytes arrive.
package fetch

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Config is what the operator decides for all downloads. Zero values mean the
// defaults.
type Config struct {
	UserAgent          string
	Directories        []string      // whose files file:// URLs may name, by their clean absolute paths; none. Others may take their place
	Networks           Networks      // the private addresses that may be connected to; none
	HostConnections    int           // downloads from one host at once, of all sources together; 64
	HostBytesPerSecond int64         // from one host, of all sources together; no limit
	Resolver           *net.Resolver // of host names; the system's

	Backoff func(attempt int) time.Duration            // before the next attempt; doubles from 500 ms to 30 s, with jitter
	Wait    func(context.Context, time.Duration) error // lets the time between attempts pass; ends early with the context
	Now     func() time.Time                           // that a Retry-After is counted from

	// Observe is told of each attempt at a download, by the URL as it may be
	// shown. The context that it returns is the attempt's; the function that it
	// returns is called with the outcome: OK, CANCELED, UNAVAILABLE if it may be
	// tried again, or the kind of the fault. Nobody is told if it is nil.
	Observe func(ctx context.Context, url string) (context.Context, func(outcome string))
}

// Client downloads. It is safe for concurrent use and keeps connections open.
type Client struct {
	config     Config
	hosts      *hosts
	transports *transports
	received   atomic.Int64

	mu      sync.Mutex
	sources *simplelru.LRU[string, *Source]
}

// maxSources bounds the sources that a client remembers. One that is forgotten
// while it is used only loses sight of its other users.
const maxSources = 1024

// Received is how many bytes of files the client received, those of attempts
// that failed included.
func (c *Client) Received() int64 { return c.received.Load() }

// New returns a client.
func New(c Config) *Client {
	if c.HostConnections == 0 {
		c.HostConnections = 64
	}
	if c.Backoff == nil {
		c.Backoff = backoff
	}
	if c.Wait == nil {
		c.Wait = wait
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Observe == nil {
		c.Observe = func(ctx context.Context, _ string) (context.Context, func(string)) { return ctx, func(string) {} }
	}
	return &Client{config: c, hosts: newHosts(c.HostConnections, c.HostBytesPerSecond), transports: newTransports(c),
		sources: newLRU[string, *Source](maxSources, nil)}
}

// Close closes the connections that are kept open. Nothing may be downloaded any
// more.
func (c *Client) Close() { c.transports.close() }

// newLRU returns a cache of so many entries.
func newLRU[K comparable, V any](size int, evicted func(K, V)) *simplelru.LRU[K, V] {
	lru, err := simplelru.NewLRU(size, evicted)
	if err != nil {
		panic(err) // only for sizes below one
	}
	return lru
}

func backoff(attempt int) time.Duration {
	d := min(500*time.Millisecond<<min(attempt-1, 6), 30*time.Second)
	return d/2 + rand.N(d/2)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Source returns the upstream of that name, such as the ID of a remote. All
// who ask for it with the same settings share its limits; other settings hold
// from then on, for those who ask. It fails as Settings.Check does.
func (c *Client) Source(name string, settings Settings) (*Source, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.sources.Get(name); ok && reflect.DeepEqual(s.settings, settings) {
		return s, nil
	}
	s, err := newSource(c, settings)
	if err == nil {
		c.sources.Add(name, s)
	}
	return s, err
}

// Request is what to download.
type Request struct {
	URL      string // http, https or file; without credentials, which are the source's
	Size     int64  // that it must have; -1 if unknown
	SHA256   string // that it must have; empty if unknown
	MaxBytes int64  // that it may have; 0 for any number

	// Of a file whose Size is known, only Length bytes from Offset on, if Length
	// is not 0. Its digest cannot be checked then.
	Offset, Length int64

	Attempts int           // in all, if that is fewer than the source's; 0 for those
	Patience time.Duration // if upstream wants to be left alone for longer, it is not waited for; five minutes, which is the most, if 0

	Stall     time.Duration // without a byte, or the source's limit if that is less, before upstream is given up, without another attempt; 0 for that limit and its attempts
	NotBefore time.Time     // when to ask at the earliest, as an AgainError has it
}

func (r Request) patience() time.Duration {
	if r.Patience > 0 {
		return min(r.Patience, maxRetryAfter)
	}
	return maxRetryAfter
}

// want is the size of what is asked for; -1 if unknown.
func (r Request) want() int64 {
	if r.Length > 0 {
		return r.Length
	}
	return r.Size
}

// ErrNoParts is in the error of a request for a part of a file that upstream
// only gives as a whole.
var ErrNoParts = errors.New("it gives no parts of files")

// ErrRefused is in the error, an Unavailable one, of a file that upstream does
// answer about, without giving it: other files may well be there.
var ErrRefused = errors.New("it does not give this file")

// AgainError is in the error of what failed in a way that may pass: a later
// download may get it.
type AgainError struct {
	NotBefore time.Time // when to ask at the earliest
	err       error     // may be nil
}

func (e *AgainError) Error() string {
	if e.err == nil {
		return "it may pass"
	}
	return e.err.Error()
}

// Unwrap returns the cause.
func (e *AgainError) Unwrap() error { return e.err }

// Place is where a file can be downloaded.
type Place struct {
	Source *Source
	URL    string
}

// Host is the host, with its port, that is asked first for what is at the place;
// empty for local files.
func (p Place) Host() string {
	u, err := parse(p.URL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// Result is what was downloaded.
type Result struct {
	Size   int64
	SHA256 string
}

// Sink takes a download. Reset drops what was written before an attempt begins
// anew; an attempt that goes on where the last one broke off does not call it.
// A sink that hashes what it takes may tell by a method SHA256() string, and one
// that keeps it where it can be received by a method AvailableBuffer() []byte, as
// that of bufio.Writer.
type Sink interface {
	io.Writer
	Reset() error
}
