package resolvers

import (
	"bytes"
	"context"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"ream/quota"
)

// batch answers several requests that came as one JSON list, one after the
// other, with the list of their answers. Each counts as one to the client's
// rate, and each has the limits of an operation to itself.
func (t httpTransport) batch(ctx context.Context, reply reply, exec graphql.GraphExecutor, requests []*graphql.RawParams) {
	for range requests[1:] {
		if wait := t.stream.Rate.Take(quota.ClientOf(ctx)); wait > 0 {
			reply.refuse(tooOften(t.stream.Rate, wait))
			return
		}
	}
	var answers [][]byte
	for _, request := range requests {
		response := answerOne(ctx, exec, request)
		if response == nil { // the client is gone, or the server stops
			reply.executed(ctx, nil)
			return
		}
		answers = append(answers, encodeResponse(response))
	}
	reply.send(http.StatusOK, append(append([]byte("["), bytes.Join(answers, []byte(","))...), ']'))
}

// answerOne answers a request of a batch.
func answerOne(ctx context.Context, exec graphql.GraphExecutor, request *graphql.RawParams) *graphql.Response {
	op, errs := exec.CreateOperationContext(ctx, request)
	ctx = graphql.WithOperationContext(ctx, op)
	if errs != nil {
		return exec.DispatchError(ctx, errs)
	}
	if op.Operation.Operation == ast.Subscription {
		return &graphql.Response{Errors: gqlerror.List{subscriptionAlone().shown()}}
	}
	responses, ctx := exec.DispatchOperation(ctx, op)
	return responses(ctx)
}
