package content

import (
	"strings"
	"time"
)

// momentLayouts are how paths may say a time, in UTC. A day stands for its
// beginning, so that what is served for it never changes.
var momentLayouts = []string{time.DateOnly, "2006-01-02T15:04:05Z", "20060102T150405Z"}

// ParseMoment reads the first segment of a path within a distribution that asks
// for what was served at a time, such as @2026-11-01.
func ParseMoment(segment string) (at time.Time, ok bool) {
	text, ok := strings.CutPrefix(segment, "@")
	if !ok {
		return at, false
	}
	for _, layout := range momentLayouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return at, false
}
