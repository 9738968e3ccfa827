package resolvers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql/handler/transport"

	"ream/access"
	"ream/content"
	"ream/event"
	"ream/fault"
	"ream/page"
	"ream/task"
)

// memory is a store of ten repositories, each with a remote, a version and a
// publication, and ten tasks of one group. It counts what it is asked.
type memory struct {
	Store // what the tests do not ask for

	mu    sync.Mutex
	asked map[string]int
	fail  error

	failing string // the only method that fails, if not empty
}

// Within is the same within every limit.
func (m *memory) Within(access.Limit) Store { return m }

func (m *memory) ask(method string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asked == nil {
		m.asked = map[string]int{}
	}
	m.asked[method]++
	if m.failing == method {
		return errors.New("it failed")
	}
	return m.fail
}

func byID[K ~int64, V any](ids []K, find func(K) V) []*V {
	out := make([]*V, len(ids))
	for i, id := range ids {
		if id <= 10 {
			out[i] = new(find(id))
		}
	}
	return out
}

func repository(id content.RepositoryID) content.Repository {
	return content.Repository{
		ID: id, Name: "repo", Format: content.File, RemoteID: content.RemoteID(id),
		LatestID: content.VersionID(id), NewestPublicationID: content.PublicationID(id),
	}
}

func tenth(id task.ID) task.Task {
	return task.Task{
		ID: id, Kind: "repository.sync", Name: "sync", State: task.Waiting, Priority: task.Normal,
		GroupID: 1, ParentID: id%10 + 1, WorkerID: 1,
	}
}

func pageOf[K ~int64, V any](key func(K) string, find func(K) V) *page.Of[*V] {
	p := &page.Of[*V]{Count: func(context.Context) (int, error) { return 10, nil }}
	for id := K(1); id <= 10; id++ {
		p.Items = append(p.Items, page.Item[*V]{Node: new(find(id)), Key: key(id)})
	}
	return p
}

func (m *memory) RepositoriesWith(context.Context, string, string, page.Request) (*page.Of[*content.Repository], error) {
	return pageOf(content.RepositoryID.String, repository), m.ask("Repositories")
}

func (m *memory) RepositoriesByID(_ context.Context, ids []content.RepositoryID) ([]*content.Repository, error) {
	return byID(ids, repository), m.ask("RepositoriesByID")
}

func (m *memory) RepositoriesByName(_ context.Context, names []string) ([]*content.Repository, error) {
	return make([]*content.Repository, len(names)), nil
}

func (m *memory) RemotesByID(_ context.Context, ids []content.RemoteID) ([]*content.Remote, error) {
	find := func(id content.RemoteID) content.Remote { return content.Remote{ID: id, Name: "remote"} }
	return byID(ids, find), m.ask("RemotesByID")
}

func (m *memory) VersionsByID(_ context.Context, ids []content.VersionID) ([]*content.Version, error) {
	return byID(ids, version), m.ask("VersionsByID")
}

// eachOf answers with the same page for each owner.
func eachOf[O, V any](owners []O, of *page.Of[V]) []*page.Of[V] {
	pages := make([]*page.Of[V], len(owners))
	for i := range pages {
		pages[i] = of
	}
	return pages
}

func version(id content.VersionID) content.Version {
	return content.Version{ID: id, RepositoryID: content.RepositoryID(id), Number: int(id)}
}

func (m *memory) Versions(_ context.Context, ids []content.RepositoryID, _ page.Request) ([]*page.Of[*content.Version], error) {
	return eachOf(ids, pageOf(content.VersionID.String, version)), m.ask("Versions")
}

func (m *memory) VersionsByNumber(_ context.Context, keys []content.VersionKey) ([]*content.Version, error) {
	return make([]*content.Version, len(keys)), m.ask("VersionsByNumber")
}

func (m *memory) VersionUnits(_ context.Context, versions []*content.Version, _ page.Request) ([]*page.Of[*content.Unit], error) {
	find := func(id content.UnitID) content.Unit { return content.Unit{ID: id, Path: "a"} }
	return eachOf(versions, pageOf(content.UnitID.String, find)), m.ask("VersionUnits")
}

func publication(id content.PublicationID) content.Publication {
	return content.Publication{ID: id, RepositoryID: content.RepositoryID(id), VersionID: content.VersionID(id)}
}

