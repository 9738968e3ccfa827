package dbtest

import (
	"errors"
	"strings"
	"time"

	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/page"
	"ream/task"
)

func remotes(l library) {
	a, b := l.remote("a"), l.remote("b")
	if a.ID == b.ID || a.CreatedAt.IsZero() || !a.CreatedAt.Equal(a.UpdatedAt) || time.Since(a.CreatedAt) > time.Hour {
		l.t.Errorf("created %+v and %+v", a, b)
	}
	equal(l.t, "by name", must(l.RemoteByName(l.ctx(), "b"))(l.t), b)
	equal(l.t, "by id", must(l.RemotesByID(l.ctx(), []content.RemoteID{b.ID, 99, a.ID, b.ID}))(l.t), []*content.Remote{b, nil, a, b})
	_, err := l.RemoteByName(l.ctx(), "c")
	wantFault(l.t, err, fault.NotFound, `there is no remote "c"`)
	l.fails(fault.Conflict, `there is already a remote named "a"`, func(tx *db.Tx) error { return tx.CreateRemote(l.ctx(), &content.Remote{Name: "a"}) })

	b.Name, b.URL, b.Connections = "c", "https://example.net/", 7
	l.tx(func(tx *db.Tx) error { return tx.UpdateRemote(l.ctx(), b) })
	equal(l.t, "updated", must(l.RemoteByName(l.ctx(), "c"))(l.t), b)
	l.fails(fault.Conflict, `there is already a remote named "a"`, func(tx *db.Tx) error { return tx.UpdateRemote(l.ctx(), &content.Remote{ID: b.ID, Name: "a"}) })
	l.fails(fault.NotFound, "there is no remote-99", func(tx *db.Tx) error { return tx.UpdateRemote(l.ctx(), &content.Remote{ID: 99}) })

	r := l.repository("r")
	r.RemoteID = a.ID
	l.tx(func(tx *db.Tx) error { return tx.UpdateRepository(l.ctx(), r) })
	l.fails(fault.Conflict, `remote "a" is used by repository "r": give that another remote first`, func(tx *db.Tx) error { return tx.DeleteRemote(l.ctx(), a.ID) })
	l.tx(func(tx *db.Tx) error { return tx.DeleteRemote(l.ctx(), b.ID) })
	l.fails(fault.NotFound, "there is no "+b.ID.String(), func(tx *db.Tx) error { return tx.DeleteRemote(l.ctx(), b.ID) })

	failure := errors.New("changed its mind")
	if err := l.InTx(l.ctx(), func(tx *db.Tx) error {
		return errors.Join(tx.CreateRemote(l.ctx(), &content.Remote{Name: "never"}), failure)
	}); !errors.Is(err, failure) {
		l.t.Errorf("got %v, want the function's own error", err)
	}
	if _, err := l.RemoteByName(l.ctx(), "never"); !fault.Is(err, fault.NotFound) {
		l.t.Errorf("a failed transaction left a remote: %v", err)
	}
}

