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

// OpenStorage opens and closes the storage as "ream serve" does, beside a database
// that is open.
func OpenStorage(ctx context.Context, store *db.DB, args ...string) error {
	o, err := serveOptions(args, io.Discard)
	if err != nil {
		return err
	}
	s, _, err := openStorage(ctx, o, store)
	if err != nil {
		return err
	}
	return s.Close()
}
