package resolvers

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql/handler/transport"

	"ream/event"
	"ream/fault"
	"ream/task"
)

func group(waiting, completed int, revision int64) *task.Group {
	return &task.Group{ID: 1, Tally: task.Counts{Waiting: waiting, Completed: completed, Revision: revision}}
}

// follower is a context whose subscription is not shared, with what it follows.
func follower(t *testing.T) (context.Context, *following) {
	f := &following{}
	return context.WithValue(t.Context(), followingKey{}, f), f
}

func TestCountsAreSentWhenTheyChange(t *testing.T) {
	t.Parallel()
	hub := frames{group(2, 0, 1), group(2, 0, 1), group(1, 1, 2), group(1, 1, 2), group(0, 2, 2)}
	ctx, f := follower(t)
	counts, err := follow(ctx, hub, "group-1", changedCounts())
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for f.await(ctx) != nil {
		f.pass()
		got = append(got, (<-counts).Completed)
	}
	if _, open := <-counts; open {
		t.Error("the channel is open after the final snapshot")
	}
	if len(got) != 3 || got[0] != 0 || got[1] != 1 || got[2] != 2 {
		t.Errorf("completed in each frame: got %v, want [0 1 2]", got)
	}
}

// endless is a hub whose topics never end by themselves.
type endless struct{ event.Snapshot }

func (e endless) Subscribe(context.Context, event.Topic) (<-chan event.Snapshot, error) {
	c := make(chan event.Snapshot, 1)
	c <- e.Snapshot
	return c, nil
}

func TestFollowEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"with a snapshot", "while it waits"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, f := follower(t)
			ctx, cancel := context.WithCancel(ctx)
			groups, err := follow(ctx, endless{group(1, 0, 1)}, "group-1", as[*task.Group])
			if err != nil {
				t.Fatal(err)
			}
			if f.await(ctx) == nil {
				t.Fatal("no snapshot")
			}
			if name == "with a snapshot" {
				f.pass()
			}
			cancel()
			if s := f.await(ctx); s != nil {
				t.Errorf("got %v after the end", s)
			}
			for range groups { // ends when the channel is closed
			}
		})
	}
}

// stream subscribes over server-sent events and returns what was sent.
func stream(t *testing.T, r Resolver, query string) string {
	t.Helper()
	r.Now = time.Now
	s := newServer(r, Options{Log: slog.New(slog.DiscardHandler), Limits: DefaultLimits()})
	s.AddTransport(transport.SSE{})
	body := strings.NewReader(`{"query": "subscription{` + strings.ReplaceAll(query, `"`, `\"`) + `}"}`)
	request := httptest.NewRequestWithContext(asAdmin(t.Context()), http.MethodPost, "/graphql", body)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	response := httptest.NewRecorder()
	s.ServeHTTP(response, request)
	return response.Body.String()
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	waiting, completed := new(tenth(1)), new(tenth(1))
	completed.State = task.Completed
	tests := []struct {
		name, query string
		hub         frames
		want        []string // of the frames, in order
	}{
		{"task", `task(id: "task-1"){state group{id}}`, frames{waiting, completed}, []string{
			`{"task":{"state":"WAITING","group":{"id":"group-1"}}}`, `{"task":{"state":"COMPLETED","group":{"id":"group-1"}}}`}},
		{"group", `taskGroup(id: "group-1"){finished}`, frames{group(1, 0, 1), group(0, 1, 2)}, []string{
			`{"taskGroup":{"finished":false}}`, `{"taskGroup":{"finished":true}}`}},
		{"task of two", `taskOrGroup(id: "task-1"){__typename}`, frames{completed}, []string{`{"taskOrGroup":{"__typename":"Task"}}`}},
		{"group of two", `taskOrGroup(id: "group-1"){__typename}`, frames{group(0, 1, 1)}, []string{`{"taskOrGroup":{"__typename":"TaskGroup"}}`}},
		{"counts", `taskGroupCounts(id: "group-1"){completed total}`, frames{group(1, 0, 1), group(0, 1, 2)}, []string{
			`{"taskGroupCounts":{"completed":0,"total":1}}`, `{"taskGroupCounts":{"completed":1,"total":1}}`}},
		{"what changes elsewhere", `taskGroup(id: "group-1"){finished}`, frames{group(2, 0, 1), group(1, 1, 2), group(0, 2, 3)}, []string{
			`{"taskGroup":{"finished":false}}`, `{"taskGroup":{"finished":true}}`}},
		{"a final frame like the one before", `taskGroup(id: "group-1"){id}`, frames{group(1, 0, 1), group(0, 1, 2)}, []string{
			`{"taskGroup":{"id":"group-1"}}`, `{"taskGroup":{"id":"group-1"}}`}},
		{"queue", `queue{counts{waiting} workers{id}}`, frames{&task.Queue{Tally: task.Counts{Waiting: 3}}}, []string{
			`{"queue":{"counts":{"waiting":3},"workers":[]}}`}},
		{"unknown", `task(id: "task-1"){id}`, nil, []string{`"code":"` + string(fault.NotFound) + `"`}},
		{"another noun's id", `taskGroupCounts(id: "task-1"){total}`, frames{}, []string{`"code":"` + string(fault.NotFound) + `"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := stream(t, Resolver{Store: &memory{}, Hub: tt.hub}, tt.query)
			if n := strings.Count(got, "event: next"); n != len(tt.want) {
				t.Errorf("%d frames, want %d", n, len(tt.want))
			}
			rest := got
			for _, frame := range tt.want {
				_, after, found := strings.Cut(rest, frame)
				if !found {
					t.Fatalf("got %s\nwant %s", got, frame)
				}
				rest = after
			}
		})
	}
}

func TestEachFrameReadsAnew(t *testing.T) {
	t.Parallel()
	store := &memory{}
	stream(t, Resolver{Store: store, Hub: frames{new(tenth(1)), new(tenth(1))}}, `task(id: "task-1"){group{id} reports{code}}`)
	if store.asked["GroupsByID"] != 2 || store.asked["Reports"] != 2 {
		t.Errorf("questions: got %v, want two of each", store.asked)
	}
}
