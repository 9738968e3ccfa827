package catalog

import (
	"context"
	"errors"

	"ream/access"
	"ream/db"
	"ream/fault"
)

// noun is what changes.
type noun interface{ NodeID() string }

// change runs what a mutation changes, in a transaction that sees what the
// caller sees, and returns what it is about. The audit log gets its entry in the
// same transaction: nothing is changed without one, and none tells of what was
// not changed.
func change[N noun](ctx context.Context, c *Catalog, f func(*db.Tx) (N, error)) (N, error) {
	var changed, nothing N
	action, err := actionOf(ctx)
	if err != nil {
		return nothing, err
	}
	err = c.DB.InTx(ctx, func(tx *db.Tx) (err error) {
		tx.Restrict(access.CallerOf(ctx).Limit)
		if changed, err = f(tx); err != nil || action == nil {
			return err
		}
		return tx.Record(ctx, action.Entry(ctx, nil, changed.NodeID()))
	})
	if err != nil {
		return nothing, err
	}
	if action != nil {
		action.SetRecorded()
	}
	return changed, nil
}

// actionOf is the mutation under way. It is nil if the program itself acts; a
// caller without one is a defect, since nobody would know what they did.
func actionOf(ctx context.Context) (*access.Action, error) {
	caller, action := access.CallerOf(ctx), access.ActionOf(ctx)
	switch {
	case caller.Kind == "":
		return action, nil
	case caller.Role == "":
		return nil, fault.New(fault.Forbidden, "this needs a role: you have none")
	case action == nil:
		return nil, errors.New("a change that would not be recorded")
	}
	return action, nil
}

// RecordOutcome makes sure that the audit log has an entry of the mutation
// under way, which ended with an error, or changed nothing.
func (c *Catalog) RecordOutcome(ctx context.Context, outcome error) error {
	action := access.ActionOf(ctx)
	if action.Recorded() {
		return nil
	}
	err := c.DB.InTx(ctx, func(tx *db.Tx) error { return tx.Record(ctx, action.Entry(ctx, outcome)) })
	if err == nil {
		action.SetRecorded()
	}
	return err
}
