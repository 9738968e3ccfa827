package resolvers

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"ream/task"
)

// witness keeps what an observer is told.
type witness struct {
	mu    sync.Mutex
	ended []string
	more  chan struct{}
}

func newWitness() *witness { return &witness{more: make(chan struct{}, 100)} }

func (w *witness) observe(ctx context.Context, o Operation) (context.Context, func(string)) {
	return ctx, func(outcome string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended = append(w.ended, fmt.Sprintf("%s %s %s: %s", o.Type, o.Field, o.Name, outcome))
		w.more <- struct{}{}
	}
}

// await returns what operation number n was.
func (w *witness) await(t *testing.T, n int) string {
	t.Helper()
	select {
	case <-w.more:
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was observed")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended[n]
}

func TestOperationsAreObserved(t *testing.T) {
	t.Parallel()
	w := newWitness()
	h := NewHandler(Resolver{Store: &memory{}, Catalog: &requests{}, Hub: endless{&task.Queue{}}, Now: time.Now}, Options{Log: slog.New(slog.DiscardHandler), Guard: openGuard{}, Observe: w.observe, Limits: DefaultLimits()})
	s := httptest.NewServer(admitted(h))
	t.Cleanup(s.Close)
	tests := []struct{ document, want string }{
		{`{repositories{totalCount}}`, "query repositories : OK"},
		{`query Mine{a:repositories{totalCount} b:repositories{totalCount}}`, "query repositories Mine: OK"},
		{`{repositories{totalCount} __typename}`, "query several : OK"},
		{`{...on Query{repositories{totalCount}}}`, "query several : OK"},
		{`{__typename}`, "query __typename : OK"},
		{`mutation{cancel(id:\"task-4\"){__typename}}`, "mutation cancel : OK"},
		{`mutation{cancel(id:\"x\"){__typename}}`, "mutation cancel : NOT_FOUND"},
		{`{repositories{totalCount}`, "invalid  : BAD_INPUT"},
		{`{nothing}`, "invalid  : BAD_INPUT"},
		{`{repositories(first:100){nodes{versions(first:100){nodes{units(first:100){nodes{id}}}}}}}`, "query repositories : TOO_COMPLEX"},
	}
	for i, tt := range tests {
		response, err := http.Post(s.URL, mediaJSON, strings.NewReader(`{"query":"`+tt.document+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if got := w.await(t, i); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.document, got, tt.want)
		}
	}
	if len(w.more) > 0 {
		t.Errorf("got %q, want each operation once", w.ended)
	}
}

func TestTrafficIsCounted(t *testing.T) {
	t.Parallel()
	w := newWitness()
	h := NewHandler(Resolver{Store: &memory{}, Hub: endless{&task.Queue{}}, Now: time.Now}, Options{Log: slog.New(slog.DiscardHandler), Guard: openGuard{}, Observe: w.observe, Limits: DefaultLimits()})
	s := &stubServer{Server: httptest.NewServer(admitted(h))}
	t.Cleanup(s.Close)
	const frame = `{"id":"1","type":"next","payload":{"data":{"queue":{"counts":{"total":0}}}}}`
	const subscribe = `{"id":"1","type":"subscribe","payload":{"query":"subscription Q{queue{counts{total}}}"}}`
	first, second := dial(t, s, currentProtocol), dial(t, s, currentProtocol)
	for _, p := range []probe{first, second} {
		p.say(sayInit, subscribe).expect(hearAck, frame)
	}
	stream := events(t, t.Context(), s, "subscription{queue{counts{total}}}")
	for {
		line := make([]byte, 1)
		if _, err := stream.Body.Read(line); err != nil {
			t.Fatal(err)
		}
		if line[0] == '}' { // of the first frame
			break
		}
	}
	got := h.Traffic()
	if got.Sockets != 2 || got.Opened != 2 || got.Streams != 1 || got.Subscriptions != 3 || got.Frames < 3 || len(got.Closed) != 0 {
		t.Errorf("while they are open: got %+v", got)
	}
	first.say(`{"id":"1","type":"complete"}`)
	if got := w.await(t, 0); got != "subscription queue Q: CANCELED" {
		t.Errorf("ended by the client: got %s", got)
	}
	second.say(sayInit).expect(closeTooManyInits)
	h.EndStreams()
	first.expect(1012)
	h.Wait()
	got = h.Traffic()
	if got.Sockets != 0 || got.Opened != 2 || got.Streams != 0 || got.Closed[Close{1012, "server"}] != 1 || got.Closed[Close{closeTooManyInits, "server"}] != 1 {
		t.Errorf("at the end: got %+v", got)
	}
	w.await(t, 1)
}
