package task

// State is where a task is in its life.
type State string

// The states of a task.
const (
	Waiting   State = "WAITING"
	Running   State = "RUNNING"
	Completed State = "COMPLETED"
	Failed    State = "FAILED"
	Canceling State = "CANCELING"
	Canceled  State = "CANCELED"
	Skipped   State = "SKIPPED"
)

// Finished reports whether a task in this state will never change again.
func (s State) Finished() bool {
	return s == Completed || s == Failed || s == Canceled || s == Skipped
}

// Priority orders waiting tasks before their position does.
type Priority string

// The priorities, in the order in which they are taken.
const (
	High   Priority = "HIGH"
	Normal Priority = "NORMAL"
	Low    Priority = "LOW"
)

// Counts tells how many tasks are in each state, all read at one instant: the
// states always sum to Total.
type Counts struct {
	Waiting   int
	Running   int
	Completed int
	Failed    int
	Canceling int
	Canceled  int
	Skipped   int
	Revision  int64 // grows with every change
}

// Total is the sum over all states.
func (c Counts) Total() int { return c.Finished() + c.Unfinished() }

// Finished counts the tasks that will never change again.
func (c Counts) Finished() int { return c.Completed + c.Failed + c.Canceled + c.Skipped }

// Unfinished counts the tasks that still wait or run.
func (c Counts) Unfinished() int { return c.Waiting + c.Running + c.Canceling }

// Add changes the count of one state by n.
func (c *Counts) Add(s State, n int) {
	switch s {
	case Waiting:
		c.Waiting += n
	case Running:
		c.Running += n
	case Completed:
		c.Completed += n
	case Failed:
		c.Failed += n
	case Canceling:
		c.Canceling += n
	case Canceled:
		c.Canceled += n
	case Skipped:
		c.Skipped += n
	}
}

// State derives the state of a group whose members have these counts.
// Canceled tells that the group was canceled, started that a member ever ran.
func (c Counts) State(canceled, started bool) State {
	switch {
	case c.Unfinished() > 0 && canceled:
		return Canceling
	case c.Unfinished() > 0 && started:
		return Running
	case c.Unfinished() > 0:
		return Waiting
	case c.Failed > 0:
		return Failed
	case c.Canceled > 0:
		return Canceled
	case c.Skipped > 0:
		return Skipped
	}
	return Completed
}
