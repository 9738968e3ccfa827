package access

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"ream/fault"
)

// EntryID is the ID of an entry of the audit log. Clients see it as "audit-9".
type EntryID int64

func (id EntryID) String() string { return "audit-" + strconv.FormatInt(int64(id), 10) }

// Entry is what the audit log keeps of a mutation that somebody asked for.
type Entry struct {
	ID        EntryID
	At        time.Time
	Caller                    // who asked, as they were then
	Operation string          // the mutation's name
	Arguments json.RawMessage // without secrets
	Results   []string        // the IDs, as clients see them, of what was changed or made
	Code      string          // Done, or the kind of fault that it ended with
}

// Done is the code of an entry whose mutation did what it was asked to.
const Done = "OK"

// NodeID is the entry's ID as clients see it.
func (e *Entry) NodeID() string { return e.ID.String() }

// EntryFilter selects entries. Empty fields select everything.
type EntryFilter struct {
	Name         string // of the principal
	Operation    string
	Failed       bool // only what did not end with Done
	Since, Until time.Time
}

// Action is a mutation under way. It belongs to one goroutine.
type Action struct {
	Operation string
	Arguments json.RawMessage // without secrets
	recorded  bool
}

type actionKey struct{}

// WithAction says which mutation is under way in whatever is done with the
// context.
func WithAction(ctx context.Context, a *Action) context.Context {
	return context.WithValue(ctx, actionKey{}, a)
}

// ActionOf tells which mutation is under way; nil if none is.
func ActionOf(ctx context.Context) *Action {
	a, _ := ctx.Value(actionKey{}).(*Action)
	return a
}

// Entry is what the log is to keep of the action: who asks is known from the
// context, and err is how it ended.
func (a *Action) Entry(ctx context.Context, err error, results ...string) *Entry {
	e := &Entry{Caller: CallerOf(ctx), Operation: a.Operation, Arguments: a.Arguments, Results: results, Code: Done}
	if err != nil {
		e.Code = string(fault.KindOf(err))
	}
	return e
}

// SetRecorded says that the log has an entry of the action.
func (a *Action) SetRecorded() { a.recorded = true }

// Recorded reports whether the log has an entry of the action.
func (a *Action) Recorded() bool { return a.recorded }
