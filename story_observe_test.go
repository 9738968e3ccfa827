package main_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	span "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"ream/db/dbtest"
)

// scrape is what a server tells Prometheus.
type scrape map[string]*dto.MetricFamily

func (p *program) scrape() (scrape, []byte) {
	p.t.Helper()
	text := p.get("/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		p.t.Fatalf("%v\n%s", err, text)
	}
	return families, text
}

// value is that of the metric with these labels, names and values by turns: of a
// histogram, how much it counted. It is 0 if there is none.
func (s scrape) value(name string, labels ...string) float64 {
	for _, m := range s[name].GetMetric() {
		fits := len(m.GetLabel()) == len(labels)/2
		for i := 0; i < len(labels); i += 2 {
			fits = fits && slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == labels[i] && l.GetValue() == labels[i+1] })
		}
		if fits {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return 0
}

// awaitMetrics scrapes until the metrics are as wanted: some are counted once
// the answer is on its way.
func (p *program) awaitMetrics(wanted func(scrape) bool) {
	p.t.Helper()
	for limit := time.Now().Add(patience); ; {
		s, text := p.scrape()
		if wanted(s) {
			return
		}
		if time.Now().After(limit) {
			p.t.Fatalf("the metrics are not as wanted after %s:\n%s", patience, text)
		}
	}
}

