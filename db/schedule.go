package db

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ream/fault"
	"ream/page"
	"ream/task"
)

type scheduleRow struct {
	ID        task.ScheduleID `db:"id"`
	Name      string          `db:"name"`
	Cron      string          `db:"cron"`
	TimeZone  string          `db:"time_zone"`
	Operation string          `db:"operation"`
	Paused    bool            `db:"paused"`
	Next      *int64          `db:"next_at"`
	Last      *int64          `db:"last_at"`
	LastWork  string          `db:"last_work"`
	LastError *string         `db:"last_error"`
	Created   int64           `db:"created_at"`
	Updated   int64           `db:"updated_at"`
}

const scheduleColumns = `id, name, cron, time_zone, operation, paused, next_at, last_at, COALESCE(last_work, '') AS last_work, last_error, created_at, updated_at`

func (r scheduleRow) schedule() (*task.Schedule, error) {
	s := &task.Schedule{ID: r.ID, Name: r.Name, Cron: r.Cron, TimeZone: r.TimeZone, Operation: json.RawMessage(r.Operation), Paused: r.Paused,
		NextAt: fromNullMicros(r.Next), LastAt: fromNullMicros(r.Last), LastWork: r.LastWork, CreatedAt: fromMicros(r.Created), UpdatedAt: fromMicros(r.Updated)}
	if r.LastError == nil {
		return s, nil
	}
	s.LastError = &task.Error{}
	if err := json.Unmarshal([]byte(*r.LastError), s.LastError); err != nil {
		return nil, fmt.Errorf("error of %s: %w", r.ID, err)
	}
	return s, nil
}

