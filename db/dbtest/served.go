package dbtest

import (
	"fmt"
	"sync"
	"time"

	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/page"
)

// servedRecords publishes, and changes what a distribution serves: the record
// tells all of it, and what was replaced not long ago.
func servedRecords(l library) {
	r, other := l.repository("r"), l.repository("other")
	d := l.distribute(content.Distribution{Path: "x", RepositoryID: r.ID})
	silent := l.distribute(content.Distribution{Path: "y", RepositoryID: other.ID})
	var ps []content.PublicationID
	for range 3 {
		ps = append(ps, l.publish(l.version(r, nil, nil)).ID)
	}
	l.tx(func(tx *db.Tx) error { return tx.UpdateDistribution(l.ctx(), d) }) // to the same
	pin := func(repository content.RepositoryID, publication content.PublicationID) {
		d.RepositoryID, d.PublicationID = repository, publication
		l.tx(func(tx *db.Tx) error { return tx.UpdateDistribution(l.ctx(), d) })
	}
	equal(l.t, "replaced", l.replaced("x", time.Time{}), []content.PublicationID{ps[1], ps[0]})
	equal(l.t, "replaced after now", len(l.replaced("x", time.Now().Add(time.Hour))), 0)
	pin(0, ps[0])
	equal(l.t, "replaced by an older one", l.replaced("x", time.Time{}), []content.PublicationID{ps[2], ps[1]})
	pin(other.ID, 0)
	pin(r.ID, 0)

	pages := must(l.Served(l.ctx(), []content.DistributionID{d.ID, silent.ID}, page.Request{}))(l.t)
	var served []content.PublicationID
	for i, s := range nodes(pages[0]) {
		served = append(served, s.PublicationID)
		equal(l.t, "goes on", s.Until == nil, i == 0)
	}
	equal(l.t, "served, newest first", served, []content.PublicationID{ps[2], ps[0], ps[2], ps[1], ps[0]})
	equal(l.t, "served by what never served", len(pages[1].Items), 0)
	equal(l.t, "counted", must(pages[0].Count(l.ctx()))(l.t), 5)
	l.tx(func(tx *db.Tx) error { return tx.DeleteDistribution(l.ctx(), d.ID) })
}

// replaced is what was served at a path after a time and is no longer.
func (l library) replaced(path string, since time.Time) (ids []content.PublicationID) {
	l.t.Helper()
	for _, r := range must(l.Replaced(l.ctx(), l.serving(path), since))(l.t) {
		ids = append(ids, r.PublicationID)
		p := must(l.PublicationsByID(l.ctx(), []content.PublicationID{r.PublicationID}))(l.t)[0]
		equal(l.t, "the repository of "+r.PublicationID.String(), r.RepositoryID, p.RepositoryID)
	}
	return ids
}

// allReplaced publishes more than is looked into, in two repositories, at a path
// that several distributions have in turn: all of the newest ones are found that
// were served there, but for those of a distribution that others may read.
func allReplaced(l library) {
	const most = 300
	a, b := l.repository("a"), l.repository("b")
	v, w := l.version(a, nil, nil), l.version(b, nil, nil)
	blue := l.distribute(content.Distribution{Path: "prod", RepositoryID: a.ID})
	green := l.distribute(content.Distribution{Path: "stage", RepositoryID: b.ID})
	publish := func(v *content.Version, n int) (newest []content.PublicationID) {
		l.tx(func(tx *db.Tx) error {
			for range n {
				p, err := tx.CreatePublication(l.ctx(), v, nil)
				if err != nil {
					return err
				}
				newest = append([]content.PublicationID{p.ID}, newest...)
			}
			return nil
		})
		return newest
	}
	ofA, ofB := publish(v, 20), publish(w, 2)
	equal(l.t, "replaced", l.replaced("prod", time.Time{}), ofA[1:])
	blue.RepositoryID = b.ID
	l.tx(func(tx *db.Tx) error { return tx.UpdateDistribution(l.ctx(), blue) })
	equal(l.t, "replaced by another repository's", l.replaced("prod", time.Time{}), ofA)

	l.move(blue, "old")
	l.move(green, "prod")
	equal(l.t, "replaced at a path", l.replaced("prod", time.Time{}), ofA) // that of b is served
	equal(l.t, "replaced at the other", len(l.replaced("old", time.Time{})), 0)
	blue.Access = content.WithToken
	l.tx(func(tx *db.Tx) error { return tx.UpdateDistribution(l.ctx(), blue) })
	equal(l.t, "replaced, but for others to read", len(l.replaced("prod", time.Time{})), 0)
	blue.Access = content.AsServer
	l.tx(func(tx *db.Tx) error { return tx.UpdateDistribution(l.ctx(), blue) })

	many := publish(w, most)
	equal(l.t, "the newest of too many", l.replaced("prod", time.Time{}), append(many[1:], ofB[0]))
}

