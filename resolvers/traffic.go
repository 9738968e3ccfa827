package resolvers

import (
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gorilla/websocket"
)

// Traffic is what went over the connections of subscribers. What is open is
// counted now, everything else since the start.
type Traffic struct {
	Sockets       int64 // open WebSockets
	Opened        int64 // WebSockets
	Closed        map[Close]int64
	Streams       int64 // open streams of server-sent events
	Subscriptions int64 // open, over both
	Frames        int64 // results of subscriptions
	WriteTimeouts int64 // clients that were given up because they took nothing
}

// Close is how a WebSocket ended.
type Close struct {
	Code int    // of the close frame; 1006 if the connection broke without one, 0 for codes of the clients' own
	By   string // client or server
}

// Traffic returns what went over the connections so far.
func (h *Handler) Traffic() Traffic {
	t := h.traffic
	t.mu.Lock()
	defer t.mu.Unlock()
	return Traffic{Sockets: t.sockets.Load(), Opened: t.opened.Load(), Closed: maps.Clone(t.closes), Streams: t.streams.Load(),
		Subscriptions: t.subscriptions.Load(), Frames: t.frames.Load(), WriteTimeouts: t.timeouts.Load()}
}

// traffic counts. Its zero value is ready for use; it is safe for concurrent use.
type traffic struct {
	sockets, opened, streams, subscriptions, frames, timeouts atomic.Int64

	mu     sync.Mutex
	closes map[Close]int64
}

// codes are those that are counted on their own: a client may send any.
var codes = []int{websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseProtocolError, websocket.CloseUnsupportedData,
	websocket.CloseNoStatusReceived, websocket.CloseAbnormalClosure, websocket.CloseInvalidFramePayloadData, websocket.ClosePolicyViolation,
	websocket.CloseMessageTooBig, websocket.CloseInternalServerErr, websocket.CloseServiceRestart, websocket.CloseTryAgainLater,
	closeBadMessage, closeUnauthorized, closeForbidden, closeNoProtocol, closeInitTimeout, closeDuplicateID, closeTooManyInits}

func (t *traffic) closed(c Close) {
	if !slices.Contains(codes, c.Code) {
		c.Code = 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closes == nil {
		t.closes = map[Close]int64{}
	}
	t.closes[c]++
}

// writeFailed counts clients that take nothing.
func (t *traffic) writeFailed(err error) {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		t.timeouts.Add(1)
	}
}
