package event

import (
	"context"
	"time"

	"ream/fault"
)

// seenFor is how long a topic is trusted to be seen by a limited caller. What
// they are limited to may change while a subscription goes on.
const seenFor = time.Second

// Seen is a hub of which some callers see only some topics: to them, the others
// do not exist. It is safe for concurrent use.
type Seen struct {
	Hub interface {
		Subscribe(context.Context, Topic) (<-chan Snapshot, error)
	}
	Limited func(context.Context) bool                 // whether the caller does not see all
	Sees    func(context.Context, Topic) (bool, error) // whether a limited caller sees a topic
	Now     func() time.Time
}

// Subscribe is that of the hub. The channel is also closed once the topic is
// not seen any more.
func (h Seen) Subscribe(ctx context.Context, topic Topic) (<-chan Snapshot, error) {
	if !h.Limited(ctx) {
		return h.Hub.Subscribe(ctx, topic)
	}
	switch seen, err := h.Sees(ctx, topic); {
	case err != nil:
		return nil, err
	case !seen:
		return nil, fault.New(fault.NotFound, "%s not found", topic)
	}
	checked := h.Now()
	ctx, leave := context.WithCancel(ctx)
	snapshots, err := h.Hub.Subscribe(ctx, topic)
	if err != nil {
		leave()
		return nil, err
	}
	out := make(chan Snapshot)
	go func() {
		defer close(out)
		defer leave()
		for s := range snapshots {
			if now := h.Now(); now.Sub(checked) >= seenFor {
				if seen, err := h.Sees(ctx, topic); err != nil || !seen {
					return
				}
				checked = now
			}
			select {
			case <-ctx.Done():
				return
			case out <- s:
			}
		}
	}()
	return out, nil
}