func TestMetrics(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		c := newRESTClient(p)
		up := newUpstream(t, someFiles(3))
		p.repository("a", up.URL+"/PULP_MANIFEST")
		p.repository("b", up.URL+"/PULP_MANIFEST")
		p.repository("gone", up.URL+"/missing/PULP_MANIFEST")
		const kind = "repository.sync"

		// While a task runs, and another waits for it.
		reached, release := up.hold("file-1.bin")
		group := p.mirror("a")
		<-reached
		watching, leave := context.WithCancel(t.Context())
		defer leave()
		follower := p.subscribe(watching, currentProtocol, `subscription($id: ID!) { taskGroup(id: $id) { state } }`, group)
		<-follower.frames
		p.awaitMetrics(func(s scrape) bool {
			return s.value("ream_tasks", "kind", kind, "state", "RUNNING") == 1 &&
				s.value("ream_tasks", "kind", "repository.publish", "state", "BLOCKED") == 1 &&
				s.value("ream_queue_oldest_waiting_seconds") > 0 &&
				s.value("ream_workers") == 1 && s.value("ream_worker_slots") == 8 && s.value("ream_worker_slots_taken", "kind", kind) == 1 &&
				s.value("ream_websockets") == 1 && s.value("ream_subscriptions") == 1 && s.value("ream_subscription_frames_total") >= 1
		})
		release()
		for range follower.frames {
		}
		leave()

		// Afterwards.
		if got := c.send("POST", "/api/v1/sync", map[string]any{"repositories": named("a", "b", "gone")}, "Prefer", "wait=60"); got.State != "FAILED" {
			t.Fatalf("got %+v", got)
		}
		c.send("GET", "/api/v1/tasks/task-99", nil)
		c.send("BREW", "/api/v1/nothing", nil)
		ask[any](p, `{ nothing }`, nil)
		ask[any](p, `mutation { cancel(id: "task-99") { ... on Work { id } } }`, nil)
		p.get("/content/a/dir 1/file-1.bin")
		p.awaitMetrics(func(s scrape) bool {
			return s.value("ream_websockets") == 0 && s.value("ream_websockets_opened_total") == 1 && s.value("ream_subscriptions") == 0 &&
				s.value("ream_content_requests_total", "status", "200") == 1 &&
				s.value("ream_tasks", "kind", kind, "state", "RUNNING") == 0 && s.value("ream_queue_oldest_waiting_seconds") == 0
		})
		s, text := p.scrape()
		for _, want := range []struct {
			name   string
			labels []string
			value  float64
		}{
			{"ream_database_up", nil, 1},
			{"ream_build_info", []string{"version", "dev"}, 1},
			{"ream_tasks", []string{"kind", kind, "state", "RUNNING"}, 0},
			{"ream_queue_oldest_waiting_seconds", nil, 0},
			{"ream_task_runs_total", []string{"kind", kind, "state", "COMPLETED"}, 3},
			{"ream_task_runs_total", []string{"kind", kind, "state", "FAILED"}, 1},
			{"ream_task_duration_seconds", []string{"kind", "repository.publish", "state", "COMPLETED"}, 1},
			{"ream_task_wait_seconds", []string{"kind", kind}, 4},
			{"ream_fetch_received_bytes_total", nil, float64(3*1024 + 3*len(manifestOf(up.files)))},
			{"ream_fetch_attempts_total", []string{"outcome", "NOT_FOUND"}, 1},
			{"ream_fetch_attempts_total", []string{"outcome", "OK"}, 6},
			{"ream_graphql_operations_total", []string{"type", "mutation", "field", "mirror", "outcome", "OK"}, 1},
			{"ream_graphql_operations_total", []string{"type", "mutation", "field", "cancel", "outcome", "NOT_FOUND"}, 1},
			{"ream_graphql_operations_total", []string{"type", "invalid", "field", "", "outcome", "BAD_INPUT"}, 1},
			{"ream_graphql_operations_total", []string{"type", "subscription", "field", "taskGroup", "outcome", "OK"}, 1},
			{"ream_graphql_operation_duration_seconds", []string{"type", "mutation", "field", "mirror"}, 1},
			{"ream_graphql_operation_duration_seconds", []string{"type", "subscription", "field", "taskGroup"}, 0},
			{"ream_rest_requests_total", []string{"route", "/api/v1/sync", "method", "POST", "status", "200"}, 1},
			{"ream_rest_requests_total", []string{"route", "/api/v1/tasks/{id}", "method", "GET", "status", "404"}, 1},
			{"ream_rest_requests_total", []string{"route", "none", "method", "other", "status", "404"}, 1},
			{"ream_rest_request_duration_seconds", []string{"route", "/api/v1/sync"}, 1},
			{"ream_content_sent_bytes_total", []string{"status", "200"}, 1024},
			{"ream_subscriber_write_timeouts_total", nil, 0},
		} {
			if got := s.value(want.name, want.labels...); got != want.value {
				t.Errorf("%s%q: got %v, want %v", want.name, want.labels, got, want.value)
			}
		}
		for _, positive := range []string{"ream_hub_reads_total", "ream_hub_topics_read_total", "go_goroutines", "process_open_fds"} {
			if s.value(positive) <= 0 {
				t.Errorf("%s: got %v", positive, s.value(positive))
			}
		}
		if s.value("ream_database_statement_duration_seconds", "verb", "select") <= 0 || s.value("ream_database_statement_duration_seconds", "verb", "commit") <= 0 {
			t.Error("no statements were measured")
		}
		problems, err := promlint.New(bytes.NewReader(text)).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("the metrics are not as they should be: %v, %v", problems, err)
		}
		checkManual(t, s)
	})
}

