package dbtest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"ream/content"
	"ream/fault"
	"ream/page"
)

// pageCase asks a list of a, b, c, d and e for a page. Cursors are letters of
// the list, and Size bounds the page.
type pageCase struct {
	name     string
	req      page.Request
	want     string
	previous bool
	next     bool
}

var pageCases = []pageCase{
	{name: "all", want: "abcde"},
	{name: "first", req: page.Request{First: 2}, want: "ab", next: true},
	{name: "exactly all", req: page.Request{First: 5}, want: "abcde"},
	{name: "after", req: page.Request{First: 2, After: "b"}, want: "cd", previous: true, next: true},
	{name: "after, to the end", req: page.Request{First: 2, After: "c"}, want: "de", previous: true},
	{name: "after the end", req: page.Request{First: 2, After: "e"}, previous: true},
	{name: "last", req: page.Request{Last: 2}, want: "de", previous: true},
	{name: "last of more than all", req: page.Request{Last: 9}, want: "abcde"},
	{name: "before", req: page.Request{Last: 2, Before: "d"}, want: "bc", previous: true, next: true},
	{name: "before, to the start", req: page.Request{Last: 2, Before: "c"}, want: "ab", next: true},
	{name: "before the start", req: page.Request{Last: 2, Before: "a"}, next: true},
	{name: "first before", req: page.Request{First: 2, Before: "e"}, want: "ab", next: true},
	{name: "first of few before", req: page.Request{First: 3, Before: "c"}, want: "ab", next: true},
	{name: "last after", req: page.Request{Last: 2, After: "b"}, want: "de", previous: true},
	{name: "first between", req: page.Request{First: 2, After: "a", Before: "e"}, want: "bc", previous: true, next: true},
	{name: "last between", req: page.Request{Last: 2, After: "a", Before: "e"}, want: "cd", previous: true, next: true},
	{name: "all between", req: page.Request{First: 9, After: "a", Before: "c"}, want: "b", previous: true, next: true},
}

// checkPages asks a list of five for every kind of page. keys are the cursors
// of a to e.
func checkPages[T any](t *testing.T, ctx context.Context, read func(context.Context, page.Request) (*page.Of[T], error), letter func(T) string) {
	t.Helper()
	all, err := read(ctx, page.Request{})
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{"": ""}
	for _, item := range all.Items {
		keys[letter(item.Node)] = item.Key
	}
	for _, c := range pageCases {
		c.req.After, c.req.Before = keys[c.req.After], keys[c.req.Before]
		p, err := read(ctx, c.req)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got string
		for _, node := range nodes(p) {
			got += letter(node)
		}
		equal(t, c.name, fmt.Sprint(got, p.HasPrevious, p.HasNext), fmt.Sprint(c.want, c.previous, c.next))
		count, err := p.Count(ctx)
		if err != nil || count != 5 {
			t.Errorf("%s: got count %d, %v, want 5", c.name, count, err)
		}
	}
}

func pages(l library) {
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		l.remote(name)
	}
	checkPages(l.t, l.ctx(), l.Remotes, func(r *content.Remote) string { return r.Name })

	// The same the other way round: a version's number 5 is a.
	r := l.repository("r")
	for range 5 {
		l.version(r, nil, nil)
	}
	other := l.repository("other")
	l.version(other, nil, nil)
	checkPages(l.t, l.ctx(), func(ctx context.Context, req page.Request) (*page.Of[*content.Version], error) {
		return second(l.Versions(ctx, []content.RepositoryID{other.ID, r.ID, 99, other.ID}, req))
	}, func(v *content.Version) string { return string(rune('f' - v.Number)) })
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		l.distribute(content.Distribution{Path: name, RepositoryID: r.ID})
		l.distribute(content.Distribution{Path: "other-" + name, RepositoryID: other.ID})
	}
	checkPages(l.t, l.ctx(), func(ctx context.Context, req page.Request) (*page.Of[*content.Distribution], error) {
		return second(l.RepositoryDistributions(ctx, []content.RepositoryID{other.ID, r.ID, 99}, req))
	}, func(d *content.Distribution) string { return d.Path })
}

// second is the second of several pages.
func second[T any](pages []*page.Of[T], err error) (*page.Of[T], error) {
	if err != nil {
		return nil, err
	}
	return pages[1], nil
}

