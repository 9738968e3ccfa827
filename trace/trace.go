// Package trace sends spans of requests, tasks and downloads to an OpenTelemetry
// collector, if the standard OTEL_* variables name one.
//
// Spans hold ids, kinds, routes and codes. They never hold variables, messages,
// tokens, queries of URLs, or credentials.
package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otel "go.opentelemetry.io/otel/trace"
)

// Tracer makes spans and sends them. It is safe for concurrent use. Nil is a
// tracer that does nothing.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   otel.Tracer
	contexts propagation.TraceContext
}

// New returns a tracer of a program of that version, or nil if the environment
// names no collector. Close must be called.
func New(ctx context.Context, version string, log *slog.Logger) (*Tracer, error) {
	wanted, err := configured()
	if err != nil || !wanted {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "ream"), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(&loggedExporter{SpanExporter: exporter, log: log}), sdk.WithResource(about))
	return &Tracer{provider: provider, tracer: provider.Tracer("ream")}, nil
}

// configured reads whether traces are wanted. The exporter reads the rest of its
// variables itself.
func configured() (bool, error) {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return false, nil
	}
	switch exporter := os.Getenv("OTEL_TRACES_EXPORTER"); exporter {
	case "", "otlp":
	case "none":
		return false, nil
	default:
		return false, fmt.Errorf("OTEL_TRACES_EXPORTER=%s: want otlp or none", exporter)
	}
	if first("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT") == "" {
		return false, nil
	}
	const protocol = "http/protobuf"
	if p := first("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); p != "" && p != protocol {
		return false, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL=%s: want %s", p, protocol)
	}
	return true, nil
}

// first is the first variable that is set.
func first(variables ...string) string {
	for _, name := range variables {
		if value := os.Getenv(name); value != "" {
			return value
		}
	}
	return ""
}

// Close sends what is left. Nothing is traced any more.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// loggedExporter logs when spans can no longer be sent, and when they can again.
// They are lost in between.
type loggedExporter struct {
	sdk.SpanExporter
	log     *slog.Logger
	failing atomic.Bool
}

// ExportSpans sends spans.
func (e *loggedExporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the URL may hold credentials
	}
	switch failing := err != nil; {
	case failing && !e.failing.Swap(true):
		e.log.Warn("traces cannot be sent: spans are lost", "error", err)
	case !failing && e.failing.Swap(false):
		e.log.Info("traces can be sent again")
	}
	return nil // it was told
}
