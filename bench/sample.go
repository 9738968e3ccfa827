package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// sample holds what one measure gave in each turn.
type sample []float64

func (s *sample) add(v float64)               { *s = append(*s, v) }
func (s *sample) addDuration(d time.Duration) { s.add(d.Seconds()) }

// median is the middle of the values.
func (s sample) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	switch {
	case n == 0:
		return math.NaN()
	case n%2 == 0:
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[n/2]
}

// over is the ratio of two samples: the median of the turns' ratios where both
// have the same turns, since what disturbs a turn disturbs both of its sides.
func (s sample) over(t sample) float64 {
	if len(s) != len(t) {
		return s.median() / t.median()
	}
	var ratios sample
	for i := range s {
		ratios.add(s[i] / t[i])
	}
	return ratios.median()
}

// unit shows values of one kind.
type unit func(float64) string

func inSeconds(v float64) string {
	switch {
	case v < 1e-3:
		return significant(v*1e6) + " µs"
	case v < 1:
		return significant(v*1e3) + " ms"
	}
	return significant(v) + " s"
}

func inBytes(v float64) string {
	switch {
	case v >= 1e9:
		return significant(v/1e9) + " GB"
	case v >= 1e6:
		return significant(v/1e6) + " MB"
	}
	return significant(v/1e3) + " kB"
}

func perSecond(v float64) string      { return significant(v) + "/s" }
func bytesPerSecond(v float64) string { return inBytes(v) + "/s" }

func perCount(v float64) string  { return significant(v) }
func inPercent(v float64) string { return significant(v*100) + " %" }

// significant shows three digits of a number, or all before its point.
func significant(v float64) string {
	digits := 2
	for limit := 10.0; digits > 0 && math.Abs(v) >= limit; limit *= 10 {
		digits--
	}
	if digits == 0 {
		return whole(int(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// whole shows a whole number with its thousands apart.
func whole(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = fmt.Sprintf("%s,%s", s[:i], s[i:])
	}
	return s
}
