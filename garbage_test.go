package main

import (
	"testing"
)

func TestGarbagePercent(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{0: 500, 4 << 20: 500, 8 << 20: 500, 32 << 20: 150, 64 << 20: 75, 1 << 40: 50} {
		if got := garbagePercent(live); got != want {
			t.Errorf("%d bytes live: got %d %%, want %d %%", live, got, want)
		}
	}
}
