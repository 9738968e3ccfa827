package db

import (
	"context"

	"ream/task"
)

// Register announces a worker and returns its ID. A restarted process is a new
// worker.
func (db *DB) Register(ctx context.Context, w task.Worker) (id task.WorkerID, err error) {
	err = db.InTx(ctx, func(tx *Tx) error {
		return tx.get(ctx, &id, `INSERT INTO worker(host, pid, version, slots, started_at, heartbeat_at)
			VALUES (?, ?, ?, ?, ?, `+tx.d.clock+`) RETURNING id`, w.Host, w.PID, w.Version, w.Slots, micros(tx.now()))
	})
	return id, err
}

// Heartbeat says that a worker is alive. It reports false if the worker was
// given up meanwhile: its tasks are no longer its own.
func (db *DB) Heartbeat(ctx context.Context, id task.WorkerID) (alive bool, err error) {
	err = db.InTx(ctx, func(tx *Tx) error {
		n, err := tx.exec(ctx, `UPDATE worker SET heartbeat_at = `+tx.d.clock+` WHERE id = ? AND ended_at IS NULL`, id)
		alive = n == 1
		return err
	})
	return alive, err
}

// Unregister says that a worker stopped, and returns what it left to the queue.
func (db *DB) Unregister(ctx context.Context, id task.WorkerID) error {
	return db.InTx(ctx, func(tx *Tx) error {
		if _, err := tx.exec(ctx, `UPDATE worker SET ended_at = `+tx.d.clock+` WHERE id = ? AND ended_at IS NULL`, id); err != nil {
			return err
		}
		_, _, err := tx.recoverTasks(ctx)
		return err
	})
}

type workerRow struct {
	ID        task.WorkerID `db:"id"`
	Host      string        `db:"host"`
	PID       int           `db:"pid"`
	Version   string        `db:"version"`
	Slots     int           `db:"slots"`
	Started   int64         `db:"started_at"`
	Heartbeat int64         `db:"heartbeat_at"`
}

const workerColumns = `id, host, pid, version, slots, started_at, heartbeat_at`

func (r workerRow) worker() *task.Worker {
	return &task.Worker{ID: r.ID, Host: r.Host, PID: r.PID, Version: r.Version, Slots: r.Slots,
		StartedAt: fromMicros(r.Started), HeartbeatAt: fromMicros(r.Heartbeat)}
}

// WorkersByID returns workers in the order of the ids, nil where there is none.
func (q *queries) WorkersByID(ctx context.Context, ids []task.WorkerID) ([]*task.Worker, error) {
	var rows []workerRow
	if err := q.sel(ctx, &rows, `SELECT `+workerColumns+` FROM worker WHERE `+q.d.in("id"), list(q.d, ids)); err != nil {
		return nil, err
	}
	return inOrder(ids, rows, func(r workerRow) (task.WorkerID, *task.Worker) { return r.ID, r.worker() }), nil
}
