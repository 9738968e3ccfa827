package main_test

import (
	"testing"
	"time"
)

func TestSyncsOfOneRepositoryNeverOverlap(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(3))
		p.repository("r", up.URL+"/PULP_MANIFEST")
		// Different requests, so that none answers with another's task.
		first, second := p.queueSync("r", true), p.queueSync("r", false)
		if first == second {
			t.Fatalf("two different syncs are one task: %s", first)
		}
		p.follow(first)
		p.follow(second)
		tasks := query[struct {
			Tasks struct {
				Nodes []struct{ StartedAt, FinishedAt time.Time }
			}
		}](p, `{ tasks(filter: {kind: "repository.sync"}) { nodes { startedAt finishedAt } } }`, nil).Tasks.Nodes
		if len(tasks) != 2 || tasks[0].StartedAt.Before(tasks[1].FinishedAt) {
			t.Errorf("the second started before the first ended: %+v", tasks)
		}
	})
}

func TestCancelWhileItRuns(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, someFiles(30))
		reached, _ := up.hold("file-7.bin")
		p.repository("r", up.URL+"/PULP_MANIFEST")
		id := p.mirror("r")
		<-reached
		for range 2 { // twice is the same as once
			query[any](p, `mutation($id: ID!) { cancel(id: $id) { ... on Work { id } } }`, map[string]any{"id": id})
		}
		if got := p.follow(id); got.State != "CANCELED" {
			t.Errorf("got %+v", got)
		}
		if versions, _ := p.versions("r"); versions != 0 {
			t.Error("a canceled sync made a version")
		}
	})
}

func TestErrorsNameFieldAndRemedy(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		tests := []struct{ name, document, code, field string }{
			{"unknown repository", `mutation { sync(input: {repositories: {ids: ["repository-99"]}}) { ... on Work { id } } }`, "BAD_INPUT", "repositories.ids"},
			{"two selectors", `mutation($r: RepositorySelector!) { sync(input: {repositories: $r}) { ... on Work { id } } }`, "BAD_INPUT", "repositories"},
			{"secret in the URL", `mutation { createRemote(input: {name: "x", url: "http://a:b@c/PULP_MANIFEST"}) { id } }`, "BAD_INPUT", "url"},
			{"unknown task", `mutation { cancel(id: "task-99") { ... on Work { id } } }`, "NOT_FOUND", ""},
		}
		for _, tt := range tests {
			_, errs := ask[any](p, tt.document, map[string]any{"r": map[string]any{"all": true, "names": []string{"x"}}})
			if len(errs) != 1 || errs[0].Extensions.Code != tt.code || errs[0].Extensions.Field != tt.field {
				t.Errorf("%s: got %+v, want code %s and field %q", tt.name, errs, tt.code, tt.field)
			}
		}
		empty := query[struct {
			Sync struct {
				Typename string `json:"__typename"`
				Finished bool
			}
		}](p, `mutation { sync(input: {repositories: {all: true}}) { __typename ... on Work { finished } } }`, nil).Sync
		if empty.Typename != "TaskGroup" || !empty.Finished {
			t.Errorf("a selector that matches nothing: got %+v, want a finished group", empty)
		}
	})
}
