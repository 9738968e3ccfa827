package db

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"

	"ream/task"
)

// resource is what tasks reserve. Whoever changes one has locked its row.
type resource struct {
	ID      int64  `db:"id" json:"id"`
	Name    string `db:"name" json:"-"`
	Held    int    `db:"held" json:"held"`       // -1 exclusively, 0 free, n shared holders
	Waiting int    `db:"waiting" json:"waiting"` // reservations not granted yet
}

// take grants a reservation at the end of the line, if nobody waits before it
// and the holders allow it.
func (r *resource) take(exclusive bool) bool {
	switch {
	case r.Waiting > 0 || r.Held < 0 || exclusive && r.Held > 0:
		return false
	case exclusive:
		r.Held = -1
	default:
		r.Held++
	}
	return true
}

// drop forgets a reservation.
func (r *resource) drop(exclusive, granted bool) {
	switch {
	case !granted:
		r.Waiting--
	case exclusive:
		r.Held = 0
	default:
		r.Held--
	}
}

// resources are locked rows by ID.
type resources map[int64]*resource

func (rs resources) byName() map[string]*resource {
	names := make(map[string]*resource, len(rs))
	for _, r := range rs {
		names[r.Name] = r
	}
	return names
}

func (rs resources) ids() []int64 { return slices.Sorted(maps.Keys(rs)) }

