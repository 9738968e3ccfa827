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
	ID       task.ID       `db:"id"`
	Kind     task.Kind     `db:"kind"`
	Name     string        `db:"name"`
	Priority int           `db:"priority"`
	Parent   task.ID       `db:"parent_id"`
	Group    task.GroupID  `db:"group_id"`
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

const taskColumns = `t.id, t.kind, t.name, t.priority, COALESCE(t.parent_id, 0) AS parent_id, COALESCE(t.group_id, 0) AS group_id, t.args,
	` + stateSQL + ` AS state, t.error, COALESCE(q.attempt, t.attempt) AS attempt, COALESCE(q.worker_id, t.worker_id, 0) AS worker_id,
	t.created_at, COALESCE(q.started_at, t.started_at) AS started_at, t.finished_at`

const taskTables = `task t LEFT JOIN task_queue q ON q.task_id = t.id`

func (r taskRow) task() (*task.Task, error) {
	t := &task.Task{ID: r.ID, Kind: r.Kind, Name: r.Name, State: r.State, Priority: priorityOf(r.Priority), GroupID: r.Group, ParentID: r.Parent,
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
	if err := q.sel(ctx, &rows, `SELECT `+taskColumns+` FROM `+taskTables+` WHERE `+q.d.in("t.id"), list(q.d, ids)); err != nil {
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

// Tasks returns a page of the tasks that the filter selects.
func (q *queries) Tasks(ctx context.Context, f task.Filter, req page.Request) (*page.Of[*task.Task], error) {
	s := listing{columns: taskColumns, from: taskTables, key: "t.id", newest: f.Newest}
	if f.Group != 0 {
		s.and(`t.group_id = ?`, f.Group)
	}
	if f.Parent != 0 {
		s.and(`t.parent_id = ?`, f.Parent)
	}
	if f.Kind != "" {
		s.and(`t.kind = ?`, f.Kind)
	}
	if f.Worker != 0 {
		s.from = `task_queue q JOIN task t ON t.id = q.task_id`
		s.key = "q.task_id"
		s.and(`q.worker_id = ?`, f.Worker)
	}
	if f.Finished != nil && *f.Finished {
		s.and(`t.outcome IS NOT NULL`)
	} else if f.Finished != nil {
		s.and(`q.task_id IS NOT NULL`)
	}
	if len(f.States) > 0 {
		states := make([]any, len(f.States))
		for i, state := range f.States {
			states[i] = string(state)
		}
		s.and(stateSQL+` IN (?`+strings.Repeat(`, ?`, len(states)-1)+`)`, states...)
		// Says the same again where an index can use it.
		if !slices.ContainsFunc(f.States, func(s task.State) bool { return !s.Finished() }) {
			s.and(`t.outcome IN (?`+strings.Repeat(`, ?`, len(states)-1)+`)`, states...)
		}
	}
	return q.taskPage(ctx, s, req)
}

// BlockedBy returns what a waiting task waits for: those who hold, or stand
// in line before it for, what it has reserved, and those it comes after.
func (q *queries) BlockedBy(ctx context.Context, id task.ID, req page.Request) (*page.Of[*task.Task], error) {
	s := listing{columns: taskColumns, from: taskTables, key: "t.id"}
	s.and(`t.id IN (
		SELECT v.task_id FROM reservation m JOIN reservation v ON v.resource_id = m.resource_id AND v.task_id <> m.task_id
		WHERE m.task_id = ? AND NOT m.granted AND (m.exclusive OR v.exclusive)
			AND (v.granted OR (v.position, v.task_id) < (m.position, m.task_id))
		UNION SELECT after_id FROM task_after WHERE task_id = ?)`, id, id)
	return q.taskPage(ctx, s, req)
}

func (q *queries) taskPage(ctx context.Context, l listing, req page.Request) (*page.Of[*task.Task], error) {
	return pageOf(ctx, q, l, req, func(r taskRow) task.ID { return r.ID },
		func(rows []taskRow) ([]*task.Task, error) { return q.tasks(ctx, rows) })
}

// Ahead counts, for each waiting task, the ready ones that are taken before it.
func (q *queries) Ahead(ctx context.Context, ids []task.ID) ([]int, error) {
	var rows []struct {
		ID    task.ID `db:"task_id"`
		Ahead int     `db:"ahead"`
	}
	if err := q.sel(ctx, &rows, `SELECT m.task_id, (SELECT count(*) FROM task_queue r WHERE r.blocked_by = 0 AND r.worker_id IS NULL
			AND (r.priority, r.position, r.task_id) < (m.priority, m.position, m.task_id)) AS ahead
		FROM task_queue m WHERE m.worker_id IS NULL AND `+q.d.in("m.task_id"), list(q.d, ids)); err != nil {
		return nil, err
	}
	counts := make(map[task.ID]int, len(rows))
	for _, r := range rows {
		counts[r.ID] = r.Ahead
	}
	out := make([]int, len(ids))
	for i, id := range ids {
		out[i] = counts[id]
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
	}
	var rows []row
	if err := q.sel(ctx, &rows, `SELECT v.task_id, r.name, v.exclusive, v.granted FROM reservation v JOIN resource r ON r.id = v.resource_id
		WHERE `+q.d.in("v.task_id")+` ORDER BY v.task_id, r.name`, list(q.d, ids)); err != nil {
		return nil, err
	}
	return grouped(ids, rows, func(r row) (task.ID, *task.Reservation) {
		return r.Task, &task.Reservation{Resource: r.Name, Access: task.Access(r.Exclusive), Granted: r.Granted}
	}), nil
}
