package content

// Problem is what is wrong with the bytes of an artifact.
type Problem string

// What can be wrong.
const (
	Damaged    Problem = "DAMAGED"    // they were something else
	Missing    Problem = "MISSING"    // they were not there
	Unreadable Problem = "UNREADABLE" // they could not be read, and may be right
)

// Remedy is what was done about a problem.
type Remedy string

// What can be done.
const (
	Fetched   Remedy = "FETCHED"   // they were fetched from a remote again
	Rewritten Remedy = "REWRITTEN" // they describe a publication, and were written again
	Unneeded  Remedy = "UNNEEDED"  // nothing names them any more, so nobody misses them
	Unsolved  Remedy = "NONE"      // nobody who was asked has them
)

// Stored reports whether the bytes are there again.
func (r Remedy) Stored() bool { return r == Fetched || r == Rewritten }

// Finding is an artifact whose bytes were found to be wrong, and what was done.
type Finding struct {
	Path    string // of a file with these bytes; empty if none is known
	SHA256  Digest
	Size    int64
	Problem Problem
	Remedy  Remedy
	Message string // for people
}