// TestWorkersAreWatched asks a process that only works, which has no API.
func TestWorkersAreWatched(t *testing.T) {
	t.Parallel()
	shared := []string{"--data", t.TempDir(), "--database", dbtest.PostgresAddress(t)}
	p := start(t, append(shared, "--workers", "0")...)
	w := &program{t: t, as: []string{"worker", "--private-upstreams", "all", "--metrics-listen", "127.0.0.1:0"}, args: append(shared, "--workers", "3"), tmp: t.TempDir()}
	w.start()
	t.Cleanup(w.kill)
	up := newUpstream(t, someFiles(2))
	p.repository("files", up.URL+"/PULP_MANIFEST")
	if got := newRESTClient(p).send("POST", "/api/v1/sync", map[string]any{"repositories": named("files")}, "Prefer", "wait=60"); got.State != "COMPLETED" {
		t.Fatalf("got %+v", got)
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := string(w.get(path)); got != "ok\n" {
			t.Errorf("%s: got %q", path, got)
		}
	}
	s, text := w.scrape()
	if s.value("ream_task_runs_total", "kind", "repository.sync", "state", "COMPLETED") != 1 || s.value("ream_fetch_attempts_total", "outcome", "OK") != 3 ||
		s.value("ream_worker_slots") != 3 || s.value("ream_workers") != 1 || s["ream_websockets"] != nil {
		t.Errorf("the worker counts\n%s", text)
	}
	if s, text := p.scrape(); s.value("ream_task_runs_total", "kind", "repository.sync", "state", "COMPLETED") != 0 || s["ream_worker_slots"] != nil {
		t.Errorf("the server counts\n%s", text)
	}
	response, err := http.Get(w.address + "/graphql")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("the API: got %s, want none", response.Status)
	}
	w.stop()
}

// checkManual compares what is scraped with what docs/operating.md lists.
func checkManual(t *testing.T, s scrape) {
	t.Helper()
	manual, err := os.ReadFile("docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{"ream_database_statement_failures_total": true, "ream_database_pool_waits_total": true} // they may have nothing to tell
	for _, row := range regexp.MustCompile("(?m)^\\| `(ream_\\w+)`( \\*)? \\|([\\w, ]*)\\|").FindAllStringSubmatch(string(manual), -1) {
		name, labels := row[1], row[3]
		listed[name] = true
		family := s[name]
		if family == nil {
			if name != "ream_database_statement_failures_total" {
				t.Errorf("%s is listed, but not there", name)
			}
			continue
		}
		var names []string
		for _, l := range family.Metric[0].Label {
			names = append(names, l.GetName())
		}
		want := strings.FieldsFunc(labels, func(r rune) bool { return r == ',' || r == ' ' })
		slices.Sort(names)
		slices.Sort(want)
		if !slices.Equal(names, want) {
			t.Errorf("%s: got the labels %q, want %q", name, names, want)
		}
	}
	for name := range s {
		if strings.HasPrefix(name, "ream_") && !listed[name] {
			t.Errorf("%s is not listed", name)
		}
	}
}

// TestRequestsAreLogged follows a request's id through answers and the log.
func TestRequestsAreLogged(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		p := start(t, append(args, "--log", "debug", "--slow-operation", "1ns")...)
		send := func(method, path, body string) string {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), method, p.address+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Request-Id", "mine-1")
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			_, _ = io.Copy(io.Discard, response.Body)
			return response.Header.Get("X-Request-Id")
		}
		if got := send("POST", "/graphql?secret=1", `{"query": "query Mine($n: String!) { repository(name: $n) { id } }", "variables": {"n": "s3cret"}}`); got != "mine-1" {
			t.Errorf("got the id %q", got)
		}
		p.log.await(t, `msg="slow operation"`, "type=query field=repository name=Mine outcome=OK", "request=mine-1")
		p.log.await(t, "msg=answered method=POST path=/graphql status=200", "request=mine-1")
		send("GET", "/api/v1/tasks/task-99", "")
		p.log.await(t, `msg="slow operation"`, "route=/api/v1/tasks/{id} method=GET status=404", "request=mine-1")
		send("GET", "/content/s/", "")
		p.log.await(t, "msg=answered method=GET path=/content/s/ status=404", "request=mine-1")
		if log := p.log.String(); strings.Contains(log, "secret") || strings.Contains(log, "s3cret") {
			t.Errorf("the log holds what it must not:\n%s", log)
		}
	})
}

