package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"ream/catalog"
	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/page"
	"ream/task"
)

const day = 24 * time.Hour

// reports keeps the last line of each code.
type reports map[string]string

func (r reports) Report(code, message string, unit task.Unit, done, total int64) {
	r[code] = fmt.Sprintf("%s %d/%d %s", message, done, total, unit)
}

// purge runs a purge as its task would.
func (h house) purge(ctx context.Context, days int) (reports, error) {
	h.t.Helper()
	r := reports{}
	err := h.Handlers()[catalog.PurgeKind](ctx, &task.Run{Task: &task.Task{Args: fmt.Appendf(nil, `{"olderThanDays":%d}`, days)}, Progress: r})
	return r, err
}

// group queues tasks as a group, alone a task without one.
func (h house) group(n int) (id task.GroupID) {
	h.t.Helper()
	tasks := make([]task.New, n)
	for i := range tasks {
		tasks[i] = task.New{Kind: catalog.SyncKind}
	}
	h.tx(func(tx *db.Tx) (err error) {
		id, err = tx.EnqueueGroup(h.t.Context(), task.NewGroup{Name: "group", Tasks: tasks})
		return err
	})
	return id
}

func (h house) alone() (id task.ID) {
	h.t.Helper()
	h.tx(func(tx *db.Tx) (err error) {
		id, err = tx.Enqueue(h.t.Context(), task.New{Kind: catalog.SyncKind})
		return err
	})
	return id
}

func (h house) tx(f func(*db.Tx) error) {
	h.t.Helper()
	if err := h.DB.InTx(h.t.Context(), f); err != nil {
		h.t.Fatal(err)
	}
}

// left are the ids of the tasks and groups that are still there.
func (h house) left() string {
	h.t.Helper()
	var ids []string
	for _, t := range h.tasks() {
		ids = append(ids, t.NodeID())
	}
	for _, g := range h.groups() {
		ids = append(ids, g.NodeID())
	}
	return fmt.Sprint(ids)
}

func TestPurge(t *testing.T) {
	eachHouse(t, func(h house) {
		h.group(2)
		h.alone() // task-3
		old := h.claim()
		outcomes := []task.State{task.Completed, task.Failed, task.Canceled}
		h.tx(func(tx *db.Tx) error {
			return errors.Join(tx.Create(h.t.Context(), old[0].ID, "version-1"), tx.AddFailures(h.t.Context(), old[0].ID, []task.Failure{{Path: "a"}}),
				tx.AddPreviewChanges(h.t.Context(), old[0].ID, []content.PreviewChange{{Path: "a", Kind: content.WouldAdd}}), tx.AddPreview(h.t.Context(), old[0].ID, 1),
				tx.Report(h.t.Context(), h.worker, []task.Report{{TaskID: old[0].ID, Code: "code", Message: "message", Unit: task.Items, Done: 1}}))
		})
		for i, o := range outcomes {
			h.finish(o, old[i])
		}
		h.group(0) // finished at birth
		late := h.group(2)
		h.alone() // task-6, waits with the group's second
		h.finish(task.Completed, h.claim()[0])
		h.clock.advance(20 * day)
		h.finish(task.Completed, h.claim()...) // nothing waits, two run
		h.clock.advance(20 * day)
		h.group(1) // task-7
		h.finish(task.Completed, h.claim()...)

		got, err := h.purge(h.t.Context(), 30)
		if err != nil {
			h.t.Fatal(err)
		}
		if want := fmt.Sprintf("[task-4 task-5 task-6 task-7 group-4 %s]", late); h.left() != want {
			h.t.Errorf("left: got %s, want %s", h.left(), want)
		}
		if got["purge.groups"] != "Deleting groups 2/2 ITEMS" || got["purge.tasks"] != "Deleting tasks 3/3 ITEMS" {
			h.t.Errorf("progress: got %v", got)
		}
		lines, err := h.DB.Reports(h.t.Context(), []task.ID{1})
		if err != nil || len(lines[0]) != 0 {
			h.t.Errorf("reports of a purged task: got %v, %v", lines[0], err)
		}
		created, err := h.DB.Created(h.t.Context(), []task.ID{1})
		if err != nil || len(created[0]) != 0 {
			h.t.Errorf("what a purged task made: got %v, %v", created[0], err)
		}
		failures, err := h.DB.Failures(h.t.Context(), []task.ID{1}, page.Request{})
		if err != nil || len(failures[0].Items) != 0 {
			h.t.Errorf("failures of a purged task: got %v, %v", failures, err)
		}
		previews, err := h.DB.Previews(h.t.Context(), []task.ID{1})
		if err != nil || previews[0] != nil {
			h.t.Errorf("preview of a purged task: got %v, %v", previews, err)
		}
		changes, err := h.DB.PreviewChanges(h.t.Context(), []task.ID{1}, nil, page.Request{})
		if err != nil || len(changes[0].Items) != 0 {
			h.t.Errorf("changes of a purged task's preview: got %v, %v", changes, err)
		}
		queue, err := h.DB.Queue(h.t.Context())
		if err != nil || queue.Tally.Finished() != 5 || queue.Tally.Running != 2 {
			h.t.Errorf("counts of what was ever done: got %+v, %v", queue.Tally, err)
		}
	})
}

