package db

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"ream/page"
	"ream/task"
)

// taskRow is a task with its row in the queue, if it is unfinished.
type taskRow struct {
	owned
	ID       task.ID       `db:"id"`
	Kind     task.Kind     `db:"kind"`
	Name     string        `db:"name"`
	Priority int           `db:"priority"`
	Parent   task.ID       `db:"parent_id"`
	Group    task.GroupID  `db:"group_id"`
	RetryOf  task.ID       `db:"retry_of"`
	Args     string        `db:"args"`
	State    task.State    `db:"state"`
	Error    *string       `db:"error"`
	Attempt  int           `db:"attempt"`
	Worker   task.WorkerID `db:"worker_id"`
	Created  int64         `db:"created_at"`
	Started  *int64        `db:"started_at"`
	Finished *int64        `db:"finished_at"`
}

// stateSQL derives a task's state from its two rows.
const stateSQL = `CASE WHEN t.outcome IS NOT NULL THEN t.outcome WHEN q.worker_id IS NULL THEN 'WAITING'
	WHEN q.canceled_at IS NOT NULL THEN 'CANCELING' ELSE 'RUNNING' END`

const taskColumns = `t.id, t.kind, t.name, t.priority, COALESCE(t.parent_id, 0) AS parent_id, COALESCE(t.group_id, 0) AS group_id,
	COALESCE(t.retry_of, 0) AS retry_of, t.args,
	` + stateSQL + ` AS state, t.error, COALESCE(q.attempt, t.attempt) AS attempt, COALESCE(q.worker_id, t.worker_id, 0) AS worker_id,
	t.created_at, COALESCE(q.started_at, t.started_at) AS started_at, t.finished_at`

const taskTables = `task t LEFT JOIN task_queue q ON q.task_id = t.id`

func (r taskRow) task() (*task.Task, error) {
	t := &task.Task{ID: r.ID, Kind: r.Kind, Name: r.Name, State: r.State, Priority: priorityOf(r.Priority), GroupID: r.Group, ParentID: r.Parent, RetryOf: r.RetryOf,
		Args: json.RawMessage(r.Args), Attempt: r.Attempt, WorkerID: r.Worker,
		CreatedAt: fromMicros(r.Created), StartedAt: fromNullMicros(r.Started), FinishedAt: fromNullMicros(r.Finished)}
	t.Progress.Since, t.Progress.Until = t.StartedAt, t.FinishedAt
	if r.Error != nil {
		t.Error = &task.Error{}
		if err := json.Unmarshal([]byte(*r.Error), t.Error); err != nil {
			return nil, fmt.Errorf("error of %s: %w", r.ID, err)
		}
	}
	return t, nil
}

// TasksByID returns tasks in the order of the ids, nil where there is none.
func (q *queries) TasksByID(ctx context.Context, ids []task.ID) ([]*task.Task, error) {
	var rows []taskRow
	seen := q.seen("t.repository_id")
	if err := q.sel(ctx, &rows, `SELECT `+taskColumns+` FROM `+taskTables+` WHERE `+q.d.in("t.id")+seen.sql, joined(list(q.d, ids), seen.args)...); err != nil {
		return nil, err
	}
	tasks, err := q.tasks(ctx, rows)
	if err != nil {
		return nil, err
	}
	return inOrder(ids, tasks, func(t *task.Task) (task.ID, *task.Task) { return t.ID, t }), nil
}

// tasks adds the progress, read in one statement for all rows.
func (q *queries) tasks(ctx context.Context, rows []taskRow) ([]*task.Task, error) {
	tasks, ids := make([]*task.Task, len(rows)), make([]task.ID, 0, len(rows))
	byID := make(map[task.ID]*task.Task, len(rows))
	for i, r := range rows {
		t, err := r.task()
		if err != nil {
			return nil, err
		}
		tasks[i], byID[t.ID] = t, t
		if r.Attempt > 0 {
			ids = append(ids, t.ID)
		}
	}
	if len(ids) == 0 {
		return tasks, nil
	}
	var reports []reportRow
	if err := q.sel(ctx, &reports, `SELECT task_id, unit, done, total FROM task_report WHERE `+q.d.in("task_id"), list(q.d, ids)); err != nil {
		return nil, err
	}
	progress := map[task.ID]*sums{}
	for _, r := range reports {
		if progress[r.Task] == nil {
			progress[r.Task] = &sums{}
		}
		progress[r.Task].add(r, 1)
	}
	for id, s := range progress {
		p := &byID[id].Progress
		p.ItemsDone, p.ItemsTotal, p.BytesDone, p.BytesTotal = s.itemsDone, s.itemsTotal, s.bytesDone, s.bytesTotal
	}
	return tasks, nil
}

