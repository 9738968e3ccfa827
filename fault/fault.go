// Package fault is the closed set of errors that Ream shows to its users.
//
// An error becomes a fault once, where its cause is understood: the database
// classifies its driver's errors, the catalog rejects bad input. It is shown
// once, at the edge. Every other error reaches users as "internal error".
package fault

import (
	"errors"
	"fmt"
)

// Kind classifies a fault. Its text is the error code that clients see.
type Kind string

// The kinds of faults.
const (
	BadInput        Kind = "BAD_INPUT"       // the request itself is wrong; Field names the part
	NotFound        Kind = "NOT_FOUND"       // what the request names does not exist
	Conflict        Kind = "CONFLICT"        // the request contradicts what exists
	Unauthenticated Kind = "UNAUTHENTICATED" // the request needs credentials
	Forbidden       Kind = "FORBIDDEN"       // the credentials do not allow the request
	TooComplex      Kind = "TOO_COMPLEX"     // the request costs more than one may ask for
	RateLimited     Kind = "RATE_LIMITED"    // too many requests in too short a time
	Unavailable     Kind = "UNAVAILABLE"     // try again later: the database, an upstream, or a disk does not answer
	Internal        Kind = "INTERNAL"        // a defect; the message never reaches users
)

// Error is an error whose Message is safe to show to users.
type Error struct {
	Kind    Kind
	Message string
	Field   string // the input field at fault, as the API spells it; empty if none
	Err     error  // the cause, for the log only
	Passing bool   // the same may succeed in a moment, without anybody's doing
}

// Error returns the message and, for the log, the cause.
func (e *Error) Error() string {
	s := e.Message
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns a fault of the given kind with a formatted message.
func New(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Input returns a BadInput fault that names the field and, in its message,
// the remedy.
func Input(field, format string, args ...any) *Error {
	return &Error{Kind: BadInput, Field: field, Message: fmt.Sprintf(format, args...)}
}

// ExactlyOne returns an Input fault unless exactly one of a field's
// alternatives is given. GraphQL itself checks literals for that, but not
// variables.
func ExactlyOne(field, alternatives string, given ...bool) error {
	n := 0
	for _, is := range given {
		if is {
			n++
		}
	}
	if n != 1 {
		return Input(field, "exactly one of %s must be given, not %d", alternatives, n)
	}
	return nil
}

// Wrap returns a fault of the given kind that keeps err for the log.
func Wrap(err error, kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), Err: err}
}

// Within returns err with the field that its fault names as one of a part of
// the request: sync.version for the version within sync.
func Within(part string, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Field == "" {
		return err
	}
	deeper := *e
	deeper.Field = part + "." + e.Field
	return &deeper
}

// KindOf returns the kind of the first fault in err's chain, and Internal if
// there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Is reports whether the first fault in err's chain is of the given kind.
func Is(err error, kind Kind) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == kind
}

// IsPassing reports whether what failed with err may succeed in a moment,
// without anybody's doing: the database was restarted, or others were faster.
func IsPassing(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Passing
}

// Message returns what users may read of err: the messages of the first fault
// in its chain, without its cause.
func Message(err error) string {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return "internal error"
	case e.Field != "":
		return e.Field + ": " + e.Message
	}
	return e.Message
}
