package main

import (
	"testing"
)

func TestGarbagePercent(t *testing.T) {
	t.Parallel()
	for live, want := range map[uint64]int{0: 500, 4 << 20: 500, 8 << 20: 400, 32 << 20: 100, 64 << 20: 50, 1 << 40: 50} {
		if got := garbagePercent(live); got != want {
			t.Errorf("%d bytes live: got %d %%, want %d %%", live, got, want)
		}
	}
}
