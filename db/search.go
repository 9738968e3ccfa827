package db

import (
	"context"
	"strings"

	"ream/content"
	"ream/page"
)

// contains is a further condition of a statement, " AND …": that a column has a
// text somewhere. A to Z are the same in both cases; all other letters differ, on
// both databases. It is empty if the text is.
func (d *dialect) contains(column, text string) condition {
	if text == "" {
		return condition{}
	}
	position := "instr(lower(" + column + "), ?)"
	if d == &postgres {
		position = "strpos(lower(" + column + ` COLLATE "C"), ?)`
	}
	return condition{" AND " + position + " > 0", []any{lower(text)}}
}

// lower makes A to Z small.
func lower(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, text)
}

// VersionUnitsWith returns a page of the units of each version that have a text
// in their paths, by path. It goes through the members by their paths, and looks
// up no units but those.
func (q *queries) VersionUnitsWith(ctx context.Context, versions []*content.Version, path string, req page.Request) ([]*page.Of[*content.Unit], error) {
	l := listing{columns: unitColumns, from: memberTables, where: areMembers, key: "m.path"}
	l.narrow(q.d.contains("m.path", path))
	l.narrow(q.seen("m.repository_id"))
	return pagesOf(ctx, q, l, ownersOfVersions(versions), req, func(r unitRow) (string, *content.Unit) { return r.Path, r.unit() })
}
