package resolvers

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ream/event"
)

// busy is a hub whose topics change all the time.
type busy struct{}

func (busy) Subscribe(ctx context.Context, _ event.Topic) (<-chan event.Snapshot, error) {
	c := make(chan event.Snapshot)
	go func() {
		defer close(c)
		for {
			select {
			case <-ctx.Done():
				return
			case c <- event.Change{}:
			}
		}
	}()
	return c, nil
}

// What takes long to read is read more seldom.
func TestAgainRests(t *testing.T) {
	t.Parallel()
	for takes, want := range map[time.Duration]int{0: 100, 50 * time.Millisecond: 96, time.Second: 10, 5 * time.Second: 2} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
			defer cancel()
			read := func() (int, error) { time.Sleep(takes); return 0, nil }
			out, err := again(ctx, busy{}, event.Repositories, read)
			if err != nil {
				t.Fatal(err)
			}
			got := 0
			for range out {
				got++
			}
			if got < want-1 || got > want+1 {
				t.Errorf("a reading of %s: got %d frames in 100 s, want %d", takes, got, want)
			}
		})
	}
}