// move gives a distribution another path.
func (l library) move(d *content.Distribution, path string) {
	l.t.Helper()
	d.Path = path
	l.tx(func(tx *db.Tx) error { return tx.UpdateDistribution(l.ctx(), d) })
}

// servedAtOnce publishes two repositories while a distribution changes between
// them: the record ends with what it serves.
func servedAtOnce(l library) {
	a, b := l.repository("a"), l.repository("b")
	d := l.distribute(content.Distribution{Path: "x", RepositoryID: a.ID})
	var all sync.WaitGroup
	for _, r := range []*content.Repository{a, b} {
		v := l.version(r, nil, nil)
		all.Go(func() {
			for range 10 {
				if err := l.InTx(l.ctx(), func(tx *db.Tx) error { _, err := tx.CreatePublication(l.ctx(), v, nil); return err }); err != nil {
					l.t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 10 {
				if err := l.InTx(l.ctx(), func(tx *db.Tx) error {
					now, err := tx.LockDistribution(l.ctx(), d.ID)
					if err != nil {
						return err
					}
					now.RepositoryID = r.ID
					return tx.UpdateDistribution(l.ctx(), now)
				}); err != nil {
					l.t.Error(err)
				}
			}
		})
	}
	all.Wait()
	serving := l.serving("x")
	newest := nodes(must(l.Served(l.ctx(), []content.DistributionID{d.ID}, page.Request{First: 1}))(l.t)[0])
	if len(newest) != 1 || newest[0].PublicationID != serving.PublicationID || newest[0].Until != nil {
		l.t.Errorf("the record ends with %+v, but %s is served", newest, serving.PublicationID)
	}
}

// firstFiles looks for files in several publications at once.
func firstFiles(l library) {
	r := l.repository("r")
	v := l.version(r, nil, nil)
	file := func(path string, bytes int) content.PublishedFile {
		return content.PublishedFile{Path: path, SHA256: digest(bytes), Size: int64(bytes)}
	}
	old := l.publish(v, file("dir/both", 1), file("dir/old", 2)).ID
	newer := l.publish(v, file("dir/both", 3), file("dir.new", 4)).ID
	for path, want := range map[string]int64{"dir/both": 3, "dir/old": 2, "dir.new": 4} {
		f := must(l.FirstFile(l.ctx(), []content.PublicationID{99, newer, old}, path))(l.t)
		equal(l.t, path, []any{f.Path, f.SHA256, f.Size, f.Stored}, []any{path, digest(int(want)), want, true})
	}
	equal(l.t, "in the other order", must(l.FirstFile(l.ctx(), []content.PublicationID{old, newer}, "dir/both"))(l.t).Size, 1)
	for _, path := range []string{"dir", "never", "dir\tboth", ""} {
		_, err := l.FirstFile(l.ctx(), []content.PublicationID{newer, old}, path)
		wantFault(l.t, err, fault.NotFound, fmt.Sprintf("none of 2 publications has a file %q", path))
	}
	_, err := l.FirstFile(l.ctx(), nil, "dir/both")
	wantFault(l.t, err, fault.NotFound, `none of 0 publications has a file "dir/both"`)
}
