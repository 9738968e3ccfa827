package db

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
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

// lastNotice bounds how long a process that ends takes to tell of its last
// changes.
const lastNotice = 2 * time.Second

// A connection for notices that is lost is made again after these pauses, each
// twice as long as the one before.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
)

// Nobody learns from silence that a network is gone: so often the server is
// asked whether it is there, and so long it may take to answer.
const (
	askEvery    = 3 * time.Second
	answerLimit = 5 * time.Second
)

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
	Schedules   bool           `json:"d,omitempty"`
	Catalog     bool           `json:"p,omitempty"`
	Tokens      bool           `json:"k,omitempty"`
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
	t.schedules, t.catalog = t.schedules || ch.Schedules, t.catalog || ch.Catalog
	t.tokens = t.tokens || ch.Tokens
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

// everything is what may have changed while nobody listened.
func everything() Changes {
	return Changes{All: true, Ready: true, Cancels: true, Content: true, Schedules: true, Catalog: true, Tokens: true}
}

// Listen exchanges notices of changes with the other processes on PostgreSQL
// until ctx ends; on SQLite it only waits. Losing the connection loses no
// change: everything is looked at again after reconnecting. When it returns,
// the others were told of all changes before.
func (db *DB) Listen(ctx context.Context) error {
	if db.d != &postgres {
		<-ctx.Done()
		return nil
	}
	self := rand.Int64N(1 << 53)
	var sending sync.WaitGroup
	sending.Go(func() { db.sendNotices(ctx, self) })
	defer sending.Wait()
	pause := firstPause
	for {
		listened, err := db.receiveNotices(ctx, self)
		if ctx.Err() != nil {
			return nil
		}
		if listened {
			pause = firstPause
		}
		db.log.Warn("the connection for notices is lost", "error", err, "again in", pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
}

// receiveNotices receives over one connection until that is lost or ctx ends.
// It reports whether it listened at all.
func (db *DB) receiveNotices(ctx context.Context, self int64) (listened bool, err error) {
	notices := make(chan *pq.Notification, 32)
	conn, err := pq.NewListenerConn(db.address, notices)
	if err != nil {
		return false, err
	}
	ctx, end := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	helpers.Go(func() {
		<-ctx.Done()
		conn.Close() //nolint:errcheck // it may be closed already
	})
	helpers.Go(func() {
		defer end()
		listened, err = db.listen(ctx, conn)
	})
	// The connection's own goroutine closes the channel last of all.
	for n := range notices {
		db.receive(n, self)
	}
	end()
	helpers.Wait()
	return listened, err
}

// listen makes a connection receive notices, and then makes sure that it is not
// dead, until ctx ends.
func (db *DB) listen(ctx context.Context, conn *pq.ListenerConn) (listened bool, err error) {
	if err := answered(conn, "LISTEN "+channel); err != nil {
		return false, err
	}
	db.changes.tell(everything())
	for {
		select {
		case <-ctx.Done():
			return true, ctx.Err()
		case <-time.After(askEvery):
		}
		if err := answered(conn, ""); err != nil {
			return true, err
		}
	}
}

// answered sends a statement, and closes the connection if no answer comes.
func answered(conn *pq.ListenerConn, statement string) error {
	limit := time.AfterFunc(answerLimit, func() { conn.Close() }) //nolint:errcheck // the statement tells
	defer limit.Stop()
	if _, err := conn.ExecSimpleQuery(statement); err != nil {
		return fmt.Errorf("listen for notices: %w", err)
	}
	return nil
}

func (db *DB) receive(n *pq.Notification, self int64) {
	var got notice
	if err := json.Unmarshal([]byte(n.Extra), &got); err != nil {
		db.changes.tell(everything())
		return
	}
	if got.From != self {
		db.changes.tell(Changes{Tasks: got.Tasks, EndedTasks: got.EndedTasks, Groups: got.Groups, EndedGroups: got.EndedGroups,
			Ready: got.Ready, Cancels: got.Cancels, Content: got.Content, Schedules: got.Schedules, Catalog: got.Catalog, Tokens: got.Tokens, All: got.All})
	}
}

// sendNotices tells the other processes of the changes here until ctx ends.
func (db *DB) sendNotices(ctx context.Context, self int64) {
	pause := noticeInterval
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastNotice)
			defer cancel()
			if err := db.sendNotice(ctx, self); err != nil {
				db.log.Warn("the last changes are not told to other processes", "error", err)
			}
			return
		case <-db.changes.remote.signal:
		}
		switch err := db.sendNotice(ctx, self); {
		case err == nil:
			pause = noticeInterval
		case ctx.Err() == nil:
			db.log.Warn("changes are not told to other processes", "error", err, "again in", pause)
			pause = min(2*pause, lastPause)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// sendNotice tells of what changed since the last one. After an error, the next
// one tells of it.
func (db *DB) sendNotice(ctx context.Context, self int64) error {
	t := db.changes.remote.take()
	if t.none() {
		return nil
	}
	ch := t.changes()
	out := notice{From: self, Ready: ch.Ready, Cancels: ch.Cancels, Content: ch.Content, Schedules: ch.Schedules, Catalog: ch.Catalog, Tokens: ch.Tokens}
	if len(t.tasks)+len(t.groups) > maxNotice {
		out.All = true
	} else {
		out.Tasks, out.EndedTasks = ch.Tasks, ch.EndedTasks
		out.Groups, out.EndedGroups = ch.Groups, ch.EndedGroups
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if _, err := db.exec(ctx, "SELECT pg_notify(?, ?)", channel, encode(out)); err != nil {
		db.changes.remote.add(ch)
		return err
	}
	return nil
}
