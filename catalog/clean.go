package catalog

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"ream/blob"
	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/task"
)

// CleanOrphansRequest asks to remove what nothing names any more.
type CleanOrphansRequest struct {
	GraceHours     int           `json:"graceHours"` // how long what is removed must have been there; at least 1
	Priority       task.Priority `json:"priority"`
	IdempotencyKey string        `json:"-"` // empty for none
}

// CleanOrphans queues the removal of artifacts that no version and no
// publication names, and of blobs in the storage that no artifact names.
func (c *Catalog) CleanOrphans(ctx context.Context, in CleanOrphansRequest) (task.Work, error) {
	return c.answer(ctx, Operation{CleanOrphans: &in}, in.IdempotencyKey)
}

func (in *CleanOrphansRequest) check() (*Selector, error) {
	// An hour is what the storages need between a commit and the transaction
	// that names what it stored, however far apart the clocks are.
	const least, most = 1, 8760
	if in.GraceHours < least || in.GraceHours > most {
		return nil, fault.Input("graceHours", "want %d to %d", least, most)
	}
	return nil, nil //nolint:nilnil // it is about no repositories
}

type cleanArgs struct {
	GraceHours int `json:"graceHours"`
}

func (in *CleanOrphansRequest) plan(context.Context, *db.Tx) (plan, error) {
	return plan{tasks: []task.New{{Kind: CleanKind, Name: "clean orphans", Args: cleanArgs{in.GraceHours}, Priority: in.Priority,
		Reservations: []task.Reservation{{Resource: "storage", Access: task.Exclusive}},
		Dedupe:       fmt.Sprintf("clean %d %s", in.GraceHours, in.Priority)}}}, nil
}

// cleanBatch is how many orphans a transaction forgets: few enough that those
// who make versions hardly wait for it.
const cleanBatch = 1000

// cleaning is a removal of orphans under way.
type cleaning struct {
	c     *Catalog
	run   *task.Run
	grace time.Duration
	// What was removed.
	artifacts, blobs, units, damaged, bytes int64
}

// clean removes what nothing names, in small steps, so that it may be stopped
// and begun again at any time. The database forgets an artifact before its bytes
// are removed: what a killed process leaves are bytes that nothing names.
func (c *Catalog) clean(ctx context.Context, run *task.Run) error {
	var args cleanArgs
	if err := run.Decode(&args); err != nil {
		return err
	}
	if err := c.checkStorage(ctx); err != nil {
		return err
	}
	w := &cleaning{c: c, run: run, grace: time.Duration(args.GraceHours) * time.Hour}
	w.report()
	if err := w.forgetArtifacts(ctx); err != nil {
		return err
	}
	if err := w.forgetUnits(ctx); err != nil {
		return err
	}
	if err := w.removeBlobs(ctx); err != nil {
		return err
	}
	if err := c.Blobs.Clean(ctx, max(w.grace, BegunAgo)); err != nil {
		return err
	}
	if err := w.removeDamaged(ctx); err != nil {
		return err
	}
	c.Log.Info("orphans cleaned", "task", run.Task.ID, "artifacts", w.artifacts, "blobs", w.blobs, "units", w.units, "damaged", w.damaged, "bytes", w.bytes)
	return nil
}

// checkStorage fails if the storage belongs to another database, which may name
// what this one does not.
func (c *Catalog) checkStorage(ctx context.Context) error {
	known, err := c.DB.StorageIdentity(ctx)
	if err != nil {
		return err
	}
	has, err := c.Blobs.Identity(ctx)
	switch {
	case err != nil, has == known.ID, has == "" && !known.Settled:
		return err
	case has == "":
		return fault.New(fault.Conflict, "the storage has lost its identity, as a copy of its blobs alone has none, so nothing is removed from it: restart, which makes sure that it is this database's")
	}
	return fault.New(fault.Conflict, "the storage is not this database's, so nothing is removed from it: give each database a storage of its own, and restart")
}

// report tells what was removed. How much there is to remove is known only at
// the end.
func (w *cleaning) report() {
	for _, r := range []struct {
		code, message string
		unit          task.Unit
		n             int64
	}{
		{"clean.artifacts", "Artifacts removed that nothing names", task.Items, w.artifacts},
		{"clean.blobs", "Blobs removed that no artifact names", task.Items, w.blobs},
		{"clean.damaged", "Damaged blobs removed that were moved aside", task.Items, w.damaged},
		{"clean.bytes", "Bytes freed", task.Bytes, w.bytes},
	} {
		w.run.Progress.Report(r.code, r.message, r.unit, r.n, r.n)
	}
}

// forgetArtifacts removes artifacts, with their bytes.
func (w *cleaning) forgetArtifacts(ctx context.Context) error {
	before := w.c.DB.Now().Add(-w.grace)
	for after := content.Digest(""); ; {
		found, err := w.c.DB.Orphans(ctx, after, before, cleanBatch)
		if err != nil || len(found) == 0 {
			return err
		}
		after = found[len(found)-1]
		var gone []content.Artifact
		if err := w.step(ctx, func(tx *db.Tx) (err error) {
			gone, err = tx.RemoveOrphans(ctx, found, before)
			return err
		}); err != nil {
			return err
		}
		digests := make([]string, len(gone))
		sizes := make(map[string]int64, len(gone))
		for i, a := range gone {
			digests[i] = string(a.SHA256)
			sizes[digests[i]] = a.Size
		}
		w.artifacts += int64(len(gone))
		if _, err := w.remove(ctx, digests, sizes); err != nil {
			return err
		}
	}
}

