package db

import (
	"context"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"ream/fault"
	"ream/page"
)

// listing describes a list that is read page by page.
type listing struct {
	columns string // what the rows hold
	from    string // a table, or a join
	where   string // which rows; empty for all
	args    []any  // of from and where, in that order
	key     string // the unique column that orders the list, as of a table: "t.id"
	column  string // what columns call it, if not by its own name
	newest  bool   // the highest key comes first
}

// table is the one that the list is read from in order.
func (l listing) table() string {
	name, _, _ := strings.Cut(l.key, ".")
	return name
}

// and narrows the list.
func (l *listing) and(condition string, args ...any) {
	if l.where != "" {
		l.where += " AND "
	}
	l.where += "(" + condition + ")"
	l.args = append(l.args, args...)
}

// with is a narrower copy of the list.
func (l listing) with(condition string, args ...any) listing {
	l.args = slices.Clone(l.args)
	l.and(condition, args...)
	return l
}

// paged reads one page of a list. item turns a row into the key of its place
// and what it stands for. Keys are numbers or texts, by their type.
func paged[K ~int64 | ~string, R, T any](ctx context.Context, q *queries, l listing, req page.Request, item func(R) (K, T)) (*page.Of[T], error) {
	key := func(r R) K { k, _ := item(r); return k }
	return pageOf(ctx, q, l, req, key, func(rows []R) ([]T, error) { return nodesOf(rows, item), nil })
}

// nodesOf are what rows stand for.
func nodesOf[K, R, T any](rows []R, item func(R) (K, T)) []T {
	nodes := make([]T, len(rows))
	for i, r := range rows {
		_, nodes[i] = item(r)
	}
	return nodes
}

// pageOf is paged for rows that need more statements: convert turns all of a
// page's rows, one for one, into what they stand for.
func pageOf[K ~int64 | ~string, R, T any](ctx context.Context, q *queries, l listing, req page.Request,
	key func(R) K, convert func([]R) ([]T, error)) (*page.Of[T], error) {
	w, err := windowOf[K](req)
	if err != nil {
		return nil, err
	}
	var rows []R
	inside := l.within(w)
	if err := q.sel(ctx, &rows, inside.statement(w.backward, w.size+1), inside.args...); err != nil {
		return nil, err
	}
	rows, more := cut(rows, w)
	nodes, err := convert(rows)
	if err != nil {
		return nil, err
	}
	p := newPage(rows, nodes, key, w, more)
	p.Count = func(ctx context.Context) (int, error) { return l.count(ctx, q) }
	if w.after != nil && !p.HasPrevious {
		p.HasPrevious, err = l.precedes(w).any(ctx, q, true)
	}
	if err == nil && w.before != nil && !p.HasNext {
		p.HasNext, err = l.follows(w).any(ctx, q, false)
	}
	return p, err
}

// window is the part of a list that a request asks for.
type window struct {
	after, before any // keys; nil for no bound
	size          int
	backward      bool // from the end
}

func windowOf[K ~int64 | ~string](req page.Request) (w window, err error) {
	if w.after, err = bound[K]("after", req.After); err != nil {
		return w, err
	}
	w.before, err = bound[K]("before", req.Before)
	w.size, w.backward = req.Size()
	return w, err
}

// ahead and behind compare keys with one that lies before, or after, them.
func (l listing) ahead() string {
	if l.newest {
		return " <"
	}
	return " >"
}

func (l listing) behind() string {
	if l.newest {
		return " >"
	}
	return " <"
}

// within is the list between the window's bounds; precedes and follows are what
// lies before and after them.
func (l listing) within(w window) listing {
	if w.after != nil {
		l = l.with(l.key+l.ahead()+" ?", w.after)
	}
	if w.before != nil {
		l = l.with(l.key+l.behind()+" ?", w.before)
	}
	return l
}

func (l listing) precedes(w window) listing { return l.with(l.key+l.behind()+"= ?", w.after) }

func (l listing) follows(w window) listing { return l.with(l.key+l.ahead()+"= ?", w.before) }

// cut takes off the row beyond the window, by which is known that there is
// more, and puts the others in the order of the list.
func cut[R any](rows []R, w window) (_ []R, more bool) {
	more = len(rows) > w.size
	rows = rows[:min(w.size, len(rows))]
	if w.backward {
		slices.Reverse(rows)
	}
	return rows, more
}

// newPage is the page of rows and what they stand for, without its Count.
func newPage[K ~int64 | ~string, R, T any](rows []R, nodes []T, key func(R) K, w window, more bool) *page.Of[T] {
	p := &page.Of[T]{Items: make([]page.Item[T], len(nodes)), HasNext: more && !w.backward, HasPrevious: more && w.backward}
	for i, node := range nodes {
		p.Items[i] = page.Item[T]{Node: node, Key: text(key(rows[i]))}
	}
	return p
}

// statement reads up to n rows, from the end of the list if backward.
func (l listing) statement(backward bool, n int) string {
	return "SELECT " + l.columns + " FROM " + l.from + l.condition() + " ORDER BY " + l.order(backward) + " LIMIT " + strconv.Itoa(n)
}

func (l listing) order(backward bool) string {
	if l.newest != backward {
		return l.key + " DESC"
	}
	return l.key
}

func (l listing) condition() string {
	if l.where == "" {
		return ""
	}
	return " WHERE " + l.where
}

// any reports whether the list has a row, looking from its end if backward.
func (l listing) any(ctx context.Context, q *queries, backward bool) (bool, error) {
	var one int
	l.columns = "1"
	return q.found(ctx, &one, l.statement(backward, 1), l.args...)
}

func (l listing) count(ctx context.Context, q *queries) (n int, err error) {
	_, err = q.found(ctx, &n, "SELECT count(*) FROM "+l.from+l.condition(), l.args...)
	return n, err
}

// bound reads a key that limits a page; nil if there is none.
func bound[K ~int64 | ~string](field, s string) (any, error) {
	if s == "" {
		return nil, nil //nolint:nilnil // no key is no error
	}
	if reflect.TypeFor[K]().Kind() == reflect.String {
		if utf8.ValidString(s) && !strings.ContainsRune(s, 0) {
			return s, nil
		}
	} else if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	return nil, fault.Input(field, "%.80q is no cursor of this list: pass one that the list itself gave", s)
}

// text is a key as requests pass it.
func text[K ~int64 | ~string](key K) string {
	if v := reflect.ValueOf(key); v.Kind() == reflect.Int64 {
		return strconv.FormatInt(v.Int(), 10)
	}
	return reflect.ValueOf(key).String()
}

// inOrder puts what rows stand for in the order of the ids, and leaves the
// zero value, nil, where there is no row.
func inOrder[K comparable, R, T any](ids []K, rows []R, item func(R) (K, T)) []T {
	byID := make(map[K]T, len(rows))
	for _, r := range rows {
		id, node := item(r)
		byID[id] = node
	}
	nodes := make([]T, len(ids))
	for i, id := range ids {
		nodes[i] = byID[id]
	}
	return nodes
}

// grouped puts what rows stand for in the order of the ids they belong to,
// and within each in the order of the rows.
func grouped[K comparable, R, T any](ids []K, rows []R, item func(R) (K, T)) [][]T {
	byID := make(map[K][]T, len(ids))
	for _, r := range rows {
		id, node := item(r)
		byID[id] = append(byID[id], node)
	}
	nodes := make([][]T, len(ids))
	for i, id := range ids {
		nodes[i] = byID[id]
	}
	return nodes
}
