package catalog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ream/catalog"
	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/page"
	"ream/task"
)

// silent is for tasks whose progress nobody looks at.
type silent struct{}

func (silent) Report(string, string, task.Unit, int64, int64) {}

// run does all work that is ready, and returns how each task failed.
func (h house) run() (failures []error) {
	h.t.Helper()
	for _, t := range h.claim() {
		err := h.Handlers()[t.Kind](h.t.Context(), &task.Run{Task: t, Progress: silent{}})
		if err != nil {
			failures = append(failures, err)
			h.finish(task.Failed, t)
		} else {
			h.finish(task.Completed, t)
		}
	}
	return failures
}

// done queues work that must succeed.
func (h house) done(work task.Work, err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, err := range h.run() {
		h.t.Errorf("%s: %v", work.NodeID(), err)
	}
}

// units stores units: "path:bytes" has so many bytes, which tell it apart.
func (h house) units(names ...string) []content.UnitID {
	h.t.Helper()
	units, ids := make([]*content.Unit, len(names)), make([]content.UnitID, len(names))
	for i, name := range names {
		units[i] = &content.Unit{Format: content.File}
		path, bytes, _ := strings.Cut(name, ":")
		if _, err := fmt.Sscan(bytes, &units[i].Size); err != nil {
			h.t.Fatal(err)
		}
		units[i].Path, units[i].SHA256 = path, content.Digest(fmt.Sprintf("%064x", units[i].Size))
	}
	if err := h.DB.InTx(h.t.Context(), func(tx *db.Tx) error { return tx.AddUnits(h.t.Context(), units, nil) }); err != nil {
		h.t.Fatal(err)
	}
	for i, u := range units {
		ids[i] = u.ID
	}
	return ids
}

// version is a version by its number.
func (h house) version(r *content.Repository, number int) *content.Version {
	h.t.Helper()
	v := must[[]*content.Version](h.t)(h.DB.VersionsByNumber(h.t.Context(), []content.VersionKey{{RepositoryID: r.ID, Number: number}}))[0]
	if v == nil {
		h.t.Fatalf("%s has no version %d", r.Name, number)
	}
	return v
}

// holds tells what the newest version of a repository holds, after its number.
func (h house) holds(r *content.Repository) string {
	h.t.Helper()
	versions := must[[]*page.Of[*content.Version]](h.t)(h.DB.Versions(h.t.Context(), []content.RepositoryID{r.ID}, page.Request{First: 1}))
	newest := nodes(versions[0])
	if len(newest) == 0 {
		return ""
	}
	text := fmt.Sprint(newest[0].Number)
	if err := h.DB.UnitsInOrder(h.t.Context(), newest[0], func(u *content.Unit) error {
		text += fmt.Sprintf(" %s:%d", u.Path, u.Size)
		return nil
	}); err != nil {
		h.t.Fatal(err)
	}
	return text
}

// add makes a version of a repository that has these units more.
func (h house) add(r *content.Repository, names ...string) {
	h.t.Helper()
	h.done(h.Modify(h.t.Context(), catalog.ModifyRequest{Repository: r.ID, Add: h.units(names...), Priority: task.Normal}))
}

func (h house) wantHeld(r *content.Repository, want string) {
	h.t.Helper()
	if got := h.holds(r); got != want {
		h.t.Errorf("%s holds %q, want %q", r.Name, got, want)
	}
}

func TestModify(t *testing.T) {
	eachHouse(t, func(h house) {
		r := h.repository("r")
		ids := h.units("a:1", "a:2", "b:3", "c:4")
		a1, a2, b, c := ids[0], ids[1], ids[2], ids[3]
		for _, step := range []struct {
			add, remove []content.UnitID
			want        string
		}{
			{[]content.UnitID{b, a1, b}, nil, "1 a:1 b:3"},
			{[]content.UnitID{a2}, []content.UnitID{b, c}, "2 a:2"},
			{[]content.UnitID{a2}, []content.UnitID{a1, b}, "2 a:2"}, // so it is already
			{[]content.UnitID{a2, c}, nil, "3 a:2 c:4"},
			{nil, []content.UnitID{a2, c}, "4"},
		} {
			h.done(h.Modify(t.Context(), catalog.ModifyRequest{Repository: r.ID, Add: step.add, Remove: step.remove, Priority: task.Normal}))
			h.wantHeld(r, step.want)
		}
	})
}

