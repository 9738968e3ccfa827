package dbtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/page"
)

func artifacts(l library) {
	add := func(as ...content.Artifact) {
		l.tx(func(tx *db.Tx) error { return tx.AddArtifacts(l.ctx(), as) })
	}
	add()
	add(content.Artifact{SHA256: digest(2), Size: 2}, content.Artifact{SHA256: digest(1), Size: 1})
	add(content.Artifact{SHA256: digest(3), Size: 3}, content.Artifact{SHA256: digest(1), Size: 9}, content.Artifact{SHA256: digest(3), Size: 3})
	equal(l.t, "found", must(l.FindArtifacts(l.ctx(), []content.Digest{digest(1), digest(3), digest(4)}))(l.t),
		map[content.Digest]int64{digest(1): 1, digest(3): 3})
	equal(l.t, "found of none", len(must(l.FindArtifacts(l.ctx(), nil))(l.t)), 0)
}

func units(l library) {
	awkward := "dir/naïve <a>&\"b\" 100%_🙂"
	known := []*content.Unit{unit("b", 1), unit("a", 1), unit("a", 2), unit(awkward, 3)}
	ids := l.store(known...)
	if slices.Contains(ids, 0) || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != 4 {
		l.t.Fatalf("got ids %v, want four", ids)
	}
	asked := []*content.Unit{unit("a", 2), unit("a", 3), unit(awkward, 3), unit("b", 1), unit("b", 1)}
	if err := l.FindUnits(l.ctx(), asked); err != nil {
		l.t.Fatal(err)
	}
	for i, want := range []content.UnitID{ids[2], 0, ids[3], ids[0], ids[0]} {
		equal(l.t, fmt.Sprint("found ", i), asked[i].ID, want)
	}
	equal(l.t, "stored anew", l.store(asked...)[2:], []content.UnitID{ids[3], ids[0], ids[0]})
	equal(l.t, "by id", must(l.UnitsByID(l.ctx(), []content.UnitID{ids[3], 999, ids[1]}))(l.t), []*content.Unit{known[3], nil, known[1]})

	// A failed transaction's ids must not outlive it.
	u := unit("c", 1)
	if err := l.InTx(l.ctx(), func(tx *db.Tx) error {
		return errors.Join(tx.AddUnits(l.ctx(), nil, []*content.Unit{u}), errors.New("no"))
	}); err == nil || u.ID == 0 {
		l.t.Fatalf("got %v and id %d", err, u.ID)
	}
	l.store(u)
	equal(l.t, "stored at the second attempt", must(l.UnitsByID(l.ctx(), []content.UnitID{u.ID}))(l.t), []*content.Unit{u})
}

// sizesOfUnits has upstreams that say different sizes of one path and digest: each
// repository publishes what was said to it.
func sizesOfUnits(l library) {
	says := func(size int64) *content.Unit {
		return &content.Unit{Format: content.File, Path: "a", SHA256: digest(1000), Size: size}
	}
	wrong, right := says(1), says(1000)
	l.store(wrong)
	l.store(right)
	again := []*content.Unit{says(1000), says(1), says(2)}
	if err := l.FindUnits(l.ctx(), again); err != nil {
		l.t.Fatal(err)
	}
	for i, want := range []content.UnitID{right.ID, wrong.ID, 0} {
		equal(l.t, fmt.Sprint("found ", i), again[i].ID, want)
	}
	// Many at once, of which some are there with another size.
	var more []*content.Unit
	for size := range int64(60) {
		more = append(more, says(size))
	}
	l.tx(func(tx *db.Tx) error { return tx.AddUnits(l.ctx(), nil, more) })
	equal(l.t, "stored again", more[1].ID, wrong.ID)
	ids := make([]content.UnitID, len(more))
	for i, u := range more {
		ids[i] = u.ID
	}
	equal(l.t, "stored", must(l.UnitsByID(l.ctx(), ids))(l.t), more)

	l.tx(func(tx *db.Tx) error {
		return tx.AddArtifacts(l.ctx(), []content.Artifact{{SHA256: digest(1000), Size: 1000}})
	})
	liar, honest := l.repository("liar"), l.repository("honest")
	first := l.version(liar, []content.UnitID{wrong.ID}, nil)
	for v, want := range map[*content.Version]content.PublishedFile{
		first: {Size: 1}, // the bytes that are stored are not what it promises
		l.version(honest, []content.UnitID{right.ID}, nil): {Size: 1000, Stored: true},
	} {
		p := l.publish(v)
		want.Path, want.SHA256, want.ModifiedAt = "a", digest(1000), v.CreatedAt
		equal(l.t, "published", must(l.PublishedFile(l.ctx(), p.ID, "a"))(l.t), &want)
		equal(l.t, "bytes of the publication", p.Bytes, want.Size)
	}
	mended := l.version(liar, []content.UnitID{right.ID}, nil)
	equal(l.t, "bytes once it is right", mended.Bytes, int64(1000))
	changes := nodes(must(l.Diff(l.ctx(), first, mended, nil, page.Request{}))(l.t))
	equal(l.t, "what changed", changes, []*content.UnitChange{{Path: "a", Before: wrong, After: right}})
}

