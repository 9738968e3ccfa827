package db

import (
	"context"
	"errors"
	"maps"
	"slices"

	"ream/fault"
	"ream/task"
)

// Cycle is a worker's turn: it writes progress, records how tasks ended, and
// claims new ones. Tasks that it returns are the worker's even if it returns
// an error too. It may be repeated with the same outcomes. What a task says that
// cannot be written keeps no other from being recorded or claimed.
func (db *DB) Cycle(ctx context.Context, worker task.WorkerID, outcomes []task.Outcome, reports []task.Report, room task.Vacancies) (claimed []*task.Task, err error) {
	// On its own: it locks groups, and the rest locks resources before them.
	if err := db.report(ctx, worker, reports); err != nil {
		return nil, err
	}
	var completed, others []task.Outcome
	for _, o := range outcomes {
		if o.State == task.Completed {
			completed = append(completed, o)
		} else {
			others = append(others, o)
		}
	}
	unrecorded := db.finish(ctx, others)
	if unrecorded != nil && !isDefect(ctx, unrecorded) {
		return nil, unrecorded
	}
	var surprising []task.Outcome
	gates := false
	if err := db.InTx(ctx, func(tx *Tx) error {
		d := deltas{}
		if surprising, err = tx.complete(ctx, completed, d); err != nil {
			return err
		}
		if gates = d.atGates(); !gates {
			if claimed, err = tx.claim(ctx, worker, room, d); err != nil {
				return err
			}
		}
		return tx.count(ctx, d)
	}); err != nil {
		return nil, err
	}
	if gates { // Counting let tasks through that can be claimed now.
		if err := db.InTx(ctx, func(tx *Tx) error { claimed, err = tx.Claim(ctx, worker, room); return err }); err != nil {
			return nil, err
		}
	}
	return claimed, errors.Join(unrecorded, db.finish(ctx, surprising))
}

// report writes lines of progress, of each task alone if they cannot be written
// together. Those that cannot even so are dropped.
func (db *DB) report(ctx context.Context, worker task.WorkerID, reports []task.Report) error {
	write := func(reports []task.Report) error {
		return db.InTx(ctx, func(tx *Tx) error { return tx.Report(ctx, worker, reports) })
	}
	if len(reports) == 0 {
		return nil
	}
	err := write(reports)
	if !isDefect(ctx, err) {
		return err
	}
	of := map[task.ID][]task.Report{}
	for _, r := range reports {
		of[r.TaskID] = append(of[r.TaskID], r)
	}
	for _, id := range slices.Sorted(maps.Keys(of)) {
		switch err := write(of[id]); {
		case isDefect(ctx, err):
			db.log.Error("the progress of a task cannot be written: it is dropped", "task", id, "error", err)
		case err != nil:
			return err
		}
	}
	return nil
}

// finish records how tasks ended, of each alone if it cannot be recorded
// together. One whose error cannot be recorded fails with another. It returns
// an error if any was not recorded.
func (db *DB) finish(ctx context.Context, outcomes []task.Outcome) error {
	record := func(outcomes ...task.Outcome) error {
		return db.InTx(ctx, func(tx *Tx) error { return tx.Finish(ctx, outcomes) })
	}
	if len(outcomes) == 0 {
		return nil
	}
	err := record(outcomes...)
	if !isDefect(ctx, err) {
		return err
	}
	var errs []error
	for _, o := range outcomes {
		err := record(o)
		if isDefect(ctx, err) && o.Error != nil {
			db.log.Error("the error of a task cannot be recorded: it fails with another", "task", o.Fence.Task, "error", err)
			o.Error = task.ErrorOf(err)
			err = record(o)
		}
		if err != nil && !isDefect(ctx, err) {
			return err
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// isDefect reports whether what failed would fail again: the database answers,
// and does not take it.
func isDefect(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) && !fault.Is(err, fault.Unavailable)
}
