package resolvers

import (
	"context"
	"strings"

	"ream/content"
	"ream/page"
	"ream/task"
)

// pageKey is a page of what an owner has.
type pageKey[O comparable] struct {
	owner O
	page.Request
}

// pages are the lists of siblings. They are read by one question for each page
// that is asked for: of one field, that is one.
type pages[O comparable, T any] = source[pageKey[O], *page.Of[T]]

// pagesOf returns the pages that a function of the store reads.
func pagesOf[O comparable, T any](read func(Store, context.Context, []O, page.Request) ([]*page.Of[T], error)) *pages[O, T] {
	return &pages[O, T]{func(s Store, ctx context.Context, keys []pageKey[O]) ([]*page.Of[T], []error) {
		pages, errs := make([]*page.Of[T], len(keys)), make([]error, len(keys))
		places := map[page.Request][]int{}
		for i, k := range keys {
			places[k.Request] = append(places[k.Request], i)
		}
		for request, of := range places {
			owners := make([]O, len(of))
			for i, place := range of {
				owners[i] = keys[place].owner
			}
			read, err := read(s, ctx, owners, request)
			for i, place := range of {
				if errs[place] = err; err == nil {
					pages[place] = read[i]
				}
			}
		}
		return pages, errs
	}}
}

// ofVersions reads the lists of versions by what the versions are: two reads of
// one version are the same owner.
func ofVersions[T any](read func(Store, context.Context, []*content.Version, page.Request) ([]*page.Of[T], error)) func(Store, context.Context, []content.Version, page.Request) ([]*page.Of[T], error) {
	return func(s Store, ctx context.Context, owners []content.Version, request page.Request) ([]*page.Of[T], error) {
		versions := make([]*content.Version, len(owners))
		for i := range owners {
			versions[i] = &owners[i]
		}
		return read(s, ctx, versions, request)
	}
}

// taskOwner is what has a list of tasks, and which of them it is about.
type taskOwner struct {
	relation task.Relation
	id       int64
	filter   filterKey
}

// filterKey is a filter of tasks that can be compared.
type filterKey struct {
	states               string // separated by spaces
	finished, unfinished bool   // only those
	kind                 task.Kind
	newest               bool
}

func filterKeyOf(f task.Filter) filterKey {
	k := filterKey{kind: f.Kind, newest: f.Newest}
	for _, s := range f.States {
		k.states += " " + string(s)
	}
	k.finished, k.unfinished = f.Finished != nil && *f.Finished, f.Finished != nil && !*f.Finished
	return k
}

func (k filterKey) filter() task.Filter {
	f := task.Filter{Kind: k.kind, Newest: k.newest}
	for s := range strings.FieldsSeq(k.states) {
		f.States = append(f.States, task.State(s))
	}
	if k.finished || k.unfinished {
		f.Finished = &k.finished
	}
	return f
}

// ofTaskOwners reads the lists of owners, together where they are of one kind.
func ofTaskOwners(s Store, ctx context.Context, owners []taskOwner, request page.Request) ([]*page.Of[*task.Task], error) {
	kinds := map[taskOwner][]int{} // by the owner without its id, the places
	for i, o := range owners {
		o.id = 0
		kinds[o] = append(kinds[o], i)
	}
	pages := make([]*page.Of[*task.Task], len(owners))
	for kind, places := range kinds {
		ids := make([]int64, len(places))
		for i, place := range places {
			ids[i] = owners[place].id
		}
		read, err := s.TasksOf(ctx, kind.relation, ids, kind.filter.filter(), request)
		if err != nil {
			return nil, err
		}
		for i, place := range places {
			pages[place] = read[i]
		}
	}
	return pages, nil
}

// previewOwner is a task that has a preview, and which of its changes a list is
// about.
type previewOwner struct {
	id    task.ID
	kinds string // separated by spaces; empty for all
}

// ofPreviewOwners reads the lists of owners, together where they are about the
// same kinds.
func ofPreviewOwners(s Store, ctx context.Context, owners []previewOwner, request page.Request) ([]*page.Of[*content.PreviewChange], error) {
	places := map[string][]int{} // by kinds
	for i, o := range owners {
		places[o.kinds] = append(places[o.kinds], i)
	}
	pages := make([]*page.Of[*content.PreviewChange], len(owners))
	for kinds, of := range places {
		ids := make([]task.ID, len(of))
		for i, place := range of {
			ids[i] = owners[place].id
		}
		var wanted []content.PreviewKind
		for k := range strings.FieldsSeq(kinds) {
			wanted = append(wanted, content.PreviewKind(k))
		}
		read, err := s.PreviewChanges(ctx, ids, wanted, request)
		if err != nil {
			return nil, err
		}
		for i, place := range of {
			pages[place] = read[i]
		}
	}
	return pages, nil
}
