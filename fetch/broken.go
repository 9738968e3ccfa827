package fetch

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"time"
)

// errStalled is why a download without bytes is given up.
var errStalled = errors.New("no bytes arrived for too long")

// stallReader gives a download up when it stands still. Only the time spent
// waiting for bytes counts, not the time that the sink takes.
type stallReader struct {
	from    io.Reader
	stopped func() error // why the attempt is over, once it is
	timer   *time.Timer
	after   time.Duration
}

func newStallReader(ctx context.Context, from io.Reader, after time.Duration, cancel context.CancelCauseFunc) *stallReader {
	return &stallReader{
		from:    from,
		stopped: func() error { return context.Cause(ctx) },
		timer:   time.AfterFunc(after, func() { cancel(errStalled) }),
		after:   after,
	}
}

func (r *stallReader) Read(p []byte) (int, error) {
	if err := r.stopped(); err != nil {
		return 0, err
	}
	r.timer.Reset(r.after)
	n, err := r.from.Read(p)
	r.timer.Stop()
	return n, err
}

func (r *stallReader) stop() { r.timer.Stop() }

// broken is a failure of the network. The URL that net/http puts into its
// errors is left out, since its query may be a secret.
func broken(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return &passingError{reason: networkReason(err), err: err}
}

// networkReason says in a few words, without addresses, what went wrong.
func networkReason(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return "there is no such host"
		}
		return "the host's name cannot be resolved"
	}
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errStalled):
		return errStalled.Error()
	case ok && timeout.Timeout():
		return "it does not answer in time"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the connection ended in the middle"
	}
	return "the transfer failed"
}
