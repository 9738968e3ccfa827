package dbtest

import (
	"fmt"
	"strings"

	"ream/access"
	"ream/content"
	"ream/db"
	"ream/page"
	"ream/task"
)

func searches(l library) {
	for _, name := range []string{"Fedora 40", "fedora-41", "debian", "100_a", "Ünder"} {
		l.repository(name)
	}
	for text, want := range map[string]string{
		"":        "Fedora 40,fedora-41,debian,100_a,Ünder",
		"FEDORA":  "Fedora 40,fedora-41",
		"a 4":     "Fedora 40",
		"_":       "100_a", // nothing but itself, like the next ones
		"%":       "",
		"\\":      "",
		"'":       "",
		"Ünd":     "Ünder",
		"ünd":     "",
		"nothing": "",
	} {
		p := must(l.RepositoriesWith(l.ctx(), text, "", page.Request{}))(l.t)
		var names []string
		for _, r := range nodes(p) {
			names = append(names, r.Name)
		}
		equal(l.t, "repositories with "+text, strings.Join(names, ","), want)
		equal(l.t, "repositories with "+text+", counted", must(p.Count(l.ctx()))(l.t), len(names))
	}

	r, other := l.repository("r"), l.repository("other")
	ids := l.store(unit("a/Lib.deb", 1), unit("a/x.deb", 2), unit("b/lib_2", 3), unit("lib", 4))
	gone := l.version(r, ids, nil)
	v, elsewhere := l.version(r, nil, ids[3:]), l.version(other, ids[1:2], nil)
	for text, want := range map[string]string{"lib": "a/Lib.deb1 b/lib_23", "A/": "a/Lib.deb1 a/x.deb2", "i_": "", "nothing": ""} {
		p := must(only(l.VersionUnitsWith(l.ctx(), []*content.Version{v}, text, page.Request{})))(l.t)
		equal(l.t, "units with "+text, paths(nodes(p)), want)
		equal(l.t, "units with "+text+", counted", must(p.Count(l.ctx()))(l.t), len(nodes(p)))
	}
	pages := must(l.VersionUnitsWith(l.ctx(), []*content.Version{gone, elsewhere, v}, "x", page.Request{First: 1}))(l.t)
	equal(l.t, "of several versions", paths(nodes(pages[0]))+" "+paths(nodes(pages[1]))+" "+paths(nodes(pages[2])), "a/x.deb2 a/x.deb2 a/x.deb2")
	first := must(only(l.VersionUnitsWith(l.ctx(), []*content.Version{gone}, "lib", page.Request{First: 2})))(l.t)
	equal(l.t, "the first page", paths(nodes(first)), "a/Lib.deb1 b/lib_23")
	equal(l.t, "there are more", first.HasNext, true)
	second := must(only(l.VersionUnitsWith(l.ctx(), []*content.Version{gone}, "lib", page.Request{First: 2, After: first.Items[1].Key})))(l.t)
	equal(l.t, "the second page", paths(nodes(second)), "lib4")
	equal(l.t, "there is one before", second.HasPrevious, true)
}

// about queues a task that is about a repository.
func (l library) about(r *content.Repository, kind task.Kind) (id task.ID) {
	l.t.Helper()
	l.tx(func(tx *db.Tx) (err error) {
		id, err = tx.Enqueue(l.ctx(), task.New{Kind: kind, Name: fmt.Sprintf("%s %s", kind, r.Name), RepositoryID: int64(r.ID),
			Reservations: []task.Reservation{{Resource: r.ID.String(), Access: task.Exclusive}}})
		return err
	})
	return id
}

