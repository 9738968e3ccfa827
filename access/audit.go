package access

import (
	"encoding/json"
	"strconv"
	"time"
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