// forgetUnits removes units that no version has and whose bytes are not here, as a
// sync leaves that was never finished.
func (w *cleaning) forgetUnits(ctx context.Context) error {
	before := w.c.DB.Now().Add(-w.grace)
	for after := content.UnitID(0); ; {
		found, err := w.c.DB.StrayUnits(ctx, after, before, cleanBatch)
		if err != nil || len(found) == 0 {
			return err
		}
		after = found[len(found)-1]
		var n int
		if err := w.step(ctx, func(tx *db.Tx) (err error) {
			n, err = tx.RemoveStrayUnits(ctx, found)
			return err
		}); err != nil {
			return err
		}
		w.units += int64(n)
	}
}

// step carries out one transaction, unless the task was given to another worker.
func (w *cleaning) step(ctx context.Context, f func(*db.Tx) error) error {
	return w.c.DB.InTx(ctx, func(tx *db.Tx) error {
		if err := tx.Hold(ctx, w.run.Fence()); err != nil {
			return err
		}
		return f(tx)
	})
}

// removeBlobs removes what is stored and no artifact names, such as what a
// process that was killed had committed.
func (w *cleaning) removeBlobs(ctx context.Context) error {
	var looked int64
	return inBatches(w.c.Blobs.Stored(ctx, ""), func(batch []blob.Stored) error {
		looked += int64(len(batch))
		w.run.Progress.Report("clean.storage", "Blobs looked at", task.Items, looked, -1)
		return w.removeUnnamed(ctx, batch)
	})
}

// inBatches calls do with all of what is told, few at a time.
func inBatches[T any](all iter.Seq2[T, error], do func([]T) error) error {
	batch := make([]T, 0, cleanBatch)
	for one, err := range all {
		if err != nil {
			return err
		}
		if batch = append(batch, one); len(batch) < cleanBatch {
			continue
		}
		if err := do(batch); err != nil {
			return err
		}
		batch = batch[:0]
	}
	return do(batch)
}

func (w *cleaning) removeUnnamed(ctx context.Context, batch []blob.Stored) error {
	digests := make([]content.Digest, len(batch))
	for i, b := range batch {
		digests[i] = content.Digest(b.SHA256)
	}
	named, err := w.c.DB.FindArtifacts(ctx, digests)
	if err != nil {
		return err
	}
	var unnamed []string
	sizes := map[string]int64{}
	for _, b := range batch {
		if _, ok := named[content.Digest(b.SHA256)]; !ok {
			unnamed = append(unnamed, b.SHA256)
			sizes[b.SHA256] = b.Size
		}
	}
	n, err := w.remove(ctx, unnamed, sizes)
	w.blobs += int64(n)
	w.report()
	return err
}

// asideFor is for how long damaged blobs are kept at least, for whoever wants to
// find out what happened to them.
const asideFor = 7 * 24 * time.Hour

// removeDamaged removes damaged blobs that were moved aside, unless they are all
// that is left of an artifact: something of it may be saved yet.
func (w *cleaning) removeDamaged(ctx context.Context) error {
	return inBatches(w.c.Blobs.Aside(ctx), func(batch []blob.Aside) error {
		batch = slices.DeleteFunc(batch, func(a blob.Aside) bool { return time.Since(a.At) < max(w.grace, asideFor) })
		digests := make([]content.Digest, len(batch))
		for i, a := range batch {
			digests[i] = content.Digest(a.SHA256)
		}
		// Nobody may know yet that something is missing, if the verification ended that moved it aside.
		if err := w.mend(ctx, digests); err != nil {
			return err
		}
		missed, err := w.c.DB.Quarantined(ctx, digests)
		if err != nil {
			return err
		}
		for i, a := range batch {
			if missed[digests[i]] {
				continue
			}
			if err := w.c.Blobs.RemoveAside(ctx, a); err != nil {
				return err
			}
			w.damaged++
			w.bytes += a.Size
		}
		w.report()
		return nil
	})
}

// remove removes blobs that nothing names. A store that cannot remove on a
// condition may lose what another process stored again in that instant: what is
// named by now is therefore looked at, and got again if it is missing.
func (w *cleaning) remove(ctx context.Context, digests []string, sizes map[string]int64) (n int, err error) {
	removed, err := w.c.Blobs.Remove(ctx, digests, w.grace)
	again := make([]content.Digest, len(removed))
	for i, digest := range removed {
		w.bytes += sizes[digest]
		again[i] = content.Digest(digest)
	}
	w.report()
	if err != nil {
		return len(removed), err
	}
	return len(removed), w.mend(ctx, again)
}

// mend looks at those blobs that artifacts name which count as stored, and gets
// again what is not there.
func (w *cleaning) mend(ctx context.Context, digests []content.Digest) error {
	named, err := w.c.DB.FindArtifacts(ctx, digests)
	if err != nil {
		return err
	}
	v := &verification{c: w.c, run: w.run}
	for digest, size := range named {
		condition, err := w.c.Blobs.Verify(ctx, string(digest), size)
		if err != nil {
			return err
		}
		if condition == blob.Intact {
			continue
		}
		if err := v.mend(ctx, content.Artifact{SHA256: digest, Size: size}, condition); err != nil {
			return err
		}
	}
	return nil
}
