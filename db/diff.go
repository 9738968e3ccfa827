package db

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"ream/content"
	"ream/fault"
	"ream/page"
)

type changeRow struct {
	Path   string
	Before content.UnitID // 0 for none
	After  content.UnitID // 0 for none
}

// kind is empty if nothing changed.
func (r changeRow) kind() content.ChangeKind {
	switch {
	case r.Before == r.After:
		return ""
	case r.Before == 0:
		return content.Added
	case r.After == 0:
		return content.Removed
	}
	return content.Replaced
}

// changeKinds are conditions on the rows of a path that differs.
var changeKinds = map[content.ChangeKind]string{
	content.Added:    `max(before_id) = 0`,
	content.Removed:  `max(after_id) = 0`,
	content.Replaced: `max(before_id) > 0 AND max(after_id) > 0`,
}

// Diff returns a page of what has to change in one version to get another one,
// by path. They may be of any two repositories, in any order. Without kinds it
// returns changes of all kinds. Within a repository it costs what changed from
// one to the other, whatever their sizes, and if that is much, what the
// repository has within the page.
func (q *queries) Diff(ctx context.Context, from, to *content.Version, kinds []content.ChangeKind, req page.Request) (*page.Of[*content.UnitChange], error) {
	for _, k := range kinds {
		if _, known := changeKinds[k]; !known {
			return nil, fault.Input("kinds", "there is no kind %.80q", k)
		}
	}
	w, err := windowOf[string](req)
	if err != nil {
		return nil, err
	}
	d, err := q.difference(ctx, from, to)
	if err != nil {
		return nil, err
	}
	d.kinds = kinds
	rows, err := d.read(ctx, q, w, w.size+1)
	if err != nil {
		return nil, err
	}
	rows, more := cut(rows, w)
	changes, err := q.changes(ctx, rows)
	if err != nil {
		return nil, err
	}
	p := newPage(rows, changes, func(r changeRow) string { return r.Path }, w, more)
	p.Count = func(ctx context.Context) (int, error) { return d.count(ctx, q) }
	if w.after != nil && !p.HasPrevious {
		p.HasPrevious, err = d.of(func(l listing) listing { return l.precedes(w) }).any(ctx, q, true)
	}
	if err == nil && w.before != nil && !p.HasNext {
		p.HasNext, err = d.of(func(l listing) listing { return l.follows(w) }).any(ctx, q, false)
	}
	return p, err
}

// difference is two versions' members without most of those that both have. They
// are put together here or by grouping, not by a join: PostgreSQL's statistics
// may not know a repository yet, and it would go through all of one version for
// each member of the other.
type difference struct {
	before, after listing              // neither has a path twice
	lists         []listing            // the same as it is read, with up to two members at a path
	isBefore      func(sideRow) bool   // tells the members of before from those of after
	kinds         []content.ChangeKind // empty for all
}

// sideRow is a member that at least one of two versions has.
type sideRow struct {
	List       int                  `db:"list"` // in which it was found
	Repository content.RepositoryID `db:"repository_id"`
	Path       string               `db:"path"`
	Unit       content.UnitID       `db:"unit_id"`
	Added      int                  `db:"added"`
}

// few is how many members are put in the order of their paths for a page. Where
// there are more, the members are gone through by path, whether they changed or not.
const few = 10_000

// difference compares versions. Within a repository, only where a unit came or
// went in between they may differ.
func (q *queries) difference(ctx context.Context, from, to *content.Version) (d difference, err error) {
	members := func(condition string, args ...any) listing {
		return listing{columns: `m.repository_id, m.path, m.unit_id, m.added`, from: `membership m`, where: condition, args: args, key: `m.path`}
	}
	// Within a CASE no index is of use for a condition, and PostgreSQL expects half of
	// all to fulfil it: so the members come by path.
	byPath := func(condition string) string {
		return `m.repository_id = ? AND CASE WHEN ` + condition + ` THEN TRUE ELSE FALSE END`
	}
	if from.RepositoryID != to.RepositoryID {
		there := byPath(`m.added <= ? AND (m.removed IS NULL OR m.removed > ?)`)
		d.before, d.after = members(there, from.RepositoryID, from.Number, from.Number), members(there, to.RepositoryID, to.Number, to.Number)
		d.lists, d.isBefore = []listing{d.before, d.after}, func(r sideRow) bool { return r.Repository == from.RepositoryID }
		return d, nil
	}
	id, low, high := from.RepositoryID, min(from.Number, to.Number), max(from.Number, to.Number)
	var changed int
	if err := q.get(ctx, &changed, `SELECT CAST(COALESCE(sum(added + removed), 0) AS bigint) FROM version WHERE repository_id = ? AND number > ? AND number <= ?`,
		id, low, high); err != nil {
		return d, q.d.classify(err)
	}
	d.before = members(`m.repository_id = ? AND m.removed > ? AND m.removed <= ? AND m.added <= ?`, id, low, high, low)
	d.after = members(`m.repository_id = ? AND m.added > ? AND m.added <= ? AND (m.removed IS NULL OR m.removed > ?)`, id, low, high, high)
	if q.d == &sqlite { // which would rather go through the whole repository, by path
		d.before.from += ` INDEXED BY membership_removed`
		d.after.from += ` INDEXED BY membership_added`
	}
	d.lists = []listing{d.before, d.after}
	if changed > few {
		d.lists = []listing{members(byPath(`m.added <= ? AND m.removed > ? AND m.removed <= ?
			OR m.added > ? AND m.added <= ? AND (m.removed IS NULL OR m.removed > ?)`), id, low, low, high, low, high, high)}
	}
	if from.Number > to.Number {
		d.before, d.after = d.after, d.before
	}
	d.isBefore = func(r sideRow) bool { return (r.Added <= low) == (from.Number == low) }
	return d, nil
}

