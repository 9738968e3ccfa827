package db_test

import (
	"cmp"
	"context"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"ream/task"
)

// membersVariable is how many members TestCancelOfABigGroup cancels, instead of
// a few thousand.
const membersVariable = "REAM_TEST_MEMBERS"

// TestCancelOfABigGroup cancels a group while workers take and complete its
// members as fast as they can.
func TestCancelOfABigGroup(t *testing.T) {
	members, err := strconv.Atoi(cmp.Or(os.Getenv(membersVariable), "3000"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		reserves []task.Reservation
	}{{"free", nil}, {"all on one resource", shared("r")}} {
		t.Run(c.name, func(t *testing.T) {
			eachEngine(t, func(t *testing.T, e engine) {
				tasks := make([]task.New, members)
				for i := range tasks {
					tasks[i] = task.New{Kind: "a", Reservations: c.reserves}
				}
				id := e.group(tasks...)
				ctx, stop := context.WithCancel(t.Context())
				started := make(chan struct{}, 100)
				var workers sync.WaitGroup
				for range 2 {
					w := e.register()
					workers.Go(func() { w.hurry(ctx, started) })
				}
				for range 5 {
					<-started
				}
				began := time.Now()
				if err := e.CancelGroup(t.Context(), id); err != nil {
					t.Errorf("cancel: %v", err)
				}
				took := time.Since(began)
				stop()
				workers.Wait()
				groups, err := e.GroupsByID(t.Context(), []task.GroupID{id})
				if err != nil {
					t.Fatal(err)
				}
				g := groups[0]
				if g.Tally.Total() != members || !g.Finished() || g.Tally.Canceled == 0 || g.CanceledAt == nil {
					t.Errorf("after the cancel: got %+v", g)
				}
				t.Logf("%d of %d members canceled in %s", g.Tally.Canceled, members, took)
			})
		})
	}
}

// hurry takes tasks, a few at a time, and completes them, until ctx ends.
func (e engine) hurry(ctx context.Context, started chan<- struct{}) {
	var outcomes []task.Outcome
	for {
		room := room(5)
		if ctx.Err() != nil {
			room.Total = 0
		}
		claimed, err := e.Cycle(e.t.Context(), e.worker, outcomes, nil, room)
		if err != nil {
			e.t.Errorf("cycle: %v", err)
			return
		}
		outcomes = nil
		for _, t := range claimed {
			outcomes = append(outcomes, task.Outcome{Fence: fence(t), State: task.Completed})
		}
		select {
		case started <- struct{}{}:
		default:
		}
		if len(outcomes) == 0 && ctx.Err() != nil {
			return
		}
	}
}
