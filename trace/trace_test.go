package trace

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"ream/task"
)

// TestConfigured is alone with the environment.
func TestConfigured(t *testing.T) {
	tests := []struct {
		name   string
		env    []string // names and values by turns
		wanted bool
		err    string
	}{
		{"nothing", nil, false, ""},
		{"an endpoint", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"}, true, ""},
		{"an endpoint for traces", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces", "OTEL_TRACES_EXPORTER", "otlp"}, true, ""},
		{"disabled", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318", "OTEL_SDK_DISABLED", "True"}, false, ""},
		{"no exporter", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER", "none"}, false, ""},
		{"another exporter", []string{"OTEL_TRACES_EXPORTER", "zipkin"}, false, "want otlp or none"},
		{"the protocol", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"}, true, ""},
		{"another protocol", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, false, "want http/protobuf"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
				"OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
				t.Setenv(name, "")
			}
			for i := 0; i < len(tt.env); i += 2 {
				t.Setenv(tt.env[i], tt.env[i+1])
			}
			tracer, err := New(t.Context(), "test", slog.New(slog.DiscardHandler))
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("got %v, want %q", err, tt.err)
			}
			if (tracer != nil) != tt.wanted {
				t.Errorf("got a tracer: %t, want %t", tracer != nil, tt.wanted)
			}
			if err := tracer.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNoTracer changes nothing of what it is given.
func TestNoTracer(t *testing.T) {
	t.Parallel()
	var none *Tracer
	handlers := map[task.Kind]task.Handler{"a": func(context.Context, *task.Run) error { return nil }}
	if got := none.Handlers(handlers); got["a"](t.Context(), nil) != nil { // one that traces would look into the run
		t.Error("the handler is another")
	}
	ctx, end := none.Operation(t.Context(), "query", "a", "")
	end(ok)
	if ctx != t.Context() {
		t.Error("the context is another")
	}
	ctx, end = none.Download(t.Context(), "http://127.0.0.1/")
	end(ok)
	if ctx != t.Context() {
		t.Error("the context is another")
	}
	none.Routed(t.Context(), http.MethodGet, "/a")
	if h := http.NewServeMux(); none.Requests(h) != http.Handler(h) {
		t.Error("the handler is another")
	}
}
