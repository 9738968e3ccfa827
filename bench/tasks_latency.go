package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"ream/db"
	"ream/task"
	"ream/worker"
)

// latency measures what passes between processes on one PostgreSQL: from the
// commit that queues a task to the start of its handler in another process, and
// from the commit that ends a group to its final frame at a client of a third.
func latency(ctx context.Context, b *bench) (err error) {
	server, err := b.startReam(ctx, postgres, "--workers", "0")
	if err != nil {
		return err
	}
	store, err := db.Open(ctx, server.database, db.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	listening, endListening := context.WithCancel(ctx)
	listened := make(chan error, 1)
	go func() { listened <- store.Listen(listening) }()
	defer func() { endListening(); err = errors.Join(err, <-listened) }()
	c, err := b.startChild("stamps", server.database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := c.begin(); err != nil {
		return err
	}
	var toHandler, toFrame sample
	for range b.few(100, 20) {
		if err := sleep(ctx, 150*time.Millisecond); err != nil { // an idle system
			return err
		}
		id, _, err := enqueue(ctx, store, group(1, nothing))
		if err != nil {
			return err
		}
		committed := time.Now()
		final := make(chan time.Time, 1)
		go func() {
			_, _ = server.follow(ctx, id.String())
			final <- time.Now()
		}()
		var stamps [2]time.Time
		for i, word := range []string{"handler", "ended"} {
			if stamps[i], err = c.stamp(word); err != nil {
				return err
			}
		}
		toHandler.addDuration(stamps[0].Sub(committed))
		toFrame.addDuration((<-final).Sub(stamps[1]))
	}
	b.add(row{measure: "from the commit of a task to its handler, another process", unit: inSeconds, ream: sample{toHandler.median()}, peer: "limit", than: sample{10e-3}, goals: []goal{atMost(1)}})
	b.add(row{measure: "from the last commit of a group to the final frame, another process", unit: inSeconds, ream: sample{toFrame.median()}, peer: "limit", than: sample{60e-3}, goals: []goal{atMost(1)}})
	return nil
}

// stamp reads the next line, which is a word and an instant.
func (c *child) stamp(word string) (time.Time, error) {
	line, err := c.line()
	if err != nil {
		return time.Time{}, err
	}
	micros, err := strconv.ParseInt(strings.TrimPrefix(line, word+" "), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("the child says %q instead of %s", line, word)
	}
	return time.UnixMicro(micros), nil
}

// stamping is a queue that tells when ends of tasks were committed.
type stamping struct{ *db.DB }

// Cycle writes the instant at which outcomes were recorded.
func (s stamping) Cycle(ctx context.Context, id task.WorkerID, outcomes []task.Outcome, reports []task.Report, room task.Vacancies) ([]*task.Task, error) {
	claimed, err := s.DB.Cycle(ctx, id, outcomes, reports, room)
	if len(outcomes) > 0 {
		fmt.Println("ended", time.Now().UnixMicro())
	}
	return claimed, err
}

// stampsChild is a process that does no-op tasks and writes when.
func stampsChild(ctx context.Context, address string, wait func() error) error {
	return stampChild(ctx, address, wait, 8, func(ctx context.Context, _ *task.Run) error {
		fmt.Println("handler", time.Now().UnixMicro())
		return sleep(ctx, 100*time.Millisecond) // until the client has subscribed
	})
}

// stampChild does tasks once it is told to, and writes when their ends were
// committed.
func stampChild(ctx context.Context, address string, wait func() error, slots int, handle task.Handler) error {
	store, err := db.Open(ctx, address, db.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := wait(); err != nil {
		return err
	}
	go store.Listen(ctx) //nolint:errcheck // it ends with the process
	stop := runWorker(ctx, stamping{store}, worker.Options{Slots: slots, Handlers: map[task.Kind]task.Handler{noop: handle}})
	if err := wait(); !errors.Is(err, io.EOF) {
		return errors.Join(err, stop())
	}
	return stop()
}
