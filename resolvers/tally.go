package resolvers

import (
	"context"
	"sync/atomic"
)

// errorTally counts the errors of an answer. Those beyond the limit are neither
// shown nor logged: when the database is away, every field fails.
type errorTally struct {
	limit int
	n     atomic.Int64
}

type tallyKey struct{}

// withTally returns the context of an answer with so many errors at most; 0 for
// any number.
func withTally(ctx context.Context, limit int) context.Context {
	return context.WithValue(ctx, tallyKey{}, &errorTally{limit: limit})
}

// tally counts one more error, and reports whether it is still to be shown.
func tally(ctx context.Context) bool {
	t, ok := ctx.Value(tallyKey{}).(*errorTally)
	return !ok || t.n.Add(1) <= int64(t.limit) || t.limit <= 0
}
