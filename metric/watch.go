package metric

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ream/db"
	"ream/event"
	"ream/quota"
	"ream/resolvers"
	"ream/task"
	"ream/worker"
)

// Sources count on their own, and are asked what they counted.
type Sources struct {
	Kinds    []task.Kind // of tasks; those of which there are none are told as well
	Queue    func(context.Context) (*task.Queue, error)
	Loads    func(context.Context) ([]task.Load, error)
	Pools    func() []db.Pool
	Hub      func() event.Stats       // nil without an API
	Traffic  func() resolvers.Traffic // nil without an API
	Content  func() quota.Load        // nil without content
	Worker   func() worker.Stats      // nil without workers
	Received func() int64             // bytes from upstreams
}

// queueTimeout bounds how long a scrape waits for the database, and queueAge how
// old what it said may be: reading the queue of a large server takes a moment.
const (
	queueTimeout = 5 * time.Second
	queueAge     = time.Second
)

// watcher collects from the sources.
type watcher struct {
	sources Sources
	log     *slog.Logger

	mu    sync.Mutex
	read  time.Time
	queue *task.Queue // nil if the database did not answer
	loads []task.Load
}

// described is a metric without its value.
type described struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func gauge(name, help string, labels ...string) described {
	return described{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue}
}

func counter(name, help string, labels ...string) described {
	return described{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue}
}

// The metrics that are asked for.
var (
	databaseUp = gauge("ream_database_up", "Whether the database answered the scrape: 1 or 0.")

	tasks         = gauge("ream_tasks", "Unfinished tasks of all processes, by kind and state. Waiting tasks are BLOCKED by others, or READY to be run.", "kind", "state")
	oldestWaiting = gauge("ream_queue_oldest_waiting_seconds", "For how long the task waits that waits longest, of all processes; 0 if none waits.")
	workers       = gauge("ream_workers", "Workers that are alive, of all processes.")
	slots         = gauge("ream_worker_slots", "How many tasks this process runs at once.")
	taken         = gauge("ream_worker_slots_taken", "Tasks that this process runs, by kind.", "kind")

	poolLimit  = gauge("ream_database_pool_limit", "How many connections to the database there may be, by pool.", "pool")
	poolOpen   = gauge("ream_database_pool_open", "Connections to the database, by pool.", "pool")
	poolInUse  = gauge("ream_database_pool_in_use", "Connections to the database that are in use, by pool.", "pool")
	poolWaits  = counter("ream_database_pool_waits_total", "How often somebody waited for a connection to the database, by pool.", "pool")
	poolWaited = counter("ream_database_pool_wait_seconds_total", "For how long somebody waited for connections to the database, by pool.", "pool")

	sockets       = gauge("ream_websockets", "Open WebSockets.")
	opened        = counter("ream_websockets_opened_total", "WebSockets that were opened.")
	closed        = counter("ream_websockets_closed_total", "WebSockets that ended, by close code and by who closed: client or server. 1006 means that the connection broke.", "code", "by")
	streams       = gauge("ream_event_streams", "Open streams of server-sent events.")
	subscriptions = gauge("ream_subscriptions", "Open subscriptions, over WebSockets and server-sent events.")
	frames        = counter("ream_subscription_frames_total", "Results of subscriptions that were sent.")
	conflated     = counter("ream_subscription_frames_conflated_total", "Results of subscriptions that were replaced by newer ones before they were sent.")
	writeTimeouts = counter("ream_subscriber_write_timeouts_total", "Subscribers that were disconnected because they took nothing for too long.")

	contentOpen    = gauge("ream_content_requests_open", "Requests for published content that are being answered.")
	contentRefused = counter("ream_content_requests_refused_total", "Requests for published content that were refused, as there were too many at once: of the client, or of all.", "of")

	hubReads  = counter("ream_hub_reads_total", "How often the hub read what subscribers follow from the database.")
	hubTopics = counter("ream_hub_topics_read_total", "How many tasks, groups and queues the hub read for subscribers.")

	received = counter("ream_fetch_received_bytes_total", "Bytes of files that were received from upstreams, those of attempts that failed included.")
)

