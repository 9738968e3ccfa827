package resolvers

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"ream/fault"
	"ream/quota"
)

// HTTPOptions are the settings of requests over HTTP, and of the server-sent
// events that answer them. Zero values stand for the defaults.
type HTTPOptions struct {
	MaxBody      int64         // bytes of a request; 1 MiB
	ReadTimeout  time.Duration // how long a client may take to send a body; any time if 0
	MaxBatch     int           // requests in one; 1
	Rate         *quota.Rate   // of which each request of a batch after the first takes a part; any if nil
	KeepAlive    time.Duration // how long a stream of events may be silent; 15 s
	WriteTimeout time.Duration // how long a client may take for an event; 10 s

	// Files takes the files of multipart requests, which are refused if it is nil.
	Files FileReceiver

	traffic *traffic
}

// httpTransport answers queries and mutations as the GraphQL over HTTP
// specification says, in either of its media types.
type httpTransport struct{ stream sseTransport }

// NewHTTP returns the transport of plain requests: POST with a JSON body, and
// GET for queries. A subscription is streamed, with these options, if the client
// accepts server-sent events, and refused otherwise. It supports every request
// and answers what it cannot serve with the right status, so it must be added
// last.
func NewHTTP(o HTTPOptions) graphql.Transport { return httpTransport{newSSE(o)} }

// Supports is always true.
func (httpTransport) Supports(*http.Request) bool { return true }

// Do answers one request.
func (t httpTransport) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	accepted := parseAccept(r.Header.Values("Accept"))
	media, acceptable := accepted.best()
	reply := reply{w: w, media: media}
	defer reply.recover(r.Context(), exec)
	if r.Method == http.MethodOptions {
		w.Header().Set("Allow", allowedMethods)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	in, refused := t.stream.read(w, r)
	if refused != nil {
		reply.refuse(refused)
		return
	}
	defer t.stream.abandon(r.Context(), in)
	streams := accepted.namesEvents()
	if !acceptable && !streams {
		reply.refuse(refuse(http.StatusNotAcceptable, "the answer comes as %s or %s: accept one of them", mediaResponse, mediaJSON))
		return
	}

	ctx := r.Context()
	if in.batch {
		t.batch(ctx, reply, exec, in.requests)
		return
	}
	op, errs := exec.CreateOperationContext(ctx, in.requests[0])
	ctx = graphql.WithOperationContext(ctx, op)
	if errs != nil {
		reply.invalid(exec.DispatchError(ctx, errs))
		return
	}
	switch kind := op.Operation.Operation; {
	case r.Method == http.MethodGet && kind == ast.Mutation:
		reply.refuse(mutationByGet())
	case kind == ast.Subscription && streams:
		t.stream.answer(ctx, w, exec, op)
	case kind == ast.Subscription:
		reply.refuse(subscriptionAlone())
	case !acceptable:
		t.stream.answer(ctx, w, exec, op)
	default:
		responses, ctx := exec.DispatchOperation(ctx, op)
		reply.executed(ctx, responses(ctx))
	}
}

// reply writes one answer in the media type that was negotiated.
type reply struct {
	w     http.ResponseWriter
	media string
}

// refuse answers a request that is none, in terms of HTTP.
func (a reply) refuse(f *refusal) {
	if f.status == http.StatusMethodNotAllowed {
		a.w.Header().Set("Allow", f.allow)
	}
	if f.wait > 0 {
		a.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.wait.Seconds()))))
	}
	a.write(f.status, &graphql.Response{Errors: gqlerror.List{f.shown()}})
}

// invalid answers a GraphQL request that could not be executed. Only the newer
// media type tells so by the status: with application/json, 400 could as well
// come from something in between.
func (a reply) invalid(r *graphql.Response) {
	status := http.StatusOK
	if a.media == mediaResponse {
		status = http.StatusBadRequest
		if errorKind(r.Errors[0]) == fault.Forbidden {
			status = http.StatusForbidden
		}
	}
	a.write(status, r)
}

// statusOf is the status for a request that an error kept from being one.
func statusOf(e *gqlerror.Error) int {
	switch errorKind(e) {
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.RateLimited:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// executed answers what was executed, if only in part.
func (a reply) executed(ctx context.Context, r *graphql.Response) {
	switch {
	case r != nil:
		a.write(http.StatusOK, r)
	case ctx.Err() != nil:
		a.refuse(refuse(http.StatusServiceUnavailable, "the request was canceled or took too long: try again later"))
	default:
		a.refuse(refuse(http.StatusInternalServerError, "internal error"))
	}
}

func (a reply) write(status int, r *graphql.Response) { a.send(status, encodeResponse(r)) }

func (a reply) send(status int, text []byte) {
	h := a.w.Header()
	h.Set("Content-Type", a.media+"; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Add("Vary", "Accept")
	setHTTPHeaders(h)
	a.w.WriteHeader(status)
	_, _ = a.w.Write(text) // fails only if the client is gone
}

// encodeResponse leaves data out of an answer to what was not executed.
func encodeResponse(r *graphql.Response) []byte {
	if r.Data != nil && len(r.Errors) == 0 && len(r.Extensions) == 0 {
		return slices.Concat([]byte(`{"data":`), r.Data, []byte(`}`)) // it is JSON already, which need not be read again
	}
	var body any = r
	if r.Data == nil {
		body = struct {
			Errors     gqlerror.List  `json:"errors"`
			Extensions map[string]any `json:"extensions,omitempty"`
		}{r.Errors, r.Extensions}
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // resolvers' values are marshaled already; the transport recovers
	}
	return text
}

// recover answers a request whose transport panicked. It must be deferred.
func (a reply) recover(ctx context.Context, exec graphql.GraphExecutor) {
	if v := recover(); v != nil {
		a.write(http.StatusInternalServerError, panicked(ctx, exec, v))
	}
}

// panicked is the answer where a panic was recovered from.
func panicked(ctx context.Context, exec graphql.GraphExecutor, value any) *graphql.Response {
	ctx = graphql.WithOperationContext(ctx, &graphql.OperationContext{})
	return exec.DispatchError(ctx, gqlerror.List{gqlerror.Wrap(panicErrorOf(value))})
}

// setHTTPHeaders keeps answers out of caches and from being taken for pages.
func setHTTPHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}
