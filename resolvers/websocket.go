package resolvers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/gorilla/websocket"

	"ream/fault"
	"ream/quota"
)

// WebsocketOptions are the settings of websockets. Zero values stand for the
// defaults.
type WebsocketOptions struct {
	// Init, if not nil, decides from what the client sends first whether it may
	// stay. The context that it returns, which must descend from its own, is that
	// of all operations; when it ends, the client is told that its credentials
	// are no longer good. A fault's message is shown to the client.
	Init func(ctx context.Context, payload transport.InitPayload) (context.Context, error)

	Origins          []string      // that pages may come from, such as "https://example.org", besides the server's own
	InitTimeout      time.Duration // how long the client may take to introduce itself; 10 s
	WriteTimeout     time.Duration // how long the client may take for a message; 10 s
	PingInterval     time.Duration // a client that is silent for twice as long is gone; 25 s
	MaxMessage       int64         // bytes of a message of the client; 128 KiB
	MaxSubscriptions int           // on one socket; 100
	Sockets          *quota.Seats  // that may be open at once; any number if nil
	Rate             *quota.Rate   // of a client's messages; any if nil
	Log              *slog.Logger  // for what only a debugger wants to know; none if nil

	traffic *traffic
}

func (o WebsocketOptions) withDefaults() WebsocketOptions {
	set(&o.InitTimeout, 10*time.Second)
	set(&o.WriteTimeout, 10*time.Second)
	set(&o.PingInterval, 25*time.Second)
	set(&o.MaxMessage, 128<<10)
	set(&o.MaxSubscriptions, 100)
	if o.Sockets == nil {
		o.Sockets = quota.NewSeats(0, 0)
	}
	if o.Rate == nil {
		o.Rate = quota.NewRate(0, 0)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.traffic == nil {
		o.traffic = &traffic{}
	}
	return o
}

func set[T ~int | ~int64](option *T, byDefault T) {
	if *option <= 0 {
		*option = byDefault
	}
}

// websocketTransport runs gqlgen's websocket transport on sockets that it
// accepts, watches and always closes itself.
type websocketTransport struct {
	WebsocketOptions
	inner transport.Websocket
}

// NewWebsocket returns the transport of websockets. They speak
// graphql-transport-ws, or the older graphql-ws with clients that offer nothing
// else. Clients that break the protocol, that do not introduce themselves, read
// or answer pings in time are disconnected, and all of them are with 1012, which
// makes them come back later, when the request's context ends: cancel the
// server's base context to stop.
func NewWebsocket(o WebsocketOptions) graphql.Transport {
	t := &websocketTransport{WebsocketOptions: o.withDefaults()}
	t.inner = transport.Websocket{
		Implementation:        accepted{},
		InitFunc:              t.init,
		ErrorFunc:             t.failed,
		PingPongInterval:      t.PingInterval,
		KeepAlivePingInterval: t.PingInterval,
	}
	return t
}

// Supports reports whether the request asks for a websocket.
func (t *websocketTransport) Supports(r *http.Request) bool { return websocket.IsWebSocketUpgrade(r) }

// Do serves one socket until it is closed.
func (t *websocketTransport) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	leave, full := t.Sockets.Take(quota.ClientOf(r.Context()))
	if full != nil {
		reply{w, mediaJSON}.refuse(tooManySockets(full))
		return
	}
	defer leave()
	t.traffic.sockets.Add(1)
	defer t.traffic.sockets.Add(-1)
	upgrader := websocket.Upgrader{
		HandshakeTimeout: t.WriteTimeout,
		Subprotocols:     []string{currentProtocol, olderProtocol},
		CheckOrigin:      t.allowsOrigin,
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			message := strings.TrimPrefix(reason.Error(), "websocket: ")
			if status == http.StatusForbidden {
				message = "pages of this origin may not connect: the server's operator can allow it"
			}
			reply{w, mediaJSON}.refuse(refuse(status, "%s", message))
		},
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		t.Log.DebugContext(r.Context(), "websocket refused", "error", err)
		return
	}
	s := newSocket(r.Context(), conn, t.WebsocketOptions)
	t.traffic.opened.Add(1)
	defer func() {
		s.free() // also if gqlgen forgets to, or Init panics
		t.traffic.closed(s.ending)
	}()
	defer context.AfterFunc(r.Context(), s.restart)()
	if conn.Subprotocol() == "" {
		s.sayClose(closeNoProtocol, "Subprotocol not acceptable")
	} else {
		t.inner.Do(w, r.WithContext(context.WithValue(r.Context(), socketKey{}, s)), exec)
	}
	s.drain()
}

// tooManySockets refuses another one, for a while.
func tooManySockets(full *quota.Refused) *refusal {
	r := &refusal{status: http.StatusTooManyRequests, fault: tooManyOpen("sockets", full), wait: 30 * time.Second}
	if full.All {
		r.status = http.StatusServiceUnavailable
	}
	return r
}

// allowsOrigin lets in programs, which send no origin, and pages of this
// server and of the origins that are allowed.
func (t *websocketTransport) allowsOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.ContainsFunc(t.Origins, func(o string) bool { return strings.EqualFold(o, origin) }) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// init lets Init decide, and keeps what it decided for the close frame.
func (t *websocketTransport) init(ctx context.Context, payload transport.InitPayload) (context.Context, *transport.InitPayload, error) {
	if t.Init == nil {
		return ctx, nil, nil
	}
	inner, err := t.decide(ctx, payload)
	if err == nil {
		socketOf(ctx).admit(inner)
		return inner, nil, nil
	}
	code := closeForbidden
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.RateLimited:
		code = websocket.CloseTryAgainLater
	case fault.BadInput:
		code = closeBadMessage
	case fault.Internal:
		code = websocket.CloseInternalServerErr
		t.Log.ErrorContext(ctx, "websocket: initialisation", "error", err)
	}
	message := fault.Message(err)
	ctx = transport.AppendCloseReason(transport.WithWebsocketCloseCode(ctx, code), closeReason(message))
	return ctx, nil, errors.New(message)
}

// decide asks Init. The request was answered with a websocket, so that its
// panic can be told to the client here only.
func (t *websocketTransport) decide(ctx context.Context, payload transport.InitPayload) (_ context.Context, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return t.Init(ctx, payload)
}

func (t *websocketTransport) failed(ctx context.Context, err error) {
	t.Log.DebugContext(ctx, "websocket", "error", err)
}

// socketKey is the context's key of the socket that a request became.
type socketKey struct{}

func socketOf(ctx context.Context) *socket {
	s, _ := ctx.Value(socketKey{}).(*socket)
	return s
}

// accepted hands to gqlgen the socket that the request became already.
type accepted struct{}

// Accept returns the request's socket.
func (accepted) Accept(_ http.ResponseWriter, r *http.Request, _ transport.WebsocketAcceptOptions) (transport.WebsocketConn, error) {
	s := socketOf(r.Context())
	if s == nil {
		return nil, errors.New("the request is no websocket")
	}
	return s, nil
}
