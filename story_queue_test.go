package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestRetry lets a mirror of several fail in one member, and does only that
// member again, with what came after it.
func TestRetry(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		good, bad := newUpstream(t, someFiles(3)), newUpstream(t, someFiles(3))
		bad.set(func() {
			bad.before = func(w http.ResponseWriter, path string) bool {
				gone := strings.HasSuffix(path, "file-1.bin")
				if gone {
					w.WriteHeader(http.StatusNotFound)
				}
				return gone
			}
		})
		p.repository("good", good.URL+"/PULP_MANIFEST")
		p.repository("bad", bad.URL+"/PULP_MANIFEST")
		id := query[struct{ Mirror struct{ ID string } }](p, `mutation { mirror(input: {repositories: {names: ["good", "bad"]}}) { id } }`, nil).Mirror.ID
		if got := p.follow(id); got.State != "FAILED" {
			t.Fatalf("a mirror with a broken upstream: got %+v", got)
		}
		bad.set(func() { bad.before = nil })

		again := query[struct{ Retry struct{ ID string } }](p, `mutation($id: ID!) { retry(id: $id) { ... on Work { id } } }`, map[string]any{"id": id}).Retry.ID
		if again == id {
			t.Fatal("the retry is the group itself")
		}
		if got := p.follow(again); got.State != "COMPLETED" {
			t.Fatalf("the retry: got %+v", got)
		}
		type link struct{ ID, Name, State string }
		got := query[struct {
			TaskGroup struct {
				State   string
				Retries struct{ Nodes []link }
				Tasks   struct{ Nodes []link }
			}
			Retry struct {
				RetryOf link
				Counts  struct{ Completed, Total int }
				Tasks   struct {
					Nodes []struct {
						Name    string
						RetryOf link
					}
				}
			}
		}](p, `query($id: ID!, $again: ID!) {
			taskGroup(id: $id) { state retries(first: 5) { nodes { id } } tasks(finished: true, state: [FAILED, SKIPPED], first: 10) { nodes { id name state } } }
			retry: taskGroup(id: $again) { retryOf { id } counts { completed total } tasks(first: 10) { nodes { name retryOf { id name } } } }
		}`, map[string]any{"id": id, "again": again})
		if got.TaskGroup.State != "FAILED" || len(got.TaskGroup.Retries.Nodes) != 1 || got.TaskGroup.Retries.Nodes[0].ID != again || got.Retry.RetryOf.ID != id {
			t.Errorf("the links between a group and its retry: %+v", got)
		}
		if got.Retry.Counts.Completed != 3 || got.Retry.Counts.Total != 3 || len(got.TaskGroup.Tasks.Nodes) != 3 {
			t.Errorf("the retry does %+v, which were %+v", got.Retry, got.TaskGroup.Tasks)
		}
		for i, n := range got.Retry.Tasks.Nodes {
			if was := got.TaskGroup.Tasks.Nodes[i]; n.RetryOf.ID != was.ID || n.Name != was.Name {
				t.Errorf("%s does %+v again, want %+v", n.Name, n.RetryOf, was)
			}
		}
		if served := p.get("/content/bad/dir 1/file-1.bin"); len(served) != 1024 {
			t.Errorf("after the retry %d bytes are served", len(served))
		}
		_, errs := ask[any](p, `mutation($id: ID!) { retry(id: $id) { ... on Work { id } } }`, map[string]any{"id": again})
		if len(errs) != 1 || errs[0].Extensions.Code != "CONFLICT" {
			t.Errorf("a retry of what completed: got %+v, want a conflict", errs)
		}
	})
}

