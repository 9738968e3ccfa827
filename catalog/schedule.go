package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ream/db"
	"ream/fault"
	"ream/task"
)

// CreateSchedule creates a schedule. It fires from now on unless it is paused.
func (c *Catalog) CreateSchedule(ctx context.Context, in ScheduleInput) (*task.Schedule, error) {
	s := &task.Schedule{Name: in.Name, Cron: in.Cron, TimeZone: in.TimeZone, Paused: in.Paused}
	return change(ctx, c, func(tx *db.Tx) (*task.Schedule, error) {
		if err := checkName(s.Name); err != nil {
			return nil, err
		}
		if err := setOperation(ctx, tx, s, in.Operation); err != nil {
			return nil, err
		}
		if err := s.Plan(tx.Now()); err != nil {
			return nil, err
		}
		return s, tx.CreateSchedule(ctx, s)
	})
}

// UpdateSchedule changes a schedule. What it missed while it was paused, or
// would have done at other times, is not made up for.
func (c *Catalog) UpdateSchedule(ctx context.Context, id task.ScheduleID, in ScheduleChange) (*task.Schedule, error) {
	return change(ctx, c, func(tx *db.Tx) (*task.Schedule, error) {
		s, err := tx.LockSchedule(ctx, id)
		if err != nil {
			return nil, err
		}
		before := *s
		set(&s.Name, in.Name)
		set(&s.Cron, in.Cron)
		set(&s.TimeZone, in.TimeZone)
		set(&s.Paused, in.Paused)
		if err := checkName(s.Name); err != nil {
			return nil, err
		}
		if in.Operation != nil {
			if err := setOperation(ctx, tx, s, *in.Operation); err != nil {
				return nil, err
			}
		}
		if s.Cron != before.Cron || s.TimeZone != before.TimeZone || s.Paused != before.Paused {
			if err := s.Plan(tx.Now()); err != nil {
				return nil, err
			}
		}
		return s, tx.UpdateSchedule(ctx, s)
	})
}

// DeleteSchedule deletes a schedule and returns it. What it queued goes on.
func (c *Catalog) DeleteSchedule(ctx context.Context, id task.ScheduleID) (*task.Schedule, error) {
	return change(ctx, c, func(tx *db.Tx) (*task.Schedule, error) {
		s, err := tx.LockSchedule(ctx, id)
		if err != nil {
			return nil, err
		}
		return s, tx.DeleteSchedule(ctx, id)
	})
}

// setOperation gives a schedule its operation, if that could be queued.
func setOperation(ctx context.Context, tx *db.Tx, s *task.Schedule, o Operation) error {
	name, r, err := o.request()
	if err != nil {
		return err
	}
	repositories, err := r.check()
	if err == nil && repositories != nil {
		_, err = selected(ctx, tx, *repositories)
	}
	if err != nil {
		return fault.Within("operation."+name, err)
	}
	if s.Operation, err = json.Marshal(o); err != nil {
		return fmt.Errorf("operation of a schedule: %w", err)
	}
	return nil
}

// ParseOperation reads the operation of a schedule. It fails with
// fault.Conflict if only a newer version of the program knows it.
func ParseOperation(s *task.Schedule) (o Operation, err error) {
	if err = json.Unmarshal(s.Operation, &o); err != nil {
		return o, fmt.Errorf("operation of %s: %w", s.ID, err)
	}
	_, _, err = o.request()
	return o, err
}

// FireSchedule queues a schedule's operation now, paused or not, and returns
// the work. When it fires by itself stays as it is. It fails with
// fault.Conflict while what it queued last is unfinished, and if its operation
// cannot be queued.
func (c *Catalog) FireSchedule(ctx context.Context, id task.ScheduleID) (task.Work, error) {
	return change(ctx, c, func(tx *db.Tx) (task.Work, error) {
		s, err := tx.LockSchedule(ctx, id)
		if err != nil {
			return nil, err
		}
		switch busy, err := unfinished(ctx, tx, s); {
		case err != nil:
			return nil, err
		case busy:
			return nil, fault.New(fault.Conflict, "%s, which it queued last, is unfinished: wait for it or cancel it", s.LastWork)
		}
		switch err := queueScheduled(ctx, tx, s); {
		case fault.Is(err, fault.BadInput):
			return nil, fault.New(fault.Conflict, "its operation cannot be queued: %s", fault.Message(err))
		case err != nil:
			return nil, err
		}
		s.LastAt, s.LastError = new(tx.Now()), nil
		if err := tx.RecordFiring(ctx, s); err != nil {
			return nil, err
		}
		return workByID(ctx, tx, s.LastWork)
	})
}

