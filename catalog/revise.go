package catalog

import (
	"context"

	"ream/content"
	"ream/db"
	"ream/task"
)

// revision is what a task changes in a repository. Both lists are sorted: of
// units that the newest version has not, and of some that it has.
type revision struct {
	repository     *content.Repository
	added, removed []content.UnitID
}

// revise makes a new version of a repository. It makes none if nothing changes,
// unless it would be the first. In the same transaction, also is told of the
// newest version; it may be nil.
func (c *Catalog) revise(ctx context.Context, run *task.Run, r revision, also func(*db.Tx, content.VersionID) error) error {
	if err := c.DB.Room(); err != nil {
		return err
	}
	return c.DB.InTx(ctx, func(tx *db.Tx) error {
		if err := tx.Hold(ctx, run.Fence()); err != nil {
			return err
		}
		latest := r.repository.LatestID
		if len(r.added)+len(r.removed) > 0 || latest == 0 {
			v, err := tx.CreateVersion(ctx, r.repository, latest, r.added, r.removed)
			if err != nil {
				return err
			}
			latest = v.ID
			if err := tx.Create(ctx, run.Task.ID, v.ID.String()); err != nil {
				return err
			}
		}
		if also == nil {
			return nil
		}
		return also(tx, latest)
	})
}

// difference tells what is only in a and what is only in b, both sorted.
func difference(a, b []content.UnitID) (onlyA, onlyB []content.UnitID) {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] == b[0]:
			a, b = a[1:], b[1:]
		case a[0] < b[0]:
			onlyA, a = append(onlyA, a[0]), a[1:]
		default:
			onlyB, b = append(onlyB, b[0]), b[1:]
		}
	}
	return append(onlyA, a...), append(onlyB, b...)
}
