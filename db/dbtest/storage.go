package dbtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"ream/access"
	"ream/content"
	"ream/db"
	"ream/page"
	"ream/task"
)

// findingsOfTasks keeps what tasks found in the order in which it came, for
// those who see the task.
func findingsOfTasks(l library) {
	n := newNeighbours(l)
	mine, theirs := n.task[0], n.task[1]
	add := func(id task.ID, paths ...string) {
		var all []content.Finding
		for i, path := range paths {
			all = append(all, content.Finding{Path: path, SHA256: digest(i), Size: 1 << 40, Problem: content.Damaged, Remedy: []content.Remedy{content.Fetched, content.Unsolved}[i%2], Message: "why"})
		}
		l.tx(func(tx *db.Tx) error { return tx.AddFindings(l.ctx(), id, all) })
	}
	add(theirs, "other", "unit")
	add(mine, "a", "b")
	add(mine)
	add(mine, "c", "d", "e")
	checkPages(l.t, l.ctx(), func(ctx context.Context, req page.Request) (*page.Of[*content.Finding], error) {
		return second(l.Findings(ctx, []task.ID{theirs, mine, 99, theirs}, req))
	}, func(f *content.Finding) string { return f.Path })
	first := must(only(l.Findings(l.ctx(), []task.ID{mine}, page.Request{First: 1})))(l.t)
	equal(l.t, "the first", *first.Items[0].Node, content.Finding{Path: "a", SHA256: digest(0), Size: 1 << 40, Problem: content.Damaged, Remedy: content.Fetched, Message: "why"})
	for limit, seen := range map[access.Limit]int{"": 2, "team=b": 2, "team=a": 0} {
		p := must(only(l.Within(limit).Findings(l.ctx(), []task.ID{theirs}, page.Request{})))(l.t)
		equal(l.t, fmt.Sprintf("within %q", limit), len(p.Items), seen)
	}
	l.tx(func(tx *db.Tx) error { return tx.DropUnsolved(l.ctx(), mine) })
	left := must(only(l.Findings(l.ctx(), []task.ID{mine}, page.Request{})))(l.t)
	equal(l.t, "without what is unsolved", len(left.Items), 3)
}

// kept stores units with their artifacts.
func (l library) kept(units ...*content.Unit) []content.UnitID {
	l.t.Helper()
	var artifacts []content.Artifact
	for _, u := range units {
		artifacts = append(artifacts, content.Artifact{SHA256: u.SHA256, Size: u.Size})
	}
	l.tx(func(tx *db.Tx) error { return tx.AddArtifacts(l.ctx(), artifacts) })
	return l.store(units...)
}

// upload stores the whole of an upload, in one part.
func (l library) upload(part content.Artifact) *content.Upload {
	l.t.Helper()
	up := &content.Upload{Owner: "somebody", Size: part.Size, ExpiresAt: l.Now().Add(time.Hour)}
	l.tx(func(tx *db.Tx) error {
		if err := errors.Join(tx.AddArtifacts(l.ctx(), []content.Artifact{part}), tx.CreateUpload(l.ctx(), up)); err != nil {
			return err
		}
		up.Received = part.Size
		return tx.AppendUpload(l.ctx(), up, part)
	})
	return up
}

