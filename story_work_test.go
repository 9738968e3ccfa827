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
