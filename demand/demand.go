// Package demand gets bytes from upstream when clients ask for them: by one
// fetch for all who wait, also across processes.
//
// Nobody gets a wrong file as a whole. Small ones are served once they are
// verified and stored; larger ones as they arrive, but for their end, which is
// held back until the digest of the whole is right.
package demand

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"sync"
	"time"

	"ream/blob"
	"ream/content"
	"ream/fetch"
)

// Records are what is known of stored bytes, and who fetches which.
type Records interface {
	// FindArtifacts returns the sizes of those artifacts that are stored.
	FindArtifacts(ctx context.Context, digests []content.Digest) (map[content.Digest]int64, error)
	// LeaseFetch makes holder the only one who fetches bytes, for a time from
	// now. It reports false if somebody else is.
	LeaseFetch(ctx context.Context, digest content.Digest, holder string, ttl time.Duration) (bool, error)
	// KeepFetched records an artifact that was made durable, and ends the lease.
	KeepFetched(ctx context.Context, a content.Artifact, holder string) error
	// EndLease ends the lease of a fetch that failed.
	EndLease(ctx context.Context, digest content.Digest, holder string) error
	// Room fails if nothing more should be stored.
	Room() error
}

// Blobs stores bytes.
type Blobs interface {
	Create() (*blob.Writer, error)
	Commit(ctx context.Context, staged []blob.Staged) error
	Discard(staged blob.Staged)
	Open(ctx context.Context, sha256 string, size int64) (io.ReadSeekCloser, error)
}

// Options tunes a Fetcher. Its zero value is fit for use.
type Options struct {
	Log     *slog.Logger  // slog.Default() if nil
	Small   int64         // bytes up to which a file is verified and stored before it is served; 4 MiB if 0
	Fetches int           // how many files are fetched at once; 32 if 0. At most three quarters of them from one host
	Busy    time.Duration // how long a file waits for its turn; 30 s if 0
	Waiting int           // how many wait for theirs; 1000 if 0. At most three quarters of them for one host
	Stall   time.Duration // how long a place may send nothing, if its source does not say less; 10 s if 0
	Forget  time.Duration // how long a failure is remembered; 2 s if 0
	Lease   time.Duration // after which another process may fetch what a killed one did; 15 s if 0
	Look    time.Duration // how often a process looks whether another one is done; 200 ms if 0
}

// Fetcher gets bytes that are not stored. It is safe for concurrent use.
type Fetcher struct {
	Options
	records Records
	blobs   Blobs
	places  func(context.Context, content.Digest) ([]fetch.Place, error)
	holder  string // of this process's leases
	turns   *turns

	ctx     context.Context // of all fetches
	end     context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	flights map[key]*flight
	parts   map[partKey]*sharedPart     // that come
	failing map[*fetch.Source]time.Time // until when they are tried last

	turnedAway  int // who did not get a turn, since that was logged
	crowdLogged time.Time
}

// key names bytes. Metadata that are wrong about the size ask for other bytes.
type key struct {
	sha256 content.Digest
	size   int64
}

// New returns a fetcher of what places tells where it can be got. The caller
// closes it.
func New(records Records, blobs Blobs, places func(context.Context, content.Digest) ([]fetch.Place, error), o Options) *Fetcher {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Small <= 0 {
		o.Small = 4 << 20
	}
	if o.Fetches <= 0 {
		o.Fetches = 32
	}
	if o.Waiting <= 0 {
		o.Waiting = 1000
	}
	for d, otherwise := range map[*time.Duration]time.Duration{&o.Busy: 30 * time.Second, &o.Stall: 10 * time.Second, &o.Forget: 2 * time.Second,
		&o.Lease: 15 * time.Second, &o.Look: 200 * time.Millisecond} {
		if *d <= 0 {
			*d = otherwise
		}
	}
	f := &Fetcher{Options: o, records: records, blobs: blobs, places: places, holder: rand.Text(), turns: newTurns(o.Fetches, o.Waiting),
		flights: map[key]*flight{}, parts: map[partKey]*sharedPart{}, failing: map[*fetch.Source]time.Time{}}
	f.ctx, f.end = context.WithCancel(context.Background())
	return f
}

// Close ends all fetches. Those who still read get an error.
func (f *Fetcher) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.end()
	f.running.Wait()
}

// Stored reports whether the bytes with a digest are stored by now. Those that
// are being fetched here are not.
func (f *Fetcher) Stored(ctx context.Context, sha256 string, size int64) (bool, error) {
	k := key{content.Digest(sha256), size}
	f.mu.Lock()
	_, flies := f.flights[k]
	f.mu.Unlock()
	if flies {
		return false, nil
	}
	return f.stored(ctx, k)
}

// stored asks the records. Bytes of another size are not what upstream's
// metadata promise.
func (f *Fetcher) stored(ctx context.Context, k key) (bool, error) {
	sizes, err := f.records.FindArtifacts(ctx, []content.Digest{k.sha256})
	if err != nil {
		return false, err
	}
	size, ok := sizes[k.sha256]
	if ok && size != k.size {
		return false, &UpstreamError{reason: "its metadata say another size than the file has"}
	}
	return ok, nil
}

// join returns the flight of some bytes, which it begins if there is none. The
// caller leaves it.
func (f *Fetcher) join(k key) (*flight, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl, ok := f.flights[k]
	if !ok {
		ctx, giveUp := context.WithCancel(f.ctx)
		fl = newFlight(k.size, k.size <= f.Small, giveUp)
		if err := f.begin(func() { f.fly(ctx, k, fl) }); err != nil {
			giveUp()
			return nil, err
		}
		f.flights[k] = fl
	}
	fl.readers++
	fl.enter()
	return fl, nil
}

// leave takes a reader off a flight.
func (f *Fetcher) leave(k key, fl *flight) {
	fl.leave()
	f.mu.Lock()
	defer f.mu.Unlock()
	fl.readers--
	f.dropUnread(k, fl)
}

// settle says whether a flight stays when its readers leave.
func (f *Fetcher) settle(k key, fl *flight, stays bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl.stays = stays
	f.dropUnread(k, fl)
}

// dropUnread gives a flight up that nobody reads, unless it stays. The caller holds
// mu.
func (f *Fetcher) dropUnread(k key, fl *flight) {
	if fl.readers == 0 && !fl.stays {
		f.remove(k, fl)
		fl.giveUp()
	}
}

// remove lets nobody join a flight any more. The caller holds mu.
func (f *Fetcher) remove(k key, fl *flight) {
	if f.flights[k] == fl {
		delete(f.flights, k)
	}
}

// begin starts what Close waits for. The caller holds mu.
func (f *Fetcher) begin(work func()) error {
	if f.closed {
		return errStopping
	}
	f.running.Go(work)
	return nil
}

// land takes a flight that is over off those that may be joined. One that
// failed keeps the place for a moment, so that not every client who waits for
// the same makes upstream fail again.
func (f *Fetcher) land(k key, fl *flight, failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl.stays = true
	if !failed || f.ctx.Err() != nil {
		f.remove(k, fl)
		return
	}
	time.AfterFunc(f.Forget, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.remove(k, fl)
	})
}

// RetryAfter is after how many seconds a client may try again what failed: not
// before an upstream may be asked for it.
func (f *Fetcher) RetryAfter(err *UpstreamError) int {
	wait := max(f.Forget, time.Until(err.until))
	return int((wait + time.Second - 1) / time.Second)
}
