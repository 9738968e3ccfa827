package main

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// unreadBody is for how long the server waits for what nobody reads of the body of
// a request, as of one that is refused.
const unreadBody = 3 * time.Second

// boundBodies bounds how long the unread rest of a request's body may take to
// come. net/http reads it before it answers and before the next request, and
// would wait for it for ever. Handlers that read a body set a deadline of their
// own first, or none.
func boundBodies(wait time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		connection := http.NewResponseController(w)
		bound := func() { _ = connection.SetReadDeadline(time.Now().Add(wait)) }
		bound()
		body := &endingBody{ReadCloser: r.Body, connection: connection}
		r = r.WithContext(r.Context()) // net/http goes on with its own
		r.Body = body
		next.ServeHTTP(w, r)
		if !body.ended {
			bound()
		}
	})
}

// endingBody knows whether it was read to its end, behind which no deadline holds:
// net/http watches whether the client is still there.
type endingBody struct {
	io.ReadCloser
	connection *http.ResponseController
	ended      bool
}

func (b *endingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.ended = true
		_ = b.connection.SetReadDeadline(time.Time{})
	}
	return n, err
}
