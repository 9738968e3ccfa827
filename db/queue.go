package db

import (
	"context"
	"strings"
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
// how many tasks there are. For those who are limited it is that of the tasks
// that they see, which are counted one by one.
func (q *queries) Queue(ctx context.Context) (*task.Queue, error) {
	read := q.wholeQueue
	if q.scope != nil {
		read = q.seenQueue
	}
	queue, err := read(ctx)
	if err != nil {
		return nil, err
	}
	var rows []workerRow
	if err := q.sel(ctx, &rows, `SELECT `+workerColumns+` FROM worker WHERE ended_at IS NULL ORDER BY id`); err != nil {
		return nil, err
	}
	for _, r := range rows {
		queue.Workers = append(queue.Workers, r.worker())
	}
	return queue, nil
}

// seenQueue is the queue without its workers, of the tasks that are seen and were
// not purged. Its revision is the time at which it was read, which tells nothing
// of the others.
func (q *queries) seenQueue(ctx context.Context) (*task.Queue, error) {
	var row struct {
		countRow
		Oldest *int64 `db:"oldest"`
		Recent int    `db:"recent"`
	}
	count := func(state task.State) string {
		return `COALESCE(SUM(CASE WHEN x.state = '` + string(state) + `' THEN 1 ELSE 0 END), 0) AS ` + strings.ToLower(string(state)) + `, `
	}
	var counts string
	for _, state := range []task.State{task.Waiting, task.Running, task.Completed, task.Failed, task.Canceling, task.Canceled, task.Skipped} {
		counts += count(state)
	}
	seen, now := q.seen("t.repository_id"), q.now()
	err := q.get(ctx, &row, `SELECT `+counts+`MIN(CASE WHEN x.state = 'WAITING' THEN x.created_at END) AS oldest, COALESCE(SUM(CASE WHEN x.finished_at > ? THEN 1 ELSE 0 END), 0) AS recent
		FROM (SELECT `+stateSQL+` AS state, t.created_at, t.finished_at FROM `+taskTables+` WHERE TRUE`+seen.sql+`) AS x`,
		joined(micros(now.Add(-time.Minute)), seen.args)...)
	if err != nil {
		return nil, q.d.classify(err)
	}
	row.Revision = micros(now)
	return &task.Queue{Tally: row.counts(), OldestWaiting: fromNullMicros(row.Oldest), PerSecond: float64(row.Recent) / time.Minute.Seconds()}, nil
}

// wholeQueue is the queue without its workers.
func (q *queries) wholeQueue(ctx context.Context) (*task.Queue, error) {
	var c countRow
	if err := q.get(ctx, &c, `SELECT `+totals+` FROM queue_counts`); err != nil {
		return nil, q.d.classify(err)
	}
	var oldest *int64
	if _, err := q.found(ctx, &oldest, `SELECT created_at FROM task_queue WHERE worker_id IS NULL ORDER BY task_id LIMIT 1`); err != nil {
		return nil, err
	}
	queue := &task.Queue{Tally: c.counts(), OldestWaiting: fromNullMicros(oldest)}
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
// the counts over everything, and sweeps up behind the engine on PostgreSQL.
// Any process may call it, at any time.
func (db *DB) Tend(ctx context.Context) error {
	if err := db.sample(ctx); err != nil {
		return err
	}
	return db.sweep(ctx)
}

// hotTables are those whose rows come and go with the tasks.
var hotTables = []string{"task_queue", "reservation", "resource", "task_after", "task_group", "queue_counts"}

// sweep vacuums the tables that have many dead rows, or of which the planner
// believes something far from the truth. Autovacuum looks once a minute, and in
// a minute the engine leaves millions of rows behind, over which every claim
// steps.
func (db *DB) sweep(ctx context.Context) error {
	if db.d != &postgres {
		return nil
	}
	var tables []struct {
		Name     string  `db:"relname"`
		Dead     float64 `db:"dead"`
		Live     float64 `db:"live"`
		Believed float64 `db:"believed"`
	}
	if err := db.sel(ctx, &tables, `SELECT s.relname, s.n_dead_tup AS dead, c.reltuples AS believed,
			CASE s.relname WHEN 'task_queue' THEN (SELECT SUM(waiting + running + canceling) FROM queue_counts) ELSE s.n_live_tup END AS live
		FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid WHERE s.schemaname = current_schema() AND `+db.d.in("s.relname"), list(db.d, hotTables)); err != nil {
		return err
	}
	var names []string
	for _, t := range tables {
		const small, times = 1000, 4
		littered := t.Dead > 20*small && t.Dead > t.Live/2
		mistaken := max(t.Believed, t.Live)+small > times*(min(max(t.Believed, 0), t.Live)+small)
		if littered || mistaken {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	// Without TRUNCATE it locks nobody out; a table that another process sweeps
	// is left to it.
	_, err := db.exec(ctx, `VACUUM (ANALYZE, TRUNCATE OFF, SKIP_LOCKED) `+strings.Join(names, ", "))
	return db.d.classify(err)
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
// oldest first. Only everything is counted, so there are none for those who are
// limited.
func (q *queries) Samples(ctx context.Context) ([]*task.Sample, error) {
	if q.scope != nil {
		return nil, nil
	}
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

// Loads counts the unfinished tasks of each kind. It reads the whole queue, of
// which 100,000 tasks take a few hundredths of a second.
func (q *queries) Loads(ctx context.Context) ([]task.Load, error) {
	var rows []struct {
		Kind      task.Kind `db:"kind"`
		Blocked   int       `db:"blocked"`
		Ready     int       `db:"ready"`
		Running   int       `db:"running"`
		Canceling int       `db:"canceling"`
	}
	if err := q.sel(ctx, &rows, `SELECT kind, SUM(CASE WHEN worker_id IS NULL AND blocked_by > 0 THEN 1 ELSE 0 END) AS blocked,
			SUM(CASE WHEN worker_id IS NULL AND blocked_by = 0 THEN 1 ELSE 0 END) AS ready,
			SUM(CASE WHEN worker_id IS NOT NULL AND canceled_at IS NULL THEN 1 ELSE 0 END) AS running,
			SUM(CASE WHEN worker_id IS NOT NULL AND canceled_at IS NOT NULL THEN 1 ELSE 0 END) AS canceling
		FROM task_queue GROUP BY kind ORDER BY kind`); err != nil {
		return nil, err
	}
	loads := make([]task.Load, len(rows))
	for i, r := range rows {
		loads[i] = task.Load(r)
	}
	return loads, nil
}
