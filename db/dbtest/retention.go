package dbtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/page"
)

// deletedVersions makes and deletes versions at random: what is left of the
// others has to be what it was, each compared to the one left before it.
func deletedVersions(l library) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	l.t.Logf("seed %d", seed)
	r := l.repository("r")
	var all []*content.Unit
	for path := range 6 {
		for bytes := range 3 {
			all = append(all, unit(string(rune('a'+path)), 10*path+bytes+1))
		}
	}
	l.store(all...)
	type state map[string]*content.Unit // by path
	var left []*content.Version
	holds := map[content.VersionID]state{}
	newest := state{}
	for range 40 {
		if len(left) > 1 && random.IntN(5) < 2 {
			i := random.IntN(len(left) - 1)
			l.deleteVersion(left[i].ID)
			left = slices.Delete(left, i, i+1)
			continue
		}
		newest = maps.Clone(newest)
		var added, removed []content.UnitID
		taken := map[string]bool{}
		for range random.IntN(4) {
			if u := all[random.IntN(len(all))]; !taken[u.Path] {
				taken[u.Path], newest[u.Path] = true, u
				added = append(added, u.ID)
			}
		}
		for range random.IntN(3) {
			if u := all[random.IntN(len(all))]; !taken[u.Path] {
				taken[u.Path] = true
				if newest[u.Path] == u {
					delete(newest, u.Path)
				}
				removed = append(removed, u.ID)
			}
		}
		v := l.version(r, added, removed)
		left = append(left, v)
		holds[v.ID] = newest
	}
	names := func(s, other state) string {
		var text []string
		for _, path := range slices.Sorted(maps.Keys(s)) {
			if s[path] != other[path] {
				text = append(text, fmt.Sprintf("%s%d", path, s[path].Size))
			}
		}
		return strings.Join(text, " ")
	}
	// All at once, as a query of several versions reads them, and each alone.
	ids := make([]content.VersionID, len(left))
	for i, v := range left {
		ids[i] = v.ID
	}
	versions := must(l.VersionsByID(l.ctx(), ids))(l.t)
	units := must(l.VersionUnits(l.ctx(), versions, page.Request{}))(l.t)
	added := must(l.VersionAdded(l.ctx(), versions, page.Request{}))(l.t)
	removed := must(l.VersionRemoved(l.ctx(), versions, page.Request{}))(l.t)
	before, base := state{}, 0
	for i, v := range versions {
		l.t.Run(fmt.Sprint("version ", v.Number), func(t *testing.T) {
			equal(t, "base", v.Base, base)
			equal(t, "units", paths(nodes(units[i])), names(holds[v.ID], nil))
			equal(t, "added", paths(nodes(added[i])), names(holds[v.ID], before))
			equal(t, "removed", paths(nodes(removed[i])), names(before, holds[v.ID]))
			equal(t, "added alone", paths(nodes(must(only(l.VersionAdded(t.Context(), versions[i:i+1], page.Request{})))(t))), names(holds[v.ID], before))
			equal(t, "removed alone", paths(nodes(must(only(l.VersionRemoved(t.Context(), versions[i:i+1], page.Request{})))(t))), names(before, holds[v.ID]))
			equal(t, "units counted", v.Units, len(units[i].Items))
			equal(t, "added counted", v.Added, len(added[i].Items))
			equal(t, "removed counted", v.Removed, len(removed[i].Items))
		})
		before, base = holds[v.ID], v.Number
	}
}

// deleteVersion deletes a version of whose publications none must have been
// served.
func (l library) deleteVersion(id content.VersionID) (v *content.Version) {
	l.t.Helper()
	l.tx(func(tx *db.Tx) (err error) {
		v, err = tx.DeleteVersion(l.ctx(), id, time.Time{})
		return err
	})
	return v
}

// timesOutliveVersions publishes a unit that came with a version that is gone.
func timesOutliveVersions(l library) {
	r := l.repository("r")
	ids := l.store(unit("a", 1), unit("b", 2))
	first := l.version(r, ids[:1], nil)
	l.version(r, ids[1:], nil)
	third := l.version(r, nil, ids[1:])
	equal(l.t, "deleted", l.deleteVersion(first.ID), first)
	p := l.publish(third)
	equal(l.t, "published", *must(l.PublishedFile(l.ctx(), p.ID, "a"))(l.t), content.PublishedFile{Path: "a", SHA256: digest(1), Size: 1, ModifiedAt: first.CreatedAt})
	equal(l.t, "deleted version", must(l.VersionsByID(l.ctx(), []content.VersionID{first.ID}))(l.t)[0], nil)
	l.fails(fault.NotFound, "there is no "+first.ID.String(), func(tx *db.Tx) error {
		_, err := tx.DeleteVersion(l.ctx(), first.ID, time.Time{})
		return err
	})
}

// versionsInUse are not deleted, and not superseded either.
func versionsInUse(l library) {
	r := l.repository("r")
	r.KeepVersions = 1
	l.tx(func(tx *db.Tx) error { return tx.UpdateRepository(l.ctx(), r) })
	vs := []*content.Version{l.version(r, nil, nil), l.version(r, nil, nil), l.version(r, nil, nil), l.version(r, nil, nil)}
	always, never := time.Time{}, time.Now().Add(time.Hour)
	superseded := func(since time.Time, want ...*content.Version) {
		l.t.Helper()
		var ids []content.VersionID
		for _, v := range want {
			ids = append(ids, v.ID)
		}
		equal(l.t, "superseded", must(l.SupersededVersions(l.ctx(), r.ID, since, nil))(l.t), ids)
	}
	kept := func(v *content.Version, since time.Time, why string) {
		l.t.Helper()
		l.fails(fault.Conflict, why, func(tx *db.Tx) error {
			_, err := tx.DeleteVersion(l.ctx(), v.ID, since)
			return err
		})
	}
	superseded(never, vs[:3]...)
	kept(vs[3], never, "version 4 is the newest one of its repository: that one stays")

	pinned := l.publish(vs[0])
	d := l.distribute(content.Distribution{Path: "x", PublicationID: pinned.ID})
	l.publish(vs[1])
	superseded(never, vs[2])
	kept(vs[0], never, `version 1 is served by the distribution at "x": let that serve something else first`)
	kept(vs[1], never, "version 2 is the newest one that is published: publish a newer one first")

	d.PublicationID, d.RepositoryID = 0, r.ID
	l.tx(func(tx *db.Tx) error { return tx.UpdateDistribution(l.ctx(), d) })
	superseded(always, vs[2])
	superseded(never, vs[0], vs[2])
	kept(vs[0], always, `version 1 was served until recently, and clients may still ask for it: try again later`)
	// Never served by a distribution of its own, but by one that follows.
	l.publish(vs[2])
	superseded(always)
	superseded(never, vs[0], vs[1])
	kept(vs[1], always, `version 2 was served until recently, and clients may still ask for it: try again later`)

	l.tx(func(tx *db.Tx) error { _, err := tx.DeleteVersion(l.ctx(), vs[0].ID, never); return err })
	equal(l.t, "its publication", must(l.PublicationsByID(l.ctx(), []content.PublicationID{pinned.ID}))(l.t)[0], nil)
	r.KeepVersions = 3
	l.tx(func(tx *db.Tx) error { return tx.UpdateRepository(l.ctx(), r) })
	superseded(never)
	r.KeepVersions = 0
	l.tx(func(tx *db.Tx) error { return tx.UpdateRepository(l.ctx(), r) })
	superseded(never)
}
