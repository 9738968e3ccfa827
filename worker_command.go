package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

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
	e.observer.metrics.Watch(e.sources())
	ready := []any{"workers", o.workers, "version", version}
	if o.metricsListen != "" {
		address, stop, err := e.serveProbes(o.metricsListen)
		if err != nil {
			return err
		}
		defer stop()
		ready = append([]any{"address", address}, ready...)
	}
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
	e.log.Info("ready", ready...)
	<-working.Done()
	e.log.Info("stopping")
	err = <-worked
	endListening()
	return errors.Join(err, listener.Wait())
}

// serveProbes answers probes, and nothing else, until it is stopped.
func (e *engine) serveProbes(listen string) (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return "", nil, err
	}
	mux := http.NewServeMux()
	e.addProbes(mux, func(h http.Handler) http.Handler { return h })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: slog.NewLogLogger(e.log.Handler(), slog.LevelWarn)}
	var serving errgroup.Group
	serving.Go(func() error { return server.Serve(listener) })
	stop = func() {
		server.Close() //nolint:errcheck // a probe may be broken off
		if err := serving.Wait(); !errors.Is(err, http.ErrServerClosed) {
			e.log.Error("probes were not answered any more", "error", err)
		}
	}
	return "http://" + listener.Addr().String(), stop, nil
}
