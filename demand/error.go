package demand

import (
	"errors"
	"os"

	"ream/fault"
)

// UpstreamError is that upstream does not give a file, or not as it should be.
type UpstreamError struct {
	Late   bool // it took too long
	reason string
}

// Error says why, for the log: it may name places that readers of the content
// should not know.
func (e *UpstreamError) Error() string { return e.reason }

func upstreamError(err error) *UpstreamError {
	return &UpstreamError{Late: errors.Is(err, os.ErrDeadlineExceeded), reason: err.Error()}
}

var (
	errStopping = fault.New(fault.Unavailable, "the server is stopping: try again later")
	errBusy     = fault.New(fault.Unavailable, "too many files are being fetched: try again later")
	errAnew     = &UpstreamError{reason: "the fetch began anew after bytes of it were served"}
)