// of is the difference as it is read from narrower lists. It counts the whole.
func (d difference) of(narrow func(listing) listing) difference {
	lists := make([]listing, len(d.lists))
	for i, l := range d.lists {
		lists[i] = narrow(l)
	}
	d.lists = lists
	return d
}

// read reads up to n changes within a window, from its end if that is backward.
func (d difference) read(ctx context.Context, q *queries, w window, n int) (changes []changeRow, err error) {
	for size := 2*n + 1; ; size = bulk {
		var members []sideRow
		statement, args := d.of(func(l listing) listing { return l.within(w) }).statement(w.backward, size)
		if err := q.sel(ctx, &members, statement, args...); err != nil {
			return nil, err
		}
		rows, last := d.met(members, size)
		for _, r := range rows {
			if kind := r.kind(); kind != "" && (len(d.kinds) == 0 || slices.Contains(d.kinds, kind)) {
				changes = append(changes, r)
			}
		}
		if len(changes) >= n || last == "" {
			return changes[:min(n, len(changes))], nil
		}
		if w.backward {
			w.before = last
		} else {
			w.after = last
		}
	}
}

// statement reads up to n members of each list, from its end if backward.
func (d difference) statement(backward bool, n int) (statement string, args []any) {
	var parts []string
	for i, l := range d.lists {
		parts = append(parts, `SELECT `+strconv.Itoa(i)+` AS list, l.* FROM (`+l.statement(backward, n)+`) l`)
		args = append(args, l.args...)
	}
	return strings.Join(parts, ` UNION ALL `) + ` ORDER BY ` + listing{key: "path"}.order(backward), args
}

// met puts together what there is at each path, of members in order. A list with
// as many as were asked for may go on at the path of its last one: from there on
// nothing is known. The path before that is the last one; it is empty if no list
// goes on.
func (d difference) met(members []sideRow, asked int) (rows []changeRow, last string) {
	found, end := make([]int, len(d.lists)), len(members)
	for i, m := range members {
		if found[m.List]++; found[m.List] == asked {
			end = slices.IndexFunc(members, func(r sideRow) bool { return r.Path == members[i].Path })
			break
		}
	}
	for _, m := range members[:end] {
		if n := len(rows); n == 0 || rows[n-1].Path != m.Path {
			rows = append(rows, changeRow{Path: m.Path})
		}
		if r := &rows[len(rows)-1]; d.isBefore(m) {
			r.Before = m.Unit
		} else {
			r.After = m.Unit
		}
	}
	if end < len(members) {
		last = rows[len(rows)-1].Path
	}
	return rows, last
}

// any reports whether there is a change, looking from the end if backward.
func (d difference) any(ctx context.Context, q *queries, backward bool) (bool, error) {
	changes, err := d.read(ctx, q, window{backward: backward}, 1)
	return len(changes) > 0, err
}

func (d difference) count(ctx context.Context, q *queries) (n int, err error) {
	kinds := []string{`TRUE`}
	if len(d.kinds) > 0 {
		kinds = nil
	}
	for _, k := range d.kinds {
		kinds = append(kinds, changeKinds[k])
	}
	_, err = q.found(ctx, &n, `SELECT count(*) FROM (SELECT path FROM (
			SELECT m.path, m.unit_id AS before_id, 0 AS after_id FROM `+d.before.from+d.before.condition()+`
			UNION ALL SELECT m.path, 0, m.unit_id FROM `+d.after.from+d.after.condition()+`) c
		GROUP BY path HAVING max(before_id) <> max(after_id) AND (`+strings.Join(kinds, ` OR `)+`)) d`, joined(d.before.args, d.after.args)...)
	return n, err
}

// changes adds the units to rows.
func (q *queries) changes(ctx context.Context, rows []changeRow) ([]*content.UnitChange, error) {
	ids := make([]content.UnitID, 0, 2*len(rows))
	for _, r := range rows {
		ids = append(ids, r.Before, r.After)
	}
	units, err := q.UnitsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	changes := make([]*content.UnitChange, 0, len(rows))
	for pair := range slices.Chunk(units, 2) {
		changes = append(changes, &content.UnitChange{Path: rows[len(changes)].Path, Before: pair[0], After: pair[1]})
	}
	return changes, nil
}
