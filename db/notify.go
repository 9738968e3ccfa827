package db

import (
	"context"
	"encoding/json"
	"time"

	"github.com/lib/pq"

	"ream/task"
)

// channel is the PostgreSQL channel on which processes tell each other what
// changed.
const channel = "ream_changes"

// Notices are written at most this often, because NOTIFY makes the commits of
// all notifying transactions take turns. The first one goes out at once.
const noticeInterval = 50 * time.Millisecond

// maxNotice bounds the ids in one notice: PostgreSQL allows 8,000 bytes. With
// more, everybody looks at everything.
const maxNotice = 400

// notice is what travels between processes.
type notice struct {
	From        int64          `json:"f"`
	Tasks       []task.ID      `json:"t,omitempty"`
	EndedTasks  []task.ID      `json:"te,omitempty"`
	Groups      []task.GroupID `json:"g,omitempty"`
	EndedGroups []task.GroupID `json:"ge,omitempty"`
	Ready       bool           `json:"r,omitempty"`
	Cancels     bool           `json:"c,omitempty"`
	Content     bool           `json:"s,omitempty"`
	All         bool           `json:"a,omitempty"`
}

// notifier coalesces changes for the other processes.
type notifier struct {
	pending chan touched // one slot
	signal  chan struct{}
}

func newNotifier() *notifier {
	n := &notifier{pending: make(chan touched, 1), signal: make(chan struct{}, 1)}
	n.pending <- touched{}
	return n
}

func (n *notifier) add(ch Changes) {
	t := <-n.pending
	for _, id := range ch.Tasks {
		t.task(id, false)
	}
	for _, id := range ch.EndedTasks {
		t.task(id, true)
	}
	for _, id := range ch.Groups {
		t.group(id, false)
	}
	for _, id := range ch.EndedGroups {
		t.group(id, true)
	}
	t.ready, t.cancels, t.content = t.ready || ch.Ready, t.cancels || ch.Cancels, t.content || ch.Content
	n.pending <- t
	select {
	case n.signal <- struct{}{}:
	default:
	}
}

func (n *notifier) take() touched {
	t := <-n.pending
	n.pending <- touched{}
	return t
}

// Listen exchanges notices of changes with the other processes on PostgreSQL
// until ctx ends; on SQLite it only waits. Losing the connection loses no
// change: everything is looked at again after reconnecting.
func (db *DB) Listen(ctx context.Context) error {
	if db.d != &postgres {
		<-ctx.Done()
		return nil
	}
	var self int64
	if err := db.get(ctx, &self, "SELECT (random() * 9007199254740991)::bigint"); err != nil {
		return db.d.classify(err)
	}
	listener := pq.NewListener(db.address, 100*time.Millisecond, 5*time.Second, func(_ pq.ListenerEventType, err error) {
		if err != nil {
			db.log.Warn("the connection for notices is lost", "error", err)
		}
	})
	defer listener.Close()
	// Listen blocks while the server is away, so it cannot be waited for here.
	listening := make(chan error, 1)
	go func() { listening <- listener.Listen(channel) }()
	sent := make(chan struct{})
	go func() { defer close(sent); db.sendNotices(ctx, self) }()
	defer func() { <-sent }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-listening:
			if err != nil {
				return err
			}
			db.changes.tell(Changes{All: true, Ready: true, Cancels: true, Content: true})
		case n := <-listener.Notify:
			db.receive(n, self)
		case <-time.After(30 * time.Second):
			go listener.Ping() //nolint:errcheck // a lost connection is told to the callback
		}
	}
}

func (db *DB) receive(n *pq.Notification, self int64) {
	everything := Changes{All: true, Ready: true, Cancels: true, Content: true}
	if n == nil { // reconnected
		db.changes.tell(everything)
		return
	}
	var got notice
	if err := json.Unmarshal([]byte(n.Extra), &got); err != nil {
		db.changes.tell(everything)
		return
	}
	if got.From != self {
		db.changes.tell(Changes{Tasks: got.Tasks, EndedTasks: got.EndedTasks, Groups: got.Groups, EndedGroups: got.EndedGroups,
			Ready: got.Ready, Cancels: got.Cancels, Content: got.Content, All: got.All})
	}
}

func (db *DB) sendNotices(ctx context.Context, self int64) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-db.changes.remote.signal:
		}
		t := db.changes.remote.take()
		out := notice{From: self, Ready: t.ready, Cancels: t.cancels, Content: t.content}
		if len(t.tasks)+len(t.groups) > maxNotice {
			out.All = true
		} else {
			out.Tasks, out.EndedTasks = parted(t.tasks)
			out.Groups, out.EndedGroups = parted(t.groups)
		}
		// A notice that cannot be sent is no loss: whoever lost the connection
		// looks at everything once it is back, and the others poll.
		if _, err := db.exec(ctx, "SELECT pg_notify(?, ?)", channel, encode(out)); err != nil && ctx.Err() == nil {
			db.log.Warn("notice of changes not sent", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(noticeInterval):
		}
	}
}