func TestPurgeLeavesWhatIsUnfinished(t *testing.T) {
	eachHouse(t, func(h house) {
		h.alone()
		parent := h.claim()[0]
		h.tx(func(tx *db.Tx) error {
			_, err := tx.Spawn(h.t.Context(), task.Fence{Task: parent.ID, Worker: parent.WorkerID, Attempt: parent.Attempt}, "children", []task.New{{Kind: catalog.SyncKind}})
			return err
		})
		h.finish(task.Completed, parent)
		h.group(3)
		running := h.claim()
		h.finish(task.Completed, running[1:3]...)
		h.clock.advance(40 * day)
		if _, err := h.purge(h.t.Context(), 0); err != nil {
			h.t.Fatal(err)
		}
		// The child and its group have lost the parent, the other group nothing.
		if got, want := h.left(), "[task-2 task-3 task-4 task-5 group-2 group-1]"; got != want {
			h.t.Errorf("left: got %s, want %s", got, want)
		}
		h.finish(task.Completed, running[0], running[3])
		h.clock.advance(time.Second)
		if _, err := h.purge(h.t.Context(), 0); err != nil {
			h.t.Fatal(err)
		}
		if got, want := h.left(), "[]"; got != want {
			h.t.Errorf("left at the end: got %s, want %s", got, want)
		}
	})
}

func TestPurgeGoesOnWhereItWasStopped(t *testing.T) {
	eachHouse(t, func(h house) {
		h.group(2)
		h.finish(task.Completed, h.claim()...)
		h.clock.advance(40 * day)
		// The group is gone when the process dies.
		if p, err := h.DB.PurgeGroups(h.t.Context(), 0, h.clock.now(), 1); err != nil || p != (db.Purged[task.GroupID]{Last: 1, Deleted: 1, More: true}) {
			h.t.Fatalf("got %+v, %v", p, err)
		}
		stopped, stop := context.WithCancel(h.t.Context())
		stop()
		if _, err := h.purge(stopped, 30); !errors.Is(err, context.Canceled) || h.left() != "[task-1 task-2]" {
			h.t.Errorf("canceled: got %v, and %s is left", err, h.left())
		}
		if got, err := h.purge(h.t.Context(), 30); err != nil || h.left() != "[]" || got["purge.tasks"] != "Deleting tasks 2/2 ITEMS" {
			h.t.Errorf("got %v, %v, and %s is left", got, err, h.left())
		}
	})
}

