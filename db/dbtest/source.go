package dbtest

import (
	"sync"
	"sync/atomic"
	"time"

	"ream/content"
	"ream/db"
	"ream/fault"
)

// from stores units whose bytes can be got from a remote.
func (l library) from(r *content.Remote, units ...*content.Unit) {
	l.t.Helper()
	l.store(units...)
	l.tx(func(tx *db.Tx) error { return tx.AddSources(l.ctx(), r.ID, units) })
}

func sources(l library) {
	a, b := l.remote("a"), l.remote("b")
	first, second := content.Source{SHA256: digest(1), RemoteID: a.ID, Path: "dir/x"}, content.Source{SHA256: digest(1), RemoteID: b.ID, Path: "y"}
	equal(l.t, "of none", must(l.Sources(l.ctx(), digest(1)))(l.t), []content.Source{})
	l.from(a)
	x, y := unit("dir/x", 1), unit("y", 1)
	l.from(a, x, unit("dir/x", 2), x)
	l.from(b, y)
	l.from(a, x)
	equal(l.t, "of one digest", must(l.Sources(l.ctx(), digest(1)))(l.t), []content.Source{first, second})
	l.tx(func(tx *db.Tx) error { return tx.DeleteRemote(l.ctx(), b.ID) })
	equal(l.t, "without the remote", must(l.Sources(l.ctx(), digest(1)))(l.t), []content.Source{first})
	l.fails(fault.Conflict, b.ID.String()+" was deleted meanwhile", func(tx *db.Tx) error { return tx.AddSources(l.ctx(), b.ID, []*content.Unit{y}) })

	equal(l.t, "stored", must(l.Stored(l.ctx(), []content.Artifact{{SHA256: digest(1), Size: 1}, {SHA256: digest(2), Size: 2}}))(l.t), []bool{false, false})
	r := l.repository("r")
	p := l.publish(l.version(r, l.store(unit("dir/x", 1), unit("z", 2)), nil))
	l.tx(func(tx *db.Tx) error {
		return tx.AddArtifacts(l.ctx(), []content.Artifact{{SHA256: digest(2), Size: 2}})
	})
	equal(l.t, "stored", must(l.Stored(l.ctx(), []content.Artifact{{SHA256: digest(1), Size: 1}, {SHA256: digest(2), Size: 2}}))(l.t), []bool{false, true})
	equal(l.t, "stored with another size", must(l.Stored(l.ctx(), []content.Artifact{{SHA256: digest(2), Size: 3}}))(l.t), []bool{false})
	equal(l.t, "published without its bytes", must(l.PublishedFile(l.ctx(), p.ID, "dir/x"))(l.t).Stored, false)
	equal(l.t, "published with its bytes", must(l.PublishedFile(l.ctx(), p.ID, "z"))(l.t).Stored, true)
	l.tx(func(tx *db.Tx) error { _, err := tx.Quarantine(l.ctx(), digest(2)); return err })
	equal(l.t, "published with damaged bytes", must(l.PublishedFile(l.ctx(), p.ID, "z"))(l.t).Stored, false)
	equal(l.t, "published directory", must(l.PublishedFile(l.ctx(), p.ID, "dir"))(l.t).IsDir, true)
}

// onlySource has a remote that is the last way to get what a repository has.
func onlySource(l library) {
	a, b, r := l.remote("a"), l.remote("b"), l.repository("r")
	l.version(r, l.store(unit("x", 1), unit("other", 2)), nil)
	l.from(a, unit("x", 1))
	l.from(b, unit("gone", 3)) // what no repository has is not missed
	why := `repository "r" has "x", which is not fetched yet, from remote "a" alone: sync it with the policy IMMEDIATE first`
	l.fails(fault.Conflict, why, func(tx *db.Tx) error { return tx.DeleteRemote(l.ctx(), a.ID) })
	l.from(b, unit("x", 1))
	l.tx(func(tx *db.Tx) error { return tx.DeleteRemote(l.ctx(), a.ID) })
	l.fails(fault.Conflict, `repository "r" has "x", which is not fetched yet, from remote "b" alone: sync it with the policy IMMEDIATE first`,
		func(tx *db.Tx) error { return tx.DeleteRemote(l.ctx(), b.ID) })
	l.tx(func(tx *db.Tx) error {
		return tx.AddArtifacts(l.ctx(), []content.Artifact{{SHA256: digest(1), Size: 1}})
	})
	l.tx(func(tx *db.Tx) error { return tx.DeleteRemote(l.ctx(), b.ID) })
}

func leases(l library) {
	lease := func(what, holder string, ttl time.Duration, want bool) {
		l.t.Helper()
		equal(l.t, what, must(l.LeaseFetch(l.ctx(), digest(1), holder, ttl))(l.t), want)
	}
	lease("a free one", "a", time.Hour, true)
	lease("somebody else's", "b", time.Hour, false)
	lease("the own", "a", -time.Second, true)
	lease("one that ran out", "b", time.Hour, true)
	lease("one that was lost", "a", time.Hour, false)
	end := func(holder string) {
		l.t.Helper()
		if err := l.EndLease(l.ctx(), digest(1), holder); err != nil {
			l.t.Fatal(err)
		}
	}
	end("a")
	lease("one that somebody else tried to end", "a", time.Hour, false)
	end("b")
	lease("one that was ended", "a", time.Hour, true)
	if err := l.KeepFetched(l.ctx(), content.Artifact{SHA256: digest(1), Size: 1}, "a"); err != nil {
		l.t.Fatal(err)
	}
	equal(l.t, "stored", must(l.Stored(l.ctx(), []content.Artifact{{SHA256: digest(1), Size: 1}}))(l.t), []bool{true})
	lease("one whose fetch is over", "b", time.Hour, true)
	equal(l.t, "of another digest", must(l.LeaseFetch(l.ctx(), digest(2), "b", time.Hour))(l.t), true)
	if err := l.DropLeases(l.ctx()); err != nil {
		l.t.Fatal(err)
	}
	var won atomic.Int32
	var all sync.WaitGroup
	for _, holder := range []string{"a", "b", "c", "d"} {
		all.Go(func() {
			leased, err := l.LeaseFetch(l.ctx(), digest(1), holder, time.Hour)
			if err != nil {
				l.t.Error(err)
			}
			if leased {
				won.Add(1)
			}
		})
	}
	all.Wait()
	equal(l.t, "who got it of those who asked at once", won.Load(), 1)
}
