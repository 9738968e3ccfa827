package resolvers

import (
	"context"
	"time"

	"ream/catalog"
	"ream/content"
	"ream/graph"
	"ream/page"
)

// unitSearch is a version whose units are listed: those with a text in their
// paths, or all.
type unitSearch struct {
	version content.Version
	path    string
}

// ofSearches reads the lists of versions' units, together where the same is sought.
func ofSearches(s Store, ctx context.Context, owners []unitSearch, request page.Request) ([]*page.Of[*content.Unit], error) {
	sought := map[string][]int{} // by the text, the places
	for i, o := range owners {
		sought[o.path] = append(sought[o.path], i)
	}
	pages := make([]*page.Of[*content.Unit], len(owners))
	for path, places := range sought {
		versions := make([]*content.Version, len(places))
		for i, place := range places {
			versions[i] = &owners[place].version
		}
		read, err := unitsWith(ctx, s, versions, path, request)
		if err != nil {
			return nil, err
		}
		for i, place := range places {
			pages[place] = read[i]
		}
	}
	return pages, nil
}

func unitsWith(ctx context.Context, s Store, versions []*content.Version, path string, request page.Request) ([]*page.Of[*content.Unit], error) {
	if path == "" {
		return s.VersionUnits(ctx, versions, request)
	}
	return s.VersionUnitsWith(ctx, versions, path, request)
}

// repositories reads a page of those that have labels and a text in their names.
func (r *Resolver) repositories(ctx context.Context, labels, name *string, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.Repository], error) {
	read := func(ctx context.Context, p page.Request) (*page.Of[*content.Repository], error) {
		return r.store(ctx).RepositoriesWith(ctx, value(name), value(labels), p)
	}
	return list(ctx, read, first, after, last, before)
}

// nextSyncs tells when repositories are synced next.
func nextSyncs(s Store, ctx context.Context, repositories []*content.Repository) ([]*time.Time, error) {
	schedules, err := s.FiringSchedules(ctx)
	if err != nil {
		return nil, err
	}
	return catalog.NextSyncs(schedules, repositories), nil
}
