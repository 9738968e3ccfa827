// Package metric holds what Prometheus is told: the metrics, and the registry
// in which they are. It is told of what takes time, and asks the others for
// what they counted when it is scraped.
package metric

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ream/task"
)

// The bounds of histograms, in seconds.
var (
	quick = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}            // what somebody waits for
	long  = []float64{.01, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 8 * 3600, 24 * 3600} // what runs in the background
)

// Metrics are all metrics. They are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	log      *slog.Logger

	operations        *prometheus.CounterVec
	operationSeconds  *prometheus.HistogramVec
	restRequests      *prometheus.CounterVec
	restSeconds       *prometheus.HistogramVec
	contentRequests   *prometheus.CounterVec
	contentBytes      *prometheus.CounterVec
	usual             map[int]sent // by the statuses that most requests for content are answered with
	taskRuns          *prometheus.CounterVec
	taskSeconds       *prometheus.HistogramVec
	taskWaits         *prometheus.HistogramVec
	statementSeconds  *prometheus.HistogramVec
	statementFailures *prometheus.CounterVec
	downloads         *prometheus.CounterVec
}

// New returns metrics of a program of that version.
func New(version string, log *slog.Logger) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), log: log}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := m.gauge("ream_build_info", "1, with the program's version.", "version")
	build.WithLabelValues(version).Set(1)

	m.operations = m.counter("ream_graphql_operations_total", "GraphQL operations that ended, by type, by the root field that they ask for, and by outcome: OK, CANCELED, or the code of the first error.", "type", "field", "outcome")
	m.operationSeconds = m.histogram("ream_graphql_operation_duration_seconds", "How long GraphQL queries and mutations took.", quick, "type", "field")
	m.restRequests = m.counter("ream_rest_requests_total", "Requests to the REST API, by the pattern of their path, method and status.", "route", "method", "status")
	m.restSeconds = m.histogram("ream_rest_request_duration_seconds", "How long requests to the REST API took, without the time for which clients asked to wait.", quick, "route")
	m.contentRequests = m.counter("ream_content_requests_total", "Requests for published content, by status.", "status")
	m.contentBytes = m.counter("ream_content_sent_bytes_total", "Bytes of published content that were sent, by the status of the answer.", "status")
	m.usual = map[int]sent{}
	for _, status := range []int{http.StatusOK, http.StatusPartialContent, http.StatusNotModified, http.StatusNotFound} {
		m.usual[status] = m.sent(status)
	}
	m.taskRuns = m.counter("ream_task_runs_total", "Runs of tasks that ended in this process, by kind and the state that the task came to; WAITING if it was returned to the queue.", "kind", "state")
	m.taskSeconds = m.histogram("ream_task_duration_seconds", "How long runs of tasks took in this process, by kind and the state that the task came to.", long, "kind", "state")
	m.taskWaits = m.histogram("ream_task_wait_seconds", "How long tasks waited before they were started for the first time in this process.", long, "kind")
	m.statementSeconds = m.histogram("ream_database_statement_duration_seconds", "How long statements took, by their first word, and commits.", quick, "verb")
	m.statementFailures = m.counter("ream_database_statement_failures_total", "Statements and commits that failed, those that were tried again included.", "verb")
	m.downloads = m.counter("ream_fetch_attempts_total", "Attempts to download a file from an upstream, by outcome: OK, CANCELED, UNAVAILABLE if it may be tried again, or what is wrong for good.", "outcome")
	return m
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelError), ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4})
}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) histogram(name, help string, bounds []float64, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, labels)
	m.registry.MustRegister(v)
	return v
}

// Operated counts a GraphQL operation that ended. How long a subscription was
// open says nothing about the server, so it is not measured.
func (m *Metrics) Operated(kind, field, outcome string, took time.Duration) {
	m.operations.WithLabelValues(kind, field, outcome).Inc()
	if kind != "subscription" {
		m.operationSeconds.WithLabelValues(kind, field).Observe(took.Seconds())
	}
}

// Answered counts a request to the REST API. Unknown routes and methods, of
// which clients can make up any number, are counted together.
func (m *Metrics) Answered(route, method string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		method = "other"
	}
	m.restRequests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.restSeconds.WithLabelValues(route).Observe(took.Seconds())
}

// Sent counts a request for published content.
func (m *Metrics) Sent(status int, bytes int64) {
	s, ok := m.usual[status]
	if !ok {
		s = m.sent(status)
	}
	s.requests.Inc()
	s.bytes.Add(float64(bytes))
}

// sent counts the requests for content that are answered with a status. Finding
// it takes longer than counting.
type sent struct{ requests, bytes prometheus.Counter }

func (m *Metrics) sent(status int) sent {
	text := strconv.Itoa(status)
	return sent{m.contentRequests.WithLabelValues(text), m.contentBytes.WithLabelValues(text)}
}

// Started counts how long a task waited.
func (m *Metrics) Started(t *task.Task) {
	if t.Attempt == 1 && t.StartedAt != nil {
		m.taskWaits.WithLabelValues(string(t.Kind)).Observe(max(t.StartedAt.Sub(t.CreatedAt), 0).Seconds())
	}
}

// Ended counts a run of a task.
func (m *Metrics) Ended(t *task.Task, s task.State, took time.Duration) {
	m.taskRuns.WithLabelValues(string(t.Kind), string(s)).Inc()
	m.taskSeconds.WithLabelValues(string(t.Kind), string(s)).Observe(took.Seconds())
}

// Stated counts a statement of the database.
func (m *Metrics) Stated(verb string, took time.Duration, err error) {
	m.statementSeconds.WithLabelValues(verb).Observe(took.Seconds())
	if err != nil {
		m.statementFailures.WithLabelValues(verb).Inc()
	}
}

// Downloaded counts an attempt at a download.
func (m *Metrics) Downloaded(outcome string) { m.downloads.WithLabelValues(outcome).Inc() }

// Watch asks the sources whenever it is scraped. It may be called once.
func (m *Metrics) Watch(s Sources) { m.registry.MustRegister(&watcher{sources: s, log: m.log}) }