// TestLimitOfAGroup watches every frame of a group of which one member may run.
func TestLimitOfAGroup(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		ups := p.repositories(4)
		_, release := ups[0].hold("file-0.bin")
		id := query[struct{ Sync struct{ ID string } }](p, `mutation { sync(input: {repositories: {all: true}, maxRunning: 1}) { ... on Work { id } } }`, nil).Sync.ID
		s := p.subscribe(t.Context(), currentProtocol, countsOfGroup, id)
		type member struct {
			ID, State string
			BlockedBy struct{ Nodes []struct{ ID, State string } }
		}
		members := query[struct {
			TaskGroup struct {
				MaxRunning int
				Tasks      struct{ Nodes []member }
			}
		}](p, `query($id: ID!) { taskGroup(id: $id) { maxRunning tasks(first: 9) { nodes { id state blockedBy(first: 5) { nodes { id state } } } } } }`, map[string]any{"id": id}).TaskGroup
		if members.MaxRunning != 1 {
			t.Errorf("maxRunning: got %d", members.MaxRunning)
		}
		for _, m := range members.Tasks.Nodes[1:] {
			if m.State != "WAITING" || len(m.BlockedBy.Nodes) != 1 || m.BlockedBy.Nodes[0].ID != members.Tasks.Nodes[0].ID {
				t.Errorf("%+v: want it to wait for %s", m, members.Tasks.Nodes[0].ID)
			}
		}
		release()
		for frame := range s.frames {
			var f struct{ TaskGroupCounts counts }
			if err := json.Unmarshal(frame, &f); err != nil {
				t.Fatal(err)
			}
			if f.TaskGroupCounts.Running > 1 {
				t.Errorf("%d run at once: %+v", f.TaskGroupCounts.Running, f.TaskGroupCounts)
			}
		}
		if got := p.follow(id); got.State != "COMPLETED" {
			t.Errorf("got %+v", got)
		}
		_, errs := ask[any](p, `mutation { sync(input: {repositories: {all: true}, maxRunning: 0}) { ... on Work { id } } }`, nil)
		if len(errs) != 1 || errs[0].Extensions.Code != "BAD_INPUT" || errs[0].Extensions.Field != "maxRunning" {
			t.Errorf("a limit of 0: got %+v", errs)
		}
	})
}

// TestWhyATaskWaits asks a task that waits for another what it waits for.
func TestWhyATaskWaits(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(3))
		reached, release := up.hold("file-1.bin")
		repository := p.repository("r", up.URL+"/PULP_MANIFEST")
		first := p.queueSync("r", true)
		<-reached
		second, third := p.queueSync("r", false), p.mirror("r")
		type waiting struct {
			State        string
			Ahead        int
			BlockedBy    struct{ Nodes []struct{ ID string } }
			Reservations []struct {
				Resource           string
				Exclusive, Granted bool
				Holders            []struct{ ID string }
				Waiting            int
			}
		}
		why := `state ahead blockedBy(first: 10) { nodes { id } } reservations { resource exclusive granted holders { id } waiting }`
		got := query[struct {
			Task      waiting
			TaskGroup struct{ Tasks struct{ Nodes []waiting } }
			Queue     struct {
				Counts  struct{ Waiting, Running int }
				Workers []struct {
					Tasks struct{ Nodes []struct{ ID string } }
				}
				Throughput struct{ PerSecond float64 }
				Tasks      struct{ Nodes []struct{ ID string } }
				TaskGroups struct{ Nodes []struct{ ID string } }
			}
		}](p, fmt.Sprintf(`query($second: ID!, $third: ID!) { task(id: $second) { %[1]s } taskGroup(id: $third) { tasks(first: 3) { nodes { %[1]s } } }
			queue { counts { waiting running } workers { tasks(first: 5) { nodes { id } } } throughput { perSecond samples { at completed } }
				tasks(filter: {states: [RUNNING]}, first: 5) { nodes { id } } taskGroups(first: 5) { nodes { id } } } }`, why),
			map[string]any{"second": second, "third": third})
		ids := func(nodes []struct{ ID string }) (ids []string) {
			for _, n := range nodes {
				ids = append(ids, n.ID)
			}
			return ids
		}
		if got.Task.State != "WAITING" || !slices.Equal(ids(got.Task.BlockedBy.Nodes), []string{first}) {
			t.Errorf("the second sync: got %+v, want it to wait for %s", got.Task, first)
		}
		if r := got.Task.Reservations; len(r) != 1 || r[0].Resource != repository || !r[0].Exclusive || r[0].Granted || r[0].Waiting != 4 || !slices.Equal(ids(r[0].Holders), []string{first}) {
			t.Errorf("what the second sync has reserved: got %+v", r)
		}
		if chain := got.TaskGroup.Tasks.Nodes; len(chain) != 3 || !slices.Equal(ids(chain[0].BlockedBy.Nodes), []string{first, second}) {
			t.Errorf("the mirror: got %+v, want its sync to wait for %s and %s", chain, first, second)
		}
		if q := got.Queue; q.Counts.Waiting != 4 || q.Counts.Running != 1 || len(q.Workers) != 1 || !slices.Equal(ids(q.Workers[0].Tasks.Nodes), []string{first}) {
			t.Errorf("the queue: got %+v", q)
		}
		if q := got.Queue; !slices.Equal(ids(q.Tasks.Nodes), []string{first}) || !slices.Equal(ids(q.TaskGroups.Nodes), []string{third}) {
			t.Errorf("what the queue has: got %+v, want the running %s and the group %s", q, first, third)
		}
		release()
		if got := p.follow(third); got.State != "COMPLETED" {
			t.Errorf("got %+v", got)
		}
	})
}
