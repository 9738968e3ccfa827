package db_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"ream/db"
	"ream/fault"
	"ream/task"
)

// TestManyAtOnce lets workers and clients do at once what TestModel does one
// after the other. What cannot be predicted any more is watched: nobody holds
// what others hold, no group runs more than it may, every count is right when
// all is done, and nothing is left behind.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	length, err := time.ParseDuration(cmp.Or(os.Getenv(modelVariable), "2s"))
	if err != nil {
		t.Fatal(err)
	}
	for name, address := range modelDatabases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &crowd{t: t, held: map[string]int{}, running: map[task.GroupID]int{}, limits: map[task.GroupID]int{}}
			at := address(t)
			d, err := db.Open(t.Context(), at, db.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			c.raw = openRaw(t, at)
			c.DB = d
			c.run(length)
			c.check()
		})
	}
}

// crowd is who uses the database at once, and what they see.
type crowd struct {
	*db.DB
	t   *testing.T
	raw *sql.DB

	mu      sync.Mutex
	held    map[string]int // by resource: -1 exclusively, n shared
	running map[task.GroupID]int
	limits  map[task.GroupID]int
	tasks   []task.ID
	groups  []task.GroupID
}

func (c *crowd) run(length time.Duration) {
	ctx := c.t.Context()
	asking, stopAsking := context.WithTimeout(ctx, length)
	defer stopAsking()
	var clients, workers sync.WaitGroup
	for i := range 3 {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), uint64(time.Now().UnixNano())))
			for asking.Err() == nil {
				c.ask(r)
			}
		})
	}
	working, stopWorking := context.WithCancel(ctx)
	defer stopWorking()
	for i := range 4 {
		workers.Go(func() { c.work(working, rand.New(rand.NewPCG(uint64(i)+10, uint64(time.Now().UnixNano())))) })
	}
	clients.Wait()
	changed := c.changed()
	for deadline := time.After(time.Minute); ; {
		q, err := c.Queue(ctx)
		if err != nil {
			c.t.Error(err)
			break
		}
		if q.Tally.Unfinished() == 0 {
			break
		}
		select {
		case <-changed:
			continue
		case <-deadline:
			c.t.Errorf("after a minute there is still work: %+v", q.Tally)
		}
		break
	}
	stopWorking()
	workers.Wait()
}

// changed tells, without a backlog, that something changed.
func (c *crowd) changed() <-chan struct{} {
	told := make(chan struct{}, 1)
	c.OnChange(func(db.Changes) {
		select {
		case told <- struct{}{}:
		default:
		}
	})
	return told
}

// ask is what a client does.
func (c *crowd) ask(r *rand.Rand) {
	ctx := c.t.Context()
	switch n := r.IntN(20); {
	case n < 6:
		c.try(c.InTx(ctx, func(tx *db.Tx) error {
			id, err := tx.Enqueue(ctx, stressTask(r))
			c.learn(id, 0, 0)
			return err
		}))
	case n < 12:
		g := task.NewGroup{Name: "g"}
		for i := range 1 + r.IntN(10) {
			t := stressTask(r)
			if i > 0 && r.IntN(3) == 0 {
				t.After = []int{r.IntN(i)}
			}
			g.Tasks = append(g.Tasks, t)
		}
		if r.IntN(2) == 0 {
			g.MaxRunning = 1 + r.IntN(3)
		}
		c.try(c.InTx(ctx, func(tx *db.Tx) error {
			id, err := tx.EnqueueGroup(ctx, g)
			c.learn(0, id, g.MaxRunning)
			return err
		}))
	case n < 14:
		if id := c.someTask(r); id != 0 {
			c.try(c.CancelTask(ctx, id))
		}
	case n < 16:
		if id := c.someGroup(r); id != 0 {
			c.try(c.CancelGroup(ctx, id))
		}
	case n < 18:
		if id := c.someGroup(r); id != 0 {
			c.try(c.InTx(ctx, func(tx *db.Tx) error {
				again, err := tx.RetryGroup(ctx, id)
				c.mu.Lock()
				limit := c.limits[id]
				c.mu.Unlock()
				c.learn(0, again, limit)
				return err
			}))
		}
	default:
		_, err := c.Recover(ctx, time.Minute)
		c.try(err)
	}
}

func stressTask(r *rand.Rand) task.New {
	t := task.New{Kind: modelKinds[r.IntN(len(modelKinds))], Name: "t", Priority: []task.Priority{task.High, task.Normal, task.Low}[r.IntN(3)]}
	var names []string
	for range r.IntN(3) {
		name := "r-" + strconv.Itoa(r.IntN(5))
		access := task.Access(r.IntN(2) == 0)
		t.Reservations = append(t.Reservations, task.Reservation{Resource: name, Access: access})
		names = append(names, fmt.Sprintf("%s=%t", name, access))
	}
	t.Args = names
	return t
}

// try accepts what can be refused, and nothing else.
func (c *crowd) try(err error) {
	if err != nil && !fault.Is(err, fault.Conflict) && !errors.Is(err, context.Canceled) {
		c.t.Errorf("%v", err)
	}
}

func (c *crowd) learn(id task.ID, group task.GroupID, limit int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id != 0 {
		c.tasks = append(c.tasks, id)
	}
	if group != 0 {
		c.groups = append(c.groups, group)
		c.limits[group] = limit
	}
}

func (c *crowd) someTask(r *rand.Rand) task.ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tasks) == 0 {
		return 0
	}
	return c.tasks[len(c.tasks)-1-r.IntN(min(len(c.tasks), 20))]
}

func (c *crowd) someGroup(r *rand.Rand) task.GroupID {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.groups) == 0 {
		return 0
	}
	return c.groups[len(c.groups)-1-r.IntN(min(len(c.groups), 20))]
}

