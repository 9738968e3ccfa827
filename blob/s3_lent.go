package blob

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// lending is a transport that is done with the body of a request when it
// returns. An http.Transport may go on reading the body of one that was answered
// early, and the client of the store reads the same body for its next attempt.
type lending struct{ *http.Transport }

// maxRefusal bounds what a store says about a request that it refuses.
const maxRefusal = 1 << 20

// RoundTrip carries out a request. It blocks until it is answered, and if that is
// by a refusal, until all of the refusal is here.
func (t lending) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return t.Transport.RoundTrip(r)
	}
	body := &lent{ReadCloser: r.Body}
	defer body.takeBack()
	r = r.WithContext(r.Context())
	r.Body = body
	response, err := t.Transport.RoundTrip(r)
	if err != nil || response.StatusCode < http.StatusBadRequest {
		return response, err
	}
	// If its body is taken back, the connection ends, and what comes by it.
	said, err := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	response.Body.Close()
	if err != nil {
		said = nil // the status tells enough
	}
	response.Body = io.NopCloser(bytes.NewReader(said))
	return response, nil
}

// lent is a body that can be taken back while somebody reads it.
type lent struct {
	io.ReadCloser
	mu   sync.Mutex
	back bool
}

// Read ends early once the body was taken back. Of a request that was sent as a
// whole, this is the end: only that there is no more may be left to find out.
func (l *lent) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back {
		return 0, io.EOF
	}
	return l.ReadCloser.Read(p)
}

// takeBack ends all reading. It waits for a Read under way.
func (l *lent) takeBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.back = true
}
