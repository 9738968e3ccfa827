package content

// Problem is what is wrong with the bytes of an artifact.
type Problem string

// What can be wrong.
const (
	Damaged Problem = "DAMAGED" // they were something else
	Missing Problem = "MISSING" // they were not there
)

// Remedy is what was done about a problem.
type Remedy string

// What can be done.
const (
	Fetched   Remedy = "FETCHED"   // they were fetched from a remote again
	Rewritten Remedy = "REWRITTEN" // they describe a publication, and were written again
	Unsolved  Remedy = "NONE"      // nobody who was asked has them
)

// Finding is an artifact whose bytes were found to be wrong, and what was done.
type Finding struct {
	Path    string // of a file with these bytes; empty if none is known
	SHA256  Digest
	Size    int64
	Problem Problem
	Remedy  Remedy
	Message string // for people
}
