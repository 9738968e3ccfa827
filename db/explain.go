package db

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"ream/fault"
	"ream/page"
	"ream/task"
)

// place is where a task stands in a line.
type place struct {
	Position int64   `db:"position"`
	Task     task.ID `db:"task_id"`
}

func (p place) String() string { return fmt.Sprintf("%d.%d", p.Position, p.Task) }

// BlockedBy returns what a waiting task waits for, in the order of the line:
// those who hold, or stand before it in line for, what it has reserved, those
// it comes after, and those who have the places of its group, if that has a
// limit and nothing else blocks the task. It reads forward only; its cost
// depends on the length of the page, not of the line.
func (q *queries) BlockedBy(ctx context.Context, id task.ID, req page.Request) (*page.Of[*task.Task], error) {
	size, backward := req.Size()
	if backward || req.Before != "" {
		return nil, fault.Input("last", "this list is read forward only: use first and after")
	}
	after := place{-1, -1}
	if req.After != "" {
		if _, err := fmt.Sscanf(req.After, "%d.%d", &after.Position, &after.Task); err != nil {
			return nil, fault.Input("after", "%.80q is no cursor of this list: pass one that the list itself gave", req.After)
		}
	}
	u, err := q.blockers(ctx, id)
	if err != nil {
		return nil, err
	}
	p := &page.Of[*task.Task]{HasPrevious: req.After != "", Count: func(ctx context.Context) (n int, err error) {
		if len(u.parts) == 0 {
			return 0, nil
		}
		_, err = q.found(ctx, &n, `SELECT count(*) FROM (`+strings.Join(u.parts, ` UNION `)+`) AS blockers`, u.args...)
		return n, err
	}}
	if len(u.parts) == 0 {
		return p, nil
	}
	query, args := u.page(after, size+1)
	var places []place
	if err := q.sel(ctx, &places, query, args...); err != nil {
		return nil, err
	}
	p.HasNext = len(places) > size
	places = places[:min(size, len(places))]
	ids := make([]task.ID, len(places))
	for i, at := range places {
		ids[i] = at.Task
	}
	tasks, err := q.TasksByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, t := range tasks {
		if t != nil { // it may have been purged in between
			p.Items = append(p.Items, page.Item[*task.Task]{Node: t, Key: places[i].String()})
		}
	}
	return p, nil
}

// union is places from several tables.
type union struct {
	seen  condition // of all parts
	parts []string
	args  []any
	lines []string // the parts as they are read in order, with room for a condition and a limit
}

// add adds the places of a table that fit the condition.
func (u *union) add(table, condition string, args ...any) {
	part := `SELECT position, task_id FROM ` + table + ` WHERE ` + condition + u.seen.sql
	u.parts = append(u.parts, part)
	u.lines = append(u.lines, `SELECT * FROM (`+part+` AND (position, task_id) > (?, ?) ORDER BY position, task_id LIMIT ?) AS part`)
	u.args = append(append(u.args, args...), u.seen.args...)
}

// page reads the first n places behind one. Each part is read by its index.
func (u *union) page(after place, n int) (query string, args []any) {
	rest := u.args
	for _, part := range u.parts {
		own := strings.Count(part, "?")
		args = append(append(args, rest[:own]...), after.Position, after.Task, n)
		rest = rest[own:]
	}
	return strings.Join(u.lines, ` UNION `) + ` ORDER BY position, task_id LIMIT ?`, append(args, n)
}

// blockers are the places of what a waiting task waits for.
func (q *queries) blockers(ctx context.Context, id task.ID) (u union, err error) {
	var self struct {
		Group   task.GroupID `db:"group_id"`
		Gate    gate         `db:"gate"`
		Blocked int          `db:"blocked_by"`
	}
	waits, err := q.found(ctx, &self, `SELECT COALESCE(group_id, 0) AS group_id, gate, blocked_by FROM task_queue WHERE task_id = ? AND worker_id IS NULL AND blocked_by > 0`, id)
	if err != nil || !waits {
		return u, err
	}
	u.seen = q.seenTask("task_id")
	if self.Gate == gateClosed && self.Blocked == 1 {
		u.add(`task_queue`, `group_id = ? AND gate = 2`, self.Group)
		return u, nil
	}
	var reservations []struct {
		Resource  int64 `db:"resource_id"`
		Position  int64 `db:"position"`
		Exclusive bool  `db:"exclusive"`
	}
	if err := q.sel(ctx, &reservations, `SELECT resource_id, position, exclusive FROM reservation WHERE task_id = ? AND NOT granted ORDER BY resource_id`, id); err != nil {
		return u, err
	}
	for _, r := range reservations {
		excluding := ``
		if !r.Exclusive {
			excluding = ` AND exclusive` // shared ones do not block each other
		}
		u.add(`reservation`, `resource_id = ? AND granted`+excluding, r.Resource)
		u.add(`reservation`, `resource_id = ? AND NOT granted`+excluding+` AND (position, task_id) < (?, ?)`, r.Resource, r.Position, id)
	}
	u.add(`task_queue`, `task_id IN (SELECT after_id FROM task_after WHERE task_id = ?)`, id)
	return u, nil
}

