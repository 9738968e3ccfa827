package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"ream/blob"
	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/fetch"
	"ream/task"
)

// VerifyContentRequest asks to compare what is stored with its digests.
type VerifyContentRequest struct {
	Repositories   *Selector     `json:"repositories,omitzero"` // nil for all that is stored
	Priority       task.Priority `json:"priority"`
	MaxRunning     int           `json:"maxRunning,omitzero"` // how many members of the group may run at once; 0 for no limit
	IdempotencyKey string        `json:"-"`                   // empty for none
}

// VerifyContent queues the verification of artifacts, in batches: one task if
// one will do, a group otherwise.
func (c *Catalog) VerifyContent(ctx context.Context, in VerifyContentRequest) (task.Work, error) {
	return c.answer(ctx, Operation{VerifyContent: &in}, in.IdempotencyKey)
}

func (in *VerifyContentRequest) check() (*Selector, error) { return in.Repositories, nil }

// A batch is meant to have so many artifacts and bytes at most, unless that
// would be too many batches.
const (
	verifyArtifacts = 10_000
	verifyBytes     = 16 << 30
	verifyBatches   = 1000
)

type verifyArgs struct {
	Repository content.RepositoryID `json:"repository,omitzero"` // 0 for all
	From       content.Digest       `json:"from"`
	Before     content.Digest       `json:"before"`
}

func (in *VerifyContentRequest) plan(ctx context.Context, tx *db.Tx) (plan, error) {
	p := plan{limit: in.MaxRunning}
	if in.Repositories == nil {
		artifacts, bytes, err := tx.Totals(ctx)
		if err != nil {
			return p, err
		}
		p.tasks = in.batches("verify what is stored", 0, artifacts, bytes)
		if len(p.tasks) > 1 {
			p.group = "verify what is stored"
		}
		return p, nil
	}
	repositories, err := selected(ctx, tx, *in.Repositories)
	if err != nil {
		return p, err
	}
	if err := tx.KeepRepositories(ctx, repositories); err != nil {
		return p, err
	}
	ids := make([]content.VersionID, len(repositories))
	for i, r := range repositories {
		ids[i] = r.LatestID
	}
	versions, err := tx.VersionsByID(ctx, ids)
	if err != nil {
		return p, err
	}
	for i, r := range repositories {
		var v content.Version // none before the first sync
		if versions[i] != nil {
			v = *versions[i]
		}
		p.tasks = append(p.tasks, in.batches("verify "+r.Name, r.ID, int64(v.Units), v.Bytes)...)
	}
	if len(p.tasks) != 1 || !in.Repositories.single() {
		p.group = groupName("verify", repositories)
	}
	return p, nil
}

// batches are tasks that together verify the artifacts of a repository, or all
// of them. Digests are spread evenly, so each batch has the same share of them.
func (in *VerifyContentRequest) batches(name string, id content.RepositoryID, artifacts, bytes int64) []task.New {
	n := min(max(1, (artifacts+verifyArtifacts-1)/verifyArtifacts, (bytes+verifyBytes-1)/verifyBytes), verifyBatches)
	tasks := make([]task.New, n)
	for i := range n {
		args := verifyArgs{Repository: id, From: digestFrom(i, n), Before: digestFrom(i+1, n)}
		t := task.New{Kind: VerifyKind, Name: name, Args: args, Priority: in.Priority, RepositoryID: int64(id)}
		if n > 1 {
			t.Name = fmt.Sprintf("%s, batch %d of %d", name, i+1, n)
		} else {
			t.Dedupe = fmt.Sprintf("verify %d %s", id, in.Priority)
		}
		tasks[i] = t
	}
	return tasks
}

// digestFrom is where the i-th of n equal shares of all digests begins.
func digestFrom(i, n int64) content.Digest {
	if i == n {
		return "g" // behind all of them
	}
	return content.Digest(fmt.Sprintf("%08x", i<<32/n))
}

// verifyAtOnce is how many artifacts one task reads at a time.
const verifyAtOnce = 4

