package task

import (
	"encoding/json"
	"strconv"
	"time"
)

// ScheduleID identifies a schedule. Clients see it as "schedule-4".
type ScheduleID int64

func (id ScheduleID) String() string { return "schedule-" + strconv.FormatInt(int64(id), 10) }

// Schedule queues an operation again and again, at the times that a cron
// expression names.
type Schedule struct {
	ID        ScheduleID
	Name      string // unique
	Cron      string
	TimeZone  string          // of Cron, by its name in the IANA database
	Operation json.RawMessage // for whoever queues it
	Paused    bool
	NextAt    *time.Time // when it fires next; nil while it is paused
	LastAt    *time.Time // when it fired last, whatever came of it; nil before
	LastWork  string     // what the last firing queued or was skipped for, by the ID that clients see; empty if nothing
	LastError *Error     // why the last firing queued nothing; nil if it did
	CreatedAt time.Time
	UpdatedAt time.Time
}

// NodeID is the schedule's ID as clients see it.
func (s *Schedule) NodeID() string { return s.ID.String() }

// Times are the instants at which it fires while it is not paused.
func (s *Schedule) Times() (Times, error) { return ParseTimes(s.Cron, s.TimeZone) }

// Plan sets when the schedule fires next. It fails like ParseTimes.
func (s *Schedule) Plan(now time.Time) error {
	times, err := s.Times()
	if err != nil {
		return err
	}
	s.NextAt = nil
	if next := times.Next(now); !s.Paused && !next.IsZero() {
		s.NextAt = &next
	}
	return nil
}
