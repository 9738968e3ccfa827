package resolvers

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"ream/access"
	"ream/fault"
	"ream/quota"
)

// Options are the settings of a Handler.
type Options struct {
	Log          *slog.Logger
	Guard        Guard
	WriteTimeout time.Duration // how long a subscriber may take for a message; 10 s if 0
	Limits       Limits
	Rate         *quota.Rate // shared with what else clients ask; one of its own, by the limits, if nil

	HideSchema    bool       // introspection is off, and errors do not suggest names
	Documents     *Documents // registered ones; none if nil
	OnlyDocuments bool       // nothing but registered ones is answered
	Observe       Observer   // is told of each operation; nobody is if nil
	Origins       []string   // that pages with WebSockets may come from, besides the server's own
}

// Guard tells who asks. It must be safe for concurrent use.
type Guard interface {
	// Identify tells who has credentials, which came from an address. It fails
	// with a fault if they are not good, or if there are none and there have to be.
	Identify(ctx context.Context, authorization, address string) (access.Principal, error)
	// Stay returns a context that ends when the caller's credentials are no longer
	// good, with the reason as its cause. leave must be called in the end.
	Stay(context.Context) (_ context.Context, leave func())
}

// Handler answers GraphQL over HTTP (GET and POST), as server-sent events, and
// over WebSocket. Who asks is said by the request's context; WebSockets may also
// say so in their first message. It is safe for concurrent use.
type Handler struct {
	inner   http.Handler
	guard   Guard
	present graphql.ErrorPresenterFunc
	rate    *quota.Rate
	traffic *traffic

	mu      sync.Mutex
	ended   bool
	streams map[*openStream]struct{}
	left    sync.Cond // a stream ended; its lock is mu
}

// openStream is what may be answered for as long as the client stays.
type openStream struct{ end context.CancelFunc }

// NewHandler returns a handler of the schema that r resolves.
func NewHandler(r Resolver, o Options) *Handler {
	if o.Observe == nil {
		o.Observe = func(ctx context.Context, _ Operation) (context.Context, func(string)) { return ctx, func(string) {} }
	}
	if o.Rate == nil {
		o.Rate = quota.NewRate(o.Limits.Rate, o.Limits.Burst)
	}
	t := &traffic{}
	s := newServer(r, o, o.Observe.around(t))
	s.AroundResponses(o.Observe.aroundResponses)
	h := &Handler{inner: s, guard: o.Guard, present: presenter(o.Log), rate: o.Rate, traffic: t, streams: map[*openStream]struct{}{}}
	requests := HTTPOptions{MaxBody: int64(orNone(o.Limits.Body)), ReadTimeout: o.Limits.Duration, MaxBatch: orNone(o.Limits.Batch), Rate: o.Rate, WriteTimeout: o.WriteTimeout, Files: r.Catalog, traffic: t}
	s.AddTransport(NewWebsocket(WebsocketOptions{
		Enter:            h.enter,
		Init:             h.introduce,
		Origins:          o.Origins,
		Log:              o.Log,
		WriteTimeout:     o.WriteTimeout,
		MaxMessage:       int64(orNone(o.Limits.Message)),
		MaxSubscriptions: orNone(o.Limits.SubscriptionsPerSocket),
		Sockets:          quota.NewSeats(o.Limits.SocketsPerClient, o.Limits.Sockets),
		Rate:             o.Rate,
		traffic:          t,
	}))
	s.AddTransport(NewSSE(requests))
	s.AddTransport(NewHTTP(requests)) // last: it answers whatever no other took
	h.left.L = &h.mu
	return h
}

// orNone is a limit of which 0 is none, for those who take 0 for their default.
func orNone[T ~int | ~int64](limit T) T {
	if limit == 0 {
		return math.MaxInt
	}
	return limit
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if wait := h.rate.Take(quota.ClientOf(r.Context())); wait > 0 {
		media, _ := parseAccept(r.Header.Values("Accept")).best()
		reply{w, media}.refuse(tooOften(h.rate, wait))
		return
	}
	if !websocket.IsWebSocketUpgrade(r) && parseAccept(r.Header.Values("Accept")).namesEvents() {
		ctx, leave := h.enter(r.Context())
		defer leave()
		ctx, release := h.guard.Stay(ctx)
		defer release()
		r = r.WithContext(ctx)
	}
	h.inner.ServeHTTP(w, r)
}

// tooOften refuses a request of a client that has to wait first.
func tooOften(rate *quota.Rate, wait time.Duration) *refusal {
	return &refusal{status: http.StatusTooManyRequests, wait: wait,
		fault: over(fault.RateLimited, "rate", rate.PerSecond(), fmt.Sprintf("you send more than %d requests a second", rate.PerSecond()), "send less at once, and wait as Retry-After says")}
}

// introduce lets in who shows good credentials in a WebSocket's first message,
// or showed them with the request for it, for as long as they are good.
func (h *Handler) introduce(ctx context.Context, payload transport.InitPayload) (context.Context, error) {
	caller := access.CallerOf(ctx)
	if authorization := payload.Authorization(); authorization != "" || caller.Kind == access.Nobody {
		p, err := h.guard.Identify(ctx, authorization, caller.Address)
		if err != nil {
			return nil, err
		}
		caller.Principal = p
	}
	if name := caller.Credentials(); name != "" {
		ctx = quota.WithClient(ctx, name)
	}
	staying, leave := h.guard.Stay(access.WithCaller(ctx, caller))
	context.AfterFunc(ctx, leave) // the socket's context, which ends with it
	return staying, nil
}

// Refuse answers a request that ends with a fault before it is one of GraphQL.
func (h *Handler) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	media, _ := parseAccept(r.Header.Values("Accept")).best()
	shown := h.present(r.Context(), err)
	reply{w, media}.write(statusOf(shown), &graphql.Response{Errors: gqlerror.List{shown}})
}

// enter makes a stream of a request. Its context ends with EndStreams.
func (h *Handler) enter(ctx context.Context) (_ context.Context, leave func()) {
	ctx, cancel := context.WithCancel(ctx)
	s := &openStream{cancel}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		cancel()
	}
	h.streams[s] = struct{}{}
	return ctx, func() {
		cancel()
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.streams, s)
		h.left.Broadcast()
	}
}

// EndStreams ends all subscriptions, also those that begin later, and tells
// their clients to come back, where the protocol can. Other requests go on.
func (h *Handler) EndStreams() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	for s := range h.streams {
		s.end()
	}
}

// Wait returns when no stream is open any more. An http.Server does not wait
// for its WebSockets itself.
func (h *Handler) Wait() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.streams) > 0 {
		h.left.Wait()
	}
}
