package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"ream/catalog"
	"ream/task"
)

// slots are what an operator says about how many tasks of a kind run at once:
// "repository.sync=4,repository.publish=2".
type slots map[task.Kind]int

func (s slots) String() string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(s)) {
		parts = append(parts, fmt.Sprintf("%s=%d", kind, s[kind]))
	}
	return strings.Join(parts, ",")
}

// Set reads the flag.
func (s *slots) Set(text string) error {
	read := slots{}
	for part := range strings.SplitSeq(text, ",") {
		kind, number, _ := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.Atoi(number)
		if kind == "" || err != nil || n < 1 {
			return fmt.Errorf("%q: want KIND=N with N of 1 or more, such as repository.sync=4", part)
		}
		read[task.Kind(kind)] = n
	}
	*s = read
	return nil
}

// check refuses kinds that there are not.
func (s slots) check() error {
	known := slices.Sorted(maps.Keys(catalog.Limits(1)))
	for kind := range s {
		if !slices.Contains(known, kind) {
			return fmt.Errorf("--slots: there are no tasks of the kind %q: want one of %v", kind, known)
		}
	}
	return nil
}

// limits are the given ones, with what the operator says in their place.
func (s slots) limits(limits map[task.Kind]task.Limits) map[task.Kind]task.Limits {
	for kind, n := range s {
		l := limits[kind]
		l.Slots = n
		limits[kind] = l
	}
	return limits
}
