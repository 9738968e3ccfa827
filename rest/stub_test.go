package rest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"ream/access"
	"ream/catalog"
	"ream/content"
	"ream/event"
	"ream/fault"
	"ream/page"
	"ream/rest/resttest"
	"ream/task"
	"ream/trail"
)

// stub is a catalog, a store and a hub that hold one task and one group.
type stub struct {
	group     *task.Group
	task      *task.Task
	err       error // what operations end with
	snapshots chan event.Snapshot
	panics    bool
	slow      bool // whether a diff goes on until it is ended
	upload    *content.Upload
	received  string
	unknown   bool                  // whether the task has no preview
	kinds     []content.PreviewKind // that were asked for

	role  access.Role  // of who asks; that of an admin if empty
	limit access.Limit // of who asks

	mu       sync.Mutex
	recorded []string // what the audit log has: operation, arguments, code
}

// Within is the same within every limit.
func (s *stub) Within(access.Limit) Store { return s }

func (s *stub) RecordOutcome(ctx context.Context, outcome error) error {
	e := access.ActionOf(ctx).Entry(ctx, outcome)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recorded = append(s.recorded, fmt.Sprint(e.Operation, " ", string(e.Arguments), " ", e.Code))
	return nil
}

func (s *stub) Sync(context.Context, catalog.SyncRequest) (task.Work, error) {
	if s.panics {
		panic("secret")
	}
	return s.task, s.err
}

func (s *stub) Publish(context.Context, catalog.PublishRequest) (task.Work, error) {
	return s.group, s.err
}

func (s *stub) Mirror(context.Context, catalog.MirrorRequest) (*task.Group, error) {
	return s.group, s.err
}

func (s *stub) Purge(context.Context, catalog.PurgeRequest) (task.Work, error) {
	return s.task, s.err
}

func (s *stub) UploadFiles(context.Context, catalog.UploadRequest) (*task.Task, error) {
	return s.task, s.err
}

func (s *stub) Modify(context.Context, catalog.ModifyRequest) (*task.Task, error) {
	return s.task, s.err
}

func (s *stub) Copy(context.Context, catalog.CopyRequest) (*task.Task, error) {
	return s.task, s.err
}

func (s *stub) Restore(context.Context, catalog.RestoreRequest) (*task.Task, error) {
	return s.task, s.err
}

func (s *stub) DeleteVersion(context.Context, catalog.DeleteVersionRequest) (*task.Task, error) {
	return s.task, s.err
}

func (s *stub) Promote(context.Context, content.DistributionID, content.DistributionID, content.PublicationID) (*content.Distribution, error) {
	return &content.Distribution{ID: 3, Path: "prod", PublicationID: 5, Access: content.AsServer}, s.err
}

func (s *stub) Rollback(context.Context, content.DistributionID, content.PublicationID) (*content.Distribution, error) {
	return &content.Distribution{ID: 3, Path: "prod", PublicationID: 4, Access: content.AsServer}, s.err
}

func (s *stub) VersionsByID(_ context.Context, ids []content.VersionID) ([]*content.Version, error) {
	versions := make([]*content.Version, len(ids))
	for i, id := range ids {
		if id < 90 {
			versions[i] = &content.Version{ID: id}
		}
	}
	return versions, s.err
}