func (m *memory) RepositoryPublications(_ context.Context, ids []content.RepositoryID, _ page.Request) ([]*page.Of[*content.Publication], error) {
	return eachOf(ids, pageOf(content.PublicationID.String, publication)), m.ask("RepositoryPublications")
}

func (m *memory) PublishedEntries(_ context.Context, ids []content.PublicationID, dir, _ string, _ page.Request) ([]*page.Of[*content.DirEntry], error) {
	if dir == "none" {
		return make([]*page.Of[*content.DirEntry], len(ids)), m.ask("PublishedEntries")
	}
	file := &content.DirEntry{Name: "x.deb", Path: "d/x.deb", SHA256: content.Digest(strings.Repeat("ab", 32)), ModifiedAt: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	of := &page.Of[*content.DirEntry]{
		Items: []page.Item[*content.DirEntry]{{Key: "a", Node: &content.DirEntry{Name: "sub", Path: "d/sub", IsDir: true}}, {Key: "b", Node: file}},
		Count: func(context.Context) (int, error) { return 2, nil },
	}
	return eachOf(ids, of), m.ask("PublishedEntries")
}

func (m *memory) PublicationsByID(_ context.Context, ids []content.PublicationID) ([]*content.Publication, error) {
	return byID(ids, publication), m.ask("PublicationsByID")
}

func (m *memory) Distributions(context.Context, page.Request) (*page.Of[*content.Distribution], error) {
	find := func(id content.DistributionID) content.Distribution {
		return content.Distribution{ID: id, Path: "a/b", RepositoryID: content.RepositoryID(id)}
	}
	return pageOf(content.DistributionID.String, find), m.ask("Distributions")
}

func (m *memory) Tasks(context.Context, task.Filter, page.Request) (*page.Of[*task.Task], error) {
	return pageOf(task.ID.String, tenth), m.ask("Tasks")
}

func (m *memory) TasksOf(_ context.Context, _ task.Relation, ids []int64, _ task.Filter, _ page.Request) ([]*page.Of[*task.Task], error) {
	return eachOf(ids, pageOf(task.ID.String, tenth)), m.ask("TasksOf")
}

func (m *memory) Groups(context.Context, page.Request) (*page.Of[*task.Group], error) {
	find := func(id task.GroupID) task.Group { return task.Group{ID: id} }
	return pageOf(task.GroupID.String, find), m.ask("Groups")
}

func (m *memory) GroupRetries(_ context.Context, ids []task.GroupID, _ page.Request) ([]*page.Of[*task.Group], error) {
	find := func(id task.GroupID) task.Group { return task.Group{ID: id} }
	return eachOf(ids, pageOf(task.GroupID.String, find)), m.ask("GroupRetries")
}

func (m *memory) TasksByID(_ context.Context, ids []task.ID) ([]*task.Task, error) {
	return byID(ids, tenth), m.ask("TasksByID")
}

func (m *memory) GroupsByID(_ context.Context, ids []task.GroupID) ([]*task.Group, error) {
	find := func(id task.GroupID) task.Group {
		return task.Group{ID: id, Name: "sync 10 repositories", Tally: task.Counts{Waiting: 10, Revision: 1}}
	}
	return byID(ids, find), m.ask("GroupsByID")
}

func (m *memory) Stored(_ context.Context, artifacts []content.Artifact) ([]bool, error) {
	return make([]bool, len(artifacts)), m.ask("Stored")
}

func (m *memory) Ahead(_ context.Context, ids []task.ID) ([]int, error) {
	return make([]int, len(ids)), m.ask("Ahead")
}

func (m *memory) Reservations(_ context.Context, ids []task.ID) ([][]*task.Reservation, error) {
	return make([][]*task.Reservation, len(ids)), m.ask("Reservations")
}

func (m *memory) Reports(_ context.Context, ids []task.ID) ([][]*task.Report, error) {
	return make([][]*task.Report, len(ids)), m.ask("Reports")
}

func (m *memory) Failures(_ context.Context, ids []task.ID, _ page.Request) ([]*page.Of[*task.Failure], error) {
	return eachOf(ids, &page.Of[*task.Failure]{}), m.ask("Failures")
}

func (m *memory) Previews(_ context.Context, ids []task.ID) ([]*content.Preview, error) {
	previews := make([]*content.Preview, len(ids))
	for i, id := range ids {
		previews[i] = &content.Preview{TaskID: int64(id)}
	}
	return previews, m.ask("Previews")
}

func (m *memory) PreviewChanges(_ context.Context, ids []task.ID, kinds []content.PreviewKind, _ page.Request) ([]*page.Of[*content.PreviewChange], error) {
	return eachOf(ids, &page.Of[*content.PreviewChange]{}), m.ask("PreviewChanges")
}

func (m *memory) Findings(_ context.Context, ids []task.ID, _ page.Request) ([]*page.Of[*content.Finding], error) {
	return eachOf(ids, &page.Of[*content.Finding]{}), m.ask("Findings")
}

func (m *memory) Storage(context.Context) (*content.Storage, error) {
	return &content.Storage{Artifacts: 3, Bytes: 7, OrphanedArtifacts: 2, OrphanedBytes: 5, QuarantinedArtifacts: 1, UnfetchedArtifacts: 4, UnfetchedBytes: 6, CountedAt: time.Unix(0, 0)}, m.ask("Storage")
}

func (m *memory) Figures(_ context.Context, ids []content.RepositoryID) ([]*content.Figures, error) {
	return slices.Repeat([]*content.Figures{{Artifacts: 3, OwnBytes: 4, SharedBytes: 5, CountedAt: time.Unix(0, 0)}}, len(ids)), m.ask("Figures")
}

func (m *memory) Created(_ context.Context, ids []task.ID) ([][]task.Created, error) {
	created := make([][]task.Created, len(ids))
	for i, id := range ids {
		created[i] = []task.Created{
			{TaskID: id, NodeID: content.VersionID(id).String()},
			{TaskID: id, NodeID: content.PublicationID(99).String()}, // deleted
		}
	}
	return created, m.ask("Created")
}

func (m *memory) TokensByID(_ context.Context, ids []access.TokenID) ([]*access.Token, error) {
	return byID(ids, func(id access.TokenID) access.Token { return access.Token{ID: id, Name: "token"} }), nil
}

func (m *memory) EntriesByID(_ context.Context, ids []access.EntryID) ([]*access.Entry, error) {
	return byID(ids, func(id access.EntryID) access.Entry { return access.Entry{ID: id} }), nil
}

// frames is a hub that gives each subscriber the same snapshots.
type frames []event.Snapshot

func (f frames) Subscribe(context.Context, event.Topic) (<-chan event.Snapshot, error) {
	if f == nil {
		return nil, fault.New(fault.NotFound, "there is no such topic")
	}
	c := make(chan event.Snapshot, len(f))
	for _, s := range f {
		c <- s
	}
	close(c)
	return c, nil
}

// answer is a response to a request.
type answer struct {
	Data   json.RawMessage `json:"data"`
	Errors []struct {
		Message    string         `json:"message"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
}

// code is the code of the only error; empty if there is none.
func (a answer) code(t *testing.T) string {
	t.Helper()
	if len(a.Errors) > 1 {
		t.Fatalf("errors: got %v, want at most one", a.Errors)
	}
	if len(a.Errors) == 0 {
		return ""
	}
	return a.Errors[0].Extensions["code"].(string)
}

// asAdmin is a context of somebody who may do everything.
func asAdmin(ctx context.Context) context.Context {
	return access.WithCaller(ctx, access.Caller{Principal: access.Principal{Kind: access.Anonymous, Role: access.Admin}})
}

// ask sends a request to a server with the given dependencies.
func ask(t *testing.T, r Resolver, query string, variables map[string]any) answer {
	t.Helper()
	a, _ := askLogged(t, r, query, variables)
	return a
}

func askLogged(t *testing.T, r Resolver, query string, variables map[string]any) (answer, string) {
	t.Helper()
	var log bytes.Buffer
	o := Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Limits: DefaultLimits()}
	return askWith(t, r, o, query, variables), log.String()
}

// askWith sends a request to a server with the given options.
func askWith(t *testing.T, r Resolver, o Options, query string, variables map[string]any) answer {
	t.Helper()
	r.Now = time.Now
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if r.Catalog == nil {
		r.Catalog = &requests{}
	}
	s := newServer(r, o)
	s.AddTransport(transport.POST{})
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(asAdmin(t.Context()), http.MethodPost, "/graphql", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	response := httptest.NewRecorder()
	s.ServeHTTP(response, request)
	var a answer
	if err := json.Unmarshal(response.Body.Bytes(), &a); err != nil {
		t.Fatalf("answer %s: %v", response.Body, err)
	}
	return a
}
