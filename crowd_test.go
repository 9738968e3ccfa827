package main

import (
	"math"
	"testing"
)

func TestConnections(t *testing.T) {
	t.Parallel()
	for files, want := range map[uint64]int{100: 50, 200: 136, 256: 192, 1024: 768, 20_000: 15_000, 1 << 20: 65_536, math.MaxUint64: 65_536} {
		if got := connections(files); got != want {
			t.Errorf("%d files: got %d connections, want %d", files, got, want)
		}
	}
}