// only is the only one of several pages.
func only[T any](pages []*page.Of[T], err error) (*page.Of[T], error) {
	if err == nil && len(pages) != 1 {
		err = fmt.Errorf("%d pages instead of one", len(pages))
	}
	if err != nil {
		return nil, err
	}
	return pages[0], nil
}

// pagesOfSeveral reads a page of each of several repositories at once.
func pagesOfSeveral(l library) {
	var ids []content.RepositoryID
	for i := range 4 { // the first one has no versions, the next has one, and so on
		r := l.repository(fmt.Sprint("r", i))
		ids = append(ids, r.ID)
		for range i {
			l.publish(l.version(r, nil, nil))
		}
	}
	ids = append(ids, ids[3], 99)
	for _, c := range []struct {
		name, want string
		req        page.Request
	}{
		{"first", "[] [1] [2 1] [3 2 >] [3 2 >] []", page.Request{First: 2}},
		{"last", "[] [1] [2 1] [< 2 1] [< 2 1] []", page.Request{Last: 2}},
		{"after", "[] [1] [< 1] [< 1] [< 1] []", page.Request{First: 2, After: "2"}},
		{"before", "[] [>] [2 >] [3 2 >] [3 2 >] []", page.Request{Last: 2, Before: "1"}},
	} {
		var got []string
		for _, p := range must(l.Versions(l.ctx(), ids, c.req))(l.t) {
			var marks []string
			if p.HasPrevious {
				marks = append(marks, "<")
			}
			for _, v := range nodes(p) {
				marks = append(marks, fmt.Sprint(v.Number))
			}
			if p.HasNext {
				marks = append(marks, ">")
			}
			got = append(got, fmt.Sprint(marks))
		}
		equal(l.t, c.name, strings.Join(got, " "), c.want)
	}
	pages := must(l.RepositoryPublications(l.ctx(), ids, page.Request{First: 1}))(l.t)
	for i, want := range []int{0, 1, 2, 3, 3, 0} {
		equal(l.t, fmt.Sprint("publications of ", i), fmt.Sprint(len(pages[i].Items), must(pages[i].Count(l.ctx()))(l.t)), fmt.Sprint(min(want, 1), want))
	}
	equal(l.t, "of none", len(must(l.Versions(l.ctx(), nil, page.Request{}))(l.t)), 0)
}

func pagesOfPaths(l library) {
	r := l.repository("r")
	gone := l.store(unit("b2", 9))
	l.version(r, gone, nil)
	v := l.version(r, l.store(unit("e", 1), unit("c", 2), unit("a", 3), unit("d", 4), unit("b", 5)), gone)
	l.version(r, l.store(unit("a2", 6)), nil)
	before := must(l.VersionsByNumber(l.ctx(), []content.VersionKey{{RepositoryID: r.ID, Number: 1}}))(l.t)[0]
	for name, read := range map[string]func(context.Context, []*content.Version, page.Request) ([]*page.Of[*content.Unit], error){
		"units": l.VersionUnits, "added": l.VersionAdded,
	} {
		l.t.Run(name, func(t *testing.T) {
			checkPages(t, t.Context(), func(ctx context.Context, req page.Request) (*page.Of[*content.Unit], error) {
				return second(read(ctx, []*content.Version{before, v}, req))
			},
				func(u *content.Unit) string { return u.Path })
		})
	}
}

func badCursors(l library) {
	r := l.repository("r")
	v := l.version(r, l.store(unit("a", 1)), nil)
	remotes := func(req page.Request) error { _, err := l.Remotes(l.ctx(), req); return err }
	units := func(req page.Request) error {
		_, err := l.VersionUnits(l.ctx(), []*content.Version{v}, req)
		return err
	}
	for _, c := range []struct {
		name    string
		err     error
		message string
	}{
		{"no number", remotes(page.Request{After: "x"}), `after: "x" is no cursor of this list: pass one that the list itself gave`},
		{"too big a number", remotes(page.Request{Before: "9223372036854775808"}), `before: "9223372036854775808" is no cursor of this list: pass one that the list itself gave`},
		{"no text", units(page.Request{After: "\xff"}), `after: "\xff" is no cursor of this list: pass one that the list itself gave`},
		{"zero byte", units(page.Request{Before: "a\x00"}), `before: "a\x00" is no cursor of this list: pass one that the list itself gave`},
	} {
		wantFault(l.t, c.err, fault.BadInput, c.message)
	}
	if err := units(page.Request{After: "a path that was never there"}); err != nil {
		l.t.Errorf("a path that is not in the list bounds a page all the same: %v", err)
	}
}
