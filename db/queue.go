package db

import (
	"context"
	"time"

	"ream/task"
)

// Samples of the counts are taken this often and kept this long.
const (
	sampleEvery = 10 * time.Second
	sampleKept  = time.Hour
)

const totals = `SUM(waiting) AS waiting, SUM(running) AS running, SUM(completed) AS completed, SUM(failed) AS failed,
	SUM(canceling) AS canceling, SUM(canceled) AS canceled, SUM(skipped) AS skipped, SUM(revision) AS revision`

// Queue is the state of everything at one instant. Its cost does not depend on
// how many tasks there are.
func (q *queries) Queue(ctx context.Context) (*task.Queue, error) {
	var c countRow
	if err := q.get(ctx, &c, `SELECT `+totals+` FROM queue_counts`); err != nil {
		return nil, q.d.classify(err)
	}
	var oldest *int64
	if _, err := q.found(ctx, &oldest, `SELECT created_at FROM task_queue WHERE worker_id IS NULL ORDER BY task_id LIMIT 1`); err != nil {
		return nil, err
	}
	var rows []workerRow
	if err := q.sel(ctx, &rows, `SELECT `+workerColumns+` FROM worker WHERE ended_at IS NULL ORDER BY id`); err != nil {
		return nil, err
	}
	queue := &task.Queue{Tally: c.counts(), OldestWaiting: fromNullMicros(oldest)}
	for _, r := range rows {
		queue.Workers = append(queue.Workers, r.worker())
	}
	var before sampleRow
	now := q.now()
	sampled, err := q.found(ctx, &before, `SELECT `+sampleColumns+` FROM queue_sample WHERE taken_at > ? ORDER BY taken_at LIMIT 1`, micros(now.Add(-time.Minute)))
	if err != nil {
		return nil, err
	}
	if elapsed := now.Sub(fromMicros(before.Taken)).Seconds(); sampled && elapsed > 0 {
		queue.PerSecond = float64(queue.Tally.Finished()-before.finished()) / elapsed
	}
	return queue, nil
}

// sampleRow is what the counts were at one time.
type sampleRow struct {
	Taken     int64 `db:"taken_at"`
	Waiting   int   `db:"waiting"`
	Running   int   `db:"running"`
	Completed int   `db:"completed"`
	Failed    int   `db:"failed"`
	Canceled  int   `db:"canceled"`
	Skipped   int   `db:"skipped"`
}

const sampleColumns = `taken_at, waiting, running, completed, failed, canceled, skipped`

func (r sampleRow) finished() int { return r.Completed + r.Failed + r.Canceled + r.Skipped }

// Tend does now and then what keeps the queue observable and fast: it remembers
// the counts over everything, and sees to it that PostgreSQL's planner knows
// how long the queue is. Any process may call it, at any time.
func (db *DB) Tend(ctx context.Context) error {
	if err := db.sample(ctx); err != nil {
		return err
	}
	return db.analyze(ctx)
}

// analyze takes new statistics of the engine's tables if the queue is much
// longer or shorter than the last ones say. Autovacuum looks once a minute:
// meanwhile a queue that was empty then, and has 100,000 rows now, would be
// searched row by row.
func (db *DB) analyze(ctx context.Context) error {
	if db.d != &postgres {
		return nil
	}
	var rows struct {
		Believed float64 `db:"believed"`
		Real     float64 `db:"real"`
	}
	if err := db.get(ctx, &rows, `SELECT (SELECT reltuples FROM pg_class WHERE oid = 'task_queue'::regclass) AS believed,
		(SELECT SUM(waiting + running + canceling) FROM queue_counts) AS real`); err != nil {
		return db.d.classify(err)
	}
	const small, times = 1000, 4
	if max(rows.Believed, rows.Real)+small < times*(min(rows.Believed, rows.Real)+small) {
		return nil
	}
	return db.InTx(ctx, func(tx *Tx) error {
		_, err := tx.exec(ctx, `ANALYZE task_queue, reservation, resource, task_after`)
		return err
	})
}

// sample remembers the counts over everything, unless it was done within the
// last seconds, and forgets those of more than an hour ago.
func (db *DB) sample(ctx context.Context) error {
	return db.InTx(ctx, func(tx *Tx) error {
		now := tx.now()
		n, err := tx.exec(ctx, `INSERT INTO queue_sample(`+sampleColumns+`)
			SELECT CAST(? AS bigint), waiting, running + canceling, completed, failed, canceled, skipped FROM (SELECT `+totals+` FROM queue_counts) AS c
			WHERE NOT EXISTS (SELECT 1 FROM queue_sample WHERE taken_at > ?) ON CONFLICT (taken_at) DO NOTHING`,
			micros(now), micros(now.Add(-sampleEvery)))
		if err != nil || n == 0 {
			return err
		}
		_, err = tx.exec(ctx, `DELETE FROM queue_sample WHERE taken_at < ?`, micros(now.Add(-sampleKept)))
		return err
	})
}

// Samples returns what was counted every few seconds over the last hour,
// oldest first.
func (q *queries) Samples(ctx context.Context) ([]*task.Sample, error) {
	var rows []sampleRow
	if err := q.sel(ctx, &rows, `SELECT `+sampleColumns+` FROM queue_sample ORDER BY taken_at`); err != nil || len(rows) == 0 {
		return nil, err
	}
	samples := make([]*task.Sample, len(rows)-1)
	for i, r := range rows[1:] {
		before := rows[i]
		samples[i] = &task.Sample{At: fromMicros(r.Taken), Waiting: r.Waiting, Running: r.Running, Completed: r.Completed - before.Completed,
			Failed: r.Failed - before.Failed, Canceled: r.Canceled - before.Canceled, Skipped: r.Skipped - before.Skipped}
	}
	return samples, nil
}
