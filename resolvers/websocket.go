package resolvers

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/gorilla/websocket"

	"ream/quota"
)

// WebsocketOptions are the settings of websockets. Zero values stand for the
// defaults.
type WebsocketOptions struct {
	// Enter, if not nil, returns the context of a socket, which descends from its
	// own. It is called once per socket, and leave once that is closed. The server
	// stops when the context ends.
	Enter func(context.Context) (_ context.Context, leave func())
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
	if o.Enter == nil {
		o.Enter = func(ctx context.Context) (context.Context, func()) { return context.WithCancel(ctx) }
	}
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

// websocketTransport accepts sockets.
type websocketTransport struct {
	WebsocketOptions
	upgrader websocket.Upgrader
}

// NewWebsocket returns the transport of websockets. They speak
// graphql-transport-ws, or the older graphql-ws with clients that offer nothing
// else. Clients that break the protocol, that do not introduce themselves, read
// or answer pings in time are disconnected, and all of them are with 1012, which
// makes them come back later, when the context of Enter ends. The request is over
// once the socket is open: it holds more memory than a socket needs.
func NewWebsocket(o WebsocketOptions) graphql.Transport {
	t := &websocketTransport{WebsocketOptions: o.withDefaults()}
	t.upgrader = websocket.Upgrader{
		HandshakeTimeout: t.WriteTimeout,
		ReadBufferSize:   1 << 10, // clients say little
		WriteBufferSize:  4 << 10,
		WriteBufferPool:  &sync.Pool{},
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
	return t
}

// Supports reports whether the request asks for a websocket.
func (t *websocketTransport) Supports(r *http.Request) bool { return websocket.IsWebSocketUpgrade(r) }

// Do opens a socket, which is served until it is closed.
func (t *websocketTransport) Do(w http.ResponseWriter, r *http.Request, exec graphql.GraphExecutor) {
	leave, full := t.Sockets.Take(quota.ClientOf(r.Context()))
	if full != nil {
		reply{w, mediaJSON}.refuse(tooManySockets(full))
		return
	}
	conn, err := t.upgrader.Upgrade(w, r, nil)
	if err != nil {
		leave()
		t.Log.DebugContext(r.Context(), "websocket refused", "error", err)
		return
	}
	t.traffic.opened.Add(1)
	t.traffic.sockets.Add(1)
	ctx, left := t.Enter(context.WithoutCancel(r.Context()))
	s := newSocket(ctx, conn, exec, &t.WebsocketOptions)
	go func() {
		defer left()
		defer leave()
		defer func() {
			if v := recover(); v != nil {
				t.Log.ErrorContext(ctx, "websocket", "error", fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
			}
			s.free()
			s.running.Wait()
			t.traffic.sockets.Add(-1)
			t.traffic.closed(s.ending)
		}()
		s.serve()
	}()
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
