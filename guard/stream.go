package guard

import (
	"context"
	"errors"

	"ream/access"
)

// Why streams end.
var (
	errRevoked = errors.New("the token was revoked")
	errExpired = errors.New("the credentials have expired")
)

// stream is something that goes on for as long as its caller's token is good.
type stream struct {
	token access.TokenID
	end   context.CancelCauseFunc
}

// Stay returns a context that ends when the caller's credentials are no longer
// good, with the reason as its cause. leave must be called in the end.
func (g *Guard) Stay(ctx context.Context) (_ context.Context, leave func()) {
	caller := access.CallerOf(ctx)
	ctx, end := context.WithCancelCause(ctx)
	free := func() { end(context.Canceled) }
	if caller.Until != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, caller.Until.Sub(g.now()), errExpired)
		free = func() { cancel(); end(context.Canceled) }
	}
	if caller.TokenID == 0 {
		return ctx, free
	}
	s := &stream{caller.TokenID, end}
	g.mu.Lock()
	g.streams[s] = struct{}{}
	g.mu.Unlock()
	if !g.known.has(s.token) {
		g.wake() // it may have been revoked since it was looked up
	}
	return ctx, func() {
		free()
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.streams, s)
	}
}

// checkStreams ends the streams of tokens that are no longer good, which it
// looks up in one statement.
func (g *Guard) checkStreams(ctx context.Context) {
	open := map[access.TokenID][]*stream{}
	g.mu.Lock()
	for s := range g.streams {
		open[s.token] = append(open[s.token], s)
	}
	g.mu.Unlock()
	if len(open) == 0 {
		return
	}
	ids := make([]access.TokenID, 0, len(open))
	for id := range open {
		ids = append(ids, id)
	}
	found, err := g.tokens.TokensByID(ctx, ids)
	if err != nil {
		g.log.WarnContext(ctx, "tokens of open streams cannot be checked: trying again soon", "tokens", len(ids), "error", err)
		return
	}
	for i, t := range found {
		var cause error
		switch {
		case t == nil || t.State(g.now()) == access.Revoked:
			cause = errRevoked
		case t.State(g.now()) == access.Expired:
			cause = errExpired
		default:
			continue
		}
		for _, s := range open[ids[i]] {
			s.end(cause)
		}
		g.log.InfoContext(ctx, "streams ended with their token", "token", ids[i].String(), "streams", len(open[ids[i]]), "reason", cause)
	}
}
