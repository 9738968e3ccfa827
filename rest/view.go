package rest

import (
	"time"

	"ream/catalog"
	"ream/content"
	"ream/task"
)

// The answers have the names of the GraphQL schema.

// link refers to other work.
type link struct {
	Href string `json:"href"`
	ID   string `json:"id"`
}

// workView is what a task and a group have in common.
type workView struct {
	Href       string       `json:"href"`
	Type       string       `json:"type"`
	ID         string       `json:"id"`
	Name       string       `json:"name"`
	State      task.State   `json:"state"`
	Finished   bool         `json:"finished"`
	Counts     countsView   `json:"counts"`
	Progress   progressView `json:"progress"`
	CreatedAt  time.Time    `json:"createdAt"`
	StartedAt  *time.Time   `json:"startedAt"`
	FinishedAt *time.Time   `json:"finishedAt"`
}

type taskView struct {
	workView
	Kind     task.Kind     `json:"kind"`
	Priority task.Priority `json:"priority"`
	Attempt  int           `json:"attempt"`
	Error    *task.Error   `json:"error"`
	Group    *link         `json:"group"`
	Parent   *link         `json:"parent"`
	RetryOf  *link         `json:"retryOf"`
	Created  []string      `json:"created"`  // ids
	Failures string        `json:"failures"` // where they are
	Preview  *string       `json:"preview"`  // where it is going to be; nil if the task makes none
	Findings string        `json:"findings"`
}

type groupView struct {
	workView
	MaxRunning *int   `json:"maxRunning"`
	RetryOf    *link  `json:"retryOf"`
	Tasks      string `json:"tasks"` // where its members are
}

// membersView is a page of a group's members.
type membersView struct {
	Href  string     `json:"href"`
	Tasks []taskView `json:"tasks"`
	Next  *string    `json:"next"` // the page that follows; nil after the last
}

// failuresView is a page of what a task could not get.
type failuresView struct {
	Href     string        `json:"href"`
	Failures []failureView `json:"failures"`
	Next     *string       `json:"next"` // the page that follows; nil after the last
}

// findingsView is a page of what a task found to be wrong.
type findingsView struct {
	Href     string        `json:"href"`
	Findings []findingView `json:"findings"`
	Next     *string       `json:"next"` // the page that follows; nil after the last
}

type findingView struct {
	Path    *string         `json:"path"` // nil if none is known
	SHA256  content.Digest  `json:"sha256"`
	Size    int64           `json:"size"`
	Problem content.Problem `json:"problem"`
	Remedy  content.Remedy  `json:"remedy"`
	Message string          `json:"message"`
}

func viewFinding(f *content.Finding) findingView {
	view := findingView{SHA256: f.SHA256, Size: f.Size, Problem: f.Problem, Remedy: f.Remedy, Message: f.Message}
	if f.Path != "" {
		view.Path = &f.Path
	}
	return view
}

type failureView struct {
	Path    string `json:"path"`
	URL     string `json:"url"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

type countsView struct {
	Waiting    int   `json:"waiting"`
	Running    int   `json:"running"`
	Completed  int   `json:"completed"`
	Failed     int   `json:"failed"`
	Canceling  int   `json:"canceling"`
	Canceled   int   `json:"canceled"`
	Skipped    int   `json:"skipped"`
	Total      int   `json:"total"`
	Finished   int   `json:"finished"`
	Unfinished int   `json:"unfinished"`
	Revision   int64 `json:"revision"`
}

type progressView struct {
	ItemsDone  int64 `json:"itemsDone"`
	ItemsTotal int64 `json:"itemsTotal"`
	BytesDone  int64 `json:"bytesDone"`
	BytesTotal int64 `json:"bytesTotal"`
	paceView
}

// paceView is what changes by the clock alone.
type paceView struct {
	BytesPerSecond   int64  `json:"bytesPerSecond"`
	RemainingSeconds *int64 `json:"remainingSeconds"`
}

func taskHref(id task.ID) string       { return Prefix + "tasks/" + id.String() }
func groupHref(id task.GroupID) string { return Prefix + "task-groups/" + id.String() }

func viewTask(t *task.Task, created []task.Created, now time.Time) taskView {
	v := taskView{
		workView: workView{Href: taskHref(t.ID), Type: "Task", ID: t.NodeID(), Name: t.Name, State: t.State, Finished: t.Finished(), Counts: viewCounts(t.Counts()),
			Progress: viewProgress(&t.Progress, now), CreatedAt: t.CreatedAt, StartedAt: t.StartedAt, FinishedAt: t.FinishedAt},
		Kind:     t.Kind,
		Priority: t.Priority,
		Attempt:  t.Attempt,
		Error:    t.Error,
		Parent:   taskLink(t.ParentID),
		RetryOf:  taskLink(t.RetryOf),
		Created:  make([]string, len(created)),
		Failures: taskHref(t.ID) + "/failures",
		Findings: taskHref(t.ID) + "/findings",
	}
	if t.Kind == catalog.PreviewKind {
		v.Preview = new(previewHref(t.ID))
	}
	if t.GroupID != 0 {
		v.Group = &link{groupHref(t.GroupID), t.GroupID.String()}
	}
	for i, c := range created {
		v.Created[i] = c.NodeID
	}
	return v
}

func taskLink(id task.ID) *link {
	if id == 0 {
		return nil
	}
	return &link{taskHref(id), id.String()}
}

func viewGroup(g *task.Group, now time.Time) groupView {
	v := groupView{
		workView: workView{Href: groupHref(g.ID), Type: "TaskGroup", ID: g.NodeID(), Name: g.Name, State: g.State(), Finished: g.Finished(), Counts: viewCounts(g.Counts()),
			Progress: viewProgress(&g.Progress, now), CreatedAt: g.CreatedAt, StartedAt: g.StartedAt, FinishedAt: g.FinishedAt},
		Tasks: groupHref(g.ID) + "/tasks",
	}
	if g.MaxRunning != 0 {
		v.MaxRunning = &g.MaxRunning
	}
	if g.RetryOf != 0 {
		v.RetryOf = &link{groupHref(g.RetryOf), g.RetryOf.String()}
	}
	return v
}

func viewCounts(c *task.Counts) countsView {
	return countsView{Waiting: c.Waiting, Running: c.Running, Completed: c.Completed, Failed: c.Failed, Canceling: c.Canceling, Canceled: c.Canceled,
		Skipped: c.Skipped, Total: c.Total(), Finished: c.Finished(), Unfinished: c.Unfinished(), Revision: c.Revision}
}

func viewProgress(p *task.Progress, now time.Time) progressView {
	v := progressView{ItemsDone: p.ItemsDone, ItemsTotal: p.ItemsTotal, BytesDone: p.BytesDone, BytesTotal: p.BytesTotal,
		paceView: paceView{BytesPerSecond: p.BytesPerSecond(now)}}
	if remaining, known := p.Remaining(now); known {
		v.RemainingSeconds = new(int64(remaining.Round(time.Second) / time.Second))
	}
	return v
}
