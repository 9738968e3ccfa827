package main

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"
)

// runWorker takes and runs tasks until ctx ends, beside the other processes on
// the same database and storage.
func runWorker(ctx context.Context, o options, stderr io.Writer) error {
	e, err := openEngine(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer e.close()
	// Notices are heard until the last task has ended.
	listening, endListening := context.WithCancel(context.WithoutCancel(ctx))
	defer endListening()
	working, endWorking := context.WithCancel(ctx)
	defer endWorking()
	var listener errgroup.Group
	listener.Go(func() error {
		defer endWorking()
		return e.store.Listen(listening)
	})
	worked := make(chan error, 1)
	go func() { worked <- e.work(working) }()
	e.log.Info("ready", "workers", o.workers, "version", version)
	<-working.Done()
	e.log.Info("stopping")
	err = <-worked
	endListening()
	return errors.Join(err, listener.Wait())
}
