package main

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"ream/catalog"
	"ream/db"
	"ream/fault"
	"ream/worker"
)

// engine is what serve and worker have in common: the database and the storage,
// what works on tasks, and what fires schedules.
type engine struct {
	store      *db.DB
	blobs      storage
	redirect   redirecter // nil unless clients may be sent to the storage
	operations *catalog.Catalog
	worker     *worker.Worker // nil without workers
	scheduler  *worker.Scheduler
	observer   *observer
	log        *slog.Logger
}

// openEngine opens what the options name. The caller closes it.
func openEngine(ctx context.Context, o options, stderr io.Writer) (*engine, error) {
	log, err := o.logger(stderr)
	if err != nil {
		return nil, err
	}
	observer, err := newObserver(ctx, o, log)
	if err != nil {
		return nil, err
	}
	client, err := o.upstreams.client(onLoopback(o.listen), observer)
	if err != nil {
		observer.close()
		return nil, err
	}
	store, err := db.Open(ctx, o.database, db.Options{Log: log, Now: o.now, Observe: observer.metrics.Stated})
	if err != nil {
		client.Close()
		observer.close()
		return nil, errors.New(shown(err))
	}
	blobs, redirect, err := openStorage(ctx, o, store)
	if err != nil {
		client.Close()
		observer.close()
		return nil, errors.Join(err, store.Close())
	}
	e := &engine{store: store, blobs: blobs, redirect: redirect, observer: observer, log: log}
	e.operations = &catalog.Catalog{DB: store, Blobs: blobs, Fetch: client, Log: log, KeepReplaced: o.replaced, Uploads: o.uploads}
	if err := blobs.Clean(ctx, catalog.BegunAgo); err != nil {
		log.Warn("what killed processes left in the storage could not be removed", "error", err)
	}
	if e.operations.Key, err = o.upstreams.key(ctx, o.data, store, log); err != nil {
		e.close()
		return nil, errors.New(shown(err))
	}
	e.scheduler = worker.NewScheduler(e.operations, store.Now, log)
	if o.workers > 0 {
		e.worker = worker.New(store, worker.Options{Slots: o.workers, Lanes: lanes(store), Alone: store.SingleProcess(), Version: version,
			Handlers: observer.tracer.Handlers(e.operations.Handlers()), Limits: o.slots.limits(catalog.Limits(o.workers)), Log: log,
			Started: observer.metrics.Started, Ended: observer.metrics.Ended})
	}
	store.OnChange(func(c db.Changes) {
		if e.worker != nil && c.Ready {
			e.worker.Wake()
		}
		if e.worker != nil && c.Cancels {
			e.worker.WakeCanceled()
		}
		if c.Schedules {
			e.scheduler.Wake()
		}
	})
	return e, nil
}

// lanes is how many cycles of a worker may be under way at once: SQLite has
// one writer, PostgreSQL works on two while one waits for the disk.
func lanes(store *db.DB) int {
	if store.SingleProcess() {
		return 1
	}
	return 2
}

func (e *engine) close() {
	e.operations.Fetch.Close()
	if err := e.store.Close(); err != nil {
		e.log.Error("closing the database failed", "error", err)
	}
	if err := e.blobs.Close(); err != nil {
		e.log.Error("closing the storage failed", "error", err)
	}
	e.observer.close()
}

// shown is what an operator may read of an error: everything but addresses
// with passwords, which faults do not hold.
func shown(err error) string {
	if fault.KindOf(err) != fault.Internal {
		return fault.Message(err)
	}
	return err.Error()
}

// takeBack returns what the last process held to the queue, where only one can
// use the database. Elsewhere workers do so for each other.
func (e *engine) takeBack(ctx context.Context) error {
	if !e.store.SingleProcess() {
		return nil
	}
	n, err := e.store.Recover(ctx, 0)
	if n > 0 {
		e.log.Info("tasks of the last run recovered", "tasks", n)
	}
	return errors.Join(err, e.store.DropLeases(ctx))
}

// work fires schedules and runs tasks until ctx ends and what runs has ended
// or was returned to the queue.
func (e *engine) work(ctx context.Context) error {
	var group errgroup.Group
	group.Go(func() error { return e.scheduler.Run(ctx) })
	group.Go(func() error { e.operations.KeepCounting(ctx); return nil })
	if e.worker != nil {
		group.Go(func() error { return e.worker.Run(ctx) })
	}
	return group.Wait()
}