func TestPurgeWalksInSteps(t *testing.T) {
	eachHouse(t, func(h house) {
		var unfinished task.ID
		for range 2 {
			h.alone()
			h.alone()
			unfinished = h.alone()
			h.finish(task.Completed, h.claim()[:2]...)
		}
		h.clock.advance(time.Hour)
		cutoff := h.clock.now()
		h.alone()
		want := []db.Purged[task.ID]{{Last: 3, Deleted: 2, More: true}, {Last: unfinished, Deleted: 2}}
		var after task.ID
		for i, w := range want {
			p, err := h.DB.PurgeTasks(h.t.Context(), after, cutoff, 3+i)
			if err != nil || p != w {
				h.t.Fatalf("step %d: got %+v, %v, want %+v", i, p, err, w)
			}
			after = p.Last
		}
		if got, want := h.left(), "[task-3 task-6 task-7]"; got != want {
			h.t.Errorf("left: got %s, want %s", got, want)
		}
	})
}

func TestPurgeForgetsAnswers(t *testing.T) {
	eachHouse(t, func(h house) {
		h.repository("r")
		request := catalog.SyncRequest{Repositories: catalog.Selector{All: true}, Priority: task.Normal, IdempotencyKey: "key"}
		sync := func() string {
			work, err := h.Sync(h.t.Context(), request)
			if err != nil {
				h.t.Fatal(err)
			}
			return work.NodeID()
		}
		first := sync()
		h.finish(task.Completed, h.claim()...)
		h.clock.advance(time.Hour)
		if again := sync(); again != first {
			h.t.Errorf("before the purge: got %s, want %s", again, first)
		}
		if _, err := h.purge(h.t.Context(), 0); err != nil {
			h.t.Fatal(err)
		}
		if again := sync(); again == first {
			h.t.Errorf("after the purge: got %s, which is gone", again)
		}
	})
}

func TestPurgeForgetsWorkers(t *testing.T) {
	eachHouse(t, func(h house) {
		// Workers end by the database's own clock.
		h.clock.set(time.Now().Add(31 * day))
		ended, err := h.DB.Register(h.t.Context(), task.Worker{Host: "there", PID: 2, Slots: 1})
		if err != nil {
			h.t.Fatal(err)
		}
		if err := h.DB.Unregister(h.t.Context(), ended); err != nil {
			h.t.Fatal(err)
		}
		for _, tt := range []struct {
			days int
			kept bool
		}{{32, true}, {30, false}} {
			if _, err := h.purge(h.t.Context(), tt.days); err != nil {
				h.t.Fatal(err)
			}
			if got := h.workerKept(ended); got != tt.kept || !h.workerKept(h.worker) {
				h.t.Errorf("older than %d days: the one that ended is kept %t, want %t; the other %t", tt.days, got, tt.kept, h.workerKept(h.worker))
			}
		}
	})
}

func (h house) workerKept(id task.WorkerID) bool {
	h.t.Helper()
	found, err := h.DB.WorkersByID(h.t.Context(), []task.WorkerID{id})
	if err != nil {
		h.t.Fatal(err)
	}
	return found[0] != nil
}

func TestPurgeIsATask(t *testing.T) {
	eachHouse(t, func(h house) {
		request := catalog.PurgeRequest{OlderThanDays: 7, Priority: task.Low}
		first, err := h.Purge(h.t.Context(), request)
		if err != nil {
			h.t.Fatal(err)
		}
		if again, err := h.Purge(h.t.Context(), request); err != nil || again.NodeID() != first.NodeID() {
			h.t.Errorf("while it waits: got %v, %v, want %s", again, err, first.NodeID())
		}
		request.OlderThanDays = 0
		if _, err := h.Purge(h.t.Context(), request); err != nil {
			h.t.Fatal(err)
		}
		claimed := h.claim()
		if len(claimed) != 1 || claimed[0].Name != "purge history older than 7 days" || claimed[0].Kind != "history.purge" {
			h.t.Errorf("got %+v: want one purge at a time", claimed)
		}
		request.OlderThanDays = 50_000
		_, err = h.Purge(h.t.Context(), request)
		wantFault(h.t, err, fault.BadInput, "olderThanDays: want 0 to 36525")
	})
}
