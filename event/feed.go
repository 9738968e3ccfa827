package event

import (
	"context"
	"time"

	"ream/fault"
)

// feed is a topic with subscribers. Hub.mu guards it.
type feed struct {
	subscribers map[*subscription]struct{}
	dirty       bool      // changed since the last read began
	joined      bool      // somebody subscribed since the last read began
	ended       bool      // changed for the last time since the last read began
	readAt      time.Time // when the last read began
}

// due tells when the feed is to be read next.
func (f *feed) due(interval time.Duration) time.Time {
	switch {
	case f.joined, f.ended:
		return time.Time{}
	case f.dirty:
		return f.readAt.Add(interval)
	}
	return f.readAt.Add(max(refreshEvery, interval))
}

// subscription is one subscriber of a feed. Hub.mu guards it, but for the
// channels' receiving ends.
type subscription struct {
	topic     Topic
	slot      chan Snapshot // of one; only Hub.deliver sends
	started   chan error    // of one; gets the outcome of the first read
	isStarted bool
	from      uint64 // the first read that began after the subscription was made
	revision  int64  // of the snapshot handed out last
	release   func() bool
}

// start lets Subscribe return.
func (s *subscription) start(err error) {
	if !s.isStarted {
		s.isStarted = true
		s.started <- err
	}
}

// put replaces what is in the slot, and reports whether something was. It never
// blocks: nobody else sends.
func (s *subscription) put(snapshot Snapshot) (replaced bool) {
	select {
	case <-s.slot:
		replaced = true
	default:
	}
	s.slot <- snapshot
	s.revision = revision(snapshot)
	return replaced
}

// join registers a subscription that leaves when ctx ends.
func (h *Hub) join(ctx context.Context, topic Topic) (*subscription, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return nil, unavailable()
	}
	f := h.feeds[topic]
	if f == nil {
		f = &feed{subscribers: map[*subscription]struct{}{}}
		h.feeds[topic] = f
	}
	s := &subscription{
		topic:   topic,
		slot:    make(chan Snapshot, 1),
		started: make(chan error, 1),
		from:    h.reads + 1,
	}
	f.subscribers[s] = struct{}{}
	f.joined = true
	h.count++
	s.release = context.AfterFunc(ctx, func() { h.leave(s, ctx.Err()) })
	h.signal()
	return s, nil
}

// leave ends a subscription before its topic has.
func (h *Hub) leave(s *subscription, err error) {
	h.mu.Lock()
	h.end(s, err)
	left := h.count
	h.mu.Unlock()
	h.log.Debug("a subscriber left", "topic", s.topic, "subscribers", left)
}

// end closes a subscription; a second call does nothing. Hub.mu is held.
func (h *Hub) end(s *subscription, err error) {
	f := h.feeds[s.topic]
	if f == nil {
		return
	}
	if _, ok := f.subscribers[s]; !ok {
		return
	}
	delete(f.subscribers, s)
	if len(f.subscribers) == 0 {
		delete(h.feeds, s.topic)
	}
	h.count--
	s.release()
	close(s.slot)
	s.start(err)
}

// stop closes all subscriptions and refuses new ones.
func (h *Hub) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	for _, f := range h.feeds {
		for s := range f.subscribers {
			h.end(s, unavailable())
		}
	}
}

// batch is the topics of one read.
type batch struct {
	number uint64
	topics []Topic
	joins  map[Topic]bool // those that are read for new subscribers alone
}

// take begins a read of all feeds that are due. If there are none, it tells
// how long to wait for one.
func (h *Hub) take(now time.Time) (batch, time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := batch{joins: map[Topic]bool{}}
	wait := refreshEvery
	for topic, f := range h.feeds {
		if left := f.due(h.interval).Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		b.topics = append(b.topics, topic)
		b.joins[topic] = f.joined && !f.dirty && !f.ended && now.Before(f.readAt.Add(refreshEvery))
		f.dirty, f.joined, f.ended = false, false, false
		if !b.joins[topic] {
			f.readAt = now
		}
	}
	if len(b.topics) > 0 {
		h.reads++
		h.stats.Topics += uint64(len(b.topics))
		b.number = h.reads
	}
	return b, wait
}

// putBack undoes take after a read that failed.
func (h *Hub) putBack(b batch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, topic := range b.topics {
		if f := h.feeds[topic]; f != nil {
			f.dirty = true
		}
	}
}

// deliver hands out what was read, but not to those who subscribed after the
// read began: their topic is due again.
func (h *Hub) deliver(b batch, found map[Topic]Snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, topic := range b.topics {
		f := h.feeds[topic]
		if f == nil {
			continue
		}
		snapshot, exists := found[topic]
		for s := range f.subscribers {
			switch {
			case s.from > b.number:
			case !exists:
				h.end(s, fault.New(fault.NotFound, "%s not found", topic))
			case s.isStarted && revision(snapshot) < s.revision:
			case s.isStarted && b.joins[topic] && revision(snapshot) == s.revision && !snapshot.Finished(): // nothing is new but others
			default:
				h.stats.Snapshots++
				if s.put(snapshot) {
					h.stats.Conflated++
				}
				s.start(nil)
				if snapshot.Finished() {
					h.end(s, nil)
				}
			}
		}
	}
}
