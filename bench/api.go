package main

import (
	"context"
	"errors"
	"time"

	"ream/db"
	"ream/task"
)

// api measures what subscribers and requests cost a server, and how soon
// subscribers hear of the end.
func api(ctx context.Context, b *bench) error {
	b.setting("subscribers: each on a socket of its own, in this process, on the same cores as the server, its database and its worker")
	for _, measure := range []func(context.Context, *bench) error{requests, idling, crowds, manyGroups, churn} {
		if err := measure(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// show is a server on PostgreSQL without workers, beside a process that does
// no-op tasks once it is told to.
type show struct {
	*ream
	store  *db.DB
	worker *child
	ended  chan time.Time // when the last task's end was committed; filled when the worker stops
}

// newShow starts a server and a process that takes a while for each of tasks.
func (b *bench) newShow(ctx context.Context) (s *show, err error) {
	s = &show{ended: make(chan time.Time, 1)}
	if s.ream, err = b.startReam(ctx, postgres, "--workers", "0", "--limits", unlimited); err != nil {
		return nil, err
	}
	if s.store, err = db.Open(ctx, s.database, db.Options{}); err != nil {
		return nil, err
	}
	s.worker, err = b.startChild("slow", s.database)
	return s, err
}

// begin lets the tasks run.
func (s *show) begin() error {
	go func() {
		var last time.Time
		for {
			at, err := s.worker.stamp("ended")
			if err != nil { // it was stopped
				s.ended <- last
				return
			}
			last = at
		}
	}()
	return s.worker.begin()
}

// stop ends everything, and tells when the last task's end was committed.
func (s *show) stop() (time.Time, error) {
	s.worker.in.Close()
	last := <-s.ended // whatever it wrote is read before it is waited for
	return last, errors.Join(s.worker.stop(), s.store.Close(), s.ream.stop())
}

// slowTask is how long a task of the slow process takes, and slowSlots how many
// it runs at once: about as many a second as 10,000 subscribers leave room for.
const (
	slowTask  = 500 * time.Millisecond
	slowSlots = 2000
)

// queue queues groups of n tasks each.
func (s *show) queue(ctx context.Context, groups, n int) ([]string, error) {
	ids := make([]string, groups)
	return ids, s.store.InTx(ctx, func(tx *db.Tx) error {
		for i := range ids {
			id, err := tx.EnqueueGroup(ctx, group(n, nothing))
			if err != nil {
				return err
			}
			ids[i] = id.String()
		}
		return nil
	})
}

// slowChild is a process that takes a while for no-op tasks, and writes when
// their ends were committed.
func slowChild(ctx context.Context, address string, wait func() error) error {
	return stampChild(ctx, address, wait, slowSlots, func(ctx context.Context, _ *task.Run) error { return sleep(ctx, slowTask) })
}
