package trace

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	otel "go.opentelemetry.io/otel/trace"

	"ream/fault"
	"ream/task"
	"ream/trail"
)

// ok is the outcome that is no error.
const ok = "OK"

// maxName bounds the names that clients give.
const maxName = 100

// end ends a span with an outcome: OK, or the code of an error.
func end(span otel.Span, outcome string) {
	if outcome != ok {
		span.SetStatus(codes.Error, outcome)
		span.SetAttributes(attribute.String("error.type", outcome))
	}
	span.End()
}

// start begins a span. Tasks that are queued within it will be its children, in
// whatever process they run.
func (t *Tracer) start(ctx context.Context, name string, kind otel.SpanKind, attributes ...attribute.KeyValue) (context.Context, otel.Span) {
	ctx, span := t.tracer.Start(ctx, name, otel.WithSpanKind(kind), otel.WithAttributes(attributes...))
	carrier := propagation.MapCarrier{}
	t.contexts.Inject(ctx, carrier)
	return task.WithTrace(ctx, carrier[traceparent]), span
}

// traceparent is what W3C's trace context calls the header with a span.
const traceparent = "traceparent"

// Requests makes a span of each request that next answers, as part of the trace
// that the client says it belongs to. Connections that become something else,
// as WebSockets do, have none: their operations have.
func (t *Tracer) Requests(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			next.ServeHTTP(w, r)
			return
		}
		ctx := t.contexts.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := t.start(ctx, method(r.Method), otel.SpanKindServer,
			attribute.String("http.request.method", method(r.Method)),
			attribute.String("url.path", r.URL.Path),
			attribute.String("ream.request.id", trail.ID(r.Context())),
		)
		recorder := trail.Record(w)
		defer func() {
			status := recorder.Status()
			span.SetAttributes(attribute.Int("http.response.status_code", status))
			outcome := ok
			if status >= http.StatusInternalServerError {
				outcome = strconv.Itoa(status)
			}
			end(span, outcome)
		}()
		next.ServeHTTP(recorder, r.WithContext(ctx))
	})
}

// method is a method as spans may be called by: clients can make up any.
func method(name string) string {
	switch name {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions:
		return name
	}
	return "_OTHER"
}

// Routed names the span of the request that ctx belongs to by its route.
func (t *Tracer) Routed(ctx context.Context, name, route string) {
	if t == nil || route == "" {
		return
	}
	span := otel.SpanFromContext(ctx)
	span.SetName(method(name) + " " + route)
	span.SetAttributes(attribute.String("http.route", route))
}

// Operation begins the span of a GraphQL query or mutation, which ends with an
// outcome. Subscriptions have none: they may last for days.
func (t *Tracer) Operation(ctx context.Context, kind, field, name string) (context.Context, func(outcome string)) {
	if t == nil || kind == "subscription" {
		return ctx, func(string) {}
	}
	ctx, span := t.start(ctx, kind+" "+field, otel.SpanKindInternal,
		attribute.String("graphql.operation.type", kind),
		attribute.String("graphql.operation.name", name[:min(len(name), maxName)]),
		attribute.String("ream.graphql.field", field),
	)
	return ctx, func(outcome string) { end(span, outcome) }
}

// Handlers makes a span of each run of a task, as a child of the span within
// which the task was queued.
func (t *Tracer) Handlers(handlers map[task.Kind]task.Handler) map[task.Kind]task.Handler {
	if t == nil {
		return handlers
	}
	traced := make(map[task.Kind]task.Handler, len(handlers))
	for kind, handle := range handlers {
		traced[kind] = func(ctx context.Context, run *task.Run) (err error) {
			ctx = t.contexts.Extract(ctx, propagation.MapCarrier{traceparent: run.Task.Trace})
			ctx, span := t.start(ctx, "task "+string(kind), otel.SpanKindConsumer,
				attribute.String("ream.task.id", run.Task.ID.String()),
				attribute.String("ream.task.kind", string(kind)),
				attribute.Int("ream.task.attempt", run.Task.Attempt),
			)
			if run.Task.GroupID != 0 {
				span.SetAttributes(attribute.String("ream.group.id", run.Task.GroupID.String()))
			}
			outcome := string(fault.Internal) // if it panics
			defer func() { end(span, outcome) }()
			err = handle(ctx, run)
			switch {
			case err == nil:
				outcome = ok
			case ctx.Err() != nil:
				outcome = "CANCELED"
			default:
				outcome = string(fault.KindOf(err))
			}
			return err
		}
	}
	return traced
}

// Download begins the span of an attempt at a download, which ends with an
// outcome. The address holds no credentials and no query. Upstreams are not told
// of the trace.
func (t *Tracer) Download(ctx context.Context, address string) (context.Context, func(outcome string)) {
	if t == nil {
		return ctx, func(string) {}
	}
	ctx, span := t.tracer.Start(ctx, "fetch", otel.WithSpanKind(otel.SpanKindClient), otel.WithAttributes(attribute.String("url.full", address)))
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		span.SetAttributes(attribute.String("server.address", u.Hostname()))
	}
	return ctx, func(outcome string) { end(span, outcome) }
}
