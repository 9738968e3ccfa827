package task

import "context"

type traceKey struct{}

// WithTrace returns a context whose holder works within a span, which trace
// names as a W3C traceparent does. Tasks that are queued with it remember that.
func WithTrace(ctx context.Context, trace string) context.Context {
	return context.WithValue(ctx, traceKey{}, trace)
}

// TraceOf is the span that WithTrace was told of; empty if there is none.
func TraceOf(ctx context.Context) string {
	trace, _ := ctx.Value(traceKey{}).(string)
	return trace
}
