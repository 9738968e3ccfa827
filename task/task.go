// Package task is what Ream knows of work: tasks, groups of tasks, their
// states, counts, progress and reservations. It decides nothing that needs a
// database and knows nothing of what the work does.
package task

import (
	"encoding/json"
	"time"

	"ream/fault"
)

// Work is what a Task and a Group have in common: what an operation answers.
type Work interface {
	NodeID() string
	Finished() bool
	isWork()
}

// Kind names what a task does, as noun.verb: "repository.sync".
type Kind string

// Task is one unit of work.
type Task struct {
	ID         ID
	Kind       Kind
	Name       string // for people: "sync fedora-40"
	State      State
	Priority   Priority
	GroupID    GroupID // 0 if the task belongs to no group
	ParentID   ID      // the task that spawned it; 0 if a request did
	RetryOf    ID      // the unsuccessful task that it does again; 0 if it is none's retry
	Args       json.RawMessage
	Trace      string   // the span within which it was queued, of tasks that were just claimed; empty without
	Attempt    int      // how often the task was started; 0 while it waits for the first time
	WorkerID   WorkerID // who runs it or ran it last; 0 if nobody did
	Progress   Progress
	Error      *Error // why it FAILED or was SKIPPED; nil otherwise
	CreatedAt  time.Time
	StartedAt  *time.Time
	FinishedAt *time.Time
}

// NodeID is the task's ID as clients see it.
func (t *Task) NodeID() string { return t.ID.String() }

// Finished reports whether the task will never change again.
func (t *Task) Finished() bool { return t.State.Finished() }

// Counts counts the task as one.
func (t *Task) Counts() *Counts {
	var c Counts
	c.Add(t.State, 1)
	return &c
}

func (*Task) isWork() {}

// Group says that a collection of tasks belong together.
type Group struct {
	ID         GroupID
	Name       string // for people: "sync 12 repositories"
	Tally      Counts
	Progress   Progress // the sums over the members
	MaxRunning int      // how many members may run at once; 0 for no limit
	RetryOf    GroupID  // the group whose unsuccessful members it does again; 0 if it is none's retry
	CanceledAt *time.Time
	CreatedAt  time.Time
	StartedAt  *time.Time // when the first member started
	FinishedAt *time.Time
}

// NodeID is the group's ID as clients see it.
func (g *Group) NodeID() string { return g.ID.String() }

// State is derived from the counts and never stored.
func (g *Group) State() State { return g.Tally.State(g.CanceledAt != nil, g.StartedAt != nil) }

// Finished reports whether no member will ever change again.
func (g *Group) Finished() bool { return g.Tally.Unfinished() == 0 }

// Counts tells how many members are in each state.
func (g *Group) Counts() *Counts { c := g.Tally; return &c }

func (*Group) isWork() {}

// Error is why a task failed: a code for programs, a message for people.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// The codes of errors that the engine itself gives; all others are fault kinds.
const (
	CodeWorkerLost = "WORKER_LOST" // the workers that ran the task died too often
	CodeSkipped    = "SKIPPED"     // a task that this one comes after did not complete
	CodeTimedOut   = "TIMED_OUT"   // the task ran longer than its kind may
	CodeStalled    = "STALLED"     // the task made no progress for longer than its kind may
)

// ErrorOf is what a task records of the error its handler returned.
func ErrorOf(err error) *Error {
	if err == nil {
		return nil
	}
	kind := fault.KindOf(err)
	if kind == fault.Internal {
		return &Error{Code: string(fault.Internal), Message: "internal error; the server's log has the details under this task's id"}
	}
	return &Error{Code: string(kind), Message: fault.Message(err)}
}

// Access is how a task uses a resource.
type Access bool

// Tasks that share a resource may overlap; exclusive ones overlap with nobody.
const (
	Shared    Access = false
	Exclusive Access = true
)

// Reservation is a claim on a resource such as "repository-3": it is granted
// in the order of asking, first come, first served.
type Reservation struct {
	Resource string
	Access   Access
	Granted  bool // false while the task waits for others to be done with the resource
	Waiting  int  // how many tasks wait for the resource, this one included
}

// Exclusive reports whether nobody else may use the resource meanwhile.
func (r *Reservation) Exclusive() bool { return r.Access == Exclusive }

// New describes a task to be queued.
type New struct {
	Kind         Kind
	Name         string
	Args         any // marshaled to JSON
	Priority     Priority
	Reservations []Reservation
	After        []int // indexes in the same batch of earlier tasks that must complete first
	// Dedupe, if not empty, stands for an identical request: while a task with
	// the same text waits, it is returned and nothing is queued. Only for a
	// batch of one task without a group.
	Dedupe  string
	RetryOf ID // the unsuccessful task that this one does again; 0 for none
	// RepositoryID is the number of the repository that the task is about, 0 for
	// none: those who are limited to some repositories see it by that.
	RepositoryID int64
}

// NewGroup describes a group to be queued with its members.
type NewGroup struct {
	Name       string
	MaxRunning int // how many members may run at once; 0 for no limit
	RetryOf    GroupID
	Tasks      []New
}

// Vacancies are what a worker can take: up to Total tasks, of the kinds in Of,
// and of each kind no more than stands there.
type Vacancies struct {
	Total int
	Of    map[Kind]int
}

// Created is something that a task made, by the ID that clients see.
type Created struct {
	TaskID ID
	NodeID string // "version-3", "publication-8"
}

// Outcome is how a run of a task ended.
type Outcome struct {
	Fence Fence
	State State // Completed, Failed or Canceled; Waiting returns it to the queue without counting the attempt
	Error *Error
}

// Fence identifies one run of a task. A worker that lost its lease holds a
// fence that no longer fits and can record nothing.
type Fence struct {
	Task    ID
	Worker  WorkerID
	Attempt int
}

// Worker is one run of a process that takes tasks.
type Worker struct {
	ID          WorkerID
	Host        string
	PID         int
	Version     string
	Slots       int
	StartedAt   time.Time
	HeartbeatAt time.Time
}

// NodeID is the worker's ID as clients see it.
func (w *Worker) NodeID() string { return w.ID.String() }

// Queue is the state of everything at one instant.
type Queue struct {
	Tally         Counts
	OldestWaiting *time.Time // when the task that waits longest was queued
	Workers       []*Worker
	PerSecond     float64 // tasks finished per second, over the last minute
}

// Sample is what the counts over everything were at one time, and what was
// finished since the sample before.
type Sample struct {
	At        time.Time
	Waiting   int
	Running   int
	Completed int // since the sample before, like the following
	Failed    int
	Canceled  int
	Skipped   int
}

// Finished is always false: there may always be more to do.
func (q *Queue) Finished() bool { return false }

// Counts tells how many tasks are in each state, finished ones included.
func (q *Queue) Counts() *Counts { c := q.Tally; return &c }

// Filter selects tasks. Empty fields select everything.
type Filter struct {
	States   []State
	Finished *bool
	Kind     Kind
	Newest   bool // newest first instead of oldest first
}

// Relation is what tasks are to something that has a list of them.
type Relation string

// The relations of tasks.
const (
	MemberOf  Relation = "member of"  // a group
	SpawnedBy Relation = "spawned by" // a task
	RetryOf   Relation = "retry of"   // a task
	RunBy     Relation = "run by"     // a worker, now
	About     Relation = "about"      // a repository
)

// Load is how many unfinished tasks of a kind there are.
type Load struct {
	Kind      Kind
	Blocked   int // wait for others
	Ready     int // wait for a worker only
	Running   int
	Canceling int
}
