package main_test

import (
	"testing"
)

// What pages show of repositories and schedules is pushed, also what others do.
func TestListsArePushed(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		type list struct {
			Repositories struct {
				Nodes []struct {
					Name          string
					LatestVersion *struct{ Number int }
					CurrentTask   *struct{ State string }
					NextSyncAt    *string
					Tasks         struct{ Nodes []struct{ State string } }
				}
			}
		}
		s := p.subscribe(t.Context(), currentProtocol, `subscription { repositories(name: "DOC", first: 2) { nodes {
			name latestVersion { number } currentTask { state } nextSyncAt tasks(filter: {kind: "repository.sync", finished: true}, first: 1) { nodes { state } }
		} } }`, "")
		if first := next[list](t, s); len(first.Repositories.Nodes) != 0 {
			t.Errorf("got %+v, want none yet", first)
		}
		// until waits for a frame that is like that: of frames in between some are left out.
		until := func(what string, like func(list) bool) {
			t.Helper()
			for {
				l := next[list](t, s)
				if like(l) {
					return
				}
				t.Logf("until %s: %+v", what, l)
			}
		}
		up := newUpstream(t, someFiles(3))
		reached, release := up.hold("file-0.bin")
		p.repository("other", up.URL+"/PULP_MANIFEST")
		id := p.repository("docs", up.URL+"/PULP_MANIFEST")
		until("it is made", func(l list) bool { return len(l.Repositories.Nodes) == 1 && l.Repositories.Nodes[0].Name == "docs" })
		query[any](p, `mutation { createSchedule(input: {name: "nightly", cron: "@daily", operation: {mirror: {repositories: {all: true}}}}) { id } }`, nil)
		group := p.mirror("docs")
		<-reached
		until("it runs", func(l list) bool {
			r := l.Repositories.Nodes[0]
			return r.CurrentTask != nil && r.CurrentTask.State == "RUNNING" && r.NextSyncAt != nil && len(r.Tasks.Nodes) == 0
		})
		release()
		p.follow(group)
		until("it ran", func(l list) bool {
			r := l.Repositories.Nodes[0]
			return r.LatestVersion != nil && r.CurrentTask == nil && len(r.Tasks.Nodes) == 1 && r.Tasks.Nodes[0].State == "COMPLETED"
		})

		one := p.subscribe(t.Context(), currentProtocol, `subscription($id: ID!) { repository(id: $id) { name } }`, id)
		type single struct{ Repository struct{ Name string } }
		if got := next[single](t, one).Repository.Name; got != "docs" {
			t.Errorf("got %q, want docs", got)
		}
		query[any](p, `mutation { updateRepository(input: {id: "`+id+`", name: "papers"}) { id } }`, nil)
		for next[single](t, one).Repository.Name != "papers" {
		}
		query[any](p, `mutation { deleteDistribution(id: "distribution-1") { id } }`, nil)
		query[any](p, `mutation { deleteRepository(id: "`+id+`") { id } }`, nil)
		for range one.frames {
		}
		if one.ended != nil {
			t.Errorf("the subscription of a repository that is deleted ended with %v", one.ended)
		}

		type schedules struct {
			Schedules struct{ Nodes []struct{ Name string } }
		}
		plans := p.subscribe(t.Context(), currentProtocol, `subscription { schedules { nodes { name } } }`, "")
		if got := next[schedules](t, plans).Schedules.Nodes; len(got) != 2 {
			t.Errorf("got %+v, want the purge and the nightly mirror", got)
		}
		query[any](p, `mutation { deleteSchedule(id: "schedule-1") { id } }`, nil)
		for len(next[schedules](t, plans).Schedules.Nodes) != 1 {
		}
	})
}
