package trail

import (
	"context"
	"log/slog"
)

// logHandler adds the request's id to what is logged for it.
type logHandler struct{ slog.Handler }

// Log returns a handler that adds the id of the request that a record's context
// belongs to, as "request", and hands the record on.
func Log(to slog.Handler) slog.Handler { return logHandler{to} }

// Handle hands a record on.
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := ID(ctx); id != "" {
		r.AddAttrs(slog.String("request", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs returns a handler that also has these attributes.
func (h logHandler) WithAttrs(attributes []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attributes)}
}

// WithGroup returns a handler whose attributes to come are in a group.
func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }
