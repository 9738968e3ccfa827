package main_test

import (
	"slices"
	"testing"

	ream "ream"
	"ream/db"
	"ream/event"
	"ream/task"
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

// Who follows a list is told when it changed, and not only in passing, every few
// seconds.
func TestChangesTellOfLists(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		changes db.Changes
		want    []event.Topic
	}{
		{"what is served", db.Changes{Content: true}, []event.Topic{event.Repositories, event.Distributions}},
		{"the name of a repository", db.Changes{Catalog: true}, []event.Topic{event.Repositories, event.Distributions}},
		{"a schedule", db.Changes{Schedules: true}, []event.Topic{event.Repositories, event.Schedules}},
		{"a task begins", db.Changes{Tasks: []task.ID{1}}, []event.Topic{event.Repositories}},
		{"a task ends", db.Changes{EndedTasks: []task.ID{1}}, []event.Topic{event.Repositories, event.Schedules}},
	} {
		told := ream.TopicsOf(tt.changes)
		for _, list := range []event.Topic{event.Repositories, event.Distributions, event.Schedules} {
			if got, want := slices.Contains(told, list), slices.Contains(tt.want, list); got != want {
				t.Errorf("%s: are those who follow %s told? got %t, want %t", tt.name, list, got, want)
			}
		}
	}
}

// What is served is pushed whoever changes it, also by another process.
func TestDistributionsArePushed(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		p := start(t, args...)
		watched := p
		if len(args) > 2 { // on PostgreSQL, of which another process tells
			watched = start(t, append(args, "--workers", "0")...)
		}
		up := newUpstream(t, someFiles(3))
		p.repository("docs", up.URL+"/PULP_MANIFEST")
		all := watched.subscribe(t.Context(), currentProtocol, `subscription { distributions(first: 3) { nodes { path repository { name } publication { id } } } }`, "")
		type line struct {
			Path        string
			Repository  *struct{ Name string }
			Publication *struct{ ID string }
		}
		said := func(l line) string {
			said := l.Path
			if l.Repository != nil {
				said += " of " + l.Repository.Name
			}
			if l.Publication != nil {
				said += " has " + l.Publication.ID
			}
			return said
		}
		seen := func(want ...string) {
			t.Helper()
			for {
				var got []string
				for _, l := range next[struct{ Distributions struct{ Nodes []line } }](t, all).Distributions.Nodes {
					got = append(got, said(l))
				}
				if slices.Equal(got, want) {
					return
				}
				t.Logf("got %q, waiting for %q", got, want)
			}
		}
		seen()
		p.follow(p.mirror("docs"))
		seen("docs of docs has publication-1")
		query[any](p, `mutation { createDistribution(input: {path: "stable", publication: "publication-1"}) { id } }`, nil)
		seen("docs of docs has publication-1", "stable has publication-1")
		one := watched.subscribe(t.Context(), currentProtocol, `subscription($id: ID!) { distribution(id: $id) { path repository { name } publication { id } } }`, "distribution-2")
		sees := func(want string) {
			t.Helper()
			for {
				got := said(next[struct{ Distribution line }](t, one).Distribution)
				if got == want {
					return
				}
				t.Logf("got %q, waiting for %q", got, want)
			}
		}
		sees("stable has publication-1")
		up.add("new.bin", []byte("new"))
		p.follow(p.mirror("docs"))
		seen("docs of docs has publication-2", "stable has publication-1")
		for _, step := range []struct{ change, docs, stable string }{
			{`promote(input: {from: "distribution-1", to: "distribution-2"}) { id }`, "docs of docs has publication-2", "stable has publication-2"},
			{`rollback(id: "distribution-2") { id }`, "docs of docs has publication-2", "stable has publication-1"},
			{`updateDistribution(input: {id: "distribution-2", path: "steady"}) { id }`, "docs of docs has publication-2", "steady has publication-1"},
			{`updateRepository(input: {id: "repository-1", name: "papers"}) { id }`, "docs of papers has publication-2", "steady has publication-1"},
		} {
			query[any](p, `mutation { `+step.change+` }`, nil)
			seen(step.docs, step.stable)
			sees(step.stable)
		}
		query[any](p, `mutation { deleteDistribution(id: "distribution-2") { id } }`, nil)
		seen("docs of papers has publication-2")
		for range one.frames {
		}
		if one.ended != nil {
			t.Errorf("the subscription of a distribution that is deleted ended with %v", one.ended)
		}
	})
}
