package resolvers

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"ream/quota"
)

// sseTransport streams the results of one operation per connection: the
// "distinct connections mode" of the graphql-sse protocol.
type sseTransport struct{ HTTPOptions }

// NewSSE returns the transport of server-sent events, for requests by POST, and
// by GET as browsers' EventSource sends them. It takes what prefers
// text/event-stream to a single answer. Each result is an event "next"; the
// event "complete" is the last. A client that takes no frame in time, or that
// leaves, ends the operation.
func NewSSE(o HTTPOptions) graphql.Transport { return newSSE(o) }

func newSSE(o HTTPOptions) sseTransport {
	set(&o.MaxBody, 1<<20)
	set(&o.MaxBatch, 1)
	if o.Rate == nil {
		o.Rate = quota.NewRate(0, 0)
	}
	set(&o.KeepAlive, 15*time.Second)
	set(&o.WriteTimeout, 10*time.Second)
	if o.traffic == nil {
		o.traffic = &traffic{}
	}
	return sseTransport{o}
}

// Supports reports whether the client wants events.
func (sseTransport) Supports(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodPost) &&
		parseAccept(r.Header.Values("Accept")).prefersEvents()
}

// Do answers one request. What is no GraphQL request is refused by its status;
// any other failure is an event, for EventSource shows nothing else to pages.
func (t sseTransport) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	in, refused := t.read(w, r)
	defer t.abandon(r.Context(), in)
	if refused == nil && in.batch {
		refused = refuse(http.StatusBadRequest, "a batch is not answered as events: accept %s", mediaJSON)
	}
	if refused != nil {
		reply{w, mediaJSON}.refuse(refused)
		return
	}
	ctx := r.Context()
	op, errs := exec.CreateOperationContext(ctx, in.requests[0])
	ctx = graphql.WithOperationContext(ctx, op)
	switch {
	case errs != nil:
		response := exec.DispatchError(ctx, errs)
		t.stream(ctx, w, exec, func(context.Context) graphql.ResponseHandler { return graphql.OneShot(response) })
	case r.Method == http.MethodGet && op.Operation.Operation == ast.Mutation:
		reply{w, mediaJSON}.refuse(mutationByGet())
	default:
		t.answer(ctx, w, exec, op)
	}
}

// answer runs an operation and streams its results.
func (t sseTransport) answer(ctx context.Context, w http.ResponseWriter, exec graphql.GraphExecutor, op *graphql.OperationContext) {
	t.stream(ctx, w, exec, func(ctx context.Context) graphql.ResponseHandler {
		responses, ctx := exec.DispatchOperation(ctx, op)
		return func(context.Context) *graphql.Response { return responses(ctx) }
	})
}

// stream sends what an operation answers until it ends, the client is gone, or
// ctx is. It returns when nothing writes any more.
func (t sseTransport) stream(ctx context.Context, w http.ResponseWriter, exec graphql.GraphExecutor, run func(context.Context) graphql.ResponseHandler) {
	ctx, cancel := context.WithCancel(ctx)
	s := &eventStream{w: w, control: http.NewResponseController(w), timeout: t.WriteTimeout, traffic: t.traffic, cancel: cancel}
	t.traffic.streams.Add(1)
	defer t.traffic.streams.Add(-1)
	var alive sync.WaitGroup
	defer alive.Wait()
	defer cancel()

	h := w.Header()
	h.Set("Content-Type", mediaEvents+"; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // proxies pass frames on as they come
	setHTTPHeaders(h)
	w.WriteHeader(http.StatusOK)
	if !s.send(":\n\n") {
		return
	}
	alive.Go(func() { s.keepAlive(ctx, t.KeepAlive) })
	defer func() {
		if v := recover(); v != nil && s.next(panicked(ctx, exec, v)) {
			s.complete()
		}
	}()

	responses := run(ctx)
	for {
		response := responses(ctx)
		if ctx.Err() != nil {
			return // without "complete": the client is to come back
		}
		if response == nil {
			s.complete()
			return
		}
		if !s.next(response) {
			return
		}
	}
}

// eventStream writes frames from several goroutines.
type eventStream struct {
	control *http.ResponseController
	timeout time.Duration
	traffic *traffic
	cancel  context.CancelFunc

	mu sync.Mutex
	w  http.ResponseWriter
}

// next sends a result.
func (s *eventStream) next(r *graphql.Response) bool {
	return s.send("event: next\ndata: " + string(encodeResponse(r)) + "\n\n")
}

// complete says that there are no more results.
func (s *eventStream) complete() {
	s.send("event: complete\ndata:\n\n") // EventSource swallows events without data
}

// send writes one frame. If that fails it cancels the operation.
func (s *eventStream) send(frame string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.control.SetWriteDeadline(time.Now().Add(s.timeout))
	if err == nil || errors.Is(err, http.ErrNotSupported) {
		_, err = s.w.Write([]byte(frame))
	}
	if err == nil {
		err = s.control.Flush()
	}
	if err != nil {
		s.traffic.writeFailed(err)
		s.cancel()
	}
	return err == nil
}

// keepAlive sends comments, so that nobody takes a silent stream for a dead
// one, and so that clients that are gone are noticed.
func (s *eventStream) keepAlive(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.send(": alive\n\n")
		}
	}
}
