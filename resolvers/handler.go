package resolvers

import (
	"log/slog"
	"net/http"
	"time"
)

// loaderWait is how long loaders collect keys before they ask the store.
const loaderWait = time.Millisecond

// NewHandler answers GraphQL over HTTP (GET and POST), as server-sent events,
// and over WebSocket. Requests that pages of other sites cause are refused.
func NewHandler(r Resolver, log *slog.Logger) http.Handler {
	s := newServer(r, log, loaderWait)
	s.AddTransport(NewWebsocket(WebsocketOptions{Log: log}))
	s.AddTransport(NewSSE())
	s.AddTransport(NewHTTP()) // last: it answers whatever no other took
	return http.NewCrossOriginProtection().Handler(s)
}