func TestModifyRefused(t *testing.T) {
	eachHouse(t, func(h house) {
		r := h.repository("r")
		ids := h.units("a:1", "a:2", "a/b/c:3")
		many := make([]content.UnitID, 10_001)
		for i := range many {
			many[i] = content.UnitID(i + 1)
		}
		for _, tt := range []struct {
			in      catalog.ModifyRequest
			message string
		}{
			{catalog.ModifyRequest{Repository: 99, Add: ids[:1]}, "repository: there is no repository-99"},
			{catalog.ModifyRequest{Repository: r.ID}, "add: there is nothing to do: name units to add or to remove"},
			{catalog.ModifyRequest{Repository: r.ID, Add: []content.UnitID{99}}, "add: there is no unit-99"},
			{catalog.ModifyRequest{Repository: r.ID, Remove: []content.UnitID{99}}, "remove: there is no unit-99"},
			{catalog.ModifyRequest{Repository: r.ID, Add: ids, Remove: ids[1:]}, "remove: " + ids[1].String() + " is also to be added"},
			{catalog.ModifyRequest{Repository: r.ID, Add: ids[1:]}, fmt.Sprintf(`add: %s has the path "a/b/c", which lies below that of %s`, ids[2], ids[1])},
			{catalog.ModifyRequest{Repository: r.ID, Add: ids}, fmt.Sprintf(`add: %s and %s have the same path "a"`, ids[0], ids[1])},
			{catalog.ModifyRequest{Repository: r.ID, Remove: many}, "remove: it names 10001 units: at most 10000 are allowed, in several requests there may be more"},
		} {
			_, err := h.Modify(t.Context(), tt.in)
			wantFault(t, err, fault.BadInput, tt.message)
		}
		if queued := h.tasks(); len(queued) > 0 {
			t.Errorf("%d tasks were queued", len(queued))
		}
	})
}

// TestFilesWhereDirectoriesAre does what would lead to a version that no file
// system could hold.
func TestFilesWhereDirectoriesAre(t *testing.T) {
	eachHouse(t, func(h house) {
		r, from := h.repository("r"), h.repository("from")
		h.add(r, "a:1", "d/e:2", "d.txt:3")
		h.add(from, "a/b:4", "d:5")
		fails := func(_ task.Work, err error) func(want string) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			failures := h.run()
			return func(want string) {
				t.Helper()
				if len(failures) != 1 {
					t.Fatalf("got %v, want one failure", failures)
				}
				wantFault(t, failures[0], fault.Conflict, want+": it can have only one of them")
				h.wantHeld(r, "1 a:1 d.txt:3 d/e:2")
			}
		}
		below, above := `repository "r" would have a file at "a" and another below it, at "a/b"`, `repository "r" would have a file at "d" and another below it, at "d/e"`
		fails(h.Modify(t.Context(), catalog.ModifyRequest{Repository: r.ID, Add: h.units("a/b:4"), Priority: task.Normal}))(below)
		fails(h.Modify(t.Context(), catalog.ModifyRequest{Repository: r.ID, Add: h.units("d:5"), Priority: task.Normal}))(above)
		v := h.version(from, 1)
		fails(h.Copy(t.Context(), catalog.CopyRequest{Version: v.ID, Repository: r.ID, Paths: []string{"a/"}, Priority: task.Normal}))(below)
		fails(h.Copy(t.Context(), catalog.CopyRequest{Version: v.ID, Repository: r.ID, Paths: []string{"d"}, Priority: task.Normal}))(above)

		h.done(h.Modify(t.Context(), catalog.ModifyRequest{Repository: r.ID, Add: h.units("a/b:4"), Remove: h.units("a:1"), Priority: task.Normal}))
		h.wantHeld(r, "2 a/b:4 d.txt:3 d/e:2")
		h.done(h.Copy(t.Context(), catalog.CopyRequest{Version: v.ID, Repository: r.ID, Mirror: true, Priority: task.Normal}))
		h.wantHeld(r, "3 a/b:4 d:5")
	})
}

