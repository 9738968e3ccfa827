//go:build !unix

package main

import "math"

// fileLimit is how many files the process may have open: any number where a system
// tells of none.
func fileLimit() uint64 { return math.MaxUint64 }