// Describe tells nothing: which metrics there are depends on the sources.
func (w *watcher) Describe(chan<- *prometheus.Desc) {}

// Collect asks the sources.
func (w *watcher) Collect(to chan<- prometheus.Metric) {
	send := func(d described, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d.desc, d.kind, v, labels...)
	}
	w.collectQueue(send)
	for _, p := range w.sources.Pools() {
		send(poolLimit, float64(p.Limit), p.Name)
		send(poolOpen, float64(p.Open), p.Name)
		send(poolInUse, float64(p.InUse), p.Name)
		send(poolWaits, float64(p.Waits), p.Name)
		send(poolWaited, p.Waited.Seconds(), p.Name)
	}
	if w.sources.Traffic != nil {
		collectTraffic(w.sources.Traffic(), send)
	}
	if w.sources.Content != nil {
		l := w.sources.Content()
		send(contentOpen, float64(l.Open))
		send(contentRefused, float64(l.RefusedClient), "client")
		send(contentRefused, float64(l.RefusedAll), "all")
	}
	if w.sources.Hub != nil {
		h := w.sources.Hub()
		send(conflated, float64(h.Conflated))
		send(hubReads, float64(h.Reads))
		send(hubTopics, float64(h.Topics))
	}
	if w.sources.Worker != nil {
		s := w.sources.Worker()
		send(slots, float64(s.Slots))
		for kind, n := range s.Taken {
			send(taken, float64(n), string(kind))
		}
	}
	send(received, float64(w.sources.Received()))
}

func collectTraffic(t resolvers.Traffic, send func(d described, v float64, labels ...string)) {
	send(sockets, float64(t.Sockets))
	send(opened, float64(t.Opened))
	for c, n := range t.Closed {
		code := "other"
		if c.Code != 0 {
			code = strconv.Itoa(c.Code)
		}
		send(closed, float64(n), code, c.By)
	}
	send(streams, float64(t.Streams))
	send(subscriptions, float64(t.Subscriptions))
	send(frames, float64(t.Frames))
	send(writeTimeouts, float64(t.WriteTimeouts))
}

func (w *watcher) collectQueue(send func(d described, v float64, labels ...string)) {
	queue, loads := w.ask()
	if queue == nil {
		send(databaseUp, 0)
		return
	}
	send(databaseUp, 1)
	byKind := map[task.Kind]task.Load{}
	for _, kind := range w.sources.Kinds {
		byKind[kind] = task.Load{Kind: kind}
	}
	for _, l := range loads {
		byKind[l.Kind] = l
	}
	for kind, l := range byKind {
		for state, n := range map[string]int{"BLOCKED": l.Blocked, "READY": l.Ready, string(task.Running): l.Running, string(task.Canceling): l.Canceling} {
			send(tasks, float64(n), string(kind), state)
		}
	}
	var age float64
	if queue.OldestWaiting != nil {
		age = max(time.Since(*queue.OldestWaiting).Seconds(), 0)
	}
	send(oldestWaiting, age)
	send(workers, float64(len(queue.Workers)))
}

// ask asks the database, unless it did so just now. Scrapes wait for each other.
func (w *watcher) ask() (*task.Queue, []task.Load) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.read.IsZero() && time.Since(w.read) < queueAge {
		return w.queue, w.loads
	}
	ctx, cancel := context.WithTimeout(context.Background(), queueTimeout)
	defer cancel()
	queue, err := w.sources.Queue(ctx)
	var loads []task.Load
	if err == nil {
		loads, err = w.sources.Loads(ctx)
	}
	if err != nil {
		w.log.Warn("metrics: the queue cannot be read", "error", err)
		queue, loads = nil, nil
	}
	w.queue, w.loads, w.read = queue, loads, time.Now()
	return queue, loads
}