// manyUnits stores many at once, when none of them is there, when some are, and as a
// part of a transaction that fails alone.
func manyUnits(l library) {
	awkward := []string{`\N`, `\.`, `a\b\\c\t`, "tab\tand\nlines\r\n", "naïve 🙂", " blanks "}
	of := func(from, to int) (us []*content.Unit, as []content.Artifact) {
		for i := from; i < to; i++ {
			us = append(us, unit(fmt.Sprint(i, awkward[i%len(awkward)]), i+1))
			as = append(as, content.Artifact{SHA256: digest(i + 1), Size: int64(i + 1)})
		}
		return us, as
	}
	add := func(from, to int) []*content.Unit {
		us, as := of(from, to)
		l.tx(func(tx *db.Tx) error { return errors.Join(tx.AddArtifacts(l.ctx(), as), tx.AddUnits(l.ctx(), nil, us)) })
		return us
	}
	first := add(0, 120)
	all := add(60, 200)
	for i, u := range all[:60] {
		equal(l.t, "stored again", u.ID, first[60+i].ID)
	}
	all = append(first[:60:60], all...)
	ids := make([]content.UnitID, len(all))
	for i, u := range all {
		ids[i] = u.ID
	}
	equal(l.t, "stored", must(l.UnitsByID(l.ctx(), ids))(l.t), all)
	l.tx(func(tx *db.Tx) error {
		fails := errors.New("it fails alone")
		if err := tx.Try(l.ctx(), func() error {
			_, fresh := of(300, 400)
			_, old := of(150, 250)
			return errors.Join(tx.AddArtifacts(l.ctx(), fresh), tx.AddArtifacts(l.ctx(), old), fails)
		}); !errors.Is(err, fails) {
			l.t.Errorf("got %v, want what failed", err)
		}
		return nil
	})
	equal(l.t, "stored by what failed", must(l.FindArtifacts(l.ctx(), []content.Digest{digest(251), digest(351)}))(l.t), map[content.Digest]int64{})
}

// unitsAddedAtOnce stores the same units in opposite orders.
func unitsAddedAtOnce(l library) {
	const n = 300
	var ids [4][]content.UnitID
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			var us []*content.Unit
			var as []content.Artifact
			for j := range n {
				if i%2 == 1 {
					j = n - 1 - j
				}
				us = append(us, unit(fmt.Sprintf("%03d", j), j+1))
				as = append(as, content.Artifact{SHA256: digest(j + 1), Size: int64(j + 1)})
			}
			if err := l.InTx(l.ctx(), func(tx *db.Tx) error {
				return errors.Join(tx.AddArtifacts(l.ctx(), as), tx.AddUnits(l.ctx(), us[:n/2], us[n/2:]))
			}); err != nil {
				l.t.Error(err)
			}
			for _, u := range us {
				ids[i] = append(ids[i], u.ID)
			}
		})
	}
	wg.Wait()
	slices.Reverse(ids[1])
	slices.Reverse(ids[3])
	for i := range ids {
		equal(l.t, fmt.Sprint("ids of ", i), ids[i], ids[0])
	}
}

func paths(units []*content.Unit) string {
	var b strings.Builder
	for _, u := range units {
		fmt.Fprintf(&b, "%s%d ", u.Path, u.Size)
	}
	return strings.TrimSpace(b.String())
}

