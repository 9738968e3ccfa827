package resolvers

import (
	"context"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"ream/fault"
)

// Operation is a GraphQL operation as those who measure see it.
type Operation struct {
	Type  string // query, mutation, subscription; invalid if it never ran
	Field string // the root field of the schema that it asks for; "several" if there are several; empty if it is invalid
	Name  string // what the client calls it, which may be anything; empty if it has no name
}

// Observer is told that an operation begins. The context that it returns is the
// operation's; the function that it returns is called with the outcome: OK,
// CANCELED, or the code of the first error.
type Observer func(context.Context, Operation) (context.Context, func(outcome string))

// The outcomes that are not codes of errors.
const (
	outcomeOK       = "OK"
	outcomeCanceled = "CANCELED"
)

// ranKey is the context's key of the mark that an operation was begun.
type ranKey struct{}

// around tells the observer of each operation that runs, and counts what
// subscribers get.
func (observe Observer) around(t *traffic) graphql.OperationMiddleware {
	return func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		op := graphql.GetOperationContext(ctx)
		ctx, ended := observe(ctx, describe(op))
		ctx = context.WithValue(ctx, ranKey{}, true)
		if op.Operation.Operation == ast.Subscription {
			return t.subscription(ctx, next, ended)
		}
		var once sync.Once
		responses := next(ctx)
		return func(ctx context.Context) *graphql.Response {
			r := responses(ctx)
			once.Do(func() { ended(outcomeOf(r)) })
			return r
		}
	}
}

// subscription counts a subscription until it ends, by itself or because the
// client left.
func (t *traffic) subscription(ctx context.Context, next graphql.OperationHandler, ended func(string)) graphql.ResponseHandler {
	t.subscriptions.Add(1)
	var once sync.Once
	end := func(outcome string) {
		once.Do(func() {
			t.subscriptions.Add(-1)
			ended(outcome)
		})
	}
	context.AfterFunc(ctx, func() { end(outcomeCanceled) })
	responses := next(ctx)
	outcome := outcomeOK
	return func(ctx context.Context) *graphql.Response {
		r := responses(ctx)
		switch {
		case r != nil:
			t.frames.Add(1)
			outcome = outcomeOf(r)
		case ctx.Err() != nil:
			end(outcomeCanceled)
		default:
			end(outcome)
		}
		return r
	}
}

// aroundResponses tells the observer of the operations that were rejected
// before they ran.
func (observe Observer) aroundResponses(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	if ctx.Value(ranKey{}) != nil {
		return next(ctx)
	}
	ctx, ended := observe(ctx, describe(graphql.GetOperationContext(ctx)))
	r := next(ctx)
	ended(outcomeOf(r))
	return r
}

// describe tells what an operation asks for.
func describe(op *graphql.OperationContext) Operation {
	if op == nil || op.Operation == nil {
		return Operation{Type: "invalid"}
	}
	o := Operation{Type: string(op.Operation.Operation), Name: op.Operation.Name}
	for _, selection := range op.Operation.SelectionSet {
		field, ok := selection.(*ast.Field)
		if !ok || o.Field != "" && o.Field != field.Name {
			o.Field = "several"
			break
		}
		o.Field = field.Name
	}
	return o
}

// outcomeOf is what became of an operation with this response.
func outcomeOf(r *graphql.Response) string {
	switch {
	case r == nil:
		return outcomeCanceled
	case len(r.Errors) == 0:
		return outcomeOK
	}
	if code, ok := r.Errors[0].Extensions["code"].(string); ok {
		return code
	}
	return string(fault.Internal)
}
