package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"
)

// idling measures what sockets cost on which nothing happens.
func idling(ctx context.Context, b *bench) error {
	n, rest := b.few(5000, 1000), time.Duration(b.few(60, 5))*time.Second
	r, id, err := b.startWaiting(ctx, sqlite)
	if err != nil {
		return err
	}
	empty, err := r.resident()
	if err != nil {
		return err
	}
	all, err := r.gather(ctx, n, func(int) string { return id })
	if err != nil {
		return err
	}
	defer all.leave()
	wait := all.follow() // so that pings are answered
	before, err := r.cpu()
	if err != nil {
		return err
	}
	if err := sleep(ctx, rest); err != nil {
		return err
	}
	after, err := r.cpu()
	if err != nil {
		return err
	}
	full, err := r.resident()
	if err != nil {
		return err
	}
	of := fmt.Sprintf("%s idle sockets with a subscription each", whole(n))
	b.add(row{measure: of + ": memory for each, " + rest.String() + " later", unit: inBytes, ream: sample{(full - empty) / float64(n)}, peer: "limit", than: sample{40 << 10}, goals: []goal{atMost(1)}})
	b.add(row{measure: "… of a core", unit: inPercent, ream: sample{(after - before).Seconds() / rest.Seconds()}, peer: "limit", than: sample{0.01}, goals: []goal{atMost(1)}})
	if err := r.stop(); err != nil {
		return err
	}
	var closed *websocket.CloseError
	if err := wait(); !errors.As(err, &closed) || closed.Code != websocket.CloseServiceRestart {
		return fmt.Errorf("idle sockets ended with %w, not with the server", err)
	}
	return nil
}

// churn measures what is left of clients that came and went.
func churn(ctx context.Context, b *bench) error {
	n := b.few(100_000, 5000)
	r, id, err := b.startWaiting(ctx, sqlite)
	if err != nil {
		return err
	}
	rest := time.Duration(b.few(20, 3)) * time.Second
	if err := r.comeAndGo(ctx, 1500, id); err != nil { // the runtime keeps what it once needed
		return err
	}
	before, err := r.settled(ctx, rest)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := r.comeAndGo(ctx, n, id); err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	after, err := r.settled(ctx, rest)
	if err != nil {
		return err
	}
	b.setting("clients that come and go: a third completes and closes, a third is cut off, a third says what is no JSON or no frame; 64 at a time")
	b.add(row{measure: fmt.Sprintf("connect, subscribe, disconnect %s times", whole(n)), unit: perSecond, ream: sample{float64(n) / took}})
	for _, m := range []struct {
		name, of string
		unit     unit
		bound    float64
	}{
		{"goroutines", "go_goroutines", perCount, 1},
		{"file descriptors", "process_open_fds", perCount, 1},
		{"memory", "process_resident_memory_bytes", inBytes, 1.2},
	} {
		b.add(row{measure: "… " + m.name + " " + rest.String() + " later", unit: m.unit, ream: sample{after[m.of]}, peer: "before", than: sample{before[m.of]}, goals: []goal{atMost(m.bound)}})
	}
	return r.stop()
}

// settled are the server's metrics some time after the last socket is closed.
func (r *ream) settled(ctx context.Context, rest time.Duration) (metrics, error) {
	if err := r.awaitMetric(ctx, "ream_websockets", 0); err != nil {
		return nil, err
	}
	if err := sleep(ctx, rest); err != nil { // connections of requests are closed, memory is given back
		return nil, err
	}
	return r.metrics(ctx)
}

// comeAndGo lets clients connect, subscribe and leave, each third in another
// way.
func (r *ream) comeAndGo(ctx context.Context, n int, id string) error {
	var next atomic.Int64
	all, ctx := errgroup.WithContext(ctx)
	for range 64 {
		all.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return ctx.Err()
				}
				s, err := r.join(ctx, following[i%len(following)], id)
				if err != nil {
					return err
				}
				if err := s.disconnect(i); err != nil {
					return err
				}
			}
		})
	}
	return all.Wait()
}

// disconnect leaves in one of the ways that there are.
func (s *subscriber) disconnect(i int) error {
	raw := s.conn.NetConn().(*net.TCPConn)
	// Whatever the way, no port is to stay in use for a minute.
	if err := raw.SetLinger(0); err != nil {
		return err
	}
	defer s.conn.Close()
	goodbye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	want := websocket.CloseNormalClosure
	switch i % 6 {
	case 0, 1:
		if err := s.conn.WriteJSON(message{ID: "1", Type: "complete"}); err != nil {
			return err
		}
		if err := s.conn.WriteMessage(websocket.CloseMessage, goodbye); err != nil {
			return err
		}
	case 2, 3:
		return nil // cut off
	case 4:
		want = 4400
		if err := s.conn.WriteMessage(websocket.TextMessage, []byte(`{"type":`)); err != nil {
			return err
		}
	case 5:
		want = websocket.CloseProtocolError
		if _, err := raw.Write([]byte("\xff\xff\xff\xff")); err != nil {
			return err
		}
	}
	for {
		more, err := s.next()
		if more {
			continue
		}
		if closed := (*websocket.CloseError)(nil); errors.As(err, &closed) && closed.Code == want {
			return nil
		}
		return fmt.Errorf("leaving in way %d: got %w, want close code %d", i%6, err, want)
	}
}
