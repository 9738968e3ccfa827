package db

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

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
	byName := func() (resources, error) { return tx.lockResources(ctx, tx.d.in("name"), list(tx.d, sorted)) }
	rs, err := byName()
	if err != nil || len(rs) == len(sorted) {
		return rs, err
	}
	type row struct {
		Name string `json:"name"`
	}
	var missing []row
	known := rs.byName()
	for _, name := range sorted {
		if known[name] == nil {
			missing = append(missing, row{name})
		}
	}
	if _, err := tx.exec(ctx, `INSERT INTO resource(name) SELECT name FROM `+tx.d.rows("x", "name text")+` WHERE TRUE
		ORDER BY name ON CONFLICT (name) DO NOTHING`, encode(missing)); err != nil {
		return nil, err
	}
	return byName()
}

// resourcesOf locks the resources that the tasks have reserved.
func (tx *Tx) resourcesOf(ctx context.Context, ids []task.ID) (resources, error) {
	var named []int64
	if err := tx.sel(ctx, &named, `SELECT DISTINCT resource_id FROM reservation WHERE `+tx.d.in("task_id"), list(tx.d, ids)); err != nil || len(named) == 0 {
		return nil, err
	}
	return tx.lockResources(ctx, tx.d.in("id"), list(tx.d, named))
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
	these, keys := tx.within("resource.id", list(tx.d, rs.ids()))
	_, err := tx.exec(ctx, `UPDATE resource SET held = x.held, waiting = x.waiting FROM `+
		tx.d.rows("x", "id bigint", "held int", "waiting int")+` WHERE resource.id = x.id`+these, append([]any{encode(rows)}, keys...)...)
	return err
}