// aheadCounted is how far Ahead counts.
const aheadCounted = 10_000

// Ahead counts, for each waiting task, the ready ones that stand before it: at
// most 10,000. However many tasks are asked about, the line is read once.
func (q *queries) Ahead(ctx context.Context, ids []task.ID) ([]int, error) {
	type standing struct {
		Priority int     `db:"priority"`
		Position int64   `db:"position"`
		Task     task.ID `db:"task_id"`
	}
	compare := func(a, b standing) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Position, b.Position), cmp.Compare(a.Task, b.Task))
	}
	var asked []standing
	if err := q.sel(ctx, &asked, `SELECT priority, position, task_id FROM task_queue WHERE worker_id IS NULL AND `+q.d.in("task_id"), list(q.d, ids)); err != nil || len(asked) == 0 {
		return make([]int, len(ids)), err
	}
	// The kinds are found by jumping from one to the next in the index.
	var kinds []task.Kind
	if err := q.sel(ctx, &kinds, `WITH RECURSIVE kinds(kind) AS (
			SELECT min(kind) FROM task_queue WHERE blocked_by = 0 AND worker_id IS NULL
			UNION ALL SELECT (SELECT min(r.kind) FROM task_queue r WHERE r.blocked_by = 0 AND r.worker_id IS NULL AND r.kind > kinds.kind) FROM kinds WHERE kind IS NOT NULL)
		SELECT kind FROM kinds WHERE kind IS NOT NULL`); err != nil {
		return nil, err
	}
	last := slices.MaxFunc(asked, compare)
	var parts []string
	var args []any
	seen := q.seenTask("task_id")
	for _, kind := range kinds {
		parts = append(parts, `SELECT * FROM (SELECT priority, position, task_id FROM task_queue WHERE kind = ? AND blocked_by = 0 AND worker_id IS NULL
			AND (priority, position, task_id) < (?, ?, ?)`+seen.sql+` ORDER BY priority, position, task_id LIMIT ?) AS of_kind`)
		args = append(args, joined(kind, last.Priority, last.Position, last.Task, seen.args, aheadCounted)...)
	}
	var line []standing
	if len(parts) > 0 {
		if err := q.sel(ctx, &line, strings.Join(parts, " UNION ALL ")+` ORDER BY priority, position, task_id LIMIT ?`, append(args, aheadCounted)...); err != nil {
			return nil, err
		}
	}
	ahead := make(map[task.ID]int, len(asked))
	for _, a := range asked {
		ahead[a.Task], _ = slices.BinarySearchFunc(line, a, compare)
	}
	out := make([]int, len(ids))
	for i, id := range ids {
		out[i] = ahead[id]
	}
	return out, nil
}

// Reservations returns what each unfinished task has reserved, by name.
func (q *queries) Reservations(ctx context.Context, ids []task.ID) ([][]*task.Reservation, error) {
	type row struct {
		Task      task.ID `db:"task_id"`
		Name      string  `db:"name"`
		Exclusive bool    `db:"exclusive"`
		Granted   bool    `db:"granted"`
		Waiting   int     `db:"waiting"`
	}
	var rows []row
	if err := q.sel(ctx, &rows, `SELECT v.task_id, r.name, v.exclusive, v.granted, r.waiting FROM reservation v JOIN resource r ON r.id = v.resource_id
		WHERE `+q.d.in("v.task_id")+` ORDER BY v.task_id, r.name`, list(q.d, ids)); err != nil {
		return nil, err
	}
	return grouped(ids, rows, func(r row) (task.ID, *task.Reservation) {
		return r.Task, &task.Reservation{Resource: r.Name, Access: task.Access(r.Exclusive), Granted: r.Granted, Waiting: r.Waiting}
	}), nil
}

// holdersTold bounds how many holders of a resource are told.
const holdersTold = 20

// Holders returns the tasks that hold each of the named resources, in the
// order of the line: at most twenty of each.
func (q *queries) Holders(ctx context.Context, names []string) ([][]*task.Task, error) {
	type row struct {
		Name string  `db:"name"`
		Task task.ID `db:"task_id"`
	}
	var rows []row
	seen := q.seenTask("v.task_id")
	if err := q.sel(ctx, &rows, `SELECT name, task_id FROM (
			SELECT r.name, v.task_id, row_number() OVER (PARTITION BY r.id ORDER BY v.position, v.task_id) AS n
			FROM resource r JOIN reservation v ON v.resource_id = r.id AND v.granted WHERE `+q.d.in("r.name")+seen.sql+`) AS held
		WHERE n <= ? ORDER BY name, n`, joined(list(q.d, names), seen.args, holdersTold)...); err != nil {
		return nil, err
	}
	ids := make([]task.ID, len(rows))
	for i, r := range rows {
		ids[i] = r.Task
	}
	tasks, err := q.TasksByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	byName := make(map[string][]*task.Task, len(names))
	for i, r := range rows {
		if tasks[i] != nil {
			byName[r.Name] = append(byName[r.Name], tasks[i])
		}
	}
	out := make([][]*task.Task, len(names))
	for i, name := range names {
		out[i] = byName[name]
	}
	return out, nil
}
