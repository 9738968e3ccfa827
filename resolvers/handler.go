package resolvers

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"ream/fault"
	"ream/quota"
)

// Options are the settings of a Handler.
type Options struct {
	Log          *slog.Logger
	WriteTimeout time.Duration // how long a subscriber may take for a message; 10 s if 0
	Limits       Limits
	Rate         *quota.Rate // shared with what else clients ask; one of its own, by the limits, if nil

	HideSchema    bool       // introspection is off, and errors do not suggest names
	Documents     *Documents // registered ones; none if nil
	OnlyDocuments bool       // nothing but registered ones is answered
	Observe       Observer   // is told of each operation; nobody is if nil
}

// Handler answers GraphQL over HTTP (GET and POST), as server-sent events, and
// over WebSocket. Requests that pages of other sites cause are refused. It is
// safe for concurrent use.
type Handler struct {
	inner   http.Handler
	rate    *quota.Rate
	traffic *traffic

	mu      sync.Mutex
	ended   bool
	streams map[*openStream]struct{}
	left    sync.Cond // a stream ended; its lock is mu
}

// openStream is a request that may be answered for as long as the client stays.
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
	s := newServer(r, o)
	s.AroundOperations(o.Observe.around(t))
	s.AroundResponses(o.Observe.aroundResponses)
	requests := HTTPOptions{MaxBody: int64(orNone(o.Limits.Body)), ReadTimeout: o.Limits.Duration, MaxBatch: orNone(o.Limits.Batch), Rate: o.Rate, WriteTimeout: o.WriteTimeout, traffic: t}
	s.AddTransport(NewWebsocket(WebsocketOptions{
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
	h := &Handler{inner: http.NewCrossOriginProtection().Handler(s), rate: o.Rate, traffic: t, streams: map[*openStream]struct{}{}}
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
	if websocket.IsWebSocketUpgrade(r) || parseAccept(r.Header.Values("Accept")).namesEvents() {
		ctx, leave := h.enter(r.Context())
		defer leave()
		r = r.WithContext(ctx)
	}
	h.inner.ServeHTTP(w, r)
}

// tooOften refuses a request of a client that has to wait first.
func tooOften(rate *quota.Rate, wait time.Duration) *refusal {
	return &refusal{status: http.StatusTooManyRequests, wait: wait,
		fault: over(fault.RateLimited, "rate", rate.PerSecond(), fmt.Sprintf("you send more than %d requests a second", rate.PerSecond()), "send less at once, and wait as Retry-After says")}
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
