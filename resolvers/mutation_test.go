package resolvers

import (
	"context"
	"reflect"
	"testing"
	"time"

	"ream/catalog"
	"ream/content"
	"ream/task"
)

// requests is a catalog that keeps the last request made to it.
type requests struct {
	Catalog // what the tests do not ask for

	last any
}

func (r *requests) RecordOutcome(context.Context, error) error { return nil }

func (r *requests) UpdateRepository(_ context.Context, id content.RepositoryID, in catalog.RepositoryChange) (*content.Repository, error) {
	r.last = in
	return &content.Repository{ID: id, RemoteID: 1}, nil
}

func (r *requests) CreateRemote(_ context.Context, in catalog.RemoteInput) (*content.Remote, error) {
	r.last = in
	return &content.Remote{ID: 1}, nil
}

func (r *requests) UpdateDistribution(_ context.Context, id content.DistributionID, in catalog.DistributionChange) (*content.Distribution, error) {
	r.last = in
	return &content.Distribution{ID: id}, nil
}

func (r *requests) Sync(_ context.Context, in catalog.SyncRequest) (task.Work, error) {
	r.last = in
	return &task.Task{ID: 1, State: task.Waiting}, nil
}

func (r *requests) Mirror(_ context.Context, in catalog.MirrorRequest) (*task.Group, error) {
	r.last = in
	return &task.Group{ID: 1}, nil
}

func (r *requests) CancelTask(_ context.Context, id task.ID) (*task.Task, error) {
	r.last = id
	return &task.Task{ID: id}, nil
}

func (r *requests) CancelGroup(_ context.Context, id task.GroupID) (*task.Group, error) {
	r.last = id
	return &task.Group{ID: id}, nil
}

// mutation is a mutation, the request that the catalog gets for it, and the
// answer.
type mutation struct {
	name, query string
	request     any
	want        string
}

func TestMutations(t *testing.T) {
	t.Parallel()
	checkMutations(t, []mutation{
		{"sync", `sync(input: {repositories: {names: ["a"]}, idempotencyKey: "k"}){__typename ... on Node{id}}`,
			catalog.SyncRequest{Repositories: catalog.Selector{Names: []string{"a"}}, Mirror: true, OnError: content.Fail, Priority: task.Normal, IdempotencyKey: "k"},
			`{"sync":{"__typename":"Task","id":"task-1"}}`},
		{"mirror", `mirror(input: {repositories: {ids: ["repository-2"]}, path: "p", mirror: false, onError: SKIP, priority: HIGH}){id state}`,
			catalog.MirrorRequest{Repositories: catalog.Selector{IDs: []content.RepositoryID{2}}, Path: "p", OnError: content.Skip, Priority: task.High},
			`{"mirror":{"id":"group-1","state":"COMPLETED"}}`},
		{"cancel a task", `cancel(id: "task-4"){__typename}`, task.ID(4), `{"cancel":{"__typename":"Task"}}`},
		{"cancel a group", `cancel(id: "group-4"){__typename}`, task.GroupID(4), `{"cancel":{"__typename":"TaskGroup"}}`},
		{"defaults", `createRemote(input: {name: "a", url: "http://u/"}){id}`,
			catalog.RemoteInput{Name: "a", URL: "http://u/", Policy: content.Immediate, Headers: []catalog.Header{}, VerifyTLS: true,
				Connections: 16, StallTimeout: 30 * time.Second, TotalTimeout: 6 * time.Hour, Retries: 4},
			`{"createRemote":{"id":"remote-1"}}`},
		{"nothing changes", `updateRepository(input: {id: "repository-1", name: null}){id}`,
			catalog.RepositoryChange{}, `{"updateRepository":{"id":"repository-1"}}`},
		{"another remote", `updateRepository(input: {id: "repository-1", remote: "remote-1", labels: []}){remote{id}}`,
			catalog.RepositoryChange{Remote: new(content.RemoteID(1)), Labels: &[]content.Label{}},
			`{"updateRepository":{"remote":{"id":"remote-1"}}}`},
		{"no remote", `updateRepository(input: {id: "repository-1", remote: null, labels: [{key: "a", value: "b"}]}){id}`,
			catalog.RepositoryChange{Remote: new(content.RemoteID(0)), Labels: &[]content.Label{{Key: "a", Value: "b"}}},
			`{"updateRepository":{"id":"repository-1"}}`},
		{"another publication", `updateDistribution(input: {id: "distribution-1", publication: "publication-5"}){id}`,
			catalog.DistributionChange{Publication: new(content.PublicationID(5))}, `{"updateDistribution":{"id":"distribution-1"}}`},
	})
}

func checkMutations(t *testing.T, tests []mutation) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			made := &requests{}
			a := ask(t, Resolver{Store: &memory{}, Catalog: made}, "mutation{"+tt.query+"}", nil)
			if len(a.Errors) > 0 {
				t.Fatalf("errors: %v", a.Errors)
			}
			if !reflect.DeepEqual(made.last, tt.request) {
				t.Errorf("request: got %+v, want %+v", made.last, tt.request)
			}
			if got := string(a.Data); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestMutationsReadAnew(t *testing.T) {
	t.Parallel()
	store := &memory{}
	const one = `updateRepository(input: {id: "repository-1"}){remote{name}}`
	if a := ask(t, Resolver{Store: store, Catalog: &requests{}}, "mutation{a: "+one+" b: "+one+"}", nil); len(a.Errors) > 0 {
		t.Fatalf("errors: %v", a.Errors)
	}
	if got := store.asked["RemotesByID"]; got != 2 {
		t.Errorf("the remote was read %d times, want 2: the second field must not see what the first one saw", got)
	}
}
