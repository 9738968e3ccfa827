package worker

import (
	"time"

	"ream/task"
)

// reporter collects the progress of one task.
type reporter struct {
	w  *Worker
	id task.ID
}

// Report keeps the newest state of a line until the next cycle writes it.
func (r reporter) Report(code, message string, unit task.Unit, done, total int64) {
	report := task.Report{TaskID: r.id, Code: code, Message: message, Unit: unit, Done: done}
	if total >= 0 {
		report.Total = &total
	}
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	if run := r.w.running[r.id]; run != nil {
		run.moved = time.Now()
		r.w.keep(report)
	}
}

// keep remembers a report for the next cycle. The caller holds mu.
func (w *Worker) keep(r task.Report) {
	lines := w.reports[r.TaskID]
	if lines == nil {
		lines = map[string]task.Report{}
		w.reports[r.TaskID] = lines
	}
	lines[r.Code] = r
}

// dueReports takes the reports that changed, if it is time or a task ended,
// unless another lane is writing some. The caller holds mu.
func (w *Worker) dueReports(now bool) []task.Report {
	if w.writing || len(w.reports) == 0 || !now && time.Since(w.written) < tick {
		return nil
	}
	var due []task.Report
	for _, lines := range w.reports {
		for _, r := range lines {
			due = append(due, r)
		}
	}
	clear(w.reports)
	w.written = time.Now()
	return due
}
