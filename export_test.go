package main

import (
	"context"
	"io"
	"time"

	"ream/db"
	"ream/event"
)

// TopicsOf are what subscribers are told of after changes.
func TopicsOf(c db.Changes) []event.Topic { return topics(c) }

// ServeByClock is "ream serve" within a test, by the test's own clock.
func ServeByClock(ctx context.Context, now func() time.Time, log io.Writer, ready func(address string), args ...string) error {
	o, err := serveOptions(args, log)
	if err != nil {
		return err
	}
	o.now = now
	return serve(ctx, o, log, ready)
}