// Tasks returns a page of the tasks that the filter selects. It reads them from
// the smallest table that has all of them.
func (q *queries) Tasks(ctx context.Context, f task.Filter, req page.Request) (*page.Of[*task.Task], error) {
	l := tasksBy(f, false)
	l.narrow(q.seen("t.repository_id"))
	return pageOf(ctx, q, l, req, taskRow.key, q.taskRows(ctx))
}

// TasksOf returns a page of the tasks of each of several groups, tasks, workers or
// repositories, of those that the filter selects.
func (q *queries) TasksOf(ctx context.Context, relation task.Relation, ids []int64, f task.Filter, req page.Request) ([]*page.Of[*task.Task], error) {
	l := tasksBy(f, relation == task.RunBy)
	switch relation {
	case task.About:
		l = tasksAbout(f)
	case task.MemberOf:
		l.and(l.table() + `.group_id = o.owner`)
	case task.SpawnedBy:
		l.and(`t.parent_id = o.owner`)
	case task.RetryOf:
		l.and(`t.retry_of = o.owner`)
	case task.RunBy:
		l.and(`q.worker_id = o.owner`)
	default:
		return nil, fmt.Errorf("tasks have no relation %q", relation)
	}
	l.narrow(q.seen("t.repository_id"))
	return pagesOfRows(ctx, q, l, ownersOf(ids), req, taskRow.key, q.taskRows(ctx))
}

// tasksBy is the list of the tasks that the filter selects by what they are.
// Unfinished says that only unfinished ones are wanted, whatever the filter says.
func tasksBy(f task.Filter, unfinished bool) listing {
	l := listing{columns: taskColumns, column: "id", newest: f.Newest}
	unfinished = unfinished || f.Finished != nil && !*f.Finished || len(f.States) > 0 && !slices.ContainsFunc(f.States, task.State.Finished)
	unsuccessful := len(f.States) > 0 && !slices.ContainsFunc(f.States, func(s task.State) bool { return !s.Finished() || s == task.Completed })
	switch {
	case unfinished:
		l.from, l.key = `task_queue q JOIN task t ON t.id = q.task_id`, `q.task_id`
	case unsuccessful:
		l.from, l.key = `task_unsuccessful u JOIN task t ON t.id = u.task_id LEFT JOIN task_queue q ON q.task_id = t.id`, `u.task_id`
	default:
		l.from, l.key = taskTables, `t.id`
	}
	state := stateSQL
	if unsuccessful {
		state = `u.outcome`
	}
	l.filter(f, state)
	return l
}

// filter narrows a list of tasks t, whose state is the value of an expression.
// That unfinished ones are wanted is up to the tables.
func (l *listing) filter(f task.Filter, state string) {
	if f.Kind != "" {
		l.and(`t.kind = ?`, f.Kind)
	}
	if f.Finished != nil && *f.Finished {
		l.and(`t.outcome IS NOT NULL`)
	}
	if len(f.States) > 0 {
		states := make([]any, len(f.States))
		for i, state := range f.States {
			states[i] = string(state)
		}
		l.and(state+` IN (?`+strings.Repeat(`, ?`, len(states)-1)+`)`, states...)
	}
}

func (r taskRow) key() task.ID { return r.ID }

func (q *queries) taskRows(ctx context.Context) func([]taskRow) ([]*task.Task, error) {
	return func(rows []taskRow) ([]*task.Task, error) { return q.tasks(ctx, rows) }
}
