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

// failuresOfTasks keeps what tasks could not get in the order in which it came,
// for those who see the task.
func failuresOfTasks(l library) {
	n := newNeighbours(l)
	mine, theirs := n.task[0], n.task[1]
	add := func(id task.ID, paths ...string) {
		var all []task.Failure
		for _, path := range paths {
			all = append(all, task.Failure{Path: path, URL: "http://upstream/" + path, Code: "NOT_FOUND", Message: path + " is not there"})
		}
		l.tx(func(tx *db.Tx) error { return tx.AddFailures(l.ctx(), id, all) })
	}
	add(theirs, "other", "unit")
	add(mine, "a", "b")
	add(theirs, "another")
	add(mine)
	add(mine, "c", "d", "e")
	checkPages(l.t, l.ctx(), func(ctx context.Context, req page.Request) (*page.Of[*task.Failure], error) {
		return second(l.Failures(ctx, []task.ID{theirs, mine, 99, theirs}, req))
	}, func(f *task.Failure) string { return f.Path })
	first := must(only(l.Failures(l.ctx(), []task.ID{mine}, page.Request{First: 1})))(l.t)
	equal(l.t, "the first", *first.Items[0].Node, task.Failure{Path: "a", URL: "http://upstream/a", Code: "NOT_FOUND", Message: "a is not there"})

	for limit, seen := range map[access.Limit]string{"": "3 of 3", "team=b": "3 of 3", "team=a": "0 of 0", "team=c": "0 of 0"} {
		p := must(only(l.Within(limit).Failures(l.ctx(), []task.ID{theirs}, page.Request{})))(l.t)
		equal(l.t, fmt.Sprintf("within %q", limit), fmt.Sprint(len(p.Items), " of ", must(p.Count(l.ctx()))(l.t)), seen)
	}

	// Of the repository's units, those at paths that failed.
	r := l.repository("with units")
	units := l.store(unit("a", 1), unit("b", 2), unit("x", 3), unit("e", 4))
	l.version(r, units, nil)
	l.version(l.again(r), nil, units[1:2])
	equal(l.t, "members at failures", fmt.Sprint(must(l.MembersAtFailures(l.ctx(), r.ID, mine))(l.t)), fmt.Sprint([]content.UnitID{units[0], units[3]}))
	equal(l.t, "of another task", len(must(l.MembersAtFailures(l.ctx(), r.ID, theirs))(l.t)), 0)

	l.tx(func(tx *db.Tx) error { return tx.DropFailures(l.ctx(), mine) })
	pages := must(l.Failures(l.ctx(), []task.ID{mine, theirs}, page.Request{}))(l.t)
	equal(l.t, "once dropped", fmt.Sprint(len(pages[0].Items), len(pages[1].Items)), "0 3")
}