// receiver is a collector of traces.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	raw   bytes.Buffer
	spans []*span.Span
	more  chan struct{} // closed and replaced when there is more
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{more: make(chan struct{})}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		var export collector.ExportTraceServiceRequest
		if err != nil || request.URL.Path != "/v1/traces" || proto.Unmarshal(body, &export) != nil {
			http.Error(w, "this is no export", http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.raw.Write(body)
		for _, resource := range export.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				r.spans = append(r.spans, scope.Spans...)
			}
		}
		close(r.more)
		r.more = make(chan struct{})
	}))
	t.Cleanup(r.Close)
	return r
}

// await returns the first span that fits, once it is there.
func (r *receiver) await(t *testing.T, name string, fits func(*span.Span) bool) *span.Span {
	t.Helper()
	limit := time.After(patience)
	for {
		r.mu.Lock()
		more, found := r.more, slices.IndexFunc(r.spans, func(s *span.Span) bool { return s.Name == name && fits(s) })
		var names []string
		for _, s := range r.spans {
			names = append(names, s.Name)
		}
		var s *span.Span
		if found >= 0 {
			s = r.spans[found]
		}
		r.mu.Unlock()
		if s != nil {
			return s
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("no fitting span %q among %q", name, names)
		}
	}
}

func attribute(s *span.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			if text := a.Value.GetStringValue(); text != "" {
				return text
			}
			return fmt.Sprint(a.Value.GetIntValue())
		}
	}
	return ""
}

func TestTraces(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		r := newReceiver(t)
		p := startIn(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + r.URL, "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_SERVICE_NAME=ream-test"}, args...)
		c := newRESTClient(p)
		up := newUpstream(t, someFiles(2))
		p.repository("files", up.URL+"/PULP_MANIFEST?token=s3cret")
		p.repository("gone", up.URL+"/missing/PULP_MANIFEST")

		_, token := p.newToken(`name: "r", role: OPERATOR`)
		const trace = "0af7651916cd43dd8448eb211c80319c"
		work := c.send("POST", "/api/v1/sync", map[string]any{"repositories": named("files"), "idempotencyKey": "s3cret"}, "Prefer", "wait=60",
			"Traceparent", "00-"+trace+"-b7ad6b7169203331-01", "X-Request-Id", "mine-1", "Authorization", "Bearer "+token)
		if work.State != "COMPLETED" {
			t.Fatalf("got %+v", work)
		}
		request := r.await(t, "POST /api/v1/sync", func(s *span.Span) bool { return hex.EncodeToString(s.TraceId) == trace })
		if hex.EncodeToString(request.ParentSpanId) != "b7ad6b7169203331" || request.Kind != span.Span_SPAN_KIND_SERVER || attribute(request, "http.response.status_code") != "200" ||
			attribute(request, "ream.request.id") != "mine-1" || attribute(request, "http.route") != "/api/v1/sync" {
			t.Errorf("the request: got %v", request)
		}
		run := r.await(t, "task repository.sync", func(s *span.Span) bool { return attribute(s, "ream.task.id") == work.ID })
		if !bytes.Equal(run.ParentSpanId, request.SpanId) || !bytes.Equal(run.TraceId, request.TraceId) || run.Kind != span.Span_SPAN_KIND_CONSUMER || run.Status.GetCode() == span.Status_STATUS_CODE_ERROR || attribute(run, "ream.task.attempt") != "1" {
			t.Errorf("the task: got %v, want a child of %v", run, request)
		}
		for _, address := range []string{"/PULP_MANIFEST", "/dir%201/file-1.bin"} {
			fetched := r.await(t, "fetch", func(s *span.Span) bool { return attribute(s, "url.full") == up.URL+address })
			if !bytes.Equal(fetched.ParentSpanId, run.SpanId) || !bytes.Equal(fetched.TraceId, run.TraceId) || attribute(fetched, "server.address") != "127.0.0.1" {
				t.Errorf("%s: got %v, want a child of %v", address, fetched, run)
			}
		}

		// What fails, and what is asked by GraphQL.
		failed := c.send("POST", "/api/v1/sync", map[string]any{"repositories": named("gone")}, "Prefer", "wait=60")
		run = r.await(t, "task repository.sync", func(s *span.Span) bool { return attribute(s, "ream.task.id") == failed.ID })
		if run.Status.GetCode() != span.Status_STATUS_CODE_ERROR || attribute(run, "error.type") != "NOT_FOUND" {
			t.Errorf("the failed task: got %v", run)
		}
		ask[any](p, `query Mine($n: String!) { repository(name: $n) { id } }`, map[string]any{"n": "s3cret"})
		operation := r.await(t, "query repository", func(s *span.Span) bool { return attribute(s, "graphql.operation.name") == "Mine" })
		r.await(t, "POST", func(s *span.Span) bool { return bytes.Equal(s.SpanId, operation.ParentSpanId) })
		publish := query[struct{ Publish struct{ ID string } }](p, `mutation { publish(input: {repositories: {names: ["files"]}}) { ... on Work { id } } }`, nil).Publish.ID
		operation = r.await(t, "mutation publish", func(*span.Span) bool { return true })
		run = r.await(t, "task repository.publish", func(s *span.Span) bool { return attribute(s, "ream.task.id") == publish })
		if !bytes.Equal(run.ParentSpanId, operation.SpanId) || !bytes.Equal(run.TraceId, operation.TraceId) {
			t.Errorf("the publication: got %v, want a child of %v", run, operation)
		}

		p.stop()
		r.mu.Lock()
		defer r.mu.Unlock()
		if raw := r.raw.Bytes(); bytes.Contains(raw, []byte("s3cret")) || bytes.Contains(raw, []byte(token)) || !bytes.Contains(raw, []byte("ream-test")) {
			t.Error("the spans hold a secret, or not the service's name")
		}
		if log := p.log.String(); strings.Contains(log, "s3cret") {
			t.Errorf("the log holds a secret:\n%s", log)
		}
	})
}

