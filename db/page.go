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
	key     string // the unique column that orders the list
	newest  bool   // the highest key comes first
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
	return pageOf(ctx, q, l, req, key, func(rows []R) ([]T, error) {
		nodes := make([]T, len(rows))
		for i, r := range rows {
			_, nodes[i] = item(r)
		}
		return nodes, nil
	})
}

// pageOf is paged for rows that need more statements: convert turns all of a
// page's rows, one for one, into what they stand for.
func pageOf[K ~int64 | ~string, R, T any](ctx context.Context, q *queries, l listing, req page.Request,
	key func(R) K, convert func([]R) ([]T, error)) (*page.Of[T], error) {
	after, err := bound[K]("after", req.After)
	if err != nil {
		return nil, err
	}
	before, err := bound[K]("before", req.Before)
	if err != nil {
		return nil, err
	}
	ahead, behind := " >", " <"
	if l.newest {
		ahead, behind = behind, ahead
	}
	between := l
	if after != nil {
		between = between.with(l.key+ahead+" ?", after)
	}
	if before != nil {
		between = between.with(l.key+behind+" ?", before)
	}
	size, backward := req.Size()
	var rows []R
	if err := q.sel(ctx, &rows, between.statement(backward, size+1), between.args...); err != nil {
		return nil, err
	}
	more := len(rows) > size
	rows = rows[:min(size, len(rows))]
	if backward {
		slices.Reverse(rows)
	}
	nodes, err := convert(rows)
	if err != nil {
		return nil, err
	}
	p := &page.Of[T]{Items: make([]page.Item[T], len(nodes)), HasNext: more && !backward, HasPrevious: more && backward,
		Count: func(ctx context.Context) (int, error) { return l.count(ctx, q) }}
	for i, node := range nodes {
		p.Items[i] = page.Item[T]{Node: node, Key: text(key(rows[i]))}
	}
	if after != nil && !p.HasPrevious {
		p.HasPrevious, err = l.with(l.key+behind+"= ?", after).any(ctx, q, true)
	}
	if err == nil && before != nil && !p.HasNext {
		p.HasNext, err = l.with(l.key+ahead+"= ?", before).any(ctx, q, false)
	}
	return p, err
}

// statement reads up to n rows, from the end of the list if backward.
func (l listing) statement(backward bool, n int) string {
	order := l.key
	if l.newest != backward {
		order += " DESC"
	}
	return "SELECT " + l.columns + " FROM " + l.from + l.condition() + " ORDER BY " + order + " LIMIT " + strconv.Itoa(n)
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
