package resolvers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"ream/fault"
	"ream/trail"
)

// presenter shows errors to clients: faults as they are, with their kind as
// the code; GraphQL's own errors as bad input; every other one as "internal
// error" with an id under which the log has the rest.
func presenter(log *slog.Logger) graphql.ErrorPresenterFunc {
	return func(ctx context.Context, err error) *gqlerror.Error {
		g, isGraphQL := errors.AsType[*gqlerror.Error](err)
		if isGraphQL && g.Err == errShown {
			return g
		}
		if !tally(ctx) {
			return &gqlerror.Error{} // without a message: the guard leaves it out
		}
		shown := &gqlerror.Error{Path: graphql.GetPath(ctx)}
		if isGraphQL {
			shown.Path, shown.Locations = g.Path, g.Locations
		}
		if late, ok := errors.AsType[*exceeded](context.Cause(ctx)); ok && errors.Is(err, context.DeadlineExceeded) {
			err = late
		}
		f, isFault := errors.AsType[*fault.Error](err)
		switch {
		case isFault && f.Kind != fault.Internal:
			showFault(shown, err)
			if field := argumentField(ctx, shown.Path); field != "" && f.Kind == fault.BadInput && f.Field == "" { // of a scalar
				shown.Extensions["field"] = field
			}
			if f.Err != nil {
				log.WarnContext(ctx, "request failed", "path", shown.Path.String(), "code", f.Kind, "error", err)
			}
		case errors.Is(err, context.Canceled):
			shown.Message = "the request was canceled"
			setCode(shown, fault.Unavailable)
		case errors.Is(err, context.DeadlineExceeded):
			shown.Message = "the request took too long: ask for less, or try again later"
			setCode(shown, fault.Unavailable)
		case isGraphQL && isRequestError(g):
			shown.Message = g.Message
			setCode(shown, requestCode(g))
			if field := argumentField(ctx, shown.Path); field != "" {
				shown.Extensions["field"] = field
			}
		case isGraphQL && argumentField(ctx, g.Path) != "":
			showFault(shown, fault.Input(argumentField(ctx, g.Path), "it is not what the schema says: look up its type"))
		default:
			id := trail.ID(ctx)
			if id == "" {
				id = trail.NewID()
			}
			shown.Message = "internal error"
			setCode(shown, fault.Internal)
			shown.Extensions["id"] = id
			attributes := []any{"id", id, "path", shown.Path.String(), "error", err}
			if p, ok := errors.AsType[*panicError](err); ok {
				attributes = append(attributes, "stack", string(p.stack))
			}
			log.ErrorContext(ctx, "internal error", attributes...)
		}
		return shown
	}
}

// showFault tells what users may know of a fault.
func showFault(shown *gqlerror.Error, err error) {
	shown.Message = fault.Message(err)
	setCode(shown, fault.KindOf(err))
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Field != "" {
		shown.Extensions["field"] = f.Field
	}
	if e, ok := errors.AsType[*exceeded](err); ok {
		shown.Extensions["limit"], shown.Extensions["maximum"] = e.limit, e.max
	}
}

func setCode(e *gqlerror.Error, kind fault.Kind) {
	e.Extensions = map[string]any{"code": string(kind)}
}

// isRequestError reports whether GraphQL itself rejected the request: it did
// not parse or is not valid, a transport did not accept it, or a number does
// not fit its type.
func isRequestError(g *gqlerror.Error) bool {
	if _, ok := errors.AsType[*graphql.NumberOverflowError](g.Err); ok {
		return true
	}
	if _, ok := g.Err.(*strconv.NumError); ok { // not wrapped: from an argument, not from a resolver
		return true
	}
	_, coded := g.Extensions["code"].(string)
	return coded || g.Err == nil && len(g.Path) == 0
}

// requestCode keeps the code that a transport chose. Codes that are not of
// the API are bad input.
func requestCode(g *gqlerror.Error) fault.Kind {
	switch kind := errorKind(g); kind {
	case fault.NotFound, fault.Conflict, fault.Unauthenticated, fault.Forbidden,
		fault.TooComplex, fault.RateLimited, fault.Unavailable:
		return kind
	}
	return fault.BadInput
}

// errorKind is the kind of an error that was presented.
func errorKind(e *gqlerror.Error) fault.Kind {
	code, _ := e.Extensions["code"].(string)
	return fault.Kind(code)
}

// reject makes of a fault an error that a request ends with before it runs.
func reject(fault error) *gqlerror.Error {
	err := gqlerror.Wrap(fault)
	errcode.Set(err, errcode.ValidationFailed)
	return err
}

// panicError is what a resolver panicked with.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// panicErrorOf is the error of what was recovered from just now, which may be
// the error of a panic on another goroutine.
func panicErrorOf(value any) *panicError {
	if e, ok := value.(*panicError); ok {
		return e
	}
	return &panicError{value: value, stack: debug.Stack()}
}

// errShown marks errors that went through the presenter.
var errShown = errors.New("shown")

// recovered shows the error of a panic at once: not everything that gqlgen
// recovers from goes through the presenter.
func recovered(present graphql.ErrorPresenterFunc) graphql.RecoverFunc {
	return func(ctx context.Context, value any) error {
		shown := present(ctx, panicErrorOf(value))
		shown.Err = errShown
		return shown
	}
}
