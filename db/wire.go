package db

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Of a peer that is gone without a word, the kernel is to tell after about so
// long: after so many probes without an answer, or if what was sent is not
// acknowledged.
const (
	probeEvery = 5 * time.Second
	probes     = 3
)

// wire dials for a connection, and keeps what it dialed last: the driver may
// try several hosts. Once the connection is made, it dials only to ask the
// server to stop, which is not kept.
type wire struct {
	heard atomic.Int64 // bytes so far

	mu   sync.Mutex
	kept bool
	conn net.Conn
}

// hearing is a connection of the network whose wire counts what it hears.
type hearing struct {
	net.Conn
	wire *wire
}

func (h hearing) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	h.wire.heard.Add(int64(n))
	return n, err
}

// keep says that the connection is made.
func (w *wire) keep() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = true
}

// cut ends whatever goes on over the wire.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		w.conn.Close() //nolint:errcheck // who uses it learns enough
	}
}

// DialContext dials.
func (w *wire) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Control: acknowledged, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: probeEvery, Interval: probeEvery, Count: probes}}
	conn, err := d.DialContext(ctx, network, address)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil || w.kept {
		return conn, err
	}
	w.conn = conn
	return hearing{conn, w}, nil
}

// Dial and DialTimeout are for callers without a context, of which there are none.
func (w *wire) Dial(network, address string) (net.Conn, error) {
	return w.DialContext(context.Background(), network, address)
}

// DialTimeout dials for a limited time.
func (w *wire) DialTimeout(network, address string, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return w.DialContext(ctx, network, address)
}
