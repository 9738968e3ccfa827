package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// start measures how soon a server with an empty directory answers, and how
// much memory it holds when it has nothing to do.
func start(ctx context.Context, b *bench) error {
	rest := time.Duration(b.few(10, 3)) * time.Second
	b.setting("memory: %s after the first answer", rest)
	return b.eachDatabase(func(d database) error {
		var took, memory sample
		err := b.turns(ctx, b.few(15, 5), func() error {
			r, err := b.startReam(ctx, d)
			if err != nil {
				return err
			}
			took.addDuration(r.took)
			if len(memory) < b.few(3, 1) {
				if err := sleep(ctx, rest); err != nil {
					return err
				}
				held, err := r.resident()
				if err != nil {
					return err
				}
				memory.add(held)
			}
			return r.stop()
		})
		if err != nil {
			return err
		}
		second := sample{1}
		b.add(row{measure: fmt.Sprintf("first answer, %s", d), unit: inSeconds, ream: took, peer: "limit", than: second, goals: []goal{atMost(1)}})
		b.add(row{measure: fmt.Sprintf("… the slowest of %d, %s", len(took), d), unit: inSeconds, ream: sample{slices.Max(took)}, peer: "limit", than: second, goals: []goal{atMost(1)}})
		b.add(row{measure: fmt.Sprintf("memory at rest, %s", d), unit: inBytes, ream: memory, peer: "limit", than: sample{60e6}, goals: []goal{atMost(1)}})
		return nil
	})
}

// sleep lets time pass, unless ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
