package demand

import (
	"errors"
	"os"
	"time"

	"ream/fault"
	"ream/fetch"
)

// UpstreamError is that upstream does not give a file, or not as it should be.
type UpstreamError struct {
	Late   bool      // it took too long
	until  time.Time // when it may be asked again, if it said so; zero if it may be soon
	reason string
}

// Error says why, for the log: it may name places that readers of the content
// should not know.
func (e *UpstreamError) Error() string { return e.reason }

// upstreamError is why none of the places gave a file.
func upstreamError(places ...error) *UpstreamError {
	err := errors.Join(places...)
	e := &UpstreamError{Late: errors.Is(err, os.ErrDeadlineExceeded), reason: err.Error()}
	for i, err := range places {
		later, ok := errors.AsType[*fetch.LaterError](err)
		if !ok {
			e.until = time.Time{}
			break
		}
		if i == 0 || later.Until.Before(e.until) {
			e.until = later.Until
		}
	}
	return e
}

var (
	errStopping = fault.New(fault.Unavailable, "the server is stopping: try again later")
	errBusy     = fault.New(fault.Unavailable, "too many files are being fetched: try again later")
	errAnew     = &UpstreamError{reason: "the fetch began anew after bytes of it were served"}
)
