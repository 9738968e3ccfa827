package main

import (
	"context"
	"fmt"
	"time"

	"ream/db"
	"ream/page"
	"ream/task"
)

// explain measures what it costs to say what the last tasks in line wait for.
func (b *bench) explain(ctx context.Context, store *db.DB, d database, n int) error {
	last, err := store.Tasks(ctx, task.Filter{Newest: true}, page.Request{First: 20})
	if err != nil {
		return err
	}
	var ids []task.ID
	for _, item := range last.Items {
		ids = append(ids, item.Node.ID)
	}
	for _, question := range []struct {
		name string
		ask  func() error
	}{
		{"what blocks the last task", func() error {
			_, err := store.BlockedBy(ctx, ids[0], page.Request{First: 20})
			return err
		}},
		{"how many are before the last 20", func() error { _, err := store.Ahead(ctx, ids); return err }},
		{"what the last 20 have reserved", func() error { _, err := store.Reservations(ctx, ids); return err }},
		{"the queue", func() error { _, err := store.Queue(ctx); return err }},
	} {
		var took sample
		for range 20 {
			began := time.Now()
			if err := question.ask(); err != nil {
				return err
			}
			took.addDuration(time.Since(began))
		}
		b.add(row{measure: fmt.Sprintf("%s, %s waiting, %s", question.name, whole(n), d), unit: inSeconds, ream: took})
	}
	return nil
}
