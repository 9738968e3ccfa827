//go:build unix

package main

import (
	"math"

	"golang.org/x/sys/unix"
)

// fileLimit is how many files the process may have open, connections included: Go
// has raised it to as many as the process may ask for.
func fileLimit() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxUint64
	}
	return uint64(limit.Cur)
}
