package dbtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/page"
)

// changed tells changes as "+path:bytes", "-path:bytes" and "path:before>after".
func changed(changes []*content.UnitChange) string {
	var all []string
	for _, c := range changes {
		switch c.Kind() {
		case content.Added:
			all = append(all, fmt.Sprintf("+%s:%d", c.Path, c.After.Size))
		case content.Removed:
			all = append(all, fmt.Sprintf("-%s:%d", c.Path, c.Before.Size))
		case content.Replaced:
			all = append(all, fmt.Sprintf("%s:%d>%d", c.Path, c.Before.Size, c.After.Size))
		}
	}
	return strings.Join(all, " ")
}

// bigDiffs compares versions of which more differs than is put in order for a
// page, and much is alike.
func bigDiffs(l library) {
	const n = 5400
	of := func(digits int) []content.UnitID {
		us := make([]*content.Unit, n)
		for i := range us {
			us[i] = unit(fmt.Sprintf("%04d", i), digits+i)
		}
		l.tx(func(tx *db.Tx) error { return tx.AddUnits(l.ctx(), nil, us) })
		ids := make([]content.UnitID, n)
		for i, u := range us {
			ids[i] = u.ID
		}
		return ids
	}
	r, other := l.repository("r"), l.repository("other")
	old, fresh := of(100_000), of(200_000)
	few := l.store(unit("0000-a", 1), unit("5000-a", 2), unit("9", 3))
	vs := []*content.Version{
		l.version(r, slices.Concat(old, few[:1]), nil),
		l.version(r, slices.Concat(fresh, few[1:]), few[:1]),
		l.version(r, old[:n-2], few[1:2]), // 5398 and 5399 are fresh, 9 is there
		l.version(other, slices.Concat(old, few[:2]), nil),
	}
	for _, tt := range []struct {
		from, to int
		kinds    []content.ChangeKind
		want     string
	}{
		{0, 2, nil, "-0000-a:1 5398:105398>205398 5399:105399>205399 +9:3"},
		{2, 0, []content.ChangeKind{content.Added, content.Removed}, "+0000-a:1 -9:3"},
		{0, 1, []content.ChangeKind{content.Removed}, "-0000-a:1"},
		{1, 0, []content.ChangeKind{content.Removed}, "-5000-a:2 -9:3"},
		{0, 3, nil, "+5000-a:2"},
		{2, 3, []content.ChangeKind{content.Replaced}, "5398:205398>105398 5399:205399>105399"},
	} {
		p := must(l.Diff(l.ctx(), vs[tt.from], vs[tt.to], tt.kinds, page.Request{}))(l.t)
		equal(l.t, fmt.Sprint(tt), changed(nodes(p)), tt.want)
		equal(l.t, fmt.Sprint(tt, " counted"), must(p.Count(l.ctx()))(l.t), len(p.Items))
		p = must(l.Diff(l.ctx(), vs[tt.from], vs[tt.to], tt.kinds, page.Request{Last: 1, After: p.Items[0].Key}))(l.t)
		equal(l.t, fmt.Sprint(tt, " has a page before the second"), p.HasPrevious, true)
	}
	read := func(next page.Request) *page.Of[*content.UnitChange] {
		return must(l.Diff(l.ctx(), vs[0], vs[1], nil, next))(l.t)
	}
	var forward, backward []*content.UnitChange
	for next := (page.Request{First: page.Limit}); ; {
		p := read(next)
		forward = append(forward, nodes(p)...)
		if !p.HasNext {
			break
		}
		next.After = p.Items[len(p.Items)-1].Key
	}
	for next := (page.Request{Last: page.Limit}); ; {
		p := read(next)
		backward = append(slices.Clone(nodes(p)), backward...)
		if !p.HasPrevious {
			break
		}
		next.Before = p.Items[0].Key
	}
	equal(l.t, "how many", fmt.Sprint(len(forward), must(read(page.Request{}).Count(l.ctx()))(l.t)), fmt.Sprint(n+3, n+3))
	equal(l.t, "in order", slices.IsSortedFunc(forward, func(a, b *content.UnitChange) int { return strings.Compare(a.Path, b.Path) }), true)
	equal(l.t, "the same backward", changed(backward) == changed(forward), true)
}

func diffs(l library) {
	r, other := l.repository("r"), l.repository("other")
	ids := l.store(unit("a", 1), unit("a", 2), unit("b/c", 3), unit("é", 4))
	a1, a2, b, e := ids[0], ids[1], ids[2], ids[3]
	vs := []*content.Version{
		l.version(r, []content.UnitID{a1, b}, nil),
		l.version(r, []content.UnitID{a2, e}, nil),
		l.version(r, nil, []content.UnitID{b}),
		l.version(r, []content.UnitID{a1, b}, []content.UnitID{e}), // what the first has
		l.version(other, []content.UnitID{a2, b}, nil),
		l.version(other, nil, []content.UnitID{a2, b}),
	}
	for _, tt := range []struct {
		from, to int
		kinds    []content.ChangeKind
		want     string
	}{
		{0, 1, nil, "a:1>2 +é:4"},
		{1, 0, nil, "a:2>1 -é:4"},
		{0, 2, nil, "a:1>2 -b/c:3 +é:4"},
		{0, 3, nil, ""},
		{3, 0, nil, ""},
		{2, 2, nil, ""},
		{2, 3, nil, "a:2>1 +b/c:3 -é:4"},
		{1, 4, nil, "-é:4"},
		{0, 4, nil, "a:1>2"},
		{5, 2, nil, "+a:2 +é:4"},
		{2, 5, nil, "-a:2 -é:4"},
		{2, 3, []content.ChangeKind{content.Added}, "+b/c:3"},
		{2, 3, []content.ChangeKind{content.Removed}, "-é:4"},
		{2, 3, []content.ChangeKind{content.Replaced, content.Added}, "a:2>1 +b/c:3"},
	} {
		l.t.Run(fmt.Sprintf("%s to %s %v", vs[tt.from].ID, vs[tt.to].ID, tt.kinds), func(t *testing.T) {
			p := must(l.Diff(t.Context(), vs[tt.from], vs[tt.to], tt.kinds, page.Request{}))(t)
			equal(t, "changes", changed(nodes(p)), tt.want)
			equal(t, "counted", must(p.Count(t.Context()))(t), len(p.Items))
			// One by one, in both directions.
			var forward, backward []*content.UnitChange
			for next := (page.Request{First: 1}); ; next.After = p.Items[0].Key {
				if p = must(l.Diff(t.Context(), vs[tt.from], vs[tt.to], tt.kinds, next))(t); len(p.Items) == 0 {
					break
				}
				equal(t, "has a page before", p.HasPrevious, len(forward) > 0)
				forward = append(forward, nodes(p)...)
			}
			for next := (page.Request{Last: 1}); ; next.Before = p.Items[0].Key {
				if p = must(l.Diff(t.Context(), vs[tt.from], vs[tt.to], tt.kinds, next))(t); len(p.Items) == 0 {
					break
				}
				backward = append(backward, nodes(p)...)
			}
			slices.Reverse(backward)
			equal(t, "forward", changed(forward), tt.want)
			equal(t, "backward", changed(backward), tt.want)
		})
	}
	_, err := l.Diff(l.ctx(), vs[0], vs[1], []content.ChangeKind{"MOVED"}, page.Request{})
	wantFault(l.t, err, fault.BadInput, `kinds: there is no kind "MOVED"`)
}