// verify compares artifacts with their digests. What is wrong is quarantined and
// got again where that is possible; the task fails if something is not.
func (c *Catalog) verify(ctx context.Context, run *task.Run) error {
	var args verifyArgs
	if err := run.Decode(&args); err != nil {
		return err
	}
	artifacts, err := c.DB.ArtifactsBetween(ctx, args.Repository, args.From, args.Before)
	if err != nil {
		return err
	}
	v := &verification{c: c, run: run}
	v.artifacts = int64(len(artifacts))
	if run.Task.Attempt > 1 {
		// What could not be got is looked for again.
		if err := v.change(ctx, func(tx *db.Tx) error { return tx.DropUnsolved(ctx, run.Task.ID) }); err != nil {
			return err
		}
	}
	digests := make([]content.Digest, len(artifacts))
	for i, a := range artifacts {
		v.bytes += a.Size
		digests[i] = a.SHA256
	}
	if v.good, err = c.DB.FindArtifacts(ctx, digests); err != nil {
		return err
	}
	v.report()
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(verifyAtOnce)
	for _, a := range artifacts {
		if working.Err() != nil {
			break
		}
		group.Go(func() error { return v.check(working, a) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if v.unsolved > 0 {
		return fault.New(fault.NotFound, "of %d artifacts that are damaged, missing or unreadable, %d could not be got again: the findings tell which", v.found, v.unsolved)
	}
	return nil
}

// verification is one task's.
type verification struct {
	c                *Catalog
	run              *task.Run
	artifacts, bytes int64                    // in all
	good             map[content.Digest]int64 // that were not found to be wrong before

	mu              sync.Mutex
	done, doneBytes int64
	found, unsolved int64
}

func (v *verification) report() {
	v.run.Progress.Report("verify.artifacts", "Artifacts compared with their digests", task.Items, v.done, v.artifacts)
	v.run.Progress.Report("verify.bytes", "Bytes read", task.Bytes, v.doneBytes, v.bytes)
}

// check compares one artifact with its digest, and records what is wrong with it.
func (v *verification) check(ctx context.Context, a content.Artifact) error {
	condition, err := v.c.Blobs.Verify(ctx, string(a.SHA256), a.Size)
	_, good := v.good[a.SHA256]
	unreadable, closed := errors.AsType[*blob.Unreadable](err)
	switch {
	case closed:
		err = v.replace(ctx, a, unreadable)
	case err == nil && (condition != blob.Intact || !good): // which may be there again, by somebody who was lost before saying so
		err = v.mend(ctx, a, condition)
	}
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.done++
	v.doneBytes += a.Size
	v.report()
	return nil
}

// replace gets an artifact again whose bytes cannot be read. They may be as they
// should be, so whoever wants them still tries.
func (v *verification) replace(ctx context.Context, a content.Artifact, why *blob.Unreadable) error {
	return v.solve(ctx, a, blob.Damaged, content.Finding{SHA256: a.SHA256, Size: a.Size, Problem: content.Unreadable, Message: fault.Message(why)})
}

// mend quarantines an artifact that is not intact, or counts as such, and gets
// its bytes again.
func (v *verification) mend(ctx context.Context, a content.Artifact, condition blob.Condition) error {
	var known bool
	if err := v.change(ctx, func(tx *db.Tx) (err error) {
		known, err = tx.Quarantine(ctx, a.SHA256)
		return err
	}); err != nil || !known {
		return err // unless it was known, it was removed meanwhile
	}
	f := content.Finding{SHA256: a.SHA256, Size: a.Size, Problem: content.Damaged, Message: "no remote is known to have it"}
	if condition == blob.Missing {
		f.Problem = content.Missing
	}
	return v.solve(ctx, a, condition, f)
}

// solve gets the bytes of an artifact again, and records what is wrong with it and
// what was done.
func (v *verification) solve(ctx context.Context, a content.Artifact, condition blob.Condition, f content.Finding) error {
	path, described, err := v.c.DB.Named(ctx, a.SHA256)
	if err != nil {
		return err
	}
	f.Path = path
	if err := v.c.DB.Room(); err != nil {
		return err
	}
	why := f.Message
	f.Remedy = content.Unsolved
	if described != 0 {
		if err := v.rewrite(ctx, a, described, &f); err != nil {
			return err
		}
	}
	if f.Remedy == content.Unsolved && condition == blob.Intact {
		if err := v.storeAgain(ctx, a, &f); err != nil {
			return err
		}
	}
	if f.Remedy == content.Unsolved {
		if err := v.fetchAgain(ctx, a, &f); err != nil {
			return err
		}
	}
	if f.Remedy == content.Unsolved {
		unneeded, err := v.c.DB.Unneeded(ctx, a.SHA256)
		if err != nil {
			return err
		}
		if unneeded {
			f.Remedy, f.Message = content.Unneeded, "nothing names it any more: a cleaning will remove it"
		}
	}
	if f.Problem == content.Unreadable && f.Remedy == content.Unsolved && f.Message != why {
		f.Message = why + "; " + f.Message // the way to mend it
	}
	v.c.Log.Warn("artifact is not as it should be", "task", v.run.Task.ID, "sha256", f.SHA256, "path", f.Path, "problem", f.Problem, "remedy", f.Remedy)
	v.mu.Lock()
	v.found++
	if f.Remedy == content.Unsolved {
		v.unsolved++
	}
	v.mu.Unlock()
	// What is good again is not found again: it is told of now or never.
	return v.change(ctx, func(tx *db.Tx) error {
		if f.Remedy.Stored() {
			if err := tx.AddArtifacts(ctx, []content.Artifact{a}); err != nil {
				return err
			}
		}
		return tx.AddFindings(ctx, v.run.Task.ID, []content.Finding{f})
	})
}

// change carries out a transaction, unless the task was given to another worker.
func (v *verification) change(ctx context.Context, f func(*db.Tx) error) error {
	return v.c.DB.InTx(ctx, func(tx *db.Tx) error {
		if err := tx.Hold(ctx, v.run.Fence()); err != nil {
			return err
		}
		return f(tx)
	})
}

// rewrite writes and stores anew what describes the publication of a version.
func (v *verification) rewrite(ctx context.Context, a content.Artifact, id content.VersionID, f *content.Finding) error {
	version, err := one(v.c.DB.VersionsByID(ctx, []content.VersionID{id}))
	if err == error(errMissing) {
		f.Message = "the version that it describes was deleted meanwhile"
		return nil
	}
	if err != nil {
		return err
	}
	written, err := v.c.writeManifest(ctx, v.run, version)
	if err != nil {
		return err
	}
	if written.SHA256 != a.SHA256 {
		f.Message = "this version of the program writes it differently: publish the version again"
		return nil
	}
	f.Remedy, f.Message = content.Rewritten, fmt.Sprintf("written again for %s", id)
	return nil
}

// storeAgain stores what is there: whoever stored it may have been lost before it
// was durable. It does nothing if that is gone, or something else, by now.
func (v *verification) storeAgain(ctx context.Context, a content.Artifact, f *content.Finding) error {
	stored, err := v.c.Blobs.Open(ctx, string(a.SHA256), a.Size)
	if err != nil {
		return gone(err)
	}
	defer stored.Close()
	w, err := v.c.Blobs.Create()
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, stored); err != nil {
		w.Abort()
		return gone(err)
	}
	staged, err := w.Finish()
	if err != nil {
		return err
	}
	if staged.SHA256 != string(a.SHA256) {
		v.c.Blobs.Discard(staged)
		return nil
	}
	if err := v.c.Blobs.Commit(ctx, []blob.Staged{staged}); err != nil {
		v.c.Blobs.Discard(staged)
		return err
	}
	f.Remedy, f.Message = content.Fetched, "it had been fetched again before"
	return nil
}

// gone passes over that there is no such blob.
func gone(err error) error {
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// fetchAgain gets and stores an artifact from a remote that should have it.
func (v *verification) fetchAgain(ctx context.Context, a content.Artifact, f *content.Finding) error {
	sources, err := v.c.DB.Sources(ctx, a.SHA256)
	if err != nil {
		return err
	}
	for _, s := range sources {
		from, err := v.place(ctx, s)
		if err != nil {
			f.Message = fault.Message(err)
			continue
		}
		staged, err := v.download(ctx, from, a)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			f.Message = fault.Message(err)
			continue
		}
		if err := v.c.Blobs.Commit(ctx, []blob.Staged{staged}); err != nil {
			v.c.Blobs.Discard(staged)
			return err
		}
		f.Remedy, f.Message = content.Fetched, "fetched again from "+from.URL
		return nil
	}
	return nil
}

func (v *verification) download(ctx context.Context, from fetch.Place, a content.Artifact) (blob.Staged, error) {
	w, err := v.c.Blobs.Create()
	if err != nil {
		return blob.Staged{}, err
	}
	if _, err := from.Source.Get(ctx, fetch.Request{URL: from.URL, Size: a.Size, SHA256: string(a.SHA256)}, w); err != nil {
		w.Abort()
		return blob.Staged{}, err
	}
	return w.Finish()
}

// place is where a remote has a file.
func (v *verification) place(ctx context.Context, s content.Source) (fetch.Place, error) {
	remote, err := one(v.c.DB.RemotesByID(ctx, []content.RemoteID{s.RemoteID}))
	if err != nil {
		return fetch.Place{}, missing(err, s.RemoteID)
	}
	return v.c.place(remote, s.Path)
}
