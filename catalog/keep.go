package catalog

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"ream/blob"
	"ream/content"
	"ream/db"
)

// Files are made durable, and their rows committed, in batches of at least this
// many files or bytes, and a few times as many at most: that much is fetched
// again after a sync was killed.
const (
	batchFiles = 2000
	batchBytes = 256 << 20
	batchMost  = 4
	// batchFound is how many units that need not be fetched are recorded at least at
	// once. Nothing of them is lost, and fewer commits write fewer pages anew.
	batchFound = 8000
)

// wanted is a unit of a manifest whose artifact may have to be fetched.
type wanted struct {
	*content.Unit
	line int
}

// keeper makes durable and records what a sync fetches: one batch is recorded
// while the next is made durable and the one after it is fetched. That costs
// about the same however many files it is, and nobody who fetches waits for it.
type keeper struct {
	c     *Catalog
	first bool // most units are new, as the repository has none yet

	mu       sync.Mutex
	changed  sync.Cond // that something below did
	coming   map[content.Digest]*arrival
	recorded []content.Digest // of those that are coming
	next     batch
	ended    bool  // nothing will come any more
	err      error // why nothing more can be kept

	units []content.UnitID // recorded; complete once run has returned
}

// arrival is an artifact that the database may not know yet.
type arrival struct {
	fetched bool
	size    int64    // once it is fetched
	waiting []wanted // until it is fetched
}

// batch is what is kept at once.
type batch struct {
	staged []blob.Staged
	bytes  int64
	// Their artifacts are staged here, were recorded before, or come on demand.
	landed []*content.Unit  // fetched for them: most are new
	found  []*content.Unit  // already there: most are recorded as well
	later  []*content.Unit  // of the found, those that come on demand
	remote content.RemoteID // that they come from
	needed []content.Digest // of those of found that others recorded
}

// has reports whether there are so many times what a batch needs.
func (b *batch) has(times int) bool {
	return max(len(b.staged), len(b.landed), len(b.found)-batchFound+batchFiles) >= times*batchFiles || b.bytes >= int64(times)*batchBytes
}

func newKeeper(c *Catalog) *keeper {
	k := &keeper{c: c, coming: map[content.Digest]*arrival{}}
	k.changed.L = &k.mu
	return k
}

// forget drops what was recorded from what is coming: whoever looks into the
// database afterwards finds it there.
func (k *keeper) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, digest := range k.recorded {
		delete(k.coming, digest)
	}
	k.recorded = nil
}

// expect asks for a unit's artifact that is not in the database. The first who
// does has to fetch it; the units of others wait for it, unless it was fetched
// and has a size already, which is -1 otherwise.
func (k *keeper) expect(w wanted) (first bool, size int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch a := k.coming[w.SHA256]; {
	case a == nil:
		k.coming[w.SHA256] = &arrival{waiting: []wanted{w}}
		return true, -1
	case a.fetched:
		return false, a.size
	default:
		a.waiting = append(a.waiting, w)
		return false, -1
	}
}

// land takes an artifact that was fetched, and returns the units that waited
// for it. It blocks while more was fetched than is kept, and fails once keeping
// has failed.
func (k *keeper) land(digest content.Digest, staged blob.Staged) ([]wanted, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.room(); err != nil {
		k.c.Blobs.Discard(staged)
		return nil, err
	}
	k.next.staged = append(k.next.staged, staged)
	k.next.bytes += staged.Size
	k.grown()
	a := k.coming[digest]
	waiting := a.waiting
	*a = arrival{fetched: true, size: staged.Size}
	return waiting, nil
}

// lose gives up a unit whose artifact could not be fetched. The next one that
// waits for the artifact has to fetch it now; without one, whoever expects it
// next has to.
func (k *keeper) lose(digest content.Digest) (next wanted, waits bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a := k.coming[digest]
	a.waiting = a.waiting[1:]
	if len(a.waiting) == 0 {
		delete(k.coming, digest)
		return wanted{}, false
	}
	return a.waiting[0], true
}

