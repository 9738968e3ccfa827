package db

import (
	"sync"

	"ream/task"
)

// Changes is what a transaction, here or in another process, changed.
type Changes struct {
	Tasks       []task.ID
	EndedTasks  []task.ID // changed for the last time; not among Tasks
	Groups      []task.GroupID
	EndedGroups []task.GroupID // changed for the last time; not among Groups
	Ready       bool           // tasks may have become ready for workers
	Cancels     bool           // running tasks were canceled
	Content     bool           // what distributions serve changed
	Schedules   bool           // schedules changed: what they are, when they fire, or what came of it
	Catalog     bool           // repositories changed, or remotes, or what versions there are
	Tokens      bool           // tokens were revoked
	All         bool           // changes may have been missed: look at everything again
}

// changes tells those who asked.
type changes struct {
	mu        sync.RWMutex
	listeners []func(Changes)
	remote    *notifier // other processes; nil on SQLite
}

// OnChange calls f after each commit that changed a task, a group, what is
// served, a schedule, a repository, or who is let in, in this process or, on PostgreSQL,
// in another one. f must not block.
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
	tasks     map[task.ID]bool // whether it changed for the last time
	groups    map[task.GroupID]bool
	ready     bool
	cancels   bool
	content   bool
	schedules bool
	catalog   bool
	tokens    bool
}

func (t *touched) task(id task.ID, ended bool) {
	if t.tasks == nil {
		t.tasks = map[task.ID]bool{}
	}
	t.tasks[id] = t.tasks[id] || ended
}

func (t *touched) group(id task.GroupID, ended bool) {
	if id == 0 {
		return
	}
	if t.groups == nil {
		t.groups = map[task.GroupID]bool{}
	}
	t.groups[id] = t.groups[id] || ended
}

// changes are what was touched, for those who are told.
func (t touched) changes() Changes {
	ch := Changes{Ready: t.ready, Cancels: t.cancels, Content: t.content, Schedules: t.schedules, Catalog: t.catalog, Tokens: t.tokens}
	ch.Tasks, ch.EndedTasks = parted(t.tasks)
	ch.Groups, ch.EndedGroups = parted(t.groups)
	return ch
}

// none reports whether nothing changed that anybody is told of.
func (t touched) none() bool {
	return len(t.tasks)+len(t.groups) == 0 && !t.ready && !t.cancels && !t.content && !t.schedules && !t.catalog && !t.tokens
}

// publish tells of a committed transaction.
func (db *DB) publish(t touched) {
	if t.none() {
		return
	}
	ch := t.changes()
	db.changes.tell(ch)
	if db.changes.remote != nil {
		db.changes.remote.add(ch)
	}
}

// parted are the ids that go on, and those that ended.
func parted[K comparable](ids map[K]bool) (going, ended []K) {
	for id, over := range ids {
		if over {
			ended = append(ended, id)
		} else {
			going = append(going, id)
		}
	}
	return going, ended
}