// resourcesNamed locks the resources that the tasks reserve, and creates
// those that are missing.
func (tx *Tx) resourcesNamed(ctx context.Context, tasks []task.New) (resources, error) {
	names := map[string]bool{}
	for _, t := range tasks {
		for _, r := range t.Reservations {
			names[r.Resource] = true
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	sorted := slices.Sorted(maps.Keys(names))
	type row struct {
		Name string `json:"name"`
	}
	rows := make([]row, len(sorted))
	for i, name := range sorted {
		rows[i].Name = name
	}
	if _, err := tx.exec(ctx, `INSERT INTO resource(name) SELECT name FROM `+tx.d.rows("x", "name text")+`
		WHERE NOT EXISTS (SELECT 1 FROM resource r WHERE r.name = x.name) ORDER BY name ON CONFLICT (name) DO NOTHING`, encode(rows)); err != nil {
		return nil, err
	}
	return tx.lockResources(ctx, tx.d.in("name"), list(tx.d, sorted))
}

// resourcesOf locks the resources that the tasks have reserved.
func (tx *Tx) resourcesOf(ctx context.Context, ids []task.ID) (resources, error) {
	return tx.lockResources(ctx, `id IN (SELECT resource_id FROM reservation WHERE `+tx.d.in("task_id")+`)`, list(tx.d, ids))
}

func (tx *Tx) lockResources(ctx context.Context, where string, args ...any) (resources, error) {
	var rows []*resource
	if err := tx.sel(ctx, &rows, `SELECT id, name, held, waiting FROM resource WHERE `+where+` ORDER BY id`+tx.d.forUpdate, args...); err != nil {
		return nil, err
	}
	rs := make(resources, len(rows))
	for _, r := range rows {
		rs[r.ID] = r
	}
	return rs, nil
}

func (tx *Tx) saveResources(ctx context.Context, rs resources) error {
	if len(rs) == 0 {
		return nil
	}
	rows := make([]*resource, 0, len(rs))
	for _, id := range rs.ids() {
		rows = append(rows, rs[id])
	}
	_, err := tx.exec(ctx, `UPDATE resource SET held = x.held, waiting = x.waiting FROM `+
		tx.d.rows("x", "id bigint", "held int", "waiting int")+` WHERE resource.id = x.id`, encode(rows))
	return err
}

// release drops the reservations of tasks that ended and grants the next in
// line. The resources are those of resourcesOf.
func (tx *Tx) release(ctx context.Context, rs resources, ids []task.ID) error {
	if len(rs) == 0 {
		return nil
	}
	var gone []struct {
		Resource  int64 `db:"resource_id"`
		Exclusive bool  `db:"exclusive"`
		Granted   bool  `db:"granted"`
	}
	if err := tx.sel(ctx, &gone, `DELETE FROM reservation WHERE `+tx.d.in("task_id")+` RETURNING resource_id, exclusive, granted`, list(tx.d, ids)); err != nil {
		return err
	}
	for _, g := range gone {
		rs[g.Resource].drop(g.Exclusive, g.Granted)
	}
	return tx.grant(ctx, rs)
}

// claimOn is a reservation that is about to be granted or taken back.
type claimOn struct {
	Resource  int64   `db:"resource_id" json:"resource_id"`
	Task      task.ID `db:"task_id" json:"task_id"`
	Exclusive bool    `db:"exclusive" json:"-"`
}

// grant gives each resource to the next in line: to the one exclusive head,
// or to all shared ones up to the first exclusive one. It saves the resources.
func (tx *Tx) grant(ctx context.Context, rs resources) error {
	heads, err := tx.heads(ctx, rs)
	if err != nil {
		return err
	}
	var granted []claimOn
	for _, head := range heads {
		r := rs[head.Resource]
		switch {
		case !head.Exclusive:
			shared, err := tx.sharedHeads(ctx, r.ID)
			if err != nil {
				return err
			}
			r.Held += len(shared)
			r.Waiting -= len(shared)
			granted = append(granted, shared...)
		case r.Held == 0:
			r.Held = -1
			r.Waiting--
			granted = append(granted, head)
		}
	}
	if err := tx.saveResources(ctx, rs); err != nil || len(granted) == 0 {
		return err
	}
	if _, err := tx.exec(ctx, `UPDATE reservation SET granted = TRUE FROM `+tx.d.rows("x", "resource_id bigint", "task_id bigint")+`
		WHERE reservation.task_id = x.task_id AND reservation.resource_id = x.resource_id`, encode(granted)); err != nil {
		return err
	}
	unblocked := map[task.ID]int{}
	for _, g := range granted {
		unblocked[g.Task]--
	}
	return tx.block(ctx, unblocked)
}

// heads are the first waiting reservations of the resources that can be
// granted at all.
func (tx *Tx) heads(ctx context.Context, rs resources) ([]claimOn, error) {
	var open []int64
	for id, r := range rs {
		if r.Waiting > 0 && r.Held >= 0 {
			open = append(open, id)
		}
	}
	if len(open) == 0 {
		return nil, nil
	}
	slices.Sort(open)
	var heads []claimOn
	err := tx.sel(ctx, &heads, `SELECT v.resource_id, v.task_id, v.exclusive
		FROM (SELECT r.id, (SELECT w.task_id FROM reservation w WHERE w.resource_id = r.id AND NOT w.granted ORDER BY w.position, w.task_id LIMIT 1) AS head
			FROM resource r WHERE `+tx.d.in("r.id")+`) h
		JOIN reservation v ON v.resource_id = h.id AND v.task_id = h.head ORDER BY v.resource_id`, list(tx.d, open))
	return heads, err
}

// sharedHeads are the shared reservations that wait before the first
// exclusive one.
func (tx *Tx) sharedHeads(ctx context.Context, resource int64) ([]claimOn, error) {
	fence := struct {
		Position int64   `db:"position"`
		Task     task.ID `db:"task_id"`
	}{math.MaxInt64, math.MaxInt64}
	if _, err := tx.found(ctx, &fence, `SELECT position, task_id FROM reservation
		WHERE resource_id = ? AND NOT granted AND exclusive ORDER BY position, task_id LIMIT 1`, resource); err != nil {
		return nil, err
	}
	var shared []claimOn
	err := tx.sel(ctx, &shared, `SELECT resource_id, task_id, exclusive FROM reservation
		WHERE resource_id = ? AND NOT granted AND (position, task_id) < (?, ?) ORDER BY position, task_id`, resource, fence.Position, fence.Task)
	return shared, err
}

// revoke takes granted reservations back from tasks that have not started and
// stand behind position, because spawned tasks were put in line before them.
// Lines that all keep one order cannot wait for each other in a circle.
func (tx *Tx) revoke(ctx context.Context, rs resources, position int64) error {
	var waiting []task.ID
	if err := tx.sel(ctx, &waiting, `SELECT task_id FROM task_queue WHERE worker_id IS NULL AND task_id IN
		(SELECT task_id FROM reservation WHERE `+tx.d.in("resource_id")+` AND granted AND position > ?) ORDER BY task_id`+tx.d.forUpdate,
		list(tx.d, rs.ids()), position); err != nil || len(waiting) == 0 {
		return err
	}
	var back []claimOn
	if err := tx.sel(ctx, &back, `UPDATE reservation SET granted = FALSE WHERE granted AND `+tx.d.in("task_id")+` AND `+tx.d.in("resource_id")+`
		RETURNING resource_id, task_id, exclusive`, list(tx.d, waiting), list(tx.d, rs.ids())); err != nil {
		return err
	}
	blocked := map[task.ID]int{}
	for _, b := range back {
		rs[b.Resource].drop(b.Exclusive, true)
		rs[b.Resource].Waiting++
		blocked[b.Task]++
	}
	return tx.block(ctx, blocked)
}

// block changes how many things tasks wait for.
func (tx *Tx) block(ctx context.Context, by map[task.ID]int) error {
	if len(by) == 0 {
		return nil
	}
	type row struct {
		ID task.ID `json:"id"`
		N  int     `json:"n"`
	}
	ids := slices.Sorted(maps.Keys(by))
	rows := make([]row, len(ids))
	for i, id := range ids {
		rows[i] = row{id, by[id]}
	}
	if err := tx.lockQueueRows(ctx, ids); err != nil {
		return err
	}
	tx.touched.ready = true
	_, err := tx.exec(ctx, `UPDATE task_queue SET blocked_by = blocked_by + x.n FROM `+tx.d.rows("x", "id bigint", "n int")+`
		WHERE task_queue.task_id = x.id`, encode(rows))
	return err
}

// lockQueueRows locks rows in the order of their tasks, as everybody does.
func (tx *Tx) lockQueueRows(ctx context.Context, ids []task.ID) error {
	if tx.d.forUpdate == "" || len(ids) < 2 {
		return nil
	}
	_, err := tx.exec(ctx, `SELECT 1 FROM task_queue WHERE `+tx.d.in("task_id")+` ORDER BY task_id`+tx.d.forUpdate, list(tx.d, ids))
	return err
}

// deltas are changes of counts by group. The key 0 stands for tasks without one.
type deltas map[task.GroupID]*delta

type delta struct {
	task.Counts
	started bool
}

func (d deltas) of(g task.GroupID) *delta {
	if d[g] == nil {
		d[g] = &delta{}
	}
	return d[g]
}

func (d deltas) add(g task.GroupID, s task.State, n int) { d.of(g).Add(s, n) }

func (d deltas) move(g task.GroupID, from, to task.State) {
	d.add(g, from, -1)
	d.add(g, to, 1)
	if to == task.Running {
		d.of(g).started = true
	}
}

// groupsInOrder are the groups that changed, as they are locked.
func (d deltas) groupsInOrder() []task.GroupID {
	ids := slices.Collect(maps.Keys(d))
	slices.SortFunc(ids, func(a, b task.GroupID) int { return cmp.Compare(a, b) })
	return slices.DeleteFunc(ids, func(g task.GroupID) bool { return g == 0 })
}
