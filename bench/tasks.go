package main

import (
	"context"
	"fmt"
	"time"

	"ream/db"
	"ream/task"
)

// tasks measures the task engine, beside River and beside what PostgreSQL does
// with batched updates alone.
func tasks(ctx context.Context, b *bench) error {
	for _, measure := range []func(context.Context, *bench) error{work, spawning, latency, enqueuing, waiting} {
		if err := measure(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// noop is the kind of task that does nothing.
const noop task.Kind = "noop"

// slots are how many no-op tasks a process runs at once: as many as River's own
// benchmark gives to a client.
const slots = 2000

// reserving makes the reservations of the task of a number.
type reserving func(i int) []task.Reservation

func nothing(int) []task.Reservation { return nil }

func itsOwn(i int) []task.Reservation {
	return []task.Reservation{{Resource: fmt.Sprintf("own-%d", i), Access: task.Exclusive}}
}

func theOne(int) []task.Reservation {
	return []task.Reservation{{Resource: "the-one", Access: task.Exclusive}}
}

// group is a group of n no-op tasks.
func group(n int, reserve reserving) task.NewGroup {
	g := task.NewGroup{Name: "bench", Tasks: make([]task.New, n)}
	for i := range g.Tasks {
		g.Tasks[i] = task.New{Kind: noop, Name: "no-op", Args: map[string]int{"number": i}, Reservations: reserve(i)}
	}
	return g
}

// enqueue queues a group in one transaction, and tells how long that took.
func enqueue(ctx context.Context, store *db.DB, g task.NewGroup) (id task.GroupID, took time.Duration, err error) {
	began := time.Now()
	err = store.InTx(ctx, func(tx *db.Tx) error { id, err = tx.EnqueueGroup(ctx, g); return err })
	return id, time.Since(began), err
}

// awaitGroup waits until a group has finished.
func awaitGroup(ctx context.Context, store *db.DB, id task.GroupID) error {
	for {
		found, err := store.GroupsByID(ctx, []task.GroupID{id})
		if err != nil {
			return err
		}
		if found[0].Finished() {
			return nil
		}
		if err := sleep(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
}

// openQueue opens a new database of Ream's in this process.
func (b *bench) openQueue(ctx context.Context, d database) (store *db.DB, address string, err error) {
	if d == postgres {
		address, err = b.newDatabase(ctx)
	} else if address, err = b.newDir("sqlite"); err == nil {
		address += "/ream.db"
	}
	if err != nil {
		return nil, "", err
	}
	store, err = db.Open(ctx, address, db.Options{})
	return store, address, err
}