func versions(l library) {
	r := l.repository("r")
	a1, a2, b, c, d := unit("a", 1), unit("a", 2), unit("b", 3), unit("c", 4), unit("d", 5)
	l.store(a1, a2, b, c, d)
	id := func(us ...*content.Unit) (ids []content.UnitID) {
		for _, u := range us {
			ids = append(ids, u.ID)
		}
		return ids
	}
	vs := []*content.Version{
		l.version(r, id(c, a1, b, b), nil),
		l.version(r, id(d, c), id(b)),         // c is there already
		l.version(r, id(a2), nil),             // takes a1's place
		l.version(r, id(a1, b), id(a2, b, c)), // b comes back, what is not there cannot go
		l.version(r, nil, id(a1, b, d)),
		l.version(r, nil, nil),
	}
	wants := []struct {
		units, added, removed string
		bytes                 int64
	}{
		{"a1 b3 c4", "a1 b3 c4", "", 8},
		{"a1 c4 d5", "d5", "b3", 10},
		{"a2 c4 d5", "a2", "a1", 11},
		{"a1 b3 d5", "a1 b3", "a2 c4", 9},
		{"", "", "a1 b3 d5", 0},
		{"", "", "", 0},
	}
	for i, want := range wants {
		v := vs[i]
		l.t.Run(fmt.Sprint("version ", i+1), func(t *testing.T) {
			for name, list := range map[string]struct {
				p     *page.Of[*content.Unit]
				paths string
				count int
			}{
				"units":   {must(only(l.VersionUnits(t.Context(), []*content.Version{v}, page.Request{})))(t), want.units, v.Units},
				"added":   {must(only(l.VersionAdded(t.Context(), []*content.Version{v}, page.Request{})))(t), want.added, v.Added},
				"removed": {must(only(l.VersionRemoved(t.Context(), []*content.Version{v}, page.Request{})))(t), want.removed, v.Removed},
			} {
				equal(t, name, paths(nodes(list.p)), list.paths)
				equal(t, name+" counted", list.count, len(list.p.Items))
			}
			var streamed []*content.Unit
			if err := l.UnitsInOrder(t.Context(), v, func(u *content.Unit) error { streamed = append(streamed, u); return nil }); err != nil {
				t.Error(err)
			}
			equal(t, "in order", paths(streamed), want.units)
			equal(t, "bytes", v.Bytes, want.bytes)
			equal(t, "number", v.Number, i+1)
			equal(t, "by number", must(l.VersionsByNumber(t.Context(), []content.VersionKey{{RepositoryID: r.ID, Number: i + 1}}))(t), []*content.Version{v})
		})
	}
	equal(l.t, "latest", l.again(r).LatestID, vs[5].ID)
	equal(l.t, "by id", must(l.VersionsByID(l.ctx(), []content.VersionID{vs[1].ID, 99, vs[0].ID}))(l.t), []*content.Version{vs[1], nil, vs[0]})
	slices.Reverse(vs)
	equal(l.t, "newest first", nodes(must(only(l.Versions(l.ctx(), []content.RepositoryID{r.ID}, page.Request{})))(l.t)), vs)
	equal(l.t, "members", must(l.Members(l.ctx(), r.ID))(l.t), nil)
	equal(l.t, "by keys", must(l.VersionsByNumber(l.ctx(), []content.VersionKey{{RepositoryID: r.ID, Number: 7}, {RepositoryID: r.ID, Number: 6}, {RepositoryID: 99, Number: 1}}))(l.t),
		[]*content.Version{nil, vs[0], nil})

	stop := errors.New("stop")
	if err := l.UnitsInOrder(l.ctx(), vs[2], func(*content.Unit) error { return stop }); err != stop {
		l.t.Errorf("got %v, want the callback's own error", err)
	}
}

