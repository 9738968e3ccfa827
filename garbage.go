package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The garbage that a heap may hold beside what lives: a small heap would be
// collected for every few megabytes, and a large one, of ten thousand
// subscribers say, would be three times as large as it has to be.
const (
	garbageBytes = 32 << 20
	leastPercent = 50
	mostPercent  = 500
)

// boundGarbage sets how much garbage the heap may hold, now and after each
// collection, unless the environment says it.
func boundGarbage() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(mostPercent)
		afterCollection(mostPercent)
	}
}

// sentinel is garbage itself, so that it tells of the next collection.
type sentinel struct {
	_ [32]byte // smaller ones are collected together with others
}

func afterCollection(percent int) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if next := garbagePercent(live[0].Value.Uint64()); next < percent-5 || next > percent+5 {
		percent = next
		debug.SetGCPercent(percent)
	}
	runtime.AddCleanup(new(sentinel), afterCollection, percent)
}

// garbagePercent is how much garbage there may be beside so many bytes that live.
func garbagePercent(live uint64) int {
	return int(min(max(100*garbageBytes/max(live, 1), leastPercent), mostPercent))
}
