package catalog

import (
	"context"
	"fmt"
	"time"

	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/task"
)

// DeleteVersion queues the deletion of a version that is neither its
// repository's newest nor in use.
func (c *Catalog) DeleteVersion(ctx context.Context, in DeleteVersionRequest) (*task.Task, error) {
	in.replaced = c.replacedSince()
	return c.answerTask(ctx, Operation{DeleteVersion: &in}, in.IdempotencyKey)
}

// replacedSince is since when something must have been replaced to be in use
// still.
func (c *Catalog) replacedSince() time.Time { return c.DB.Now().Add(-c.KeepReplaced) }

func (in *DeleteVersionRequest) check() (*Selector, error) {
	return nil, nil //nolint:nilnil // it selects no repositories
}

func (in *DeleteVersionRequest) plan(ctx context.Context, tx *db.Tx) (plan, error) {
	v, r, err := versionWithRepository(ctx, tx, in.Version)
	if err != nil {
		return plan{}, err
	}
	if _, err := tx.UnusedVersion(ctx, v.ID, in.replaced); err != nil {
		return plan{}, err
	}
	return plan{tasks: []task.New{{Kind: DeleteVersionKind, Name: fmt.Sprintf("delete %s version %d", r.Name, v.Number),
		Args: deleteVersionArgs{v.ID}, Priority: in.Priority, RepositoryID: int64(r.ID), Reservations: reserve(task.Exclusive, r.ID), Dedupe: "delete " + v.ID.String()}}}, nil
}

type deleteVersionArgs struct {
	Version content.VersionID `json:"version"`
}

// deleteVersion deletes a version. One that is gone already was deleted by an
// earlier attempt, or by somebody else to the same effect.
func (c *Catalog) deleteVersion(ctx context.Context, run *task.Run) error {
	var args deleteVersionArgs
	if err := run.Decode(&args); err != nil {
		return err
	}
	if err := c.dropVersion(ctx, run, args.Version); !fault.Is(err, fault.NotFound) {
		return err
	}
	return nil
}

func (c *Catalog) dropVersion(ctx context.Context, run *task.Run, id content.VersionID) error {
	return c.DB.InTx(ctx, func(tx *db.Tx) error {
		if err := tx.Hold(ctx, run.Fence()); err != nil {
			return err
		}
		_, err := tx.DeleteVersion(ctx, id, c.replacedSince())
		return err
	})
}

// retaining is a handler that afterwards deletes what the repository, which its
// task reserves, keeps no longer.
func (c *Catalog) retaining(handle task.Handler) task.Handler {
	return func(ctx context.Context, run *task.Run) error {
		var args struct {
			Repository content.RepositoryID `json:"repository"`
		}
		if err := run.Decode(&args); err != nil {
			return err
		}
		if err := handle(ctx, run); err != nil {
			return err
		}
		return c.retain(ctx, run, args.Repository)
	}
}

// retain deletes superseded versions one by one, so that each transaction is
// short and none that is done is done again.
func (c *Catalog) retain(ctx context.Context, run *task.Run, id content.RepositoryID) error {
	published, err := c.publishedBy(ctx, run)
	if err != nil {
		return err
	}
	superseded, err := c.DB.SupersededVersions(ctx, id, c.replacedSince(), published)
	if err != nil {
		return err
	}
	for i, v := range superseded {
		// A distribution may have been given one of them meanwhile, which then stays.
		if err := c.dropVersion(ctx, run, v); err != nil && !(fault.Is(err, fault.Conflict) && c.inUse(ctx, v)) {
			return fmt.Errorf("delete superseded %s: %w", v, err)
		}
		run.Progress.Report("versions.deleted", "Superseded versions deleted", task.Items, int64(i+1), int64(len(superseded)))
	}
	return nil
}

// publishedBy are the publications that a task leaves to whoever asked for it.
func (c *Catalog) publishedBy(ctx context.Context, run *task.Run) (ids []content.PublicationID, err error) {
	created, err := c.DB.Created(ctx, []task.ID{run.Task.ID})
	if err != nil {
		return nil, err
	}
	for _, one := range created[0] {
		if id, err := content.ParseID[content.PublicationID]("publication", one.NodeID); err == nil {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// inUse reports whether a version is not deleted because it is in use.
func (c *Catalog) inUse(ctx context.Context, id content.VersionID) bool {
	_, err := c.DB.UnusedVersion(ctx, id, c.replacedSince())
	return fault.Is(err, fault.Conflict)
}