// release drops the reservations of tasks that ended and grants the next in
// line. The resources are those of resourcesOf.
func (tx *Tx) release(ctx context.Context, rs resources, ids []task.ID, d deltas) error {
	if len(rs) == 0 || len(ids) == 0 {
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
	return tx.grant(ctx, rs, d)
}

// claimOn is a reservation that is about to be granted or taken back.
type claimOn struct {
	Resource  int64   `db:"resource_id" json:"resource_id"`
	Task      task.ID `db:"task_id" json:"task_id"`
	Exclusive bool    `db:"exclusive" json:"-"`
}

// grant gives each resource to the next in line: to the one exclusive head,
// or to all shared ones up to the first exclusive one. It saves the resources.
func (tx *Tx) grant(ctx context.Context, rs resources, d deltas) error {
	heads, err := tx.heads(ctx, rs)
	if err != nil {
		return err
	}
	var granted []claimOn
	var sharing []int64
	for _, head := range heads {
		switch r := rs[head.Resource]; {
		case !head.Exclusive:
			sharing = append(sharing, r.ID)
		case r.Held == 0:
			r.Held = -1
			r.Waiting--
			granted = append(granted, head)
		}
	}
	shared, err := tx.sharedHeads(ctx, sharing)
	if err != nil {
		return err
	}
	for _, s := range shared {
		rs[s.Resource].Held++
		rs[s.Resource].Waiting--
	}
	granted = append(granted, shared...)
	if err := tx.saveResources(ctx, rs); err != nil || len(granted) == 0 {
		return err
	}
	unblocked := map[task.ID]int{}
	for _, g := range granted {
		unblocked[g.Task]--
	}
	these, keys := tx.within("reservation.task_id", list(tx.d, slices.Sorted(maps.Keys(unblocked))))
	if _, err := tx.exec(ctx, `UPDATE reservation SET granted = TRUE FROM `+tx.d.rows("x", "resource_id bigint", "task_id bigint")+`
		WHERE reservation.task_id = x.task_id AND reservation.resource_id = x.resource_id`+these, append([]any{encode(granted)}, keys...)...); err != nil {
		return err
	}
	return tx.block(ctx, unblocked, d)
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
	const head = `(SELECT %s FROM reservation w WHERE w.resource_id = r.id AND NOT w.granted ORDER BY w.position, w.task_id LIMIT 1)`
	var heads []claimOn
	err := tx.sel(ctx, &heads, `SELECT r.id AS resource_id, `+fmt.Sprintf(head, "w.task_id")+` AS task_id, `+fmt.Sprintf(head, "w.exclusive")+` AS exclusive
		FROM resource r WHERE `+tx.d.in("r.id")+` ORDER BY r.id`, list(tx.d, open))
	return heads, err
}

// sharedHeads are, of each resource, the shared reservations that wait before
// the first exclusive one.
func (tx *Tx) sharedHeads(ctx context.Context, resources []int64) ([]claimOn, error) {
	if len(resources) == 0 {
		return nil, nil
	}
	const firstExclusive = `(SELECT %s FROM reservation e WHERE e.resource_id = r.id AND NOT e.granted AND e.exclusive ORDER BY e.position, e.task_id LIMIT 1)`
	// For each resource its line is read by the index, up to the exclusive one.
	before := `SELECT v.resource_id, v.task_id, v.exclusive FROM reservation v
		WHERE v.resource_id = f.id AND NOT v.granted AND (v.position, v.task_id) < (f.position, f.task_id)`
	each := ` JOIN LATERAL (` + before + ` OFFSET 0) AS v ON TRUE`
	if tx.d != &postgres {
		each = ` JOIN reservation v ON` + strings.SplitN(before, "WHERE", 2)[1]
	}
	var shared []claimOn
	err := tx.sel(ctx, &shared, `SELECT v.resource_id, v.task_id, v.exclusive
		FROM (SELECT r.id, COALESCE(`+fmt.Sprintf(firstExclusive, "e.position")+`, ?) AS position, COALESCE(`+fmt.Sprintf(firstExclusive, "e.task_id")+`, ?) AS task_id
			FROM resource r WHERE `+tx.d.in("r.id")+`) f`+each, int64(math.MaxInt64), int64(math.MaxInt64), list(tx.d, resources))
	return shared, err
}

// revoke takes granted reservations back from tasks that have not started and
// stand behind position, because spawned tasks were put in line before them.
// Lines that all keep one order cannot wait for each other in a circle.
func (tx *Tx) revoke(ctx context.Context, rs resources, position int64, d deltas) error {
	var holders []task.ID
	if err := tx.sel(ctx, &holders, `SELECT DISTINCT task_id FROM reservation WHERE `+tx.d.in("resource_id")+` AND granted AND position > ?`,
		list(tx.d, rs.ids()), position); err != nil || len(holders) == 0 {
		return err
	}
	var waiting []queueRow
	if err := tx.sel(ctx, &waiting, `SELECT task_id, COALESCE(group_id, 0) AS group_id, gate FROM task_queue
		WHERE worker_id IS NULL AND `+tx.d.in("task_id")+` ORDER BY task_id`+tx.d.forUpdate, list(tx.d, holders)); err != nil || len(waiting) == 0 {
		return err
	}
	ids := make([]task.ID, len(waiting))
	for i, row := range waiting {
		ids[i] = row.Task
	}
	var back []claimOn
	if err := tx.sel(ctx, &back, `UPDATE reservation SET granted = FALSE WHERE granted AND `+tx.d.in("task_id")+` AND `+tx.d.in("resource_id")+`
		RETURNING resource_id, task_id, exclusive`, list(tx.d, ids), list(tx.d, rs.ids())); err != nil {
		return err
	}
	blocked := map[task.ID]int{}
	for _, b := range back {
		rs[b.Resource].drop(b.Exclusive, true)
		rs[b.Resource].Waiting++
		blocked[b.Task]++
	}
	if err := tx.turnBack(ctx, waiting, blocked, d); err != nil {
		return err
	}
	return tx.block(ctx, blocked, d)
}

// turnBack takes the places in their groups from tasks that are blocked again.
func (tx *Tx) turnBack(ctx context.Context, rows []queueRow, blocked map[task.ID]int, d deltas) error {
	var turned []task.ID
	for _, row := range rows {
		if row.Gate == gatePassed && blocked[row.Task] > 0 {
			turned = append(turned, row.Task)
			blocked[row.Task]++
			d.of(row.Group).freed++
		}
	}
	if len(turned) == 0 {
		return nil
	}
	_, err := tx.exec(ctx, `UPDATE task_queue SET gate = 1 WHERE `+tx.d.in("task_id"), list(tx.d, turned))
	return err
}

// block changes how many things tasks wait for.
func (tx *Tx) block(ctx context.Context, by map[task.ID]int, d deltas) error {
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
	var groups []task.GroupID
	these, keys := tx.within("task_queue.task_id", list(tx.d, ids))
	if err := tx.sel(ctx, &groups, `UPDATE task_queue SET blocked_by = blocked_by + x.n FROM `+tx.d.rows("x", "id bigint", "n int")+`
		WHERE task_queue.task_id = x.id`+these+` RETURNING CASE WHEN gate = 1 AND blocked_by = 1 THEN group_id ELSE 0 END`,
		append([]any{encode(rows)}, keys...)...); err != nil {
		return err
	}
	for _, g := range groups {
		if g != 0 {
			d.of(g).atGate = true
		}
	}
	return nil
}

// lockQueueRows locks rows in the order of their tasks, as everybody does.
func (tx *Tx) lockQueueRows(ctx context.Context, ids []task.ID) error {
	if tx.d.forUpdate == "" || len(ids) < 2 {
		return nil
	}
	_, err := tx.exec(ctx, `SELECT 1 FROM task_queue WHERE `+tx.d.in("task_id")+` ORDER BY task_id`+tx.d.forUpdate, list(tx.d, ids))
	return err
}