func orphans(l library) {
	r := l.repository("r")
	a, b, stray := unit("a", 1), unit("b", 2), unit("stray", 9)
	l.kept(a, b)
	l.store(stray)
	l.tx(func(tx *db.Tx) error {
		return tx.AddArtifacts(l.ctx(), []content.Artifact{{SHA256: digest(3), Size: 3}, {SHA256: digest(4), Size: 4}})
	})
	v := l.version(r, []content.UnitID{a.ID}, nil)
	l.tx(func(tx *db.Tx) error {
		_, err := tx.CreatePublication(l.ctx(), v, []content.PublishedFile{{Path: "meta", SHA256: digest(4), Size: 4}})
		return err
	})
	l.version(l.again(r), nil, []content.UnitID{a.ID}) // the version before still has it
	l.upload(content.Artifact{SHA256: digest(5), Size: 5})
	future := l.Now().Add(time.Hour)
	equal(l.t, "orphans", must(l.Orphans(l.ctx(), "", future, 10))(l.t), []content.Digest{digest(2), digest(3)})
	equal(l.t, "one of them", must(l.Orphans(l.ctx(), "", future, 1))(l.t), []content.Digest{digest(2)})
	equal(l.t, "those behind", must(l.Orphans(l.ctx(), digest(2), future, 10))(l.t), []content.Digest{digest(3)})
	equal(l.t, "old ones", len(must(l.Orphans(l.ctx(), "", l.Now().Add(-time.Hour), 10))(l.t)), 0)

	all := []content.Digest{digest(1), digest(2), digest(3), digest(4), digest(5)}
	remove := func(before time.Time) (removed []content.Artifact) {
		l.tx(func(tx *db.Tx) (err error) {
			removed, err = tx.RemoveOrphans(l.ctx(), all, before)
			return err
		})
		slices.SortFunc(removed, func(a, b content.Artifact) int { return int(a.Size - b.Size) })
		return removed
	}
	equal(l.t, "removed of what is new", len(remove(l.Now().Add(-time.Hour))), 0)
	equal(l.t, "removed", remove(future), []content.Artifact{{SHA256: digest(2), Size: 2}, {SHA256: digest(3), Size: 3}})
	equal(l.t, "left", len(must(l.FindArtifacts(l.ctx(), all))(l.t)), 3)

	// Who built upon what was removed is told.
	if err := l.InTx(l.ctx(), func(tx *db.Tx) error {
		_, err := tx.CreateVersion(l.ctx(), l.again(r), l.again(r).LatestID, []content.UnitID{b.ID}, nil)
		return err
	}); !errors.Is(err, db.ErrCleaned) {
		l.t.Errorf("a version of a unit that was removed: got %v", err)
	}
	l.tx(func(tx *db.Tx) error { return tx.NeedArtifacts(l.ctx(), []content.Digest{digest(1), digest(4)}) })
	if err := l.InTx(l.ctx(), func(tx *db.Tx) error { return tx.NeedArtifacts(l.ctx(), []content.Digest{digest(1), digest(2)}) }); !errors.Is(err, db.ErrCleaned) {
		l.t.Errorf("an artifact that was removed: got %v", err)
	}

	remote := l.remote("up")
	l.tx(func(tx *db.Tx) error {
		return tx.AddSources(l.ctx(), remote.ID, []*content.Unit{stray, a})
	})
	later := unit("later", 10)
	l.store(later)
	equal(l.t, "stray units of what is new", len(must(l.StrayUnits(l.ctx(), 0, l.Now().Add(-time.Hour), 10))(l.t)), 0)
	equal(l.t, "stray units", must(l.StrayUnits(l.ctx(), 0, future, 10))(l.t), []content.UnitID{stray.ID, later.ID})
	equal(l.t, "one of them", must(l.StrayUnits(l.ctx(), 0, future, 1))(l.t), []content.UnitID{stray.ID})
	equal(l.t, "those behind", must(l.StrayUnits(l.ctx(), stray.ID, future, 10))(l.t), []content.UnitID{later.ID})
	l.tx(func(tx *db.Tx) error {
		n, err := tx.RemoveStrayUnits(l.ctx(), []content.UnitID{a.ID, stray.ID})
		equal(l.t, "stray units removed", n, 1)
		return err
	})
	equal(l.t, "sources of what is gone", len(must(l.Sources(l.ctx(), stray.SHA256))(l.t)), 0)
	equal(l.t, "sources of what is not", len(must(l.Sources(l.ctx(), a.SHA256))(l.t)), 1)
	equal(l.t, "units left", must(l.UnitsByID(l.ctx(), []content.UnitID{a.ID, stray.ID, later.ID}))(l.t), []*content.Unit{a, nil, later})
}

func quarantine(l library) {
	a := unit("dir/a", 1)
	l.kept(a)
	remote := l.remote("up")
	r := &content.Repository{Name: "r", Format: content.File, RemoteID: remote.ID}
	l.tx(func(tx *db.Tx) error { return tx.CreateRepository(l.ctx(), r) })
	l.kept(unit("lone", 7))
	v := l.version(r, []content.UnitID{a.ID}, nil)
	l.tx(func(tx *db.Tx) error { return tx.SetSynced(l.ctx(), r.ID, "as it was", v.ID) })
	l.tx(func(tx *db.Tx) error {
		_, err := tx.CreatePublication(l.ctx(), v, []content.PublishedFile{{Path: "meta/data", SHA256: digest(4), Size: 4}})
		return err
	})
	equal(l.t, "sources", must(l.Sources(l.ctx(), digest(1)))(l.t), []content.Source{{SHA256: digest(1), RemoteID: remote.ID, Path: "dir/a"}})
	equal(l.t, "sources of what no repository has", len(must(l.Sources(l.ctx(), digest(7)))(l.t)), 0)
	for want, digest := range map[string]content.Digest{"dir/a 0": digest(1), "meta/data " + fmt.Sprint(int64(v.ID)): digest(4), " 0": digest(9)} {
		path, version, err := l.Named(l.ctx(), digest)
		if err != nil {
			l.t.Fatal(err)
		}
		equal(l.t, "named", fmt.Sprint(path, " ", int64(version)), want)
	}
	equal(l.t, "of the repository", must(l.ArtifactsBetween(l.ctx(), r.ID, "", "g"))(l.t), []content.Artifact{{SHA256: digest(1), Size: 1}, {SHA256: digest(4), Size: 4}})
	equal(l.t, "of all, in part", must(l.ArtifactsBetween(l.ctx(), 0, digest(4), digest(7)))(l.t), []content.Artifact{{SHA256: digest(4), Size: 4}})

	l.tx(func(tx *db.Tx) error {
		known, err := tx.Quarantine(l.ctx(), digest(9))
		equal(l.t, "an unknown artifact", known, false)
		return err
	})
	l.tx(func(tx *db.Tx) error {
		known, err := tx.Quarantine(l.ctx(), digest(1))
		equal(l.t, "a known artifact", known, true)
		return err
	})
	equal(l.t, "quarantined", must(l.Quarantined(l.ctx(), []content.Digest{digest(1), digest(4), digest(9)}))(l.t), map[content.Digest]bool{digest(1): true})
	equal(l.t, "found in quarantine", len(must(l.FindArtifacts(l.ctx(), []content.Digest{digest(1)}))(l.t)), 0)
	fingerprint, _, err := l.Synced(l.ctx(), r.ID)
	if err != nil || fingerprint != "" {
		l.t.Errorf("synced: got %q, %v, want nothing", fingerprint, err)
	}
	l.tx(func(tx *db.Tx) error {
		return tx.AddArtifacts(l.ctx(), []content.Artifact{{SHA256: digest(1), Size: 1}})
	})
	equal(l.t, "found once it is stored again", len(must(l.FindArtifacts(l.ctx(), []content.Digest{digest(1)}))(l.t)), 1)
}