// work is what a worker does. Sometimes it falls silent with all its tasks,
// and another one takes its place.
func (c *crowd) work(ctx context.Context, r *rand.Rand) {
	background := c.t.Context()
	var id task.WorkerID
	var mine []*task.Task
	changed := c.changed()
	for {
		if id == 0 {
			var err error
			if id, err = c.Register(background, task.Worker{Host: "h", PID: 1, Slots: 5}); err != nil {
				c.t.Error(err)
				return
			}
		}
		var outcomes []task.Outcome
		for _, t := range mine {
			c.spawnSome(r, t)
			c.hold(t, -1)
			o := task.Outcome{Fence: fence(t), State: task.Completed}
			switch r.IntN(10) {
			case 0:
				o.State, o.Error = task.Failed, &task.Error{Code: "INTERNAL"}
			case 1:
				o.State = task.Waiting
			}
			outcomes = append(outcomes, o)
		}
		mine = nil
		if r.IntN(50) == 0 { // silent with its tasks: their outcomes come too late
			if _, err := c.raw.ExecContext(background, fmt.Sprintf("UPDATE worker SET heartbeat_at = heartbeat_at - 3600000000 WHERE id = %d", id)); err != nil {
				c.t.Error(err)
			}
			_, err := c.Recover(background, time.Minute)
			c.try(err)
			_, err = c.Cycle(background, id, outcomes, nil, task.Vacancies{})
			c.try(err)
			id = 0
			continue
		}
		room := task.Vacancies{Total: 5, Of: map[task.Kind]int{"a": 5, "b": 5, "c": 5}}
		if ctx.Err() != nil {
			room.Total = 0
		}
		claimed, err := c.Cycle(background, id, outcomes, nil, room)
		c.try(err)
		for _, t := range claimed {
			c.hold(t, 1)
		}
		mine = claimed
		if ctx.Err() != nil {
			c.try(c.Unregister(background, id))
			return
		}
		if len(claimed) == 0 {
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
}

func (c *crowd) spawnSome(r *rand.Rand, t *task.Task) {
	if t.ParentID != 0 || r.IntN(6) > 0 {
		return
	}
	children := make([]task.New, 1+r.IntN(3))
	for i := range children {
		children[i] = stressTask(r)
	}
	c.try(c.InTx(c.t.Context(), func(tx *db.Tx) error {
		_, err := tx.Spawn(c.t.Context(), fence(t), "children", children)
		return err
	}))
}

// hold notes that a task runs, or does so no more, and checks that it may.
func (c *crowd) hold(t *task.Task, sign int) {
	var names []string
	run := task.Run{Task: t}
	if err := run.Decode(&names); err != nil {
		c.t.Error(err)
	}
	access := map[string]bool{}
	for _, n := range names {
		access[n[:3]] = access[n[:3]] || n[4:] == "true"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, exclusive := range access {
		switch {
		case sign < 0 && exclusive:
			c.held[name] = 0
		case sign < 0:
			c.held[name]--
		case exclusive && c.held[name] != 0, c.held[name] < 0:
			c.t.Errorf("%s runs with %s while %d hold it", t.ID, name, c.held[name])
		case exclusive:
			c.held[name] = -1
		default:
			c.held[name]++
		}
	}
	c.running[t.GroupID] += sign
	if limit := c.limits[t.GroupID]; limit > 0 && c.running[t.GroupID] > limit {
		c.t.Errorf("%d members of %s run, which may run %d", c.running[t.GroupID], t.GroupID, limit)
	}
}

// check counts again what is left.
func (c *crowd) check() {
	for _, table := range []string{"task_queue", "reservation", "task_after"} {
		if n := c.number(`SELECT count(*) FROM ` + table); n != 0 {
			c.t.Errorf("%s has %d rows left", table, n)
		}
	}
	if n := c.number(`SELECT count(*) FROM resource WHERE held <> 0 OR waiting <> 0`); n != 0 {
		c.t.Errorf("%d resources are held or waited for by nobody", n)
	}
	if n := c.number(`SELECT count(*) FROM task_group WHERE admitted <> 0 OR finished_at IS NULL`); n != 0 {
		c.t.Errorf("%d groups are not over", n)
	}
	if n := c.number(`SELECT count(*) FROM task WHERE outcome IS NULL`); n != 0 {
		c.t.Errorf("%d tasks have no outcome", n)
	}
	for _, state := range []string{"completed", "failed", "canceled", "skipped"} {
		wrong := c.number(fmt.Sprintf(`SELECT count(*) FROM task_group g WHERE g.%[1]s <> (SELECT count(*) FROM task t WHERE t.group_id = g.id AND lower(t.outcome) = '%[1]s')`, state))
		if wrong != 0 {
			c.t.Errorf("the %s of %d groups are counted wrong", state, wrong)
		}
		got := c.number(`SELECT SUM(` + state + `) FROM queue_counts`)
		if want := c.number(`SELECT count(*) FROM task WHERE lower(outcome) = '` + state + `'`); got != want {
			c.t.Errorf("%s in all: got %d, a recount says %d", state, got, want)
		}
	}
	if got, want := c.number(`SELECT count(*) FROM task_unsuccessful`), c.number(`SELECT count(*) FROM task WHERE outcome <> 'COMPLETED'`); got != want {
		c.t.Errorf("unsuccessful tasks: %d are listed of %d", got, want)
	}
	c.t.Logf("%d tasks in %d groups", c.number(`SELECT count(*) FROM task`), c.number(`SELECT count(*) FROM task_group`))
}

func (c *crowd) number(query string) (n int) {
	if err := c.raw.QueryRowContext(c.t.Context(), query).Scan(&n); err != nil {
		c.t.Fatal(err)
	}
	return n
}