func TestCopy(t *testing.T) {
	eachHouse(t, func(h house) {
		from, to := h.repository("from"), h.repository("to")
		h.add(from, "a:1", "dists/x/Release:2", "dists/y/Release:3", "pool/b.deb:4", "pool/sub/c.deb:5")
		h.add(from, "later:9")
		h.add(to, "a:7", "own:8")
		copied := func(v *content.Version, mirror bool, paths ...string) {
			t.Helper()
			h.done(h.Copy(t.Context(), catalog.CopyRequest{Version: v.ID, Repository: to.ID, Paths: paths, Mirror: mirror, Priority: task.Normal}))
		}
		first := h.version(from, 1)
		copied(first, false, "pool/*.deb", "dists/x/")
		h.wantHeld(to, "2 a:7 dists/x/Release:2 own:8 pool/b.deb:4")
		copied(first, false, "dists/*/Release", "pool/")
		h.wantHeld(to, "3 a:7 dists/x/Release:2 dists/y/Release:3 own:8 pool/b.deb:4 pool/sub/c.deb:5")
		copied(first, false, "po*l/s?b/", "dists/")
		h.wantHeld(to, "3 a:7 dists/x/Release:2 dists/y/Release:3 own:8 pool/b.deb:4 pool/sub/c.deb:5")
		copied(first, false)
		h.wantHeld(to, "4 a:1 dists/x/Release:2 dists/y/Release:3 own:8 pool/b.deb:4 pool/sub/c.deb:5")
		copied(first, true)
		h.wantHeld(to, "5 a:1 dists/x/Release:2 dists/y/Release:3 pool/b.deb:4 pool/sub/c.deb:5")
		copied(first, true)
		h.wantHeld(to, "5 a:1 dists/x/Release:2 dists/y/Release:3 pool/b.deb:4 pool/sub/c.deb:5")

		if _, err := h.Copy(t.Context(), catalog.CopyRequest{Version: first.ID, Repository: to.ID, Paths: []string{"a", "later"}, Priority: task.Normal}); err != nil {
			t.Fatal(err)
		}
		failures := h.run()
		if len(failures) != 1 {
			t.Fatalf("got %v, want one failure", failures)
		}
		wantFault(t, failures[0], fault.NotFound, `version 1 has no unit whose path fits "later"`)
		for _, tt := range []struct {
			in      catalog.CopyRequest
			message string
		}{
			{catalog.CopyRequest{Version: 99, Repository: to.ID}, "version: there is no version-99"},
			{catalog.CopyRequest{Version: first.ID, Repository: 99}, "repository: there is no repository-99"},
			{catalog.CopyRequest{Version: first.ID, Repository: to.ID, Paths: []string{}}, "paths: want 1 to 1000 patterns, or none at all for every unit"},
			{catalog.CopyRequest{Version: first.ID, Repository: to.ID, Paths: slices.Repeat([]string{"a"}, 1001)}, "paths: want 1 to 1000 patterns, or none at all for every unit"},
			{catalog.CopyRequest{Version: first.ID, Repository: to.ID, Paths: []string{"a", "../b"}}, `paths: the path "../b" has a segment ".."`},
			{catalog.CopyRequest{Version: first.ID, Repository: to.ID, Paths: []string{"a", "/"}}, `paths: the path is empty`},
			{catalog.CopyRequest{Version: first.ID, Repository: to.ID, Paths: []string{"[a"}}, `paths: the pattern "[a" has a [ without its ]`},
		} {
			_, err := h.Copy(t.Context(), tt.in)
			wantFault(t, err, fault.BadInput, tt.message)
		}
	})
}

