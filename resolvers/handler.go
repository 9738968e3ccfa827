package resolvers

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql/handler/transport"
)

// maxBody bounds a request, in bytes.
const maxBody = 1 << 20

// loaderWait is how long loaders collect keys before they ask the store.
const loaderWait = time.Millisecond

// NewHandler answers GraphQL over HTTP (GET and POST), as server-sent events,
// and over WebSocket.
func NewHandler(r Resolver, log *slog.Logger) http.Handler {
	s := newServer(r, log, loaderWait)
	s.AddTransport(newWebsocket())
	s.AddTransport(transport.SSE{KeepAlivePingInterval: 15 * time.Second})
	s.AddTransport(transport.Options{})
	s.AddTransport(transport.GET{})
	s.AddTransport(transport.POST{})
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		req.Body = http.MaxBytesReader(w, req.Body, maxBody)
		s.ServeHTTP(w, req)
	})
}