func schedules(rows []scheduleRow) ([]*task.Schedule, error) {
	found := make([]*task.Schedule, len(rows))
	for i, r := range rows {
		var err error
		if found[i], err = r.schedule(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Schedules returns a page of the schedules, oldest first.
func (q *queries) Schedules(ctx context.Context, req page.Request) (*page.Of[*task.Schedule], error) {
	l := listing{columns: scheduleColumns, from: "schedule", key: "id"}
	l.narrow(q.unlimited())
	return pageOf(ctx, q, l, req, func(r scheduleRow) task.ScheduleID { return r.ID }, schedules)
}

// SchedulesByID returns schedules in the order of the ids, nil where there is
// none.
func (q *queries) SchedulesByID(ctx context.Context, ids []task.ScheduleID) ([]*task.Schedule, error) {
	var rows []scheduleRow
	if err := q.sel(ctx, &rows, `SELECT `+scheduleColumns+` FROM schedule WHERE `+q.d.in("id")+q.unlimited().sql, list(q.d, ids)); err != nil {
		return nil, err
	}
	found, err := schedules(rows)
	if err != nil {
		return nil, err
	}
	return inOrder(ids, found, func(s *task.Schedule) (task.ScheduleID, *task.Schedule) { return s.ID, s }), nil
}

// ScheduleByName returns the schedule of that name. It fails with
// fault.NotFound if there is none.
func (q *queries) ScheduleByName(ctx context.Context, name string) (*task.Schedule, error) {
	s, found, err := q.oneSchedule(ctx, ` WHERE name = ?`+q.unlimited().sql, name)
	if err == nil && !found {
		err = fault.New(fault.NotFound, "there is no schedule %q", name)
	}
	return s, err
}

// LockSchedule returns a schedule that nobody else fires or changes until the
// transaction ends. It fails with fault.NotFound if there is none.
func (tx *Tx) LockSchedule(ctx context.Context, id task.ScheduleID) (*task.Schedule, error) {
	s, found, err := tx.oneSchedule(ctx, ` WHERE id = ?`+tx.unlimited().sql+tx.d.forUpdate, id)
	if err == nil && !found {
		err = missing(id)
	}
	return s, err
}

// LockDueSchedule is LockSchedule for the one that is due longest, among those
// that no other process fires at the moment. It reports false if there is none.
func (tx *Tx) LockDueSchedule(ctx context.Context) (s *task.Schedule, due bool, err error) {
	return tx.oneSchedule(ctx, ` WHERE next_at <= ? ORDER BY next_at, id LIMIT 1`+tx.d.skipLocked, micros(tx.now()))
}

// NextFiring tells when the next schedule fires, which may be in the past, and
// false if none ever does.
func (q *queries) NextFiring(ctx context.Context) (at time.Time, planned bool, err error) {
	var next int64
	planned, err = q.found(ctx, &next, `SELECT next_at FROM schedule WHERE next_at IS NOT NULL ORDER BY next_at, id LIMIT 1`)
	return fromMicros(next), planned, err
}

// FiringSchedules returns all schedules that fire by themselves, the one that
// does so next first. They are for telling when something is done: those who
// are limited to some repositories may not see the schedules themselves.
func (q *queries) FiringSchedules(ctx context.Context) ([]*task.Schedule, error) {
	var rows []scheduleRow
	if err := q.sel(ctx, &rows, `SELECT `+scheduleColumns+` FROM schedule WHERE next_at IS NOT NULL ORDER BY next_at, id`); err != nil {
		return nil, err
	}
	return schedules(rows)
}

func (q *queries) oneSchedule(ctx context.Context, condition string, arg any) (s *task.Schedule, found bool, err error) {
	var row scheduleRow
	if found, err = q.found(ctx, &row, `SELECT `+scheduleColumns+` FROM schedule`+condition, arg); err != nil || !found {
		return nil, false, err
	}
	s, err = row.schedule()
	return s, true, err
}

// CreateSchedule stores a new schedule and fills in its ID and times. It fails
// with fault.Conflict if the name is taken.
func (tx *Tx) CreateSchedule(ctx context.Context, s *task.Schedule) error {
	// The list is in the order of the IDs: what was read of it stays complete.
	if err := tx.alone(ctx, "new schedules"); err != nil {
		return err
	}
	now := micros(tx.now())
	found, err := tx.found(ctx, &s.ID, `INSERT INTO schedule(name, cron, time_zone, operation, paused, next_at, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING RETURNING id`,
		s.Name, s.Cron, s.TimeZone, string(s.Operation), s.Paused, nullMicros(s.NextAt), now, now)
	if err == nil && !found {
		err = nameTaken("schedule", s.Name)
	}
	s.CreatedAt, s.UpdatedAt = fromMicros(now), fromMicros(now)
	tx.touched.schedules = true
	return err
}

// UpdateSchedule stores a schedule's settings and when it fires next, and fills
// in when. It fails with fault.Conflict if another one has the name, and with
// fault.NotFound if there is no such schedule.
func (tx *Tx) UpdateSchedule(ctx context.Context, s *task.Schedule) error {
	now := micros(tx.now())
	n, err := tx.exec(ctx, `UPDATE schedule SET name = ?, cron = ?, time_zone = ?, operation = ?, paused = ?, next_at = ?, updated_at = ? WHERE id = ?`,
		s.Name, s.Cron, s.TimeZone, string(s.Operation), s.Paused, nullMicros(s.NextAt), now, s.ID)
	switch {
	case tx.d.code(err) == uniqueViolation:
		return nameTaken("schedule", s.Name)
	case err == nil && n == 0:
		return missing(s.ID)
	}
	s.UpdatedAt = fromMicros(now)
	tx.touched.schedules = true
	return err
}

// RecordFiring stores what came of a firing, and when the schedule fires next.
func (tx *Tx) RecordFiring(ctx context.Context, s *task.Schedule) error {
	var lastError *string
	if s.LastError != nil {
		lastError = new(encode(s.LastError))
	}
	_, err := tx.exec(ctx, `UPDATE schedule SET paused = ?, next_at = ?, last_at = ?, last_work = ?, last_error = ? WHERE id = ?`,
		s.Paused, nullMicros(s.NextAt), nullMicros(s.LastAt), nullText(s.LastWork), lastError, s.ID)
	tx.touched.schedules = true
	return err
}

// DeleteSchedule deletes a schedule. What it queued stays. It fails with
// fault.NotFound if there is no such schedule.
func (tx *Tx) DeleteSchedule(ctx context.Context, id task.ScheduleID) error {
	n, err := tx.exec(ctx, `DELETE FROM schedule WHERE id = ?`, id)
	if err == nil && n == 0 {
		err = missing(id)
	}
	tx.touched.schedules = true
	return err
}

// nullMicros is micros of a time that may be missing.
func nullMicros(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	return new(micros(*t))
}

// nullText is a text as a column that may be null: an empty one is missing.
func nullText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