func TestRestore(t *testing.T) {
	eachHouse(t, func(h house) {
		r := h.repository("r")
		h.add(r, "a:1", "b:2")
		h.add(r, "a:3", "c:4")
		restored := func(number int) {
			t.Helper()
			h.done(h.Restore(t.Context(), catalog.RestoreRequest{Version: h.version(r, number).ID, Priority: task.Normal}))
		}
		restored(1)
		h.wantHeld(r, "3 a:1 b:2")
		restored(1)
		h.wantHeld(r, "3 a:1 b:2")
		restored(2)
		h.wantHeld(r, "4 a:3 b:2 c:4")
		_, err := h.Restore(t.Context(), catalog.RestoreRequest{Version: 99})
		wantFault(t, err, fault.BadInput, "version: there is no version-99")
	})
}

// numbers are those of a repository's versions, newest first.
func (h house) numbers(r *content.Repository) (all []int) {
	h.t.Helper()
	versions := must[[]*page.Of[*content.Version]](h.t)(h.DB.Versions(h.t.Context(), []content.RepositoryID{r.ID}, page.Request{First: page.Limit}))
	for _, v := range nodes(versions[0]) {
		all = append(all, v.Number)
	}
	return all
}

// publish publishes a version as its task does, but without metadata.
func (h house) publish(v *content.Version) (p *content.Publication) {
	h.t.Helper()
	if err := h.DB.InTx(h.t.Context(), func(tx *db.Tx) (err error) {
		p, err = tx.CreatePublication(h.t.Context(), v, nil)
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	return p
}

func TestDeleteVersion(t *testing.T) {
	eachHouse(t, func(h house) {
		h.KeepReplaced = time.Hour
		r := h.repository("r")
		for _, name := range []string{"a:1", "b:2", "c:3"} {
			h.add(r, name)
		}
		in := catalog.DeleteVersionRequest{Version: h.version(r, 1).ID, Priority: task.Normal}
		p := h.publish(h.version(r, 1))
		_, err := h.DeleteVersion(t.Context(), in)
		wantFault(t, err, fault.Conflict, "version 1 is the newest one that is published: publish a newer one first")
		h.publish(h.version(r, 2))

		// It waits for what may be reading it.
		work := must[*task.Task](t)(h.DeleteVersion(t.Context(), in))
		if again := must[*task.Task](t)(h.DeleteVersion(t.Context(), in)); again.ID != work.ID {
			t.Errorf("got %s and %s, want one task", work.ID, again.ID)
		}
		d := must[*content.Distribution](t)(h.CreateDistribution(t.Context(), catalog.DistributionInput{Path: "d", Publication: p.ID}))
		failures := h.run()
		if len(failures) != 1 {
			t.Fatalf("got %v, want one failure", failures)
		}
		wantFault(t, failures[0], fault.Conflict, `version 1 is served by the distribution at "d": let that serve something else first`)
		must[*content.Distribution](t)(h.UpdateDistribution(t.Context(), d.ID, catalog.DistributionChange{Repository: &r.ID}))
		_, err = h.DeleteVersion(t.Context(), in)
		wantFault(t, err, fault.Conflict, `version 1 was served until recently, and clients may still ask for it: try again later`)
		h.clock.advance(time.Hour)
		h.done(h.DeleteVersion(t.Context(), in))
		if got := h.numbers(r); !slices.Equal(got, []int{3, 2}) {
			t.Errorf("got versions %v, want 3 and 2", got)
		}
		_, err = h.DeleteVersion(t.Context(), in)
		wantFault(t, err, fault.BadInput, "version: there is no "+in.Version.String())
	})
}

func TestKeepVersions(t *testing.T) {
	eachHouse(t, func(h house) {
		h.KeepReplaced = time.Hour
		r := h.repository("r")
		must[*content.Repository](t)(h.UpdateRepository(t.Context(), r.ID, catalog.RepositoryChange{KeepVersions: new(2)}))
		kept := func(want ...int) {
			t.Helper()
			if got := h.numbers(r); !slices.Equal(got, want) {
				t.Errorf("got versions %v, want %v", got, want)
			}
		}
		h.add(r, "a:1")
		must[*content.Distribution](t)(h.CreateDistribution(t.Context(), catalog.DistributionInput{Path: "d", Repository: r.ID}))
		h.publish(h.version(r, 1))
		h.add(r, "b:2")
		h.add(r, "c:3")
		kept(3, 2, 1)
		h.add(r, "d:4")
		kept(4, 3, 1)
		h.publish(h.version(r, 4))
		h.add(r, "e:5")
		kept(5, 4, 1)
		h.clock.advance(time.Hour)
		h.add(r, "e:5") // nothing changes, but time has passed
		kept(5, 4)
		h.wantHeld(r, "5 a:1 b:2 c:3 d:4 e:5")
		must[*content.Repository](t)(h.UpdateRepository(t.Context(), r.ID, catalog.RepositoryChange{KeepVersions: new(0)}))
		h.add(r, "f:6")
		kept(6, 5, 4)
	})
}

// TestKeepVersionsSparesWhatWasPublished publishes a version that a repository would
// keep no longer: somebody asked for it, and is about to have it served.
func TestKeepVersionsSparesWhatWasPublished(t *testing.T) {
	eachUploads(t, func(h house, _ *content.Repository) {
		for _, keep := range []time.Duration{time.Hour, 0} {
			h.KeepReplaced = keep
			r := h.repository(fmt.Sprint("keep ", keep))
			publish := func(version int) {
				h.t.Helper()
				h.done(h.Publish(h.t.Context(), catalog.PublishRequest{Repositories: catalog.Selector{IDs: []content.RepositoryID{r.ID}}, Version: version, Priority: task.Normal}))
			}
			kept := func(want ...int) {
				h.t.Helper()
				if got := h.numbers(r); !slices.Equal(got, want) {
					h.t.Errorf("got versions %v, want %v", got, want)
				}
			}
			for _, name := range []string{"a:1", "b:2", "c:3"} {
				h.add(r, name)
			}
			publish(3)
			must[*content.Repository](h.t)(h.UpdateRepository(h.t.Context(), r.ID, catalog.RepositoryChange{KeepVersions: new(1)}))
			publish(1)
			kept(3, 1)
			if keep > 0 {
				h.add(r, "d:4")
				kept(4, 3, 1)
				h.clock.advance(keep)
			} else {
				h.clock.advance(time.Second)
			}
			h.add(r, "e:5")
			kept(map[bool]int{true: 5, false: 4}[keep > 0], 3)
		}
	})
}

// TestPromoteAndRollBack takes publications from a distribution to another, and
// goes back again.
func TestPromoteAndRollBack(t *testing.T) {
	eachHouse(t, func(h house) {
		r := h.repository("r")
		dev := must[*content.Distribution](t)(h.CreateDistribution(t.Context(), catalog.DistributionInput{Path: "dev", Repository: r.ID}))
		prod := must[*content.Distribution](t)(h.CreateDistribution(t.Context(), catalog.DistributionInput{Path: "prod", Repository: r.ID, Access: content.WithToken}))
		_, err := h.Promote(t.Context(), dev.ID, prod.ID, 0)
		wantFault(t, err, fault.Conflict, `the distribution at "dev" serves nothing yet: publish first`)
		_, err = h.Rollback(t.Context(), prod.ID, 0)
		wantFault(t, err, fault.Conflict, `nothing is kept of what the distribution at "prod" served before`)

		var ps []*content.Publication
		start := h.clock.now()
		for i := range 3 {
			h.clock.advance(time.Hour)
			h.add(r, fmt.Sprintf("a:%d", i+1))
			ps = append(ps, h.publish(h.version(r, i+1)))
			if i < 2 { // the third is not promoted yet
				must[*content.Distribution](t)(h.Promote(t.Context(), dev.ID, prod.ID, ps[i].ID))
			}
		}
		serves := func(when string, d *content.Distribution, want *content.Publication) {
			t.Helper()
			got, _, err := h.DB.Serving(t.Context(), d.Path)
			if err != nil {
				t.Fatal(err)
			}
			if got.PublicationID != want.ID || got.Access != d.Access {
				t.Errorf("%s: %s serves %s to %s, want %s to %s, which stays its own", when, d.Path, got.PublicationID, got.Access, want.ID, d.Access)
			}
		}
		serves("pinned by the promotion", prod, ps[1])
		serves("following", dev, ps[2])
		_, err = h.Promote(t.Context(), dev.ID, prod.ID, ps[1].ID)
		wantFault(t, err, fault.Conflict, fmt.Sprintf(`the distribution at "dev" serves %s, not %s`, ps[2].ID, ps[1].ID))
		promote := func() { must[*content.Distribution](t)(h.Promote(t.Context(), dev.ID, prod.ID, 0)) }
		back := func() { must[*content.Distribution](t)(h.Rollback(t.Context(), prod.ID, 0)) }
		h.clock.advance(time.Hour)
		promote()
		serves("promoted", prod, ps[2])
		leadsTo := func(want content.PublicationID) {
			t.Helper()
			if got := must[[]content.PublicationID](t)(h.DB.RollbackTargets(t.Context(), []content.DistributionID{prod.ID, 99, dev.ID})); !slices.Equal(got, []content.PublicationID{want, 0, ps[1].ID}) {
				t.Errorf("rollbacks lead to %v, want %s", got, want)
			}
		}
		leadsTo(ps[1].ID)
		_, err = h.Rollback(t.Context(), prod.ID, ps[0].ID)
		wantFault(t, err, fault.Conflict, fmt.Sprintf(`a rollback makes the distribution at "prod" serve %s, not %s`, ps[1].ID, ps[0].ID))
		for range 2 {
			must[*content.Distribution](t)(h.Rollback(t.Context(), prod.ID, ps[1].ID))
			serves("rolled back", prod, ps[1])
			leadsTo(ps[0].ID)
		}
		back()
		serves("rolled back twice", prod, ps[0])
		leadsTo(0)
		_, err = h.Rollback(t.Context(), prod.ID, 0)
		wantFault(t, err, fault.Conflict, `nothing is kept of what the distribution at "prod" served before`)
		promote()
		back()
		serves("promoted and rolled back", prod, ps[0])

		for hours, want := range map[int]content.PublicationID{1: ps[0].ID, 2: ps[1].ID, 3: ps[1].ID, 4: ps[0].ID, 99: ps[0].ID} {
			at := start.Add(time.Duration(hours)*time.Hour + time.Minute)
			if got := must[*content.Serving](t)(h.DB.ServedAt(t.Context(), prod.Path, at)); got.PublicationID != want || got.RepositoryID != r.ID {
				t.Errorf("after %d hours: got %+v, want %s", hours, got, want)
			}
		}
		_, err = h.DB.ServedAt(t.Context(), prod.Path, start)
		wantFault(t, err, fault.NotFound, "nothing was served here then, or it is kept no longer")
		for _, tt := range []struct {
			err     error
			kind    fault.Kind
			message string
		}{
			{second(h.Promote(t.Context(), dev.ID, dev.ID, 0)), fault.BadInput, "to: " + dev.ID.String() + " cannot be promoted to itself"},
			{second(h.Promote(t.Context(), 99, dev.ID, 0)), fault.BadInput, "from: there is no distribution-99"},
			{second(h.Promote(t.Context(), dev.ID, 99, 0)), fault.BadInput, "to: there is no distribution-99"},
			{second(h.Promote(t.Context(), dev.ID, prod.ID, 99)), fault.BadInput, "publication: there is no publication-99"},
			{second(h.Rollback(t.Context(), 99, 0)), fault.NotFound, "there is no distribution-99"},
			{second(h.Rollback(t.Context(), prod.ID, 99)), fault.BadInput, "publication: there is no publication-99"},
		} {
			wantFault(t, tt.err, tt.kind, tt.message)
		}
	})
}

// TestThePastStaysAtItsPath moves distributions about: what was served at a path
// stays what was served there.
func TestThePastStaysAtItsPath(t *testing.T) {
	eachHouse(t, func(h house) {
		a, b := h.repository("a"), h.repository("b")
		h.add(a, "a:1")
		h.add(b, "b:2")
		ofA, ofB := h.publish(h.version(a, 1)).ID, h.publish(h.version(b, 1)).ID
		create := func(path string, repository content.RepositoryID, access content.Access) *content.Distribution {
			return must[*content.Distribution](t)(h.CreateDistribution(t.Context(), catalog.DistributionInput{Path: path, Repository: repository, Access: access}))
		}
		start := h.clock.now()
		blue, green := create("prod", a.ID, content.WithToken), create("stage", b.ID, content.AsServer)
		move := func(d *content.Distribution, path string) {
			*d = *must[*content.Distribution](t)(h.UpdateDistribution(t.Context(), d.ID, catalog.DistributionChange{Path: &path}))
		}
		h.clock.advance(time.Hour)
		move(blue, "old")
		h.clock.advance(time.Hour)
		move(green, "prod")
		h.clock.advance(time.Hour)
		move(green, "stage")
		move(blue, "prod")
		h.clock.advance(time.Hour)
		nothing := func(path string, at time.Time) {
			t.Helper()
			_, err := h.DB.ServedAt(t.Context(), path, at)
			wantFault(t, err, fault.NotFound, "nothing was served here then, or it is kept no longer")
		}
		for path, hours := range map[string][]content.PublicationID{
			"prod":  {ofA, 0, ofB, ofA},
			"stage": {ofB, ofB, 0, ofB},
			"old":   {0, ofA, ofA, 0},
			"never": {0, 0, 0, 0},
		} {
			for i, want := range hours {
				at := start.Add(time.Duration(i) * time.Hour)
				if want == 0 {
					nothing(path, at)
					continue
				}
				d, repository := blue, a
				if want == ofB {
					d, repository = green, b
				}
				if got := must[*content.Serving](t)(h.DB.ServedAt(t.Context(), path, at)); got.PublicationID != want || got.RepositoryID != repository.ID ||
					got.DistributionID != d.ID || got.Path != d.Path || got.Access != d.Access {
					t.Errorf("%s after %d hours: got %+v, want %s of %+v", path, i, got, want, d)
				}
			}
		}
		_, err := h.Rollback(t.Context(), blue.ID, 0)
		wantFault(t, err, fault.Conflict, `nothing is kept of what the distribution at "prod" served before`)

		// What a deleted distribution served is kept no longer.
		must[*content.Distribution](t)(h.DeleteDistribution(t.Context(), blue.ID))
		nothing("prod", start)
		if got := must[*content.Serving](t)(h.DB.ServedAt(t.Context(), "prod", start.Add(2*time.Hour))); got.PublicationID != ofB {
			t.Errorf("of the other: got %+v", got)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestVersionWorkOnce answers a request twice that has the same key.
func TestVersionWorkOnce(t *testing.T) {
	eachHouse(t, func(h house) {
		r := h.repository("r")
		in := catalog.ModifyRequest{Repository: r.ID, Add: h.units("a:1"), Priority: task.Normal, IdempotencyKey: "once"}
		first, again := must[*task.Task](t)(h.Modify(t.Context(), in)), must[*task.Task](t)(h.Modify(t.Context(), in))
		if first.ID != again.ID {
			t.Errorf("got %s and %s, want one task", first.ID, again.ID)
		}
		in.Add = h.units("b:2")
		_, err := h.Modify(t.Context(), in)
		wantFault(t, err, fault.Conflict, "the idempotency key was used for another request: use a new one")
	})
}
