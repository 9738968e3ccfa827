package catalog

import (
	"bufio"
	"context"
	"fmt"

	"ream/blob"
	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/format/file"
	"ream/task"
)

type publishArgs struct {
	Repository content.RepositoryID `json:"repository"`
	Version    int                  `json:"version"` // 0 for the newest
}

func newPublish(r *content.Repository, version int, p task.Priority) task.New {
	return task.New{Kind: PublishKind, Name: "publish " + r.Name, Args: publishArgs{r.ID, version}, Priority: p,
		RepositoryID: int64(r.ID), Reservations: reserve(task.Exclusive, r.ID), Dedupe: fmt.Sprintf("publish %d %d %s", r.ID, version, p)}
}

// publish makes a version ready to be served. A version that is published
// already stays as it is.
func (c *Catalog) publish(ctx context.Context, run *task.Run) error {
	var args publishArgs
	if err := run.Decode(&args); err != nil {
		return err
	}
	version, err := c.versionToPublish(ctx, args)
	if err != nil {
		return err
	}
	published, err := c.DB.PublicationOfVersion(ctx, version.ID)
	if err == nil {
		return c.DB.InTx(ctx, func(tx *db.Tx) error { return tx.Create(ctx, run.Task.ID, published.ID.String()) })
	}
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	if err := c.DB.Room(); err != nil {
		return err
	}
	manifest, err := c.writeManifest(ctx, run, version)
	if err != nil {
		return err
	}
	return c.DB.InTx(ctx, func(tx *db.Tx) error {
		if err := tx.Hold(ctx, run.Fence()); err != nil {
			return err
		}
		p, err := tx.CreatePublication(ctx, version, []content.PublishedFile{manifest})
		if err != nil {
			return err
		}
		return tx.Create(ctx, run.Task.ID, p.ID.String())
	})
}

func (c *Catalog) versionToPublish(ctx context.Context, args publishArgs) (*content.Version, error) {
	if args.Version > 0 {
		version, err := one(c.DB.VersionsByNumber(ctx, []content.VersionKey{{RepositoryID: args.Repository, Number: args.Version}}))
		if err == error(errMissing) {
			err = fault.New(fault.NotFound, "%s has no version %d", args.Repository, args.Version)
		}
		return version, err
	}
	repository, err := one(c.DB.RepositoriesByID(ctx, []content.RepositoryID{args.Repository}))
	if err != nil {
		return nil, missing(err, args.Repository)
	}
	if repository.LatestID == 0 {
		return nil, fault.New(fault.Conflict, "%q has no version yet: sync it first", repository.Name)
	}
	version, err := one(c.DB.VersionsByID(ctx, []content.VersionID{repository.LatestID}))
	if err != nil {
		return nil, missing(err, repository.LatestID)
	}
	return version, nil
}

// writeManifest stores a fresh manifest of the version. It counts once a
// publication names it.
func (c *Catalog) writeManifest(ctx context.Context, run *task.Run, v *content.Version) (content.PublishedFile, error) {
	none := content.PublishedFile{}
	w, err := c.Blobs.Create()
	if err != nil {
		return none, err
	}
	buffered := bufio.NewWriterSize(w, 64<<10)
	var done int64
	err = c.DB.UnitsInOrder(ctx, v, func(u *content.Unit) error {
		done++
		if done%1000 == 0 {
			run.Progress.Report("publish.files", "Files", task.Items, done, int64(v.Units))
		}
		return file.WriteEntry(buffered, file.Entry{Path: u.Path, SHA256: u.SHA256, Size: u.Size})
	})
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		w.Abort()
		return none, err
	}
	run.Progress.Report("publish.files", "Files", task.Items, done, int64(v.Units))
	staged, err := w.Finish()
	if err != nil {
		return none, err
	}
	if err := c.Blobs.Commit(ctx, []blob.Staged{staged}); err != nil {
		c.Blobs.Discard(staged)
		return none, err
	}
	return content.PublishedFile{Path: file.ManifestName, SHA256: content.Digest(staged.SHA256), Size: staged.Size}, nil
}

type distributeArgs struct {
	Repository content.RepositoryID `json:"repository"`
	Path       string               `json:"path"`
}

func newDistribute(r *content.Repository, path string, p task.Priority) task.New {
	return task.New{Kind: DistributeKind, Name: "serve " + r.Name, Args: distributeArgs{r.ID, path}, Priority: p,
		RepositoryID: int64(r.ID), Reservations: reserve(task.Exclusive, r.ID)}
}

// distribute makes the distribution at a path serve a repository's newest
// publication. It creates the distribution if there is none, leaves one alone
// that is pinned, as by a rollback, and fails at one of another repository.
func (c *Catalog) distribute(ctx context.Context, run *task.Run) error {
	var args distributeArgs
	if err := run.Decode(&args); err != nil {
		return err
	}
	var d *content.Distribution
	err := c.DB.InTx(ctx, func(tx *db.Tx) error {
		if err := tx.Hold(ctx, run.Fence()); err != nil {
			return err
		}
		repository, err := one(tx.RepositoriesByID(ctx, []content.RepositoryID{args.Repository}))
		if err != nil {
			return missing(err, args.Repository)
		}
		d, err = tx.LockDistributionByPath(ctx, args.Path)
		switch {
		case fault.Is(err, fault.NotFound):
			d = &content.Distribution{Path: args.Path, RepositoryID: repository.ID, Access: content.AsServer}
			err = tx.CreateDistribution(ctx, d)
		case err != nil:
		case d.RepositoryID == repository.ID:
		case d.RepositoryID != 0:
			err = fault.New(fault.Conflict, "the distribution at %q serves another repository", args.Path)
		default:
			err = checkPinned(ctx, tx, d, repository)
		}
		if err != nil {
			return err
		}
		return tx.Create(ctx, run.Task.ID, d.ID.String())
	})
	if err == nil && d.PublicationID != 0 {
		run.Progress.Report("distribute.pinned", fmt.Sprintf("It stays pinned to %s", d.PublicationID), task.Items, 1, 1)
	}
	return err
}

// checkPinned sees to it that a distribution is pinned to a publication of the
// repository.
func checkPinned(ctx context.Context, tx *db.Tx, d *content.Distribution, r *content.Repository) error {
	pinned, err := one(tx.PublicationsByID(ctx, []content.PublicationID{d.PublicationID}))
	if err != nil {
		return missing(err, d.PublicationID)
	}
	if pinned.RepositoryID != r.ID {
		return fault.New(fault.Conflict, "the distribution at %q serves a publication of another repository", d.Path)
	}
	return nil
}
