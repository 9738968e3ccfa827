package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"ream/db"
	"ream/task"
	"ream/worker"
)

// work measures how many no-op tasks get done in a second: queued before, then
// worked off by one process or two, each with its own connections.
func work(ctx context.Context, b *bench) error {
	n := b.few(100_000, 20_000)
	b.setting("no-op tasks: %s in one group, slots: %d a process, counts, leases and fences on", whole(n), slots)
	var alone sample
	for _, processes := range []int{1, 2} {
		var ream, own, river, limit sample
		err := b.turns(ctx, b.few(5, 2),
			func() error { return b.workRiver(ctx, n, processes, &river) },
			func() error { return b.workReam(ctx, n, processes, nothing, &ream) },
			func() error { return b.workReam(ctx, n, processes, itsOwn, &own) },
			func() error { return b.workUpdates(ctx, n, processes, &limit) })
		if err != nil {
			return err
		}
		of := fmt.Sprintf("%d process", processes)
		if processes > 1 {
			of += "es"
		} else {
			alone = ream
		}
		b.add(row{measure: "no-op tasks, PostgreSQL, " + of, unit: perSecond, ream: ream, peer: "River", than: river, goals: []goal{atLeast(2)}})
		b.add(row{measure: "… each with a reservation of its own, " + of, unit: perSecond, ream: own, peer: "River", than: river})
		b.add(row{measure: "… beside batched updates of one table, " + of, unit: perSecond, ream: ream, peer: "updates", than: limit})
	}
	var embedded sample
	if err := b.turns(ctx, b.few(5, 2), func() error { return b.workSQLite(ctx, n, &embedded) }); err != nil {
		return err
	}
	b.add(row{measure: "no-op tasks, SQLite", unit: perSecond, ream: embedded, peer: "PostgreSQL", than: alone, goals: []goal{atLeast(1)}})
	return b.workBesideHistory(ctx, n)
}

// workReam lets processes work off a group that was queued before.
func (b *bench) workReam(ctx context.Context, n, processes int, reserve reserving, rates *sample) error {
	store, address, err := b.openQueue(ctx, postgres)
	if err != nil {
		return err
	}
	defer store.Close()
	rate, err := b.workOff(ctx, store, address, n, processes, reserve)
	rates.add(rate)
	return err
}

// workOff queues a group and tells how many of its tasks processes do in a
// second.
func (b *bench) workOff(ctx context.Context, store *db.DB, address string, n, processes int, reserve reserving) (float64, error) {
	id, _, err := enqueue(ctx, store, group(n, reserve))
	if err != nil {
		return 0, err
	}
	if err := store.Tend(ctx); err != nil { // as a running worker would have done
		return 0, err
	}
	took, err := b.race(ctx, processes, "ream", address, func() error { return awaitGroup(ctx, store, id) })
	return float64(n) / took.Seconds(), err
}

// workSQLite works off a group in this process: a SQLite file has only one.
func (b *bench) workSQLite(ctx context.Context, n int, rates *sample) error {
	store, _, err := b.openQueue(ctx, sqlite)
	if err != nil {
		return err
	}
	defer store.Close()
	id, _, err := enqueue(ctx, store, group(n, nothing))
	if err != nil {
		return err
	}
	began := time.Now()
	stop := runWorker(ctx, store, worker.Options{Slots: slots, Alone: true, Handlers: map[task.Kind]task.Handler{noop: doNothing}})
	err = awaitGroup(ctx, store, id)
	rates.add(float64(n) / time.Since(began).Seconds())
	return errors.Join(err, stop())
}

func doNothing(context.Context, *task.Run) error { return nil }

// queue is a database of Ream's, or one that also takes times.
type queue interface {
	worker.Queue
	OnChange(func(db.Changes))
}

// runWorker runs a worker in this process until stop is called.
func runWorker(ctx context.Context, store queue, o worker.Options) (stop func() error) {
	o.Log = slog.New(slog.DiscardHandler)
	w := worker.New(store, o)
	store.OnChange(func(c db.Changes) {
		if c.Ready {
			w.Wake()
		}
	})
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	return func() error { cancel(); return <-ended }
}

// workBesideHistory measures the same with a million finished tasks kept.
func (b *bench) workBesideHistory(ctx context.Context, n int) error {
	store, address, err := b.openQueue(ctx, postgres)
	if err != nil {
		return err
	}
	defer store.Close()
	var before, after sample
	turns := b.few(3, 1)
	for range turns {
		rate, err := b.workOff(ctx, store, address, n, 1, nothing)
		if err != nil {
			return err
		}
		before.add(rate)
	}
	history := b.few(1_000_000, 3*n)
	for done := turns * n; done < history; done += n {
		if _, err := b.workOff(ctx, store, address, n, 1, nothing); err != nil {
			return err
		}
	}
	for range turns {
		rate, err := b.workOff(ctx, store, address, n, 1, nothing)
		if err != nil {
			return err
		}
		after.add(rate)
	}
	b.add(row{measure: fmt.Sprintf("no-op tasks, PostgreSQL, beside %s finished ones", whole(history)), unit: perSecond, ream: after,
		peer: "beside few", than: before, goals: []goal{atLeast(0.8)}})
	return b.tellSizes(ctx, address, history)
}

// tellSizes tells how big the engine's tables are.
func (b *bench) tellSizes(ctx context.Context, address string, history int) error {
	return withPostgres(address, func(q querier) error {
		rows, err := q.QueryContext(ctx, `SELECT relname, pg_table_size(relid), pg_indexes_size(relid) FROM pg_stat_user_tables
			WHERE pg_total_relation_size(relid) > 1000000 ORDER BY pg_total_relation_size(relid) DESC`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			var table, indexes float64
			if err := rows.Scan(&name, &table, &indexes); err != nil {
				return err
			}
			b.setting("size with about %s finished tasks: %s %s, its indexes %s", whole(history), name, inBytes(table), inBytes(indexes))
		}
		return rows.Err()
	})
}

// reamChild is a process that does no-op tasks once it is told to.
func reamChild(ctx context.Context, address string, wait func() error) error {
	store, err := db.Open(ctx, address, db.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := wait(); err != nil {
		return err
	}
	stop := runWorker(ctx, store, worker.Options{Slots: slots, Lanes: 2, Handlers: map[task.Kind]task.Handler{noop: doNothing}})
	if err := wait(); !errors.Is(err, io.EOF) {
		return errors.Join(err, stop())
	}
	return stop()
}