func figures(l library) {
	equal(l.t, "before", must(l.Storage(l.ctx()))(l.t), nil)
	r, s, empty := l.repository("r"), l.repository("s"), l.repository("empty")
	both, twice, own, other := unit("both", 1), unit("twice", 10), unit("own", 100), unit("other", 1000)
	again := unit("again", 10)
	l.kept(unit("orphan", 10_000))
	l.kept(both, twice, own, other, again)
	later, sameLater, nobodys := unit("later", 7), unit("same later", 7), unit("nobody's", 9) // not fetched yet
	l.store(later, sameLater, nobodys)
	v := l.version(r, []content.UnitID{both.ID, twice.ID, again.ID, own.ID, later.ID, sameLater.ID}, nil)
	l.version(l.again(r), nil, []content.UnitID{own.ID}) // the version before still has it
	l.version(s, []content.UnitID{both.ID, other.ID}, nil)
	l.tx(func(tx *db.Tx) error {
		_, err := tx.CreatePublication(l.ctx(), v, []content.PublishedFile{{Path: "meta", SHA256: digest(5), Size: 5}})
		return err
	})
	count := func() content.Storage {
		l.t.Helper()
		if err := l.CountStorage(l.ctx()); err != nil {
			l.t.Fatal(err)
		}
		s := *must(l.Storage(l.ctx()))(l.t)
		s.CountedAt = time.Time{}
		return s
	}
	of := func(want ...content.Figures) {
		l.t.Helper()
		for i, f := range must(l.Figures(l.ctx(), []content.RepositoryID{r.ID, s.ID, empty.ID}))(l.t) {
			if f.CountedAt.IsZero() {
				l.t.Errorf("figures of %d: without a time", i)
			}
			f.CountedAt = time.Time{}
			equal(l.t, fmt.Sprint("figures of ", i), *f, want[i])
		}
	}
	equal(l.t, "counted", count(), content.Storage{Artifacts: 6, Bytes: 11116, OrphanedArtifacts: 1, OrphanedBytes: 10_000, UnfetchedArtifacts: 1, UnfetchedBytes: 7})
	of(content.Figures{Artifacts: 4, OwnBytes: 115, SharedBytes: 1}, content.Figures{Artifacts: 2, OwnBytes: 1000, SharedBytes: 1}, content.Figures{})
	equal(l.t, "of an unknown repository", must(l.Figures(l.ctx(), []content.RepositoryID{99}))(l.t), []*content.Figures{nil})
	equal(l.t, "within a limit", must(l.Within("team=x").Figures(l.ctx(), []content.RepositoryID{r.ID}))(l.t), []*content.Figures{nil})

	l.tx(func(tx *db.Tx) error {
		_, err := tx.Quarantine(l.ctx(), digest(1000))
		return err
	})
	l.version(l.again(s), []content.UnitID{own.ID}, nil)
	// The last count took a moment, for twenty of which none is made.
	recounted := func(want content.Storage) {
		l.t.Helper()
		for began := time.Now(); count() != want; time.Sleep(time.Millisecond) {
			if time.Since(began) > time.Minute {
				l.t.Fatalf("counted again: got %+v, want %+v", count(), want)
			}
		}
	}
	recounted(content.Storage{Artifacts: 6, Bytes: 11116, OrphanedArtifacts: 1, OrphanedBytes: 10_000, QuarantinedArtifacts: 1, UnfetchedArtifacts: 1, UnfetchedBytes: 7})
	of(content.Figures{Artifacts: 4, OwnBytes: 15, SharedBytes: 101}, content.Figures{Artifacts: 3, OwnBytes: 1000, SharedBytes: 101}, content.Figures{})
	counted := must(l.Storage(l.ctx()))(l.t).CountedAt
	if err := l.CountStorage(l.ctx()); err != nil || must(l.Storage(l.ctx()))(l.t).CountedAt != counted {
		l.t.Errorf("it was counted again without a change, or: %v", err)
	}

	// The artifact that was recorded last stays.
	l.tx(func(tx *db.Tx) error {
		_, err := tx.RemoveOrphans(l.ctx(), []content.Digest{digest(10_000)}, l.Now().Add(time.Hour))
		return err
	})
	recounted(content.Storage{Artifacts: 5, Bytes: 1116, QuarantinedArtifacts: 1, UnfetchedArtifacts: 1, UnfetchedBytes: 7})
	l.tx(func(tx *db.Tx) error {
		return tx.AddArtifacts(l.ctx(), []content.Artifact{{SHA256: digest(7), Size: 7}})
	})
	recounted(content.Storage{Artifacts: 6, Bytes: 1123, QuarantinedArtifacts: 1})

	up := l.upload(content.Artifact{SHA256: digest(4), Size: 4})
	recounted(content.Storage{Artifacts: 7, Bytes: 1127, QuarantinedArtifacts: 1})
	l.tx(func(tx *db.Tx) error { return tx.DropUpload(l.ctx(), up.ID) })
	recounted(content.Storage{Artifacts: 7, Bytes: 1127, OrphanedArtifacts: 1, OrphanedBytes: 4, QuarantinedArtifacts: 1})
}

