package resolvers

import (
	"context"

	"ream/catalog"
	"ream/content"
	"ream/fault"
	"ream/graph"
	"ream/page"
)

// knownID reads the id of a noun that must exist: whatever is no such id
// names nothing.
func knownID[K ~int64](noun, id string) (K, error) {
	key, err := content.ParseID[K](noun, id)
	if err != nil {
		return 0, fault.New(fault.NotFound, "there is no %s %.80q: ids look like %s-12", noun, id, noun)
	}
	return key, nil
}

// referredID reads an id in a field that refers to a noun.
func referredID[K ~int64](field, noun, id string) (K, error) {
	key, err := content.ParseID[K](noun, id)
	if err != nil {
		return 0, fault.Input(field, "there is no %s %.80q: ids look like %s-12", noun, id, noun)
	}
	return key, nil
}

// referredIDs reads the ids in a field that refers to several of a noun.
func referredIDs[K ~int64](field, noun string, ids []string) ([]K, error) {
	keys := make([]K, len(ids))
	for i, id := range ids {
		var err error
		if keys[i], err = referredID[K](field, noun, id); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// optionalID reads an id that may be left out, from the field of the noun's
// name. It is nil then.
func optionalID[K ~int64](noun string, id *string) (*K, error) {
	if id == nil {
		return nil, nil
	}
	key, err := referredID[K](noun, noun, *id)
	return &key, err
}

// list reads the page that a field's arguments ask for; nil if there is no such
// list.
func list[T any](ctx context.Context, read func(context.Context, page.Request) (*page.Of[T], error),
	first *int32, after *string, last *int32, before *string) (*graph.Connection[T], error) {
	request, err := pageRequest(first, after, last, before)
	if err != nil {
		return nil, err
	}
	p, err := read(ctx, request)
	if err != nil || p == nil {
		return nil, err
	}
	return graph.Connect(p), nil
}

// listOf is list of what an owner has. The lists of siblings are read together.
func listOf[O comparable, T any](ctx context.Context, s *pages[O, T], owner O,
	first *int32, after *string, last *int32, before *string) (*graph.Connection[T], error) {
	read := func(ctx context.Context, p page.Request) (*page.Of[T], error) {
		return s.load(ctx, pageKey[O]{owner, p})
	}
	return list(ctx, read, first, after, last, before)
}

func pageRequest(first *int32, after *string, last *int32, before *string) (page.Request, error) {
	var r page.Request
	if first != nil && last != nil {
		return r, fault.Input("last", "a page is either the first or the last of its list: leave out first or last")
	}
	var err error
	if r.First, err = pageSize("first", first); err != nil {
		return r, err
	}
	if r.Last, err = pageSize("last", last); err != nil {
		return r, err
	}
	if after != nil {
		if r.After, err = page.DecodeCursor("after", *after); err != nil {
			return r, err
		}
	}
	if before != nil {
		if r.Before, err = page.DecodeCursor("before", *before); err != nil {
			return r, err
		}
	}
	return r, nil
}

func pageSize(argument string, n *int32) (int, error) {
	if n == nil {
		return 0, nil
	}
	if *n < 1 || *n > page.Limit {
		return 0, fault.Input(argument, "%d is out of range: a page has 1 to %d items", *n, page.Limit)
	}
	return int(*n), nil
}

// selector decodes a selection of repositories.
func selector(in *graph.RepositorySelector) (catalog.Selector, error) {
	return catalog.NewSelector(in.Ids, in.Names, in.Labels, in.All)
}

func labels(in []*graph.LabelInput) []content.Label {
	out := make([]content.Label, len(in))
	for i, l := range in {
		out[i] = content.Label{Key: l.Key, Value: l.Value}
	}
	return out
}

// either checks that exactly one of a query's two keys is given.
func either(id, other *string, otherName string) error {
	if (id == nil) == (other == nil) {
		return fault.Input("id", "give either id or %s", otherName)
	}
	return nil
}

// value is what p points to, or the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// optional is the opposite of value: nil for the zero value.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// number widens an optional Int.
func number(n *int32) *int {
	if n == nil {
		return nil
	}
	return new(int(*n))
}

// absentIsNull turns the fault that there is no such thing into null.
func absentIsNull[T any](v *T, err error) (*T, error) {
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return v, err
}

// keepVersions reads how many versions are kept; 0 for all.
func keepVersions(n *int32) (int, error) {
	if n != nil && *n < 1 {
		return 0, fault.Input("keepVersions", "%d is too few: want 1 or more, or null to keep all", *n)
	}
	return int(value(n)), nil
}

// limit reads how many members of a group may run at once; 0 for no limit.
func limit(maxRunning *int32) (int, error) {
	if maxRunning != nil && *maxRunning < 1 {
		return 0, fault.Input("maxRunning", "%d is no limit: want 1 or more, or leave it out for none", *maxRunning)
	}
	return int(value(maxRunning)), nil
}