// add takes units whose artifacts have landed, or were found; needed are those
// that others recorded, who may clean them away. It blocks and fails as land does.
func (k *keeper) add(landed, found []*content.Unit, needed ...content.Digest) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.room(); err != nil {
		return err
	}
	k.next.landed = append(k.next.landed, landed...)
	k.next.found = append(k.next.found, found...)
	k.next.needed = append(k.next.needed, needed...)
	k.grown()
	return nil
}

// leave takes units whose artifacts are left to be fetched from a remote on
// demand. It blocks and fails as land does.
func (k *keeper) leave(remote content.RemoteID, units []*content.Unit) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.room(); err != nil {
		return err
	}
	k.next.found = append(k.next.found, units...)
	k.next.later = append(k.next.later, units...)
	k.next.remote = remote
	k.grown()
	return nil
}

// room waits until the next batch may grow. The caller holds mu.
func (k *keeper) room() error {
	for k.next.has(batchMost) && k.err == nil {
		k.changed.Wait()
	}
	return k.err
}

// grown wakes who keeps the next batch once it is worth it. The caller holds
// mu.
func (k *keeper) grown() {
	if k.next.has(1) {
		k.changed.Broadcast()
	}
}

// end says that nothing will come any more.
func (k *keeper) end() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ended = true
	k.changed.Broadcast()
}

// run keeps batch after batch until the end, or until that fails.
func (k *keeper) run(ctx context.Context) error {
	durable := make(chan batch)
	var recording errgroup.Group
	recording.Go(func() (err error) {
		for b := range durable {
			if err == nil {
				if err = k.record(ctx, b); err != nil {
					k.fail(err)
				}
			}
		}
		return err
	})
	err := k.commitAll(ctx, durable)
	close(durable)
	return cmp.Or(recording.Wait(), err)
}

// commitAll makes batch after batch durable until the end, or until that fails.
func (k *keeper) commitAll(ctx context.Context, durable chan<- batch) error {
	for {
		b, ok := k.take()
		if !ok {
			return nil
		}
		if err := k.c.Blobs.Commit(ctx, b.staged); err != nil {
			k.discard(b.staged)
			k.fail(err)
			return err
		}
		durable <- b
	}
}

// take waits for the next batch. It is false at the end.
func (k *keeper) take() (b batch, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for !k.next.has(1) && !k.ended {
		k.changed.Wait()
	}
	b, k.next = k.next, batch{}
	k.changed.Broadcast()
	return b, len(b.staged)+len(b.landed)+len(b.found) > 0
}

// record records a batch that is durable.
func (k *keeper) record(ctx context.Context, b batch) error {
	artifacts := make([]content.Artifact, len(b.staged))
	digests := make([]content.Digest, len(b.staged))
	for i, s := range b.staged {
		digests[i] = content.Digest(s.SHA256)
		artifacts[i] = content.Artifact{SHA256: digests[i], Size: s.Size}
	}
	if err := k.c.DB.InTx(ctx, func(tx *db.Tx) error {
		if err := tx.NeedArtifacts(ctx, b.needed); err != nil {
			return err
		}
		if err := tx.AddArtifacts(ctx, artifacts); err != nil {
			return err
		}
		known, fresh := b.found, b.landed
		if k.first {
			known, fresh = nil, slices.Concat(known, fresh)
		}
		if err := tx.AddUnits(ctx, known, fresh); err != nil {
			return err
		}
		return tx.AddSources(ctx, b.remote, b.later)
	}); err != nil {
		return err
	}
	for _, u := range slices.Concat(b.landed, b.found) {
		k.units = append(k.units, u.ID)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.recorded = append(k.recorded, digests...)
	return nil
}

// fail drops what is not kept, and refuses more.
func (k *keeper) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.discard(k.next.staged)
	k.next, k.err = batch{}, err
	k.changed.Broadcast()
}

func (k *keeper) discard(staged []blob.Staged) {
	for _, s := range staged {
		k.c.Blobs.Discard(s)
	}
}