func repositories(l library) {
	upstream := l.remote("upstream")
	a := l.repository("a", content.Label{Key: "team", Value: "web"}, content.Label{Key: "env", Value: "prod"})
	b := &content.Repository{Name: "b", Format: content.File, RemoteID: upstream.ID}
	l.tx(func(tx *db.Tx) error { return tx.CreateRepository(l.ctx(), b) })
	equal(l.t, "labels by key", a.Labels, []content.Label{{Key: "env", Value: "prod"}, {Key: "team", Value: "web"}})
	equal(l.t, "by name", must(l.RepositoriesByName(l.ctx(), []string{"b", "c", "a"}))(l.t), []*content.Repository{b, nil, a})
	equal(l.t, "by id", must(l.RepositoriesByID(l.ctx(), []content.RepositoryID{b.ID, 99, a.ID}))(l.t), []*content.Repository{b, nil, a})
	equal(l.t, "list", nodes(must(l.Repositories(l.ctx(), "", page.Request{}))(l.t)), []*content.Repository{a, b})

	const taken = `there is already a repository named "a"`
	l.fails(fault.Conflict, taken, func(tx *db.Tx) error { return tx.CreateRepository(l.ctx(), &content.Repository{Name: "a"}) })
	l.fails(fault.Conflict, taken, func(tx *db.Tx) error { return tx.UpdateRepository(l.ctx(), &content.Repository{ID: b.ID, Name: "a"}) })
	l.fails(fault.NotFound, "there is no repository-99", func(tx *db.Tx) error { return tx.UpdateRepository(l.ctx(), &content.Repository{ID: 99}) })

	a.Name, a.RemoteID, a.Labels = "z", upstream.ID, []content.Label{{Key: "env", Value: "test"}}
	b.RemoteID, b.Labels = 0, []content.Label{{Key: "env", Value: ""}}
	l.tx(func(tx *db.Tx) error {
		return errors.Join(tx.UpdateRepository(l.ctx(), a), tx.UpdateRepository(l.ctx(), b))
	})
	equal(l.t, "updated", must(l.RepositoriesByID(l.ctx(), []content.RepositoryID{a.ID, b.ID}))(l.t), []*content.Repository{a, b})

	fingerprint, version, err := l.Synced(l.ctx(), a.ID)
	if fingerprint != "" || version != 0 || err != nil {
		l.t.Errorf("before the first sync: got %q, %s, %v", fingerprint, version, err)
	}
	v := l.version(a, nil, nil)
	l.tx(func(tx *db.Tx) error { return tx.SetSynced(l.ctx(), a.ID, "abc", v.ID) })
	if fingerprint, version, err = l.Synced(l.ctx(), a.ID); fingerprint != "abc" || version != v.ID || err != nil {
		l.t.Errorf("after a sync: got %q, %s, %v", fingerprint, version, err)
	}
	_, _, err = l.Synced(l.ctx(), 99)
	wantFault(l.t, err, fault.NotFound, "there is no repository-99")
	l.fails(fault.NotFound, "there is no repository-99", func(tx *db.Tx) error { return tx.SetSynced(l.ctx(), 99, "", 0) })
	l.fails(fault.NotFound, "there is no repository-99", func(tx *db.Tx) error { _, err := tx.LockRepository(l.ctx(), 99); return err })
}

func labelSelectors(l library) {
	label := func(key, value string) content.Label { return content.Label{Key: key, Value: value} }
	l.repository("a", label("env", "prod"), label("team", "web"))
	l.repository("b", label("env", "prod"), label("team", "db"), label("mirror", ""))
	l.repository("c", label("env", "test"), label("mirror", "yes"), label("old", "yes"))
	l.repository("d")
	all := must(l.SelectRepositories(l.ctx(), ""))(l.t)
	for selector, want := range map[string]string{
		"":                               "abcd",
		" ":                              "abcd",
		"env=prod":                       "ab",
		"env!=prod":                      "cd",
		"mirror":                         "bc",
		"!mirror":                        "ad",
		"mirror=":                        "b",
		"mirror!=":                       "acd",
		"env=prod,team!=web":             "b",
		" env=prod , !mirror":            "a",
		"env=prod,team!=web,mirror,!old": "b",
		"env=nothing":                    "",
		"env=prod,env=test":              "",
	} {
		var got, paged string
		for _, r := range must(l.SelectRepositories(l.ctx(), selector))(l.t) {
			got += r.Name
		}
		for _, r := range all {
			if must(db.Selects(selector, r.Labels))(l.t) != strings.Contains(want, r.Name) {
				l.t.Errorf("%s selects %s: got %t", selector, r.Name, !strings.Contains(want, r.Name))
			}
		}
		p := must(l.Repositories(l.ctx(), selector, page.Request{}))(l.t)
		for _, r := range nodes(p) {
			paged += r.Name
		}
		equal(l.t, selector, got, want)
		equal(l.t, selector+", as a page", paged, want)
		equal(l.t, selector+", counted", must(p.Count(l.ctx()))(l.t), len(want))
	}
	const remedy = " is no label term: write key=value, key!=value, key or !key, with letters, digits and . _ - in keys and values"
	for selector, message := range map[string]string{
		",":           `labels: ""` + remedy,
		"env=prod,":   `labels: ""` + remedy,
		"=x":          `labels: "=x"` + remedy,
		"!":           `labels: "!"` + remedy,
		"a=b=c":       `labels: "a=b=c"` + remedy,
		"x,a b":       `labels: "a b"` + remedy,
		"!a=b":        `labels: "!a=b"` + remedy,
		"a in (b)":    `labels: "a in (b)"` + remedy,
		"a=ü":         `labels: "a=ü"` + remedy,
		"'; DROP":     `labels: "'; DROP"` + remedy,
		manyTerms(33): "labels: the selector has 33 terms: at most 32 are allowed",
	} {
		_, err := l.SelectRepositories(l.ctx(), selector)
		wantFault(l.t, err, fault.BadInput, message)
		_, err = l.Repositories(l.ctx(), selector, page.Request{})
		wantFault(l.t, err, fault.BadInput, message)
	}
	if _, err := l.SelectRepositories(l.ctx(), manyTerms(32)); err != nil {
		l.t.Errorf("32 terms: %v", err)
	}
}

