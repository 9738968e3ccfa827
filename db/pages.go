package db

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"ream/content"
	"ream/page"
)

// owner is one of several things of which each has a list of its own. The
// condition of a list of several owners names it: o.owner, o.version and o.earlier.
type owner struct {
	N       int   `json:"n"` // its place among those whose lists are read
	ID      int64 `json:"owner"`
	Version int   `json:"version"` // the number of the owner's version that the list is about; 0 for none
	Earlier int   `json:"earlier"` // the number of the version before that
}

// ownersOf are owners by their IDs.
func ownersOf[ID ~int64](ids []ID) []owner {
	owners := make([]owner, len(ids))
	for i, id := range ids {
		owners[i] = owner{N: i, ID: int64(id)}
	}
	return owners
}

// ownersOfVersions are the repositories of versions, with the versions' numbers.
func ownersOfVersions(versions []*content.Version) []owner {
	owners := make([]owner, len(versions))
	for i, v := range versions {
		owners[i] = owner{N: i, ID: int64(v.RepositoryID), Version: v.Number, Earlier: v.Base}
	}
	return owners
}

// owned is the part of a row that tells whose list it is in.
type owned struct {
	N int `db:"n"`
}

func (o owned) place() int { return o.N }

// pagesOf reads the same page of the list of each owner, in one statement
// however many there are. A page that has bounds costs one more for each.
func pagesOf[K ~int64 | ~string, R interface{ place() int }, T any](ctx context.Context, q *queries, l listing, owners []owner, req page.Request,
	item func(R) (K, T)) ([]*page.Of[T], error) {
	key := func(r R) K { k, _ := item(r); return k }
	return pagesOfRows(ctx, q, l, owners, req, key, func(rows []R) ([]T, error) { return nodesOf(rows, item), nil })
}

// pagesOfRows is pagesOf for rows that need more statements, like pageOf.
func pagesOfRows[K ~int64 | ~string, R interface{ place() int }, T any](ctx context.Context, q *queries, l listing, owners []owner, req page.Request,
	key func(R) K, convert func([]R) ([]T, error)) ([]*page.Of[T], error) {
	if len(owners) == 0 {
		return nil, nil
	}
	w, err := windowOf[K](req)
	if err != nil {
		return nil, err
	}
	var rows []R
	statement, args := l.perOwner(q.d, w, owners)
	if err := q.sel(ctx, &rows, statement, args...); err != nil {
		return nil, err
	}
	lists, more := make([][]R, len(owners)), make([]bool, len(owners))
	for _, r := range rows {
		lists[r.place()] = append(lists[r.place()], r)
	}
	for i := range lists {
		lists[i], more[i] = cut(lists[i], w)
	}
	nodes, err := convert(slices.Concat(lists...))
	if err != nil {
		return nil, err
	}
	counts := &ownerCounts{read: func(ctx context.Context) ([]int, error) { return q.countOwners(ctx, l, owners) }}
	pages := make([]*page.Of[T], len(owners))
	for i, list := range lists {
		pages[i] = newPage(list, nodes[:len(list)], key, w, more[i])
		pages[i].Count = func(ctx context.Context) (int, error) { return counts.of(ctx, i) }
		nodes = nodes[len(list):]
	}
	if w.after != nil {
		err = q.whoHas(ctx, l.precedes(w), owners, func(n int) { pages[n].HasPrevious = true })
	}
	if err == nil && w.before != nil {
		err = q.whoHas(ctx, l.follows(w), owners, func(n int) { pages[n].HasNext = true })
	}
	return pages, err
}

// owners is a FROM item of the owners that are a statement's first argument.
func (d *dialect) owners() string {
	return d.rows("o", "n int", "owner bigint", "version int", "earlier int")
}

// perOwner reads the window, and a row more, of the list of each owner, in
// order.
func (l listing) perOwner(d *dialect, w window, owners []owner) (statement string, args []any) {
	inside := l.within(w)
	args = []any{encode(owners)}
	if d == &postgres {
		_, column, _ := strings.Cut(l.key, ".")
		l.key = "x." + cmp.Or(l.column, column)
		return "SELECT o.n, x.* FROM " + d.owners() + " CROSS JOIN LATERAL (" + inside.statement(w.backward, w.size+1) + ") x ORDER BY o.n, " + l.order(w.backward),
			append(args, inside.args...)
	}
	// SQLite has no LATERAL. Of each owner it looks up the keys of a page, and
	// then the rows that have them.
	inside.columns = l.key
	l.columns, l.from = "o.n, "+l.columns, d.owners()+" CROSS JOIN "+l.from
	l = l.with(l.key+" IN ("+inside.statement(w.backward, w.size+1)+")", inside.args...)
	return "SELECT " + l.columns + " FROM " + l.from + l.condition() + " ORDER BY o.n, " + l.order(w.backward), append(args, l.args...)
}

// whoHas tells which owners' lists are not empty.
func (q *queries) whoHas(ctx context.Context, l listing, owners []owner, has func(n int)) error {
	var found []int
	if err := q.sel(ctx, &found, `SELECT o.n FROM `+q.d.owners()+` WHERE EXISTS (SELECT 1 FROM `+l.from+l.condition()+`)`,
		append([]any{encode(owners)}, l.args...)...); err != nil {
		return err
	}
	for _, n := range found {
		has(n)
	}
	return nil
}

// ownerCounts counts the lists of owners, all of them when the first is asked
// for.
type ownerCounts struct {
	read func(context.Context) ([]int, error) // in the owners' order

	mu     sync.Mutex
	counts []int // nil before they are asked for
}

func (c *ownerCounts) of(ctx context.Context, n int) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		counts, err := c.read(ctx)
		if err != nil {
			return 0, err
		}
		c.counts = counts
	}
	return c.counts[n], nil
}

// countOwners counts the list of each owner.
func (q *queries) countOwners(ctx context.Context, l listing, owners []owner) (counts []int, err error) {
	err = q.sel(ctx, &counts, `SELECT (SELECT count(*) FROM `+l.from+l.condition()+`) FROM `+q.d.owners()+` ORDER BY o.n`,
		append(slices.Clone(l.args), encode(owners))...)
	return counts, err
}
