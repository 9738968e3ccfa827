package metric

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ream/content"
	"ream/db"
	"ream/event"
	"ream/lane"
	"ream/quota"
	"ream/resolvers"
	"ream/task"
	"ream/worker"
)

// Sources count on their own, and are asked what they counted.
type Sources struct {
	Kinds       []task.Kind // of tasks; those of which there are none are told as well
	Queue       func(context.Context) (*task.Queue, error)
	Loads       func(context.Context) ([]task.Load, error)
	Storage     func(context.Context) (*content.Storage, error) // nil as long as it was not counted
	Pools       func() []db.Pool
	Hub         func() event.Stats       // nil without an API
	Traffic     func() resolvers.Traffic // nil without an API
	Content     func() quota.Load        // nil without content
	Connections func() lane.Load         // nil without clients
	Worker      func() worker.Stats      // nil without workers
	Received    func() int64             // bytes from upstreams
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

	mu   sync.Mutex
	read time.Time
	said said
}

// said is what the database said.
type said struct {
	queue   *task.Queue // nil if it did not answer
	loads   []task.Load
	storage *content.Storage // nil if it was not counted
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

	artifacts        = gauge("ream_storage_artifacts", "Artifacts in the storage: files that differ in their bytes.")
	storedBytes      = gauge("ream_storage_bytes", "Bytes of the artifacts in the storage.")
	orphans          = gauge("ream_storage_orphaned_artifacts", "Artifacts that no version and no publication names.")
	orphanedBytes    = gauge("ream_storage_orphaned_bytes", "Bytes of the artifacts that no version and no publication names.")
	quarantined      = gauge("ream_storage_quarantined_artifacts", "Artifacts that were found damaged or missing, and could not be got again yet.")
	unfetched        = gauge("ream_storage_unfetched_artifacts", "Files that versions name, and that are fetched only once a client asks for them.")
	unfetchedBytes   = gauge("ream_storage_unfetched_bytes", "Bytes of the files that are fetched only once a client asks for them.")
	storageCountedAt = gauge("ream_storage_counted_timestamp_seconds", "When the storage was last counted, in seconds since 1970.")

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

	connectionsOpen   = gauge("ream_connections_open", "TCP connections of clients that are open.")
	connectionsLimit  = gauge("ream_connections_limit", "How many TCP connections of clients may be open.")
	connectionsClosed = counter("ream_connections_closed_for_others_total", "TCP connections of clients that were closed while nothing was under way on them, as too many were open.")

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
	said := w.ask()
	collectQueue(said, w.sources.Kinds, send)
	if said.storage != nil {
		collectStorage(said.storage, send)
	}
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
	if w.sources.Connections != nil {
		l := w.sources.Connections()
		send(connectionsOpen, float64(l.Open))
		send(connectionsLimit, float64(l.Max))
		send(connectionsClosed, float64(l.Closed))
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

func collectStorage(s *content.Storage, send func(d described, v float64, labels ...string)) {
	send(artifacts, float64(s.Artifacts))
	send(storedBytes, float64(s.Bytes))
	send(orphans, float64(s.OrphanedArtifacts))
	send(orphanedBytes, float64(s.OrphanedBytes))
	send(quarantined, float64(s.QuarantinedArtifacts))
	send(unfetched, float64(s.UnfetchedArtifacts))
	send(unfetchedBytes, float64(s.UnfetchedBytes))
	send(storageCountedAt, float64(s.CountedAt.UnixMilli())/1000)
}

func collectQueue(s said, kinds []task.Kind, send func(d described, v float64, labels ...string)) {
	queue := s.queue
	if queue == nil {
		send(databaseUp, 0)
		return
	}
	send(databaseUp, 1)
	byKind := map[task.Kind]task.Load{}
	for _, kind := range kinds {
		byKind[kind] = task.Load{Kind: kind}
	}
	for _, l := range s.loads {
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
func (w *watcher) ask() said {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.read.IsZero() && time.Since(w.read) < queueAge {
		return w.said
	}
	ctx, cancel := context.WithTimeout(context.Background(), queueTimeout)
	defer cancel()
	var now said
	var err error
	if now.queue, err = w.sources.Queue(ctx); err == nil {
		now.loads, err = w.sources.Loads(ctx)
	}
	if err == nil {
		now.storage, err = w.sources.Storage(ctx)
	}
	if err != nil {
		w.log.Warn("metrics: the database cannot be read", "error", err)
		now = said{}
	}
	w.said, w.read = now, time.Now()
	return now
}
