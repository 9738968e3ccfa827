package resolvers

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/gorilla/websocket"

	"ream/fault"
	"ream/quota"
)

// init lets Init decide whether the client may stay, and tells it.
func (s *socket) init(payload transport.InitPayload) bool {
	ctx, err := s.decide(payload)
	if err != nil {
		s.refuse(err)
		return false
	}
	s.admit(ctx)
	_ = s.awaitPong()
	_ = s.write([]byte(`{"type":"connection_ack"}`))
	if s.talk.older {
		_ = s.ping()
	}
	return true
}

// admit lets the client stay until Init's context ends.
func (s *socket) admit(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client = quota.ClientOf(ctx)
	unwatch := context.AfterFunc(ctx, func() { s.expire(context.Cause(ctx)) })
	operations, cancel := context.WithCancel(ctx)
	s.ctx, s.cancel = operations, func() {
		unwatch()
		cancel()
	}
	s.pings = time.AfterFunc(s.options.untilPing(), s.pingOn)
	if s.closing { // while Init decided
		s.cancel()
		s.pings.Stop()
	}
}

// decide asks Init. The request was answered with a websocket, so that its
// panic can be told to the client here only.
func (s *socket) decide(payload transport.InitPayload) (_ context.Context, err error) {
	if s.options.Init == nil {
		return s.base, nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return s.options.Init(s.base, payload)
}

// refuse ends the connection of a client that Init does not let stay.
func (s *socket) refuse(err error) {
	code := closeForbidden
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.RateLimited:
		code = websocket.CloseTryAgainLater
	case fault.BadInput:
		code = closeBadMessage
	case fault.Internal:
		code = websocket.CloseInternalServerErr
		s.options.Log.ErrorContext(s.base, "websocket: initialisation", "error", err)
	}
	if s.talk.older {
		_ = s.write(encode(message{Type: "connection_error", Payload: errorPayload(fault.Message(err))}))
	}
	s.sayClose(code, fault.Message(err))
}

// expire ends the connection of a client whose credentials are no longer good.
func (s *socket) expire(cause error) {
	if s.base.Err() != nil {
		s.restart()
		return
	}
	s.sayClose(closeForbidden, "Forbidden: "+cause.Error())
}

// pingOn asks the client now and then whether it is there.
func (s *socket) pingOn() {
	if s.ping() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.pings.Reset(s.options.untilPing())
	}
}

// untilPing is how long to wait for the next ping: until a moment at which many
// sockets are pinged, since to wake up for each costs more than to ping it.
func (o *WebsocketOptions) untilPing() time.Duration {
	now := time.Now()
	return now.Add(o.PingInterval).Truncate(o.PingInterval / 5).Sub(now)
}

// ping asks whether the client is there. The older protocol has no pings of its
// own: each of its keep-alive messages goes with one of WebSocket's.
func (s *socket) ping() error {
	if !s.talk.older {
		return s.write([]byte(`{"type":"ping"}`))
	}
	if err := s.write([]byte(`{"type":"ka"}`)); err != nil {
		return err
	}
	return s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(s.options.WriteTimeout))
}

// awaitPong gives the client time to show again that it is there.
func (s *socket) awaitPong() error {
	return s.setReadDeadline(time.Now().Add(2 * s.options.PingInterval))
}

// errorPayload is an error as the older protocol tells it.
func errorPayload(text string) json.RawMessage {
	return slices.Concat([]byte(`{"message":`), quote(text), []byte("}"))
}