func tasksAboutRepositories(l library) {
	a, b := l.repository("a", content.Label{Key: "seen"}), l.repository("b")
	first := l.about(a, "repository.sync")
	l.about(b, "repository.sync")
	published := l.about(a, "repository.publish")
	second := l.about(a, "repository.sync")
	if err := l.CancelTask(l.ctx(), first); err != nil {
		l.t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		filter task.Filter
		want   []task.ID
	}{
		{"all", task.Filter{}, []task.ID{first, published, second}},
		{"newest first", task.Filter{Newest: true}, []task.ID{second, published, first}},
		{"of a kind", task.Filter{Kind: "repository.sync", Newest: true}, []task.ID{second, first}},
		{"finished", task.Filter{Finished: new(true)}, []task.ID{first}},
		{"unfinished", task.Filter{Finished: new(false)}, []task.ID{published, second}},
		{"canceled", task.Filter{States: []task.State{task.Canceled}}, []task.ID{first}},
		{"waiting", task.Filter{States: []task.State{task.Waiting, task.Running}}, []task.ID{published, second}},
	} {
		pages := must(l.TasksOf(l.ctx(), task.About, []int64{int64(a.ID), 99}, tt.filter, page.Request{}))(l.t)
		var got []task.ID
		for _, each := range nodes(pages[0]) {
			got = append(got, each.ID)
		}
		equal(l.t, tt.name, got, tt.want)
		equal(l.t, tt.name+", counted", must(pages[0].Count(l.ctx()))(l.t), len(tt.want))
		equal(l.t, tt.name+", of no repository", len(nodes(pages[1])), 0)
	}
	view := l.Within(access.Limit("seen"))
	pages := must(view.TasksOf(l.ctx(), task.About, []int64{int64(a.ID), int64(b.ID)}, task.Filter{}, page.Request{}))(l.t)
	equal(l.t, "of one that is seen", len(nodes(pages[0])), 3)
	equal(l.t, "of one that is not", len(nodes(pages[1])), 0)
}

func currentTasks(l library) {
	a, b, idle := l.repository("a"), l.repository("b"), l.repository("idle")
	check := func(what string, want ...task.ID) {
		l.t.Helper()
		var got []task.ID
		for _, current := range must(l.CurrentTasks(l.ctx(), []content.RepositoryID{a.ID, b.ID, idle.ID}))(l.t) {
			if current == nil {
				current = &task.Task{}
			}
			got = append(got, current.ID)
		}
		equal(l.t, what, got, want)
	}
	check("nothing to do", 0, 0, 0)
	first, second := l.about(a, "repository.sync"), l.about(a, "repository.publish")
	other := l.about(b, "repository.sync")
	l.tx(func(tx *db.Tx) error { // which holds a place of idle, and is not about it
		_, err := tx.Enqueue(l.ctx(), task.New{Kind: "repository.copy", Name: "copy", RepositoryID: int64(b.ID), Reservations: []task.Reservation{
			{Resource: b.ID.String(), Access: task.Exclusive}, {Resource: idle.ID.String(), Access: task.Shared}}})
		return err
	})
	check("the first in line", first, other, 0)
	if err := l.CancelTask(l.ctx(), first); err != nil {
		l.t.Fatal(err)
	}
	check("the next one", second, other, 0)
}

func toldOfTheCatalog(l library) {
	told := make(chan bool, 100)
	l.OnChange(func(c db.Changes) { told <- c.Catalog })
	check := func(what string, want bool) {
		l.t.Helper()
		got := false
		for len(told) > 0 {
			got = <-told || got
		}
		equal(l.t, what, got, want)
	}
	remote := l.remote("upstream")
	check("a new remote", true)
	r := l.repository("r")
	check("a new repository", true)
	l.version(r, nil, nil)
	check("a new version", true)
	l.tx(func(tx *db.Tx) error { return tx.UpdateRepository(l.ctx(), r) })
	check("a change", true)
	l.tx(func(tx *db.Tx) error { return tx.UpdateRemote(l.ctx(), remote) })
	check("a change of a remote", true)
	l.about(r, "repository.sync")
	check("work", false)
	l.tx(func(tx *db.Tx) error { return tx.DeleteRemote(l.ctx(), remote.ID) })
	check("a deletion", true)
}
