package main

import (
	"context"
	"database/sql"
	"time"

	"github.com/lib/pq"
	"golang.org/x/sync/errgroup"
)

// querier reads from a database.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// withPostgres opens a database for a while.
func withPostgres(address string, f func(querier) error) error {
	pool, err := sql.Open("postgres", address)
	if err != nil {
		return err
	}
	defer pool.Close()
	return f(pool)
}

// workUpdates is what PostgreSQL does with a table of tasks, an index of what
// is ready, and nothing else: batches are claimed and finished by one update
// each, in one transaction a turn.
func (b *bench) workUpdates(ctx context.Context, n, connections int, rates *sample) error {
	address, err := b.newDatabase(ctx)
	if err != nil {
		return err
	}
	pool, err := sql.Open("postgres", address)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := pool.ExecContext(ctx, `CREATE TABLE unit(id bigint PRIMARY KEY, state smallint NOT NULL DEFAULT 1, worker int, args text NOT NULL,
			started_at timestamptz, finished_at timestamptz) WITH (fillfactor=50);
		CREATE INDEX unit_ready ON unit(id) WHERE state = 1`); err != nil {
		return err
	}
	if _, err := pool.ExecContext(ctx, `INSERT INTO unit(id, args) SELECT i, '{"number": ' || i || '}' FROM generate_series(1, $1) i`, n); err != nil {
		return err
	}
	if _, err := pool.ExecContext(ctx, "VACUUM ANALYZE unit"); err != nil {
		return err
	}
	began := time.Now()
	var group errgroup.Group
	for worker := range connections {
		group.Go(func() error { return updateUnits(ctx, pool, worker) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	rates.add(float64(n) / time.Since(began).Seconds())
	return nil
}

func updateUnits(ctx context.Context, pool *sql.DB, worker int) error {
	var done []int64
	for {
		tx, err := pool.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if len(done) > 0 {
			if _, err := tx.ExecContext(ctx, "UPDATE unit SET state = 3, finished_at = now() WHERE id = ANY($1)", pq.Array(done)); err != nil {
				return err
			}
		}
		rows, err := tx.QueryContext(ctx, `UPDATE unit SET state = 2, worker = $1, started_at = now() WHERE id = ANY(ARRAY(
			SELECT id FROM unit WHERE state = 1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING id, args`, worker, slots/2)
		if err != nil {
			return err
		}
		done = done[:0]
		for rows.Next() {
			var id int64
			var args string
			if err := rows.Scan(&id, &args); err != nil {
				return err
			}
			done = append(done, id)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if err := tx.Commit(); err != nil || len(done) == 0 {
			return err
		}
	}
}
