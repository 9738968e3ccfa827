package resolvers

import (
	"context"
	"fmt"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"ream/fault"
	"ream/quota"
)

// guard keeps what clients ask for to the limits: the document before it is
// parsed, the operation before it runs, and the answer while it does.
type guard struct {
	Limits
	schema        *ast.Schema
	checked       graphql.Cache[*ast.QueryDocument] // documents that are within the limits
	present       graphql.ErrorPresenterFunc
	late          *exceeded // of a request that took too long
	subscriptions *quota.Seats
}

var _ interface {
	graphql.HandlerExtension
	graphql.OperationParameterMutator
	graphql.OperationContextMutator
	graphql.OperationInterceptor
	graphql.ResponseInterceptor
} = &guard{}

func newGuard(l Limits, schema *ast.Schema, checked graphql.Cache[*ast.QueryDocument], present graphql.ErrorPresenterFunc) *guard {
	late := over(fault.Unavailable, "duration", l.Duration, "the request took too long", "ask for less, or try again later")
	return &guard{l, schema, checked, present, late, quota.NewSeats(l.SubscriptionsPerClient, l.Subscriptions)}
}

// ExtensionName names the extension.
func (*guard) ExtensionName() string { return "Limits" }

// Validate accepts any schema.
func (*guard) Validate(graphql.ExecutableSchema) error { return nil }

// MutateOperationParameters rejects a document that is too long or too wide. It
// changes nothing.
func (g *guard) MutateOperationParameters(ctx context.Context, request *graphql.RawParams) *gqlerror.Error {
	if _, ok := g.checked.Get(ctx, request.Query); ok {
		return nil
	}
	if err := g.checkDocument(request.Query); err != nil {
		return reject(err)
	}
	return nil
}

// MutateOperationContext rejects an operation that asks for too much, or whose
// variables are not what it says. It changes nothing.
func (g *guard) MutateOperationContext(ctx context.Context, op *graphql.OperationContext) *gqlerror.Error {
	if err := checkVariables(g.schema, op); err != nil {
		return reject(err)
	}
	if err := g.checkOperation(op.Operation, op.Variables); err != nil {
		return reject(err)
	}
	if op.Operation.Operation == ast.Subscription {
		if refused := g.subscriptions.Full(quota.ClientOf(ctx)); refused != nil {
			return reject(tooManyOpen("subscriptions", refused))
		}
	}
	return nil
}

// InterceptOperation counts the subscriptions that are open.
func (g *guard) InterceptOperation(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
	if graphql.GetOperationContext(ctx).Operation.Operation == ast.Subscription {
		leave, refused := g.subscriptions.Take(quota.ClientOf(ctx))
		if refused != nil { // another one was faster since MutateOperationContext
			err := g.present(ctx, tooManyOpen("subscriptions", refused))
			return graphql.OneShot(&graphql.Response{Errors: gqlerror.List{err}})
		}
		context.AfterFunc(ctx, leave)
	}
	return next(ctx)
}

// InterceptResponse ends queries and mutations that take too long, and leaves
// out all but the first errors.
func (g *guard) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	ctx = withTally(ctx, g.Errors)
	op := graphql.GetOperationContext(ctx)
	if g.Duration > 0 && op.Operation != nil && op.Operation.Operation != ast.Subscription {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, g.Duration, g.late)
		defer cancel()
	}
	response := next(ctx)
	if response == nil {
		return nil
	}
	response.Errors = g.first(response.Errors)
	if response.Data == nil { // nothing was executed
		blame(g.schema, op, response.Errors)
	}
	return response
}

// first are the errors that are told, with a word of the others.
func (g *guard) first(all gqlerror.List) gqlerror.List {
	if g.Errors <= 0 || len(all) <= g.Errors {
		return all
	}
	told := make(gqlerror.List, 0, g.Errors+1)
	for _, e := range all {
		if e.Message != "" && len(told) < g.Errors { // the presenter left the others empty, in any order
			told = append(told, e)
		}
	}
	more := &gqlerror.Error{Message: fmt.Sprintf("%d more errors are left out (limit errors=%d)", len(all)-len(told), g.Errors)}
	code, _ := told[0].Extensions["code"].(string)
	setCode(more, fault.Kind(code))
	return append(told, more)
}

// tooManyOpen says that a client may not open more.
func tooManyOpen(what string, refused *quota.Refused) *exceeded {
	if refused.All {
		return over(fault.RateLimited, what, refused.Max, fmt.Sprintf("all clients together have %d %s open", refused.Max, what), "try again later")
	}
	return over(fault.RateLimited, what+"-per-client", refused.Max, fmt.Sprintf("you have %d %s open", refused.Max, what), "end one first")
}
