package db

import (
	"sync"

	"ream/task"
)

// Changes is what a transaction, here or in another process, changed.
type Changes struct {
	Tasks   []task.ID
	Groups  []task.GroupID
	Ready   bool // tasks may have become ready for workers
	Cancels bool // running tasks were canceled
	Content bool // what distributions serve changed
	All     bool // changes may have been missed: look at everything again
}

// changes tells those who asked.
type changes struct {
	mu        sync.RWMutex
	listeners []func(Changes)
	remote    *notifier // other processes; nil on SQLite
}

// OnChange calls f after each commit that changed a task, a group, or what is
// served, in this process or, on PostgreSQL, in another one. f must not block.
func (db *DB) OnChange(f func(Changes)) {
	db.changes.mu.Lock()
	defer db.changes.mu.Unlock()
	db.changes.listeners = append(db.changes.listeners, f)
}

func (c *changes) tell(ch Changes) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, f := range c.listeners {
		f(ch)
	}
}

// touched collects what a transaction changes.
type touched struct {
	tasks   map[task.ID]struct{}
	groups  map[task.GroupID]struct{}
	ready   bool
	cancels bool
	content bool
}

func (t *touched) task(id task.ID) {
	if t.tasks == nil {
		t.tasks = map[task.ID]struct{}{}
	}
	t.tasks[id] = struct{}{}
}

func (t *touched) group(id task.GroupID) {
	if id == 0 {
		return
	}
	if t.groups == nil {
		t.groups = map[task.GroupID]struct{}{}
	}
	t.groups[id] = struct{}{}
}

// publish tells of a committed transaction.
func (db *DB) publish(t touched) {
	ch := Changes{Ready: t.ready, Cancels: t.cancels, Content: t.content}
	for id := range t.tasks {
		ch.Tasks = append(ch.Tasks, id)
	}
	for id := range t.groups {
		ch.Groups = append(ch.Groups, id)
	}
	if len(ch.Tasks)+len(ch.Groups) == 0 && !ch.Ready && !ch.Cancels && !ch.Content {
		return
	}
	db.changes.tell(ch)
	if db.changes.remote != nil {
		db.changes.remote.add(ch)
	}
}
