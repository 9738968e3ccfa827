package dbtest

import (
	"context"
	"fmt"

	"ream/access"
	"ream/content"
	"ream/db"
	"ream/page"
	"ream/task"
)

// previewsOfTasks keeps what tasks found out that syncs would do, for those who
// see the task.
func previewsOfTasks(l library) {
	n := newNeighbours(l)
	mine, theirs := n.task[0], n.task[1]
	file := func(size int) *content.PreviewFile {
		return &content.PreviewFile{SHA256: digest(size), Size: int64(size)}
	}
	all := []content.PreviewChange{
		{Path: "e", Kind: content.WouldAdd, After: file(5), Fetch: true},
		{Path: "b", Kind: content.WouldReplace, Before: file(1), After: file(100), Fetch: true},
		{Path: "a", Kind: content.WouldAdd, After: file(5), Fetch: true}, // fetched once
		{Path: "d", Kind: content.WouldRemove, Before: file(1)},
		{Path: "c", Kind: content.WouldFetch, Before: file(1000), After: file(1000), Fetch: true},
	}
	add := func(id task.ID, changes ...content.PreviewChange) {
		l.tx(func(tx *db.Tx) error { return tx.AddPreviewChanges(l.ctx(), id, changes) })
	}
	add(mine, all[:2]...)
	add(theirs, all[0])
	add(mine, all[2:]...)
	add(mine)
	if got := must(l.Previews(l.ctx(), []task.ID{mine}))(l.t); got[0] != nil {
		l.t.Errorf("before it is complete: got %+v", got[0])
	}
	l.tx(func(tx *db.Tx) error { return tx.AddPreview(l.ctx(), mine, 4) })
	l.tx(func(tx *db.Tx) error { return tx.AddPreview(l.ctx(), theirs, 0) })
	previews := must(l.Previews(l.ctx(), []task.ID{99, theirs, mine}))(l.t)
	if previews[0] != nil {
		l.t.Errorf("of no task: got %+v", previews[0])
	}
	equal(l.t, "theirs", *previews[1], content.Preview{TaskID: int64(theirs), Added: 1, FetchFiles: 1, FetchBytes: 5})
	equal(l.t, "mine", *previews[2], content.Preview{TaskID: int64(mine), Added: 2, Removed: 1, Replaced: 1, Unchanged: 4, FetchFiles: 3, FetchBytes: 1105})

	path := func(c *content.PreviewChange) string { return c.Path }
	of := func(kinds ...content.PreviewKind) func(context.Context, page.Request) (*page.Of[*content.PreviewChange], error) {
		return func(ctx context.Context, req page.Request) (*page.Of[*content.PreviewChange], error) {
			return second(l.PreviewChanges(ctx, []task.ID{theirs, mine, 99, theirs}, kinds, req))
		}
	}
	whole := must(of()(l.ctx(), page.Request{}))(l.t)
	var paths string
	for _, item := range whole.Items {
		paths += item.Key
	}
	equal(l.t, "paths", paths, "abcde")
	equal(l.t, "what is replaced", *whole.Items[1].Node, all[1])
	equal(l.t, "what is removed", *whole.Items[3].Node, all[3])
	equal(l.t, "what is added", *whole.Items[4].Node, all[0])
	checkPages(l.t, l.ctx(), of(content.WouldAdd, content.WouldFetch, content.WouldReplace, content.WouldRemove), path)
	added := must(of(content.WouldAdd)(l.ctx(), page.Request{First: 1}))(l.t)
	equal(l.t, "added", fmt.Sprint(len(added.Items), added.HasNext, must(added.Count(l.ctx()))(l.t)), "1 true 2")

	for limit, seen := range map[access.Limit]string{"": "true 1", "team=b": "true 1", "team=a": "false 0"} {
		within := l.Within(limit)
		p := must(within.Previews(l.ctx(), []task.ID{theirs}))(l.t)
		c := must(only(within.PreviewChanges(l.ctx(), []task.ID{theirs}, nil, page.Request{})))(l.t)
		equal(l.t, fmt.Sprintf("within %q", limit), fmt.Sprint(p[0] != nil, len(c.Items)), seen)
	}

	l.tx(func(tx *db.Tx) error { return tx.DropPreview(l.ctx(), mine) })
	previews = must(l.Previews(l.ctx(), []task.ID{mine, theirs}))(l.t)
	left := must(l.PreviewChanges(l.ctx(), []task.ID{mine, theirs}, nil, page.Request{}))(l.t)
	equal(l.t, "once dropped", fmt.Sprint(previews[0] == nil, previews[1] == nil, len(left[0].Items), len(left[1].Items)), "true false 0 1")

	// What a repository has at some paths.
	r := l.repository("with units")
	units := l.store(unit("a", 1), unit("b", 2), unit("c", 3))
	l.version(r, units, nil)
	l.version(l.again(r), nil, units[1:2])
	members := must(l.MembersAt(l.ctx(), r.ID, []string{"c", "b", "x"}))(l.t)
	if len(members) != 1 || members[0].ID != units[2] || members[0].Path != "c" {
		l.t.Errorf("members: got %+v", members)
	}
}
