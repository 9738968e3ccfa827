package catalog

import (
	"context"
	"time"
)

// countEvery is how soon changes of the storage are counted, at the earliest.
const countEvery = 5 * time.Second

// KeepCounting counts what the storage holds, now and whenever it changes,
// until ctx ends. Any number of processes may do so.
func (c *Catalog) KeepCounting(ctx context.Context) {
	ticker := time.NewTicker(countEvery)
	defer ticker.Stop()
	for {
		if err := c.DB.CountStorage(ctx); err != nil && ctx.Err() == nil {
			c.Log.Warn("the storage could not be counted", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