// hugeSizes counts units of sizes that together are more than an integer holds.
func hugeSizes(l library) {
	r := l.repository("r")
	var units []*content.Unit
	for i := range 3 {
		u := unit(fmt.Sprint(i), i+1)
		u.Size = math.MaxInt64
		units = append(units, u)
	}
	small := unit("small", 9)
	ids := l.store(append(units, small)...)
	v := l.version(r, ids, nil)
	equal(l.t, "bytes of a version", v.Bytes, math.MaxInt64)
	equal(l.t, "bytes of its publication", l.publish(v, content.PublishedFile{Path: "meta", SHA256: digest(5), Size: 5}).Bytes, math.MaxInt64)
	l.tx(func(tx *db.Tx) error {
		return tx.AddArtifacts(l.ctx(), []content.Artifact{{SHA256: digest(1), Size: math.MaxInt64}, {SHA256: digest(2), Size: math.MaxInt64}, {SHA256: digest(8), Size: 8}})
	})
	l.version(l.repository("again"), ids[:3], nil)
	if err := l.CountStorage(l.ctx()); err != nil {
		l.t.Fatal(err)
	}
	counted := *must(l.Storage(l.ctx()))(l.t)
	counted.CountedAt = time.Time{}
	equal(l.t, "counted", counted, content.Storage{Artifacts: 4, Bytes: math.MaxInt64, OrphanedArtifacts: 1, UnfetchedArtifacts: 2, UnfetchedBytes: math.MaxInt64})
	of := must(l.Figures(l.ctx(), []content.RepositoryID{r.ID}))(l.t)[0]
	of.CountedAt = time.Time{}
	equal(l.t, "figures", *of, content.Figures{Artifacts: 3, OwnBytes: 5, SharedBytes: math.MaxInt64})
	_, bytes, err := l.Totals(l.ctx())
	equal(l.t, "totals", must(bytes, err)(l.t), math.MaxInt64)

	left := l.version(l.again(r), nil, ids[:3])
	if left.Bytes < 0 {
		l.t.Errorf("bytes of a version without them: got %d", left.Bytes)
	}

	id := l.enqueue(task.New{Kind: "sync"})
	var changes []content.PreviewChange
	for _, u := range units {
		changes = append(changes, content.PreviewChange{Path: u.Path, Kind: content.WouldAdd, Fetch: true, After: &content.PreviewFile{SHA256: u.SHA256, Size: u.Size}})
	}
	l.tx(func(tx *db.Tx) error {
		return errors.Join(tx.AddPreviewChanges(l.ctx(), id, changes), tx.AddPreview(l.ctx(), id, 0))
	})
	equal(l.t, "bytes of a preview", must(l.Previews(l.ctx(), []task.ID{id}))(l.t)[0].FetchBytes, math.MaxInt64)
}
