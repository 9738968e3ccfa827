package dbtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ream/content"
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
