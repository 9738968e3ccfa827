package main

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"ream/metric"
	"ream/origin"
	"ream/resolvers"
	"ream/rest"
	"ream/trace"
	"ream/trail"
)

// observer is told what the server does, and tells it to the log, to Prometheus
// and to the collector of traces.
type observer struct {
	log     *slog.Logger
	metrics *metric.Metrics
	tracer  *trace.Tracer // nil if nobody collects traces
	slow    time.Duration // what takes longer is logged; 0 for nothing
}

func newObserver(ctx context.Context, o options, log *slog.Logger) (*observer, error) {
	tracer, err := trace.New(ctx, version, log)
	if err != nil {
		return nil, err
	}
	return &observer{log: log, metrics: metric.New(version, log), tracer: tracer, slow: o.slow}, nil
}

// close sends what is left of the traces.
func (o *observer) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := o.tracer.Close(ctx); err != nil {
		o.log.Warn("the last traces could not be sent", "error", err)
	}
}

// operation observes a GraphQL operation.
func (o *observer) operation(ctx context.Context, op resolvers.Operation) (context.Context, func(outcome string)) {
	began := time.Now()
	ctx, end := o.tracer.Operation(ctx, op.Type, op.Field, op.Name)
	return ctx, func(outcome string) {
		took := time.Since(began)
		end(outcome)
		o.metrics.Operated(op.Type, op.Field, outcome, took)
		if op.Type != "subscription" && o.isSlow(took) {
			o.log.WarnContext(ctx, "slow operation", "type", op.Type, "field", op.Field, "name", op.Name[:min(len(op.Name), 100)], "outcome", outcome, "took", took)
		}
	}
}

// exchange observes a request to the REST API.
func (o *observer) exchange(ctx context.Context, e rest.Exchange) {
	o.tracer.Routed(ctx, e.Method, e.Route)
	o.metrics.Answered(e.Route, e.Method, e.Status, e.Took)
	if o.isSlow(e.Took) {
		o.log.WarnContext(ctx, "slow operation", "type", "rest", "route", e.Route, "method", e.Method, "status", e.Status, "took", e.Took)
	}
}

func (o *observer) isSlow(took time.Duration) bool { return o.slow > 0 && took >= o.slow }

// answered observes requests for content.
func (o *observer) answered(r *http.Request, a trail.Answer) {
	if strings.HasPrefix(r.URL.Path, origin.Prefix) {
		o.metrics.Sent(a.Status, a.Bytes)
	}
}

// download observes an attempt at a download.
func (o *observer) download(ctx context.Context, address string) (context.Context, func(outcome string)) {
	ctx, end := o.tracer.Download(ctx, address)
	return ctx, func(outcome string) {
		end(outcome)
		o.metrics.Downloaded(outcome)
	}
}

// sources are what the engine's parts count by themselves.
func (e *engine) sources() metric.Sources {
	sources := metric.Sources{
		Kinds:    slices.Collect(maps.Keys(e.operations.Handlers())),
		Queue:    e.store.Queue,
		Loads:    e.store.Loads,
		Storage:  e.store.Storage,
		Pools:    e.store.Pools,
		Received: e.operations.Fetch.Received,
	}
	if e.worker != nil {
		sources.Worker = e.worker.Stats
	}
	return sources
}
