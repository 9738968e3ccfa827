package content

// OnError is what a sync does about files that it cannot get. Nothing stands
// for Fail.
type OnError string

// What can be done about files that cannot be got.
const (
	Fail OnError = "FAIL" // end with an error, once everything else was fetched
	Skip OnError = "SKIP" // make a version without them
)

// IsZero reports whether it is what nothing stands for.
func (o OnError) IsZero() bool { return o == "" || o == Fail }