// TestTracesReachOtherProcesses queues work in one process that another does.
func TestTracesReachOtherProcesses(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	environment := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + r.URL, "OTEL_BSP_SCHEDULE_DELAY=50"}
	shared := []string{"--data", t.TempDir(), "--database", dbtest.PostgresAddress(t)}
	p := startIn(t, environment, append(shared, "--workers", "0")...)
	startWorkerIn(t, environment, append(shared, "--workers", "1")...)
	up := newUpstream(t, someFiles(1))
	p.repository("files", up.URL+"/PULP_MANIFEST")
	work := newRESTClient(p).send("POST", "/api/v1/sync", map[string]any{"repositories": named("files")}, "Prefer", "wait=60")
	request := r.await(t, "POST /api/v1/sync", func(*span.Span) bool { return true })
	run := r.await(t, "task repository.sync", func(s *span.Span) bool { return attribute(s, "ream.task.id") == work.ID })
	fetched := r.await(t, "fetch", func(s *span.Span) bool { return bytes.Equal(s.ParentSpanId, run.SpanId) })
	if !bytes.Equal(run.ParentSpanId, request.SpanId) || !bytes.Equal(fetched.TraceId, request.TraceId) {
		t.Errorf("got %v and %v, want them below %v", run, fetched, request)
	}
}

// TestTracesThatCannotBeSent says so once, and serves on.
func TestTracesThatCannotBeSent(t *testing.T) {
	t.Parallel()
	p := startIn(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://user:s3cret@127.0.0.1:1", "OTEL_BSP_SCHEDULE_DELAY=1", "OTEL_EXPORTER_OTLP_TIMEOUT=100"}, "--data", t.TempDir())
	query[any](p, `{ queue { counts { total } } }`, nil)
	p.log.await(t, "traces cannot be sent")
	query[any](p, `{ queue { counts { total } } }`, nil)
	p.stop()
	if log := p.log.String(); strings.Contains(log, "s3cret") {
		t.Errorf("the log holds a secret:\n%s", log)
	}
}