// FireDue fires every schedule that is due, and returns when the next one is:
// a time that is past if another process fires one at the moment, and the zero
// time if none is planned. Whatever other processes do, and wherever this one
// dies, each firing happens once: its transaction holds the schedule, queues
// the work and sets the next time. All times that were missed are one firing.
func (c *Catalog) FireDue(ctx context.Context) (next time.Time, err error) {
	for fired := true; fired; {
		if fired, err = c.fireOne(ctx); err != nil {
			return time.Time{}, err
		}
	}
	next, planned, err := c.DB.NextFiring(ctx)
	if err != nil || !planned {
		return time.Time{}, err
	}
	return next, nil
}

// fireOne fires the schedule that is due longest, and reports false if none is.
func (c *Catalog) fireOne(ctx context.Context) (due bool, err error) {
	var s *task.Schedule
	var cause error // for which nothing is queued
	err = c.DB.InTx(ctx, func(tx *db.Tx) (err error) {
		if s, due, err = tx.LockDueSchedule(ctx); err != nil || !due {
			return err
		}
		busy, err := unfinished(ctx, tx, s)
		if err != nil {
			return err
		}
		s.LastAt, s.LastError, cause = new(tx.Now()), nil, nil
		if busy {
			s.LastError = &task.Error{Code: task.CodeSkipped, Message: fmt.Sprintf("%s, which it queued before, was unfinished", s.LastWork)}
		} else {
			s.LastWork = ""
			cause = tx.Try(ctx, func() error { return queueScheduled(ctx, tx, s) })
			if cause != nil && (fault.Is(cause, fault.Unavailable) || ctx.Err() != nil) {
				return cause // the firing itself is still to come
			}
			s.LastError = errorOfFiring(cause)
		}
		if err := s.Plan(tx.Now()); err != nil {
			cause = errors.Join(cause, err)
			s.Paused, s.NextAt = true, nil
			s.LastError = &task.Error{Code: string(fault.KindOf(err)), Message: "paused, since its times cannot be told any more: " + fault.Message(err)}
		}
		return tx.RecordFiring(ctx, s)
	})
	switch {
	case err != nil || !due:
	case cause != nil:
		c.Log.Warn("schedule fired in vain", "schedule", s.ID, "name", s.Name, "error", cause)
	case s.LastError != nil:
		c.Log.Warn("schedule skipped a firing", "schedule", s.ID, "name", s.Name, "unfinished", s.LastWork)
	default:
		c.Log.Info("schedule fired", "schedule", s.ID, "name", s.Name, "work", s.LastWork)
	}
	return due, err
}

// queueScheduled queues a schedule's operation as a mutation would, with what
// its selector selects now, and notes the work.
func queueScheduled(ctx context.Context, tx *db.Tx, s *task.Schedule) error {
	o, err := ParseOperation(s)
	if err != nil {
		return err
	}
	work, err := o.queue(ctx, tx)
	if err == nil {
		s.LastWork = work
	}
	return err
}

// unfinished reports whether what a schedule queued last goes on. What was
// purged does not.
func unfinished(ctx context.Context, tx *db.Tx, s *task.Schedule) (bool, error) {
	if s.LastWork == "" {
		return false, nil
	}
	work, err := workByID(ctx, tx, s.LastWork)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil && !work.Finished(), err
}

// errorOfFiring is what a schedule records of the error that kept it from
// queueing anything.
func errorOfFiring(err error) *task.Error {
	e := task.ErrorOf(err)
	if e != nil && e.Code == string(fault.Internal) {
		e.Message = "internal error; the server's log has the details under this schedule's id"
	}
	return e
}