func versionRefused(l library) {
	r := l.repository("r")
	ids := l.store(unit("a", 1), unit("a", 2), unit("b", 1))
	create := func(base content.VersionID, added ...content.UnitID) func(*db.Tx) error {
		return func(tx *db.Tx) error {
			_, err := tx.CreateVersion(l.ctx(), r, base, added, nil)
			return err
		}
	}
	first := l.version(r, ids[2:], nil)
	second := l.version(r, nil, nil)
	const moved = `repository "r" got another version meanwhile: try again`
	l.fails(fault.Conflict, moved, create(0, ids[0]))
	l.fails(fault.Conflict, moved, create(first.ID, ids[0]))
	l.fails(fault.Conflict, `two of the units added to repository "r" have the path "a"`, create(second.ID, ids[0], ids[1]))
	for i, tt := range []struct {
		before, added []*content.Unit
		want          string
	}{
		{nil, []*content.Unit{unit("d", 1), unit("d/e", 2)}, `a file at "d" and another below it, at "d/e"`},
		{nil, []*content.Unit{unit("d/e/f/g", 1), unit("d/e", 2), unit("d/e.g", 2)}, `a file at "d/e" and another below it, at "d/e/f/g"`},
		{[]*content.Unit{unit("d", 1)}, []*content.Unit{unit("d/e/f", 2)}, `a file at "d" and another below it, at "d/e/f"`},
		{[]*content.Unit{unit("d.x", 1), unit("d/e/f", 1), unit("d0", 1)}, []*content.Unit{unit("d", 2)}, `a file at "d" and another below it, at "d/e/f"`},
	} {
		other := l.repository(fmt.Sprint("tree ", i))
		var base content.VersionID
		if tt.before != nil {
			base = l.version(other, l.store(tt.before...), nil).ID
		}
		added := l.store(tt.added...)
		want := fmt.Sprintf("repository %q would have %s: it can have only one of them", other.Name, tt.want)
		l.fails(fault.Conflict, want, func(tx *db.Tx) error {
			_, err := tx.CreateVersion(l.ctx(), other, base, added, nil)
			return err
		})
		if tt.before == nil {
			continue
		}
		paths := make([]string, len(tt.added))
		for i, u := range tt.added {
			paths[i] = u.Path
		}
		wantFault(l.t, l.CheckTree(l.ctx(), other, paths), fault.Conflict, want)
		// What has left is in nobody's way, and neither is what only begins alike.
		l.version(other, nil, l.store(tt.before...))
		if err := l.CheckTree(l.ctx(), other, paths); err != nil {
			l.t.Errorf("%s, once what was there has left: %v", paths, err)
		}
		l.version(other, added, nil)
	}
	if err := l.InTx(l.ctx(), create(second.ID, 999)); err == nil {
		l.t.Error("a version took a unit that does not exist")
	}
	equal(l.t, "latest", l.again(r).LatestID, second.ID)
	equal(l.t, "members", must(l.Members(l.ctx(), r.ID))(l.t), ids[2:])
}

// versionsAtOnce diffs against one version many times: one wins.
func versionsAtOnce(l library) {
	r := l.repository("r")
	ids := l.store(unit("a", 1), unit("b", 1), unit("c", 1), unit("d", 1))
	errs := make([]error, len(ids))
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			errs[i] = l.InTx(l.ctx(), func(tx *db.Tx) error {
				_, err := tx.CreateVersion(l.ctx(), r, 0, []content.UnitID{id}, nil)
				return err
			})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !fault.Is(err, fault.Conflict) {
			l.t.Error(err)
		}
	}
	equal(l.t, "winners", won, 1)
	equal(l.t, "members", len(must(l.Members(l.ctx(), r.ID))(l.t)), 1)
}

// bigVersion takes several statements.
func bigVersion(l library) {
	const n = 4500
	r := l.repository("r")
	var all []*content.Unit
	for i := range n {
		all = append(all, unit(fmt.Sprintf("%02d/%04d", i%50, i), i+1))
	}
	ids := l.store(all...)
	l.version(r, ids, nil)
	v := l.version(r, nil, ids[:n-100])
	equal(l.t, "units", v.Units, 100)
	equal(l.t, "removed", v.Removed, n-100)
	equal(l.t, "members", must(l.Members(l.ctx(), r.ID))(l.t), slices.Sorted(slices.Values(ids[n-100:])))
	p := must(only(l.VersionRemoved(l.ctx(), []*content.Version{v}, page.Request{First: 3, After: "25/1025"})))(l.t)
	equal(l.t, "page in the middle", paths(nodes(p)), "25/10751076 25/11251126 25/11751176")
}
