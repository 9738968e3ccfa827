package catalog

import (
	"slices"
	"time"

	"ream/content"
	"ream/db"
	"ream/task"
)

// NextSyncs tells of each repository when the first of the schedules syncs or
// mirrors it; nil if none does. The schedules are in the order of their firings.
func NextSyncs(schedules []*task.Schedule, repositories []*content.Repository) []*time.Time {
	next := make([]*time.Time, len(repositories))
	for _, s := range schedules {
		selector := syncedBy(s)
		if selector == nil {
			continue
		}
		for i, r := range repositories {
			if next[i] == nil && r.RemoteID != 0 && selector.selects(r) {
				next[i] = s.NextAt
			}
		}
	}
	return next
}

// syncedBy selects what a schedule syncs; nil if it syncs nothing. One whose
// operation does not parse will tell so when it fires.
func syncedBy(s *task.Schedule) *Selector {
	o, err := ParseOperation(s)
	switch {
	case err != nil:
		return nil
	case o.Sync != nil:
		return &o.Sync.Repositories
	case o.Mirror != nil:
		return &o.Mirror.Repositories
	}
	return nil
}

// selects reports whether a repository is among those that are selected.
func (s Selector) selects(r *content.Repository) bool {
	if s.Labels != nil {
		fits, err := db.Selects(*s.Labels, r.Labels)
		return err == nil && fits
	}
	return s.All || slices.Contains(s.IDs, r.ID) || slices.Contains(s.Names, r.Name)
}
