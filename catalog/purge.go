package catalog

import (
	"context"
	"fmt"
	"time"

	"ream/db"
	"ream/fault"
	"ream/task"
)

// purgeBatch is how many tasks or groups a transaction of a purge deletes:
// few enough that workers hardly wait for it.
const purgeBatch = 1000

// auditKept is how long the audit log is kept, however short the history.
const auditKept = 365 * 24 * time.Hour

// Purge queues the deletion of work that finished long ago: groups with all
// their members, and tasks without a group.
func (c *Catalog) Purge(ctx context.Context, in PurgeRequest) (task.Work, error) {
	return c.answer(ctx, Operation{Purge: &in}, in.IdempotencyKey)
}

func (in *PurgeRequest) check() (*Selector, error) {
	const century = 36_525
	if in.OlderThanDays < 0 || in.OlderThanDays > century {
		return nil, fault.Input("olderThanDays", "want 0 to %d", century)
	}
	return nil, nil //nolint:nilnil // it is about no repositories
}

type purgeArgs struct {
	OlderThanDays int `json:"olderThanDays"`
}

func (in *PurgeRequest) plan(context.Context, *db.Tx) (plan, error) {
	name := fmt.Sprintf("purge history older than %d days", in.OlderThanDays)
	if in.OlderThanDays == 0 {
		name = "purge all history"
	}
	return plan{tasks: []task.New{{Kind: PurgeKind, Name: name, Args: purgeArgs{in.OlderThanDays}, Priority: in.Priority,
		Reservations: []task.Reservation{{Resource: "history", Access: task.Exclusive}},
		Dedupe:       fmt.Sprintf("purge %d %s", in.OlderThanDays, in.Priority)}}}, nil
}

// purge deletes in small steps, so that it may be stopped and begun again at
// any time. Groups go before their members: a group that is there is whole.
func (c *Catalog) purge(ctx context.Context, run *task.Run) error {
	var args purgeArgs
	if err := run.Decode(&args); err != nil {
		return err
	}
	cutoff := c.DB.Now().Add(-time.Duration(args.OlderThanDays) * 24 * time.Hour)
	if err := purgeAll(ctx, run, "purge.groups", "Deleting groups", func(after task.GroupID) (db.Purged[task.GroupID], error) {
		return c.DB.PurgeGroups(ctx, after, cutoff, purgeBatch)
	}); err != nil {
		return err
	}
	if err := purgeAll(ctx, run, "purge.tasks", "Deleting tasks", func(after task.ID) (db.Purged[task.ID], error) {
		return c.DB.PurgeTasks(ctx, after, cutoff, purgeBatch)
	}); err != nil {
		return err
	}
	if err := c.DB.PurgeRest(ctx, cutoff); err != nil {
		return err
	}
	if err := c.purgeUploads(ctx, run); err != nil {
		return err
	}
	purged, err := c.DB.PurgeEntries(ctx, c.DB.Now().Add(-auditKept))
	if purged > 0 {
		run.Progress.Report("purge.audit", "Deleting entries of the audit log", task.Items, int64(purged), int64(purged))
	}
	return err
}

// purgeAll takes steps until nothing is left to look at. It rests after each
// for as long as that took, so that at least half of the time is the workers'.
// How much there is to delete is known only at the end.
func purgeAll[ID ~int64](ctx context.Context, run *task.Run, code, message string, step func(after ID) (db.Purged[ID], error)) error {
	var after ID
	var done int64
	for more := true; more; {
		began := time.Now()
		p, err := step(after)
		if err != nil {
			return err
		}
		after, more = p.Last, p.More
		done += int64(p.Deleted)
		run.Progress.Report(code, message, task.Items, done, -1)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Since(began)):
		}
	}
	run.Progress.Report(code, message, task.Items, done, done)
	return nil
}
