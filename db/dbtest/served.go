package dbtest

import (
	"sync"
	"time"

	"ream/content"
	"ream/db"
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
	replaced := func(since time.Time, want ...content.PublicationID) {
		l.t.Helper()
		s := must(l.Serving(l.ctx(), []string{"x"}))(l.t)
		equal(l.t, "replaced", must(l.Replaced(l.ctx(), s, since))(l.t), want)
	}
	replaced(time.Time{}, ps[1], ps[0])
	replaced(time.Now().Add(time.Hour))
	pin(0, ps[0])
	replaced(time.Time{}, ps[2], ps[1])
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
	serving := must(l.Serving(l.ctx(), []string{"x"}))(l.t)
	newest := nodes(must(l.Served(l.ctx(), []content.DistributionID{d.ID}, page.Request{First: 1}))(l.t)[0])
	if len(newest) != 1 || newest[0].PublicationID != serving.PublicationID || newest[0].Until != nil {
		l.t.Errorf("the record ends with %+v, but %s is served", newest, serving.PublicationID)
	}
}
