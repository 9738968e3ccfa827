package task

import "time"

// Unit is what a report counts.
type Unit string

// The units of progress.
const (
	Items Unit = "ITEMS"
	Bytes Unit = "BYTES"
)

// Report is one line of a task's progress: "download: 120 of 400 files".
type Report struct {
	TaskID    ID
	Code      string // for programs: "sync.download"
	Message   string // for people: "Downloading files"
	Done      int64
	Total     *int64 // nil while unknown
	Unit      Unit
	StartedAt time.Time
	UpdatedAt time.Time
}

// Progress sums reports of one task, or of all members of a group.
type Progress struct {
	ItemsDone  int64
	ItemsTotal int64
	BytesDone  int64
	BytesTotal int64
	Since      *time.Time // when the work started; nil before
	Until      *time.Time // when it ended; nil while it goes on
}

// BytesPerSecond is the average since the start; 0 before it.
func (p *Progress) BytesPerSecond(now time.Time) int64 {
	if p.Since == nil {
		return 0
	}
	end := now
	if p.Until != nil {
		end = *p.Until
	}
	seconds := end.Sub(*p.Since).Seconds()
	if seconds <= 0 {
		return 0
	}
	return int64(min(float64(p.BytesDone)/seconds, 1<<62))
}

// Remaining estimates how long the rest takes, from the bytes or, if none are
// known, the items done so far. It is false where nothing can be said.
func (p *Progress) Remaining(now time.Time) (time.Duration, bool) {
	done, total := p.BytesDone, p.BytesTotal
	if total == 0 {
		done, total = p.ItemsDone, p.ItemsTotal
	}
	if p.Since == nil || p.Until != nil || done <= 0 || total < done {
		return 0, false
	}
	elapsed := now.Sub(*p.Since).Seconds()
	rest := elapsed * float64(total-done) / float64(done) * float64(time.Second)
	return time.Duration(min(rest, 1<<62)), true
}
