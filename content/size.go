package content

import "math"

// MaxSize is the most bytes that a file may be said to have: 1 PiB.
const MaxSize = 1 << 50

// MaxTotal is the most bytes that all files of one manifest may be said to have:
// 8 PiB, up to which numbers are exact for clients that have only float64.
const MaxTotal = 1 << 53

// Plus is a sum of bytes that saturates: beyond the least and the greatest
// number there is nothing.
func Plus(a, b int64) int64 {
	switch {
	case a > 0 && b > math.MaxInt64-a:
		return math.MaxInt64
	case a < 0 && b < math.MinInt64-a:
		return math.MinInt64
	}
	return a + b
}
