package resolvers

import (
	"context"
	"fmt"
	"time"

	"ream/event"
	"ream/fault"
)

// againEvery is how often a list is read again at most while it changes: each
// reading is a subscriber's own.
const againEvery = time.Second

// rests is how many times as long as a reading took there is a pause after it, if
// that is more: what is expensive to read takes a tenth of the time at most.
const rests = 9

// again gives what read reads, at once and then after every change of a topic
// that has no snapshots of its own. The channel is closed when ctx ends, or as
// soon as what is read is not there any more.
func again[T any](ctx context.Context, hub Hub, topic event.Topic, read func() (T, error)) (<-chan T, error) {
	changes, err := hub.Subscribe(ctx, topic)
	if err != nil {
		return nil, err
	}
	<-changes // that it was subscribed to: what is read comes after that
	var took time.Duration
	timed := func() (T, error) {
		began := time.Now()
		defer func() { took = time.Since(began) }()
		return read()
	}
	frame, err := timed()
	if err != nil {
		return nil, err
	}
	out := make(chan T)
	go func() {
		defer close(out)
		for present := true; present; {
			select {
			case <-ctx.Done():
				return
			case out <- frame:
			}
			if !pause(ctx, max(againEvery, rests*took)) {
				return
			}
			frame, present = nextFrame(changes, timed)
		}
	}()
	return out, nil
}

// nextFrame reads after a change, and reports whether there is anything more to
// come. What fails is read again after the next change, which is told of within
// seconds also if there is none.
func nextFrame[T any](changes <-chan event.Snapshot, read func() (T, error)) (frame T, present bool) {
	for range changes {
		frame, err := read()
		switch {
		case err == nil:
			return frame, true
		case fault.Is(err, fault.NotFound):
			return frame, false
		}
	}
	return frame, false
}

// present reads what has an id. It fails with fault.NotFound if there is nothing.
func present[ID fmt.Stringer, T any](ctx context.Context, id ID, read func(context.Context, []ID) ([]*T, error)) (*T, error) {
	found, err := read(ctx, []ID{id})
	if err == nil && found[0] == nil {
		err = fault.New(fault.NotFound, "there is no %s", id)
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
