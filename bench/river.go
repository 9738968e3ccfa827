package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// riverArgs are those of a job that does nothing.
type riverArgs struct {
	Number int `json:"number"`
}

// Kind names the job.
func (riverArgs) Kind() string { return "noop" }

type riverWorker struct {
	river.WorkerDefaults[riverArgs]
}

// Work does nothing.
func (*riverWorker) Work(context.Context, *river.Job[riverArgs]) error { return nil }

// openRiver opens a client with the settings of River's own benchmark.
func openRiver(ctx context.Context, address string) (*pgxpool.Pool, *river.Client[pgx.Tx], error) {
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, nil, err
	}
	config.MaxConns = 24 // as many as Ream
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &riverWorker{})
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: slots}},
		Workers:           workers,
		FetchCooldown:     2 * time.Millisecond,
		FetchPollInterval: 20 * time.Millisecond,
		JobTimeout:        -1,
		Logger:            slog.New(slog.DiscardHandler),
	})
	return pool, client, err
}

// workRiver lets River's clients work off jobs that were inserted before.
func (b *bench) workRiver(ctx context.Context, n, processes int, rates *sample) error {
	address, err := b.newDatabase(ctx)
	if err != nil {
		return err
	}
	pool, client, err := openRiver(ctx, address)
	if err != nil {
		return err
	}
	defer pool.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	const batch = 5000
	for inserted := 0; inserted < n; inserted += batch {
		jobs := make([]river.InsertManyParams, min(batch, n-inserted))
		for i := range jobs {
			jobs[i].Args = riverArgs{inserted + i}
		}
		if _, err := client.InsertManyFast(ctx, jobs); err != nil {
			return err
		}
	}
	if _, err := pool.Exec(ctx, "VACUUM ANALYZE river_job"); err != nil {
		return err
	}
	took, err := b.race(ctx, processes, "river", address, func() error {
		for {
			var left bool
			if err := pool.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM river_job WHERE state IN ('available', 'running'))").Scan(&left); err != nil || !left {
				return err
			}
			if err := sleep(ctx, 2*time.Millisecond); err != nil {
				return err
			}
		}
	})
	rates.add(float64(n) / took.Seconds())
	return err
}

// riverChild is a process that works with River once it is told to.
func riverChild(ctx context.Context, address string, wait func() error) error {
	pool, client, err := openRiver(ctx, address)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := pool.Ping(ctx); err != nil {
		return err
	}
	if err := wait(); err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	if err := wait(); !errors.Is(err, io.EOF) {
		return err
	}
	return client.Stop(ctx)
}
