// Package rest answers the operations over plain HTTP, for those who have only
// curl. What takes time is answered at once, with a task or a group of tasks
// that are told apart by their media types; openapi.json describes the rest.
package rest

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"ream/access"
	"ream/catalog"
	"ream/content"
	"ream/event"
	"ream/fault"
	"ream/page"
	"ream/quota"
	"ream/task"
	"ream/trail"
)

// Prefix is where the API lies on a server.
const Prefix = "/api/v1/"

// Catalog queues work, cancels it, and does it again. It validates what it is
// given, and returns faults for what it rejects. It must be safe for concurrent
// use.
type Catalog interface {
	Sync(context.Context, catalog.SyncRequest) (task.Work, error)
	Publish(context.Context, catalog.PublishRequest) (task.Work, error)
	Mirror(context.Context, catalog.MirrorRequest) (*task.Group, error)
	Purge(context.Context, catalog.PurgeRequest) (task.Work, error)
	CleanOrphans(context.Context, catalog.CleanOrphansRequest) (task.Work, error)
	VerifyContent(context.Context, catalog.VerifyContentRequest) (task.Work, error)
	CancelTask(context.Context, task.ID) (*task.Task, error)
	CancelGroup(context.Context, task.GroupID) (*task.Group, error)
	RetryTask(context.Context, task.ID) (*task.Task, error)
	RetryGroup(context.Context, task.GroupID) (*task.Group, error)
	Versions
	Uploads
	UploadFiles(context.Context, catalog.UploadRequest) (*task.Task, error)
	// RecordOutcome makes sure that the audit log has the operation under way,
	// which ended with an error, or with nil.
	RecordOutcome(ctx context.Context, outcome error) error
}

// Stores gives to each caller the store that they may read.
type Stores interface {
	// Within returns what there is for those who are limited to some repositories.
	// The empty limit is none.
	Within(access.Limit) Store
}

// Store reads. Methods that take several ids answer in their order, with nil
// where there is no such thing. It must be safe for concurrent use.
type Store interface {
	TasksByID(context.Context, []task.ID) ([]*task.Task, error)
	GroupsByID(context.Context, []task.GroupID) ([]*task.Group, error)
	TasksOf(context.Context, task.Relation, []int64, task.Filter, page.Request) ([]*page.Of[*task.Task], error)
	Created(context.Context, []task.ID) ([][]task.Created, error)
	Failures(context.Context, []task.ID, page.Request) ([]*page.Of[*task.Failure], error)
	VersionsByID(context.Context, []content.VersionID) ([]*content.Version, error)
	Diff(ctx context.Context, from, to *content.Version, kinds []content.ChangeKind, p page.Request) (*page.Of[*content.UnitChange], error)
	Previews(context.Context, []task.ID) ([]*content.Preview, error)
	PreviewChanges(context.Context, []task.ID, []content.PreviewKind, page.Request) ([]*page.Of[*content.PreviewChange], error)
	Findings(context.Context, []task.ID, page.Request) ([]*page.Of[*content.Finding], error)
}

// Hub tells what changed. The channel gives the present snapshot at once, then
// newer ones, and is closed after the final one or when ctx ends. An unknown
// topic is a fault.NotFound.
type Hub interface {
	Subscribe(ctx context.Context, topic event.Topic) (<-chan event.Snapshot, error)
}

// Exchange is a request with its answer.
type Exchange struct {
	Route  string // the pattern of its path; empty if there is none
	Method string // as the client wrote it
	Status int
	Took   time.Duration // without the time for which the client asked to wait
}

// Options are the settings of a Handler. Zero values stand for the defaults.
type Options struct {
	Log       *slog.Logger
	Duration  time.Duration                   // how long it may take to read a list; any time if 0
	MaxWait   time.Duration                   // how long a client may wait for work; 60 s
	MaxWaits  int                             // how many clients may wait at once; 10,000
	Rate      *quota.Rate                     // how often a client may ask, shared with what else it asks; as often as it wants if nil
	Now       func() time.Time                // time.Now
	MaxUpload int64                           // bytes that an upload may have; any number if 0
	Origins   []string                        // of pages that may change something, besides the server's own
	Answered  func(context.Context, Exchange) // is told of each request; nobody is if nil
}

// Handler answers requests below Prefix. Requests that pages of other sites
// cause may change nothing. It is safe for concurrent use.
type Handler struct {
	catalog Catalog
	stores  Stores
	hub     Hub
	o       Options

	mux     *http.ServeMux
	foreign *http.CrossOriginProtection
	waits   chan struct{} // holds a token for each client that waits
	ended   chan struct{} // closed when nobody may wait any more
	end     func()
}

// New returns a handler of what the catalog does and the store holds.
func New(c Catalog, s Stores, hub Hub, o Options) *Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxWait <= 0 {
		o.MaxWait = time.Minute
	}
	if o.MaxWaits <= 0 {
		o.MaxWaits = 10_000
	}
	if o.Rate == nil {
		o.Rate = quota.NewRate(0, 0)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Answered == nil {
		o.Answered = func(context.Context, Exchange) {}
	}
	h := &Handler{catalog: c, stores: s, hub: hub, o: o, mux: http.NewServeMux(), foreign: http.NewCrossOriginProtection(),
		waits: make(chan struct{}, o.MaxWaits), ended: make(chan struct{})}
	for _, origin := range o.Origins {
		if err := h.foreign.AddTrustedOrigin(origin); err != nil {
			panic(err) // the flags were checked
		}
	}
	h.end = sync.OnceFunc(func() { close(h.ended) })
	for _, r := range h.routes() {
		h.mux.Handle(r.pattern, r)
	}
	h.mux.HandleFunc(Prefix+"uploads", h.uploads)
	h.mux.HandleFunc(Prefix+"uploads/{id}", h.oneUpload)
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.fail(w, r, fault.New(fault.NotFound, "there is nothing at this path: %sopenapi.json lists what there is", Prefix))
	})
	return h
}

// store is what the caller of a request may read.
func (h *Handler) store(ctx context.Context) Store {
	return h.stores.Within(access.CallerOf(ctx).Limit)
}

// Refuse answers a request that ends with a fault before it comes here.
func (h *Handler) Refuse(w http.ResponseWriter, r *http.Request, err error) { h.fail(w, r, err) }

// EndWaits answers those who wait for work with its present state, also those
// who ask for it later. Call it when the server stops.
func (h *Handler) EndWaits() { h.end() }

// visit is what becomes known of a request while it is answered.
type visit struct {
	route  string
	waited time.Duration
}

type visitKey struct{}

func visitOf(r *http.Request) *visit { return r.Context().Value(visitKey{}).(*visit) }

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	v := &visit{}
	r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
	recorder := trail.Record(w)
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			h.o.Log.ErrorContext(r.Context(), "panic", "path", r.URL.Path, "error", p, "stack", string(debug.Stack()))
			h.fail(recorder, r, fault.New(fault.Internal, "panic"))
		}
		h.o.Answered(r.Context(), Exchange{Route: v.route, Method: r.Method, Status: recorder.Status(), Took: time.Since(began) - v.waited})
	}()
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	if wait := h.o.Rate.Take(quota.ClientOf(r.Context())); wait > 0 {
		h.fail(recorder, r, refusal{http.StatusTooManyRequests, fault.New(fault.RateLimited, "you send more than %d requests a second", h.o.Rate.PerSecond()), wait})
		return
	}
	if h.foreign.Check(r) != nil {
		h.fail(recorder, r, fault.New(fault.Forbidden, "pages of another site may change nothing here"))
		return
	}
	h.mux.ServeHTTP(recorder, r)
}
