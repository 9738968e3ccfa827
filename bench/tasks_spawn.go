package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ream/db"
	"ream/task"
	"ream/worker"
)

// spawner is the kind of task that spawns others.
const spawner task.Kind = "spawner"

// children are how many it spawns.
const children = 100

// spawning measures how long a task and the hundred that it spawns take from
// the start, with thousands of others before and behind the task in line:
// children that take their parent's place, and children at the back.
func spawning(ctx context.Context, b *bench) error {
	backlog := b.few(10_000, 2_000)
	b.setting("spawning: %s tasks stand before the one that spawns, and as many behind it; %d run at once", whole(backlog), spawnSlots)
	return b.eachDatabase(func(d database) error {
		var pass, inPlace, atBack sample
		for _, way := range []struct {
			place bool
			whole *sample
		}{{true, &inPlace}, {false, &atBack}} {
			if err := b.turns(ctx, b.few(5, 1), func() error {
				return b.spawnInBacklog(ctx, d, backlog, way.place, &pass, way.whole)
			}); err != nil {
				return err
			}
		}
		once := sample{pass.median()}
		b.add(row{measure: fmt.Sprintf("a task with its children in its place, %s", d), unit: inSeconds, ream: sample{inPlace.median()}, peer: "one pass", than: once, goals: []goal{atMost(1.2)}})
		b.add(row{measure: fmt.Sprintf("… with its children at the back, %s", d), unit: inSeconds, ream: sample{atBack.median()}, peer: "one pass", than: once})
		return nil
	})
}

// spawnSlots are few, so that the line matters.
const spawnSlots = 50

func (b *bench) spawnInBacklog(ctx context.Context, d database, backlog int, place bool, pass, whole *sample) error {
	store, _, err := b.openQueue(ctx, d)
	if err != nil {
		return err
	}
	defer store.Close()
	var parent task.ID
	for _, step := range []func(*db.Tx) error{
		func(tx *db.Tx) error { _, err := tx.EnqueueGroup(ctx, group(backlog, nothing)); return err },
		func(tx *db.Tx) error {
			parent, err = tx.Enqueue(ctx, task.New{Kind: spawner, Name: "spawner"})
			return err
		},
		func(tx *db.Tx) error { _, err := tx.EnqueueGroup(ctx, group(backlog, nothing)); return err },
	} {
		if err := store.InTx(ctx, step); err != nil {
			return err
		}
	}
	spawned := make(chan task.GroupID, 1)
	handlers := map[task.Kind]task.Handler{noop: doNothing, spawner: func(ctx context.Context, run *task.Run) error {
		work := group(children, nothing)
		var id task.GroupID
		err := store.InTx(ctx, func(tx *db.Tx) (err error) {
			if !place {
				id, err = tx.EnqueueGroup(ctx, work)
				return err
			}
			ids, err := tx.Spawn(ctx, run.Fence(), "children", work.Tasks)
			if err != nil {
				return err
			}
			found, err := tx.TasksByID(ctx, ids[:1])
			if err == nil {
				id = found[0].GroupID
			}
			return err
		})
		spawned <- id
		return err
	}}
	began := time.Now()
	stop := runWorker(ctx, store, worker.Options{Slots: spawnSlots, Alone: d == sqlite, Handlers: handlers})
	err = func() error {
		select {
		case id := <-spawned:
			pass.addDuration(time.Since(began))
			if err := awaitGroup(ctx, store, id); err != nil {
				return err
			}
			whole.addDuration(time.Since(began))
		case <-ctx.Done():
		}
		found, err := store.TasksByID(ctx, []task.ID{parent})
		if err == nil && found[0].State != task.Completed && found[0].State != task.Running {
			err = fmt.Errorf("the task that spawns is %s", found[0].State)
		}
		return errors.Join(err, ctx.Err())
	}()
	return errors.Join(err, stop())
}