func (s *stub) Diff(ctx context.Context, from, to *content.Version, _ []content.ChangeKind, _ page.Request) (*page.Of[*content.UnitChange], error) {
	if s.slow {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	change := &content.UnitChange{Path: "a", Before: &content.Unit{ID: content.UnitID(from.ID), SHA256: content.Digest(strings.Repeat("ab", 32)), Size: 7}}
	return &page.Of[*content.UnitChange]{Items: []page.Item[*content.UnitChange]{{Key: "a", Node: change}}}, s.err
}

func (s *stub) CreateUpload(context.Context, catalog.UploadInput) (*content.Upload, error) {
	return s.upload, s.err
}

func (s *stub) Upload(context.Context, content.UploadID) (*content.Upload, error) {
	return s.upload, s.err
}

func (s *stub) Receive(_ context.Context, _ content.UploadID, _ int64, from io.Reader, check func() error) (*content.Upload, error) {
	text, err := io.ReadAll(from)
	if err == nil && check != nil {
		err = check()
	}
	s.received += string(text)
	if err == nil {
		err = s.err
	}
	return s.upload, err
}

func (s *stub) DropUpload(context.Context, content.UploadID) (*content.Upload, error) {
	return s.upload, s.err
}

func (s *stub) CleanOrphans(context.Context, catalog.CleanOrphansRequest) (task.Work, error) {
	return s.task, s.err
}

func (s *stub) VerifyContent(context.Context, catalog.VerifyContentRequest) (task.Work, error) {
	return s.group, s.err
}

func (s *stub) CancelTask(context.Context, task.ID) (*task.Task, error) {
	return s.task, s.err
}

func (s *stub) CancelGroup(context.Context, task.GroupID) (*task.Group, error) {
	return s.group, s.err
}

func (s *stub) RetryTask(context.Context, task.ID) (*task.Task, error) {
	return s.task, s.err
}

func (s *stub) RetryGroup(context.Context, task.GroupID) (*task.Group, error) {
	return s.group, s.err
}

func (s *stub) TasksByID(_ context.Context, ids []task.ID) ([]*task.Task, error) {
	if s.task == nil || ids[0] != s.task.ID {
		return []*task.Task{nil}, s.err
	}
	return []*task.Task{s.task}, s.err
}

func (s *stub) GroupsByID(_ context.Context, ids []task.GroupID) ([]*task.Group, error) {
	if s.group == nil || ids[0] != s.group.ID {
		return []*task.Group{nil}, s.err
	}
	return []*task.Group{s.group}, s.err
}

func (s *stub) TasksOf(context.Context, task.Relation, []int64, task.Filter, page.Request) ([]*page.Of[*task.Task], error) {
	return []*page.Of[*task.Task]{{}}, s.err
}

func (s *stub) Created(_ context.Context, ids []task.ID) ([][]task.Created, error) {
	return make([][]task.Created, len(ids)), s.err
}

func (s *stub) Failures(_ context.Context, ids []task.ID, _ page.Request) ([]*page.Of[*task.Failure], error) {
	pages := make([]*page.Of[*task.Failure], len(ids))
	for i := range pages {
		failure := task.FailureOf("a/b", "http://upstream/a/b", fault.New(fault.NotFound, "http://upstream/a/b: 404 Not Found"))
		pages[i] = &page.Of[*task.Failure]{Items: []page.Item[*task.Failure]{{Key: "7", Node: &failure}}, HasNext: true}
	}
	return pages, nil
}

func (s *stub) Previews(_ context.Context, ids []task.ID) ([]*content.Preview, error) {
	if s.unknown {
		return []*content.Preview{nil}, nil
	}
	return []*content.Preview{{TaskID: int64(ids[0]), Added: 2, Unchanged: 5, FetchFiles: 1, FetchBytes: 7}}, nil
}

func (s *stub) PreviewChanges(_ context.Context, _ []task.ID, kinds []content.PreviewKind, _ page.Request) ([]*page.Of[*content.PreviewChange], error) {
	s.kinds = kinds
	change := content.PreviewChange{Path: "a/b", Kind: content.WouldAdd, After: &content.PreviewFile{SHA256: content.Digest(strings.Repeat("ab", 32)), Size: 7}, Fetch: true}
	return []*page.Of[*content.PreviewChange]{{Items: []page.Item[*content.PreviewChange]{{Key: "a/b", Node: &change}}, HasNext: true}}, nil
}

func (s *stub) Findings(_ context.Context, ids []task.ID, _ page.Request) ([]*page.Of[*content.Finding], error) {
	pages := make([]*page.Of[*content.Finding], len(ids))
	for i := range pages {
		pages[i] = &page.Of[*content.Finding]{Items: []page.Item[*content.Finding]{
			{Key: "7", Node: &content.Finding{Path: "a/b", SHA256: "aa", Size: 3, Problem: content.Damaged, Remedy: content.Fetched, Message: "fetched again"}},
			{Key: "8", Node: &content.Finding{SHA256: "bb", Problem: content.Missing, Remedy: content.Unsolved}},
		}}
	}
	return pages, nil
}

func (s *stub) Subscribe(ctx context.Context, _ event.Topic) (<-chan event.Snapshot, error) {
	if s.snapshots == nil {
		return nil, fault.New(fault.Unavailable, "the server is stopping")
	}
	out := make(chan event.Snapshot)
	go func() {
		defer close(out)
		for {
			select {
			case <-ctx.Done():
				return
			case next := <-s.snapshots:
				select {
				case <-ctx.Done():
					return
				case out <- next:
				}
			}
		}
	}()
	return out, nil
}

var loaded = sync.OnceValues(func() (*resttest.Contract, error) { return resttest.Load(document) })

func contract(t *testing.T) *resttest.Contract {
	t.Helper()
	c, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// server answers as a handler of the stub does, held to the document.
type server struct {
	*httptest.Server
	*Handler
	client *http.Client
}

func serve(t *testing.T, s *stub, o Options) server {
	t.Helper()
	h := New(s, s, s, o)
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := access.Caller{Principal: access.Principal{Kind: access.ByToken, Role: s.role, Limit: s.limit}}
		if s.role == "" {
			caller.Role = access.Admin
		}
		h.ServeHTTP(w, r.WithContext(access.WithCaller(r.Context(), caller)))
	})
	log := o.Log
	if log == nil {
		log = h.o.Log
	}
	server := server{Handler: h, Server: httptest.NewServer(trail.Handler(answer, log, func(*http.Request, trail.Answer) {}))}
	t.Cleanup(server.Close)
	server.client = contract(t).Client(t)
	return server
}