func manyTerms(n int) string { return strings.TrimSuffix(strings.Repeat("a,", n), ",") }

func repositoryInUse(l library) {
	followed, pinned := l.repository("followed"), l.repository("pinned")
	l.distribute(content.Distribution{Path: "x/follows", RepositoryID: followed.ID})
	p := l.publish(l.version(pinned, l.store(unit("a", 1)), nil))
	d := l.distribute(content.Distribution{Path: "x/pins", PublicationID: p.ID})
	remove := func(r *content.Repository) func(*db.Tx) error {
		return func(tx *db.Tx) error { _, err := tx.DeleteRepository(l.ctx(), r.ID); return err }
	}
	l.fails(fault.Conflict, `repository "followed" is served by the distribution at "x/follows": delete that first`, remove(followed))
	l.fails(fault.Conflict, `repository "pinned" is served by the distribution at "x/pins": delete that first`, remove(pinned))
	l.tx(func(tx *db.Tx) error { return tx.DeleteDistribution(l.ctx(), d.ID) })
	l.tx(remove(pinned))
	l.fails(fault.NotFound, "there is no "+pinned.ID.String(), remove(pinned))
}

func repositoryWithWork(l library) {
	r := l.repository("r")
	var id task.ID
	l.tx(func(tx *db.Tx) (err error) {
		id, err = tx.Enqueue(l.ctx(), task.New{Kind: "repository.sync", Name: "sync r",
			Reservations: []task.Reservation{{Resource: r.ID.String(), Access: task.Exclusive}}})
		return err
	})
	remove := func(tx *db.Tx) error { _, err := tx.DeleteRepository(l.ctx(), r.ID); return err }
	l.fails(fault.Conflict, `there is unfinished work on repository "r": wait for it or cancel it`, remove)
	if err := l.CancelTask(l.ctx(), id); err != nil {
		l.t.Fatal(err)
	}
	l.tx(remove)
}

func repositoryWithHistory(l library) {
	r, other := l.repository("r", content.Label{Key: "a"}), l.repository("other")
	ids := l.store(unit("a", 1), unit("b", 2))
	first := l.version(r, ids, nil)
	second := l.version(r, nil, ids[:1])
	kept := l.publish(l.version(other, ids, nil))
	gone := []content.PublicationID{l.publish(first).ID, l.publish(second).ID}
	l.tx(func(tx *db.Tx) error { _, err := tx.DeleteRepository(l.ctx(), r.ID); return err })

	equal(l.t, "versions", must(l.VersionsByID(l.ctx(), []content.VersionID{first.ID, second.ID}))(l.t), []*content.Version{nil, nil})
	equal(l.t, "publications", nodes(must(l.Publications(l.ctx(), page.Request{}))(l.t)), []*content.Publication{kept})
	equal(l.t, "members", must(l.Members(l.ctx(), r.ID))(l.t), nil)
	equal(l.t, "other's members", len(must(l.Members(l.ctx(), other.ID))(l.t)), 2)
	for _, id := range gone {
		_, err := l.PublishedFile(l.ctx(), id, "b")
		wantFault(l.t, err, fault.NotFound, id.String()+` has no file "b"`)
	}
	must(l.PublishedFile(l.ctx(), kept.ID, "b"))(l.t)
	again := l.repository("r")
	equal(l.t, "labels of another with the name", must(l.RepositoriesByName(l.ctx(), []string{"r"}))(l.t), []*content.Repository{again})
}
