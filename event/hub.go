// Package event tells subscribers what became of the work they follow.
//
// Dirty ids go in, newest snapshots come out. The hub keeps no history and no
// queues: a subscriber owns one slot, in which a newer snapshot replaces one
// that was not taken yet. A thousand subscribers of one topic cost one read
// per change, and a slow one costs nobody anything.
package event

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"ream/fault"
	"ream/task"
)

// Topic is what one can subscribe to: a node id such as "task-12" or
// "group-7", or Queue.
type Topic string

// Queue is the topic of the state of everything.
const Queue Topic = "queue"

// The topics of lists. They have no state of their own: subscribers read what
// they are about, each as much of it as they see.
const (
	Repositories  Topic = "repositories"
	Distributions Topic = "distributions"
	Schedules     Topic = "schedules"
)

// Change is the snapshot of a list: that it may have changed.
type Change struct{}

// Finished is always false: lists go on changing.
func (Change) Finished() bool { return false }

// Snapshot is the state of a topic at one instant. Subscribers share it, so
// nobody may change it. A *task.Task, a *task.Group, a *task.Queue and a
// Change are snapshots.
type Snapshot interface {
	// Finished reports whether the topic will never change again.
	Finished() bool
}

// Reader reads the newest snapshots of topics. A topic that is missing in the
// answer does not exist.
type Reader func(ctx context.Context, topics []Topic) (map[Topic]Snapshot, error)

const (
	defaultInterval = 100 * time.Millisecond
	refreshEvery    = 5 * time.Second  // re-read without a notice: one may have been lost
	readTimeout     = 10 * time.Second // a read that hangs must not hang all topics
	longestBackoff  = 5 * time.Second
)

// Hub hands snapshots to subscribers. It is safe for concurrent use.
type Hub struct {
	read     Reader
	interval time.Duration
	log      *slog.Logger
	wake     chan struct{} // holds a token if there may be something to read

	mu      sync.Mutex
	feeds   map[Topic]*feed
	count   int    // subscriptions over all feeds
	reads   uint64 // begun so far
	stats   Stats  // without what count and reads tell
	stopped bool
}

// New returns a hub that reads a topic at most once per interval, 100 ms if it
// is not positive. The first change after a pause is read at once and the last
// one of several within an interval at its end; the end of a topic that is told
// by Ended is read at once. Run must be called for
// anything to happen.
func New(read Reader, interval time.Duration, log *slog.Logger) *Hub {
	if interval <= 0 {
		interval = defaultInterval
	}
	return &Hub{
		read:     read,
		interval: interval,
		log:      log,
		wake:     make(chan struct{}, 1),
		feeds:    map[Topic]*feed{},
	}
}

// Subscribers tells how many subscriptions there are.
func (h *Hub) Subscribers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

// Stats are what a hub did since it was made.
type Stats struct {
	Subscribers int    // at the moment
	Reads       uint64 // of several topics each
	Topics      uint64 // read
	Snapshots   uint64 // put into subscribers' slots
	Conflated   uint64 // of those: replaced by newer ones before they were taken
}

// Stats tells what the hub did so far.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stats
	s.Subscribers, s.Reads = h.count, h.reads
	return s
}

// Changed says that topics may have changed. It never blocks, and topics
// without subscribers cost nothing. Call it after the change is committed.
func (h *Hub) Changed(topics ...Topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range topics {
		if f := h.feeds[t]; f != nil && !f.dirty {
			f.dirty = true
			h.signal()
		}
	}
}

// Ended says that topics changed for the last time. They are read at once,
// however short ago they were read before.
func (h *Hub) Ended(topics ...Topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range topics {
		if f := h.feeds[t]; f != nil && !f.ended {
			f.ended = true
			h.signal()
		}
	}
}

// ChangedAll says that anything may have changed: notices may have been lost.
func (h *Hub) ChangedAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.feeds {
		f.dirty = true
	}
	h.signal()
}

// Subscribe returns a channel of the topic's newest snapshots. The first was
// read after the subscription was made; then comes the newest one after each
// change, and intermediate ones are left out if they are not taken in time.
// Revisions of a group never go back. A finished snapshot is the last one;
// after it, and as soon as ctx ends, the channel is closed. It is closed
// without a finished snapshot if the topic ceases to exist or the hub stops.
//
// Subscribe blocks until the first snapshot is read, however long the reader
// fails. It returns fault.NotFound if the topic does not exist,
// fault.Unavailable if the hub has stopped, and ctx's error if that ends first.
func (h *Hub) Subscribe(ctx context.Context, topic Topic) (<-chan Snapshot, error) {
	s, err := h.join(ctx, topic)
	if err != nil {
		return nil, err
	}
	select {
	case err := <-s.started:
		if err != nil {
			return nil, err
		}
		return s.slot, nil
	case <-ctx.Done(): // join arranged for the leaving
		return nil, ctx.Err()
	}
}

// Run reads what is dirty and hands it out until ctx ends; then it closes all
// subscriptions and returns nil. It may be called once.
func (h *Hub) Run(ctx context.Context) error {
	defer h.stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var backoff time.Duration
	for ctx.Err() == nil {
		batch, wait := h.take(time.Now())
		wake := h.wake
		if len(batch.topics) > 0 {
			found, err := h.readBatch(ctx, batch.topics)
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				if backoff == 0 {
					h.log.Warn("subscriptions: reading fails; trying again", "topics", len(batch.topics), "error", err)
				}
				h.putBack(batch)
				backoff = min(max(2*backoff, h.interval), longestBackoff)
				wait = backoff
			default:
				if backoff > 0 {
					h.log.Info("subscriptions: reading works again")
				}
				h.deliver(batch, found)
				backoff = 0
				wait = h.interval / 10 // lets what changes next gather into one read
			}
			wake = nil
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-wake:
		case <-timer.C:
		}
	}
	return nil
}

func (h *Hub) readBatch(ctx context.Context, topics []Topic) (map[Topic]Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return h.read(ctx, topics)
}

// signal wakes Run.
func (h *Hub) signal() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// unavailable is what subscribers of a stopped hub get.
func unavailable() error {
	return fault.New(fault.Unavailable, "the server is stopping; subscribe again later")
}

// revision orders the snapshots of a group; those of other topics have none.
func revision(s Snapshot) int64 {
	if g, ok := s.(*task.Group); ok {
		return g.Tally.Revision
	}
	return 0
}
