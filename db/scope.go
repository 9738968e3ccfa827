package db

import (
	"slices"
	"strings"

	"ream/access"
)

// View is the database as somebody sees it who is limited to some
// repositories: whatever has to do with others is not there. It is safe for
// concurrent use.
type View struct{ queries }

// Within returns the database as it is seen within a limit. Without one that
// is all of it. A limit that is no label selector leaves nothing to see.
func (db *DB) Within(l access.Limit) *View {
	v := &View{db.queries}
	v.scope = newScope(l)
	return v
}

// Restrict leaves of the database what is seen within a limit, from here on
// until the transaction ends.
func (tx *Tx) Restrict(l access.Limit) { tx.scope = newScope(l) }

// limit is by what the transaction's owner is limited.
func (tx *Tx) limit() string {
	if tx.scope == nil {
		return ""
	}
	return string(tx.scope.limit)
}

// scope is which repositories are seen; nil for all.
type scope struct {
	limit access.Limit
	terms condition // on a repository s
}

// condition is a part of a WHERE clause with its arguments.
type condition struct {
	sql  string
	args []any
}

func newScope(l access.Limit) *scope {
	if l == "" {
		return nil
	}
	terms, err := parseSelector(string(l))
	if err != nil || len(terms) == 0 {
		return &scope{l, condition{sql: "FALSE"}}
	}
	var parts []string
	var args []any
	for _, t := range terms {
		parts = append(parts, t.condition("s.id"))
		args = append(args, t.args()...)
	}
	return &scope{l, condition{strings.Join(parts, " AND "), args}}
}

// seen is a further condition of a statement, " AND …": that a column holds
// the ID of a repository that is seen. It is empty if all are.
func (q *queries) seen(column string) condition {
	if q.scope == nil {
		return condition{}
	}
	return condition{" AND " + column + " IN (SELECT s.id FROM repository s WHERE " + q.scope.terms.sql + ")", q.scope.terms.args}
}

// seenBy is seen for what is not a repository's own: that a row exists of
// which column is seen. from is what comes after FROM, with a condition.
func (q *queries) seenBy(from, column string) condition {
	c := q.seen(column)
	if c.sql != "" {
		c.sql = " AND EXISTS (SELECT 1 FROM " + from + c.sql + ")"
	}
	return c
}

// seenTask is seen for the ID of a task.
func (q *queries) seenTask(column string) condition {
	c := q.seen("repository_id")
	if c.sql != "" {
		c.sql = " AND " + column + " IN (SELECT id FROM task WHERE TRUE" + c.sql + ")"
	}
	return c
}

// seenGroup is seen for a group g: all of its members are about repositories
// that are seen. One without members is seen by those with the limit of who
// made it.
func (q *queries) seenGroup() condition {
	c := q.seen("r.repository_id")
	if c.sql == "" {
		return c
	}
	const of = "SELECT 1 FROM task_group_repository r WHERE r.group_id = g.id"
	hidden := strings.Replace(c.sql, " IN (", " NOT IN (", 1)
	return condition{" AND NOT EXISTS (" + of + hidden + ") AND (g.labels = ? OR EXISTS (" + of + "))", append(c.args[:len(c.args):len(c.args)], string(q.scope.limit))}
}

// seenRemote is seen for a remote: a repository uses it that is seen.
func (q *queries) seenRemote() condition {
	return q.seenBy("repository r WHERE r.remote_id = remote.id", "r.id")
}

// seenDistribution is seen for a distribution d: of the repository that it
// follows, or whose publication it serves.
func (q *queries) seenDistribution() condition {
	return q.seen("COALESCE(d.repository_id, (SELECT p.repository_id FROM publication p WHERE p.id = d.publication_id))")
}

// unlimited is a condition for what is no repository's, such as schedules, which
// select theirs anew at each firing: those who are limited see none of it.
func (q *queries) unlimited() condition {
	if q.scope == nil {
		return condition{}
	}
	return condition{sql: " AND FALSE"}
}

// narrow adds a condition of seen to a list.
func (l *listing) narrow(c condition) {
	if c.sql != "" {
		l.and(strings.TrimPrefix(c.sql, " AND "), c.args...)
	}
}

// narrowed is a copy of a list to which narrow adds a condition.
func (l listing) narrowed(c condition) listing {
	l.args = slices.Clone(l.args)
	l.narrow(c)
	return l
}
