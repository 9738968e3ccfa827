package catalog

import (
	"context"

	"ream/content"
	"ream/db"
	"ream/fault"
)

// Promote makes a distribution serve, from now on, the publication that another
// one serves now, and returns it. With an expected publication, which is not 0,
// it fails with fault.Conflict if the other one serves something else.
func (c *Catalog) Promote(ctx context.Context, from, to content.DistributionID, expected content.PublicationID) (*content.Distribution, error) {
	return change(ctx, c, func(tx *db.Tx) (*content.Distribution, error) {
		source, err := one(tx.DistributionsByID(ctx, []content.DistributionID{from}))
		if err != nil {
			return nil, named(err, "from", from)
		}
		d, err := tx.LockDistribution(ctx, to)
		if fault.Is(err, fault.NotFound) {
			err = fault.Input("to", "there is no %s", to)
		}
		if err != nil {
			return nil, err
		}
		if expected != 0 {
			if _, err := one(tx.PublicationsByID(ctx, []content.PublicationID{expected})); err != nil {
				return nil, named(err, "publication", expected)
			}
		}
		serving, _, err := tx.Serving(ctx, source.Path)
		switch {
		case err != nil:
			return nil, err
		case from == to:
			return nil, fault.Input("to", "%s cannot be promoted to itself", to)
		case serving.PublicationID == 0:
			return nil, fault.New(fault.Conflict, "the distribution at %q serves nothing yet: publish first", source.Path)
		case expected != 0 && serving.PublicationID != expected:
			return nil, fault.New(fault.Conflict, "the distribution at %q serves %s, not %s", source.Path, serving.PublicationID, expected)
		}
		return d, pin(ctx, tx, d, serving.PublicationID)
	})
}

// Rollback makes a distribution serve what it served before, and returns it. It
// fails with fault.Conflict if nothing of that is kept. With an expected
// publication, which is not 0, it changes nothing if that is served already, so
// that it may be repeated, and fails with fault.Conflict if it leads to another.
func (c *Catalog) Rollback(ctx context.Context, id content.DistributionID, expected content.PublicationID) (*content.Distribution, error) {
	return change(ctx, c, func(tx *db.Tx) (*content.Distribution, error) {
		d, err := tx.LockDistribution(ctx, id)
		if err != nil {
			return nil, err
		}
		if expected != 0 {
			if _, err := one(tx.PublicationsByID(ctx, []content.PublicationID{expected})); err != nil {
				return nil, named(err, "publication", expected)
			}
			serving, _, err := tx.Serving(ctx, d.Path)
			if err != nil || serving.PublicationID == expected {
				return d, err
			}
		}
		before, err := tx.StepBack(ctx, d)
		if err != nil {
			return nil, err
		}
		if expected != 0 && before != expected {
			return nil, fault.New(fault.Conflict, "a rollback makes the distribution at %q serve %s, not %s", d.Path, before, expected)
		}
		return d, pin(ctx, tx, d, before)
	})
}

func pin(ctx context.Context, tx *db.Tx, d *content.Distribution, id content.PublicationID) error {
	d.RepositoryID, d.PublicationID = 0, id
	return tx.UpdateDistribution(ctx, d)
}
