package db

import (
	"context"

	"ream/content"
	"ream/task"
)

// tasksAbout is the list of each repository's tasks that the filter selects.
// It goes through the repository's own, which are few beside all there are.
func tasksAbout(f task.Filter) listing {
	l := listing{columns: taskColumns, column: "id", newest: f.Newest, from: taskTables, key: `t.id`}
	l.and(`t.repository_id = o.owner`)
	if f.Finished != nil && !*f.Finished {
		l.and(`t.outcome IS NULL`)
	}
	l.filter(f, stateSQL)
	return l
}

// CurrentTasks returns of each repository the task that works on it or, if none
// does, the one that is the next in line for it; nil if nothing is to be done.
func (q *queries) CurrentTasks(ctx context.Context, ids []content.RepositoryID) ([]*task.Task, error) {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	var rows []struct {
		Name string  `db:"name"`
		Task task.ID `db:"task_id"`
	}
	// Copies share the repository that they copy from: they are not about it.
	const line = `SELECT v.task_id FROM reservation v WHERE v.resource_id = r.id AND v.exclusive AND `
	if err := q.sel(ctx, &rows, `SELECT r.name, COALESCE((`+line+`v.granted ORDER BY v.task_id LIMIT 1),
		(`+line+`NOT v.granted ORDER BY v.position, v.task_id LIMIT 1), 0) AS task_id FROM resource r WHERE `+q.d.in("r.name"), list(q.d, names)); err != nil {
		return nil, err
	}
	byName := make(map[string]task.ID, len(rows))
	current := make([]task.ID, len(names))
	for _, r := range rows {
		byName[r.Name] = r.Task
	}
	for i, name := range names {
		current[i] = byName[name]
	}
	return q.TasksByID(ctx, current)
}
