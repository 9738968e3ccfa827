package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ream/db"
	"ream/task"
)

// enqueuing measures how long it takes to queue a large group in one
// transaction, and to cancel it, while claiming goes on beside it.
func enqueuing(ctx context.Context, b *bench) error {
	n := b.few(100_000, 20_000)
	share := float64(n) / 100_000
	return b.eachDatabase(func(d database) error {
		for _, way := range []struct {
			name    string
			reserve reserving
		}{{"", nothing}, {", each with a reservation", itsOwn}} {
			var took, canceled, slowest sample
			if err := b.turns(ctx, b.few(5, 2), func() error {
				return b.enqueueBesideClaims(ctx, d, n, way.reserve, &took, &canceled, &slowest)
			}); err != nil {
				return err
			}
			of := fmt.Sprintf("a group of %s%s, %s", whole(n), way.name, d)
			b.add(row{measure: "enqueue " + of, unit: inSeconds, ream: sample{took.median()}, peer: "limit", than: sample{3 * share}, goals: []goal{atMost(1)}})
			b.add(row{measure: "… the slowest claim of another beside it", unit: inSeconds, ream: slowest})
			b.add(row{measure: "cancel " + of, unit: inSeconds, ream: sample{canceled.median()}, peer: "limit", than: sample{2 * share}, goals: []goal{atMost(1)}})
		}
		return nil
	})
}

func (b *bench) enqueueBesideClaims(ctx context.Context, d database, n int, reserve reserving, took, canceled, slowest *sample) error {
	store, _, err := b.openQueue(ctx, d)
	if err != nil {
		return err
	}
	defer store.Close()
	if _, _, err := enqueue(ctx, store, group(n/10, nothing)); err != nil {
		return err
	}
	claiming, stop := context.WithCancel(ctx)
	slow := make(chan sample, 1)
	go func() {
		times, _ := cycles(claiming, store, 10, 1<<30)
		slow <- times
	}()
	id, enqueued, err := enqueue(ctx, store, group(n, reserve))
	stop()
	times := <-slow
	if err != nil {
		return err
	}
	took.addDuration(enqueued)
	if len(times) > 0 {
		slowest.add(slices.Max(times))
	}
	began := time.Now()
	err = store.CancelGroup(ctx, id)
	canceled.addDuration(time.Since(began))
	return err
}

// cycles lets a worker finish what it claimed and claim n more, again and
// again, and tells how long each turn took. It ends when nothing is left.
func cycles(ctx context.Context, store *db.DB, n, most int) (sample, error) {
	id, err := store.Register(ctx, task.Worker{Host: "bench", PID: 1, Slots: n})
	if err != nil {
		return nil, err
	}
	var times sample
	var outcomes []task.Outcome
	for range most {
		began := time.Now()
		claimed, err := store.Cycle(ctx, id, outcomes, nil, task.Vacancies{Total: n, Of: map[task.Kind]int{noop: n}})
		if err != nil {
			return times, errors.Join(err, store.Unregister(context.WithoutCancel(ctx), id))
		}
		if len(claimed) == 0 {
			break
		}
		if outcomes != nil { // the first turn prepares statements
			times.addDuration(time.Since(began))
		}
		outcomes = outcomes[:0]
		for _, t := range claimed {
			outcomes = append(outcomes, task.Outcome{State: task.Completed, Fence: task.Fence{Task: t.ID, Worker: t.WorkerID, Attempt: t.Attempt}})
		}
	}
	return times, store.Unregister(ctx, id)
}

// waiting measures what a turn of a worker, the counts of a group and the
// explanation of a wait cost, with ever more tasks waiting.
func waiting(ctx context.Context, b *bench) error {
	sizes := []int{1_000, 10_000, 100_000, 1_000_000}
	if b.quick {
		sizes = sizes[:2]
	}
	return b.eachDatabase(func(d database) error {
		for _, way := range []struct {
			name    string
			reserve reserving
			batch   int
		}{{"all on one resource", theOne, 1}, {"each on its own", itsOwn, 10}} {
			var first sample
			for _, n := range sizes {
				turn, err := b.waitingTurns(ctx, d, n, way.batch, way.reserve)
				if err != nil {
					return err
				}
				r := row{measure: fmt.Sprintf("claim and finish %d, %s waiting, %s, %s", way.batch, whole(n), way.name, d), unit: inSeconds, ream: sample{turn.median()}}
				if first == nil {
					first = r.ream
				} else {
					r.peer, r.than, r.goals = "with "+whole(sizes[0]), first, []goal{atMost(1.5)}
				}
				b.add(r)
			}
		}
		return nil
	})
}

// waitingTurns measures turns of a worker beside n tasks that wait.
func (b *bench) waitingTurns(ctx context.Context, d database, n, batch int, reserve reserving) (sample, error) {
	store, _, err := b.openQueue(ctx, d)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	id, _, err := enqueue(ctx, store, group(n, reserve))
	if err != nil {
		return nil, err
	}
	if err := store.Tend(ctx); err != nil {
		return nil, err
	}
	times, err := cycles(ctx, store, batch, b.few(200, 60))
	if err != nil {
		return nil, err
	}
	if n < 100_000 && !b.quick {
		return times, nil
	}
	var counts sample
	for range 50 {
		began := time.Now()
		if _, err := store.GroupsByID(ctx, []task.GroupID{id}); err != nil {
			return nil, err
		}
		counts.addDuration(time.Since(began))
	}
	b.add(row{measure: fmt.Sprintf("counts of a group of %s, %s", whole(n), d), unit: inSeconds, ream: sample{counts.median()}, peer: "limit", than: sample{1e-3}, goals: []goal{atMost(1)}})
	return times, b.explain(ctx, store, d, n)
}
