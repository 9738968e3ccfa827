package dbtest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/page"
)

func publications(l library) {
	r, other := l.repository("r"), l.repository("other")
	ids := l.store(unit("a", 1), unit("dir/b", 2), unit("c", 3))
	first := l.version(r, ids[:2], nil)
	_, err := l.PublicationOfVersion(l.ctx(), first.ID)
	wantFault(l.t, err, fault.NotFound, first.ID.String()+" is not published")
	second := l.version(r, ids[2:], ids[:1])

	when := time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)
	p := l.publish(second, content.PublishedFile{Path: "meta/index", SHA256: digest(7), Size: 70, ModifiedAt: when},
		content.PublishedFile{Path: "LIST", SHA256: digest(8), Size: 800})
	equal(l.t, "publication", p, &content.Publication{ID: p.ID, RepositoryID: r.ID, VersionID: second.ID, Files: 4, Bytes: 875, CreatedAt: p.CreatedAt})
	for path, want := range map[string]content.PublishedFile{
		"dir/b":      {SHA256: digest(2), Size: 2, ModifiedAt: first.CreatedAt},
		"c":          {SHA256: digest(3), Size: 3, ModifiedAt: second.CreatedAt},
		"meta/index": {SHA256: digest(7), Size: 70, ModifiedAt: when, Stored: true},
		"LIST":       {SHA256: digest(8), Size: 800, ModifiedAt: p.CreatedAt, Stored: true},
	} {
		want.Path = path
		equal(l.t, path, must(l.PublishedFile(l.ctx(), p.ID, path))(l.t), &want)
	}
	for _, path := range []string{"", "a", "di", "dir/", "dir\tb", "dir/b/", "/c", "c\x00", "\xff"} {
		_, err := l.PublishedFile(l.ctx(), p.ID, path)
		wantFault(l.t, err, fault.NotFound, fmt.Sprintf("%s has no file %q", p.ID, path))
	}

	again := l.publish(second)
	third := l.publish(l.version(other, nil, nil))
	equal(l.t, "of version", must(l.PublicationOfVersion(l.ctx(), second.ID))(l.t), again)
	equal(l.t, "by id", must(l.PublicationsByID(l.ctx(), []content.PublicationID{again.ID, 99, p.ID}))(l.t), []*content.Publication{again, nil, p})
	equal(l.t, "all", nodes(must(l.Publications(l.ctx(), page.Request{}))(l.t)), []*content.Publication{third, again, p})
	equal(l.t, "of repository", nodes(must(only(l.RepositoryPublications(l.ctx(), []content.RepositoryID{r.ID}, page.Request{})))(l.t)), []*content.Publication{again, p})
}

func olderVersionPublished(l library) {
	r := l.repository("r")
	v1, v2, v3 := l.version(r, nil, nil), l.version(r, nil, nil), l.version(r, nil, nil)
	equal(l.t, "before the first", l.again(r).NewestPublicationID, content.PublicationID(0))
	var newest content.PublicationID
	for i, step := range []struct {
		v     *content.Version
		moves bool
	}{{v2, true}, {v1, false}, {v2, true}, {v3, true}, {v2, false}} {
		p := l.publish(step.v)
		if step.moves {
			newest = p.ID
		}
		equal(l.t, fmt.Sprint("newest after step ", i), l.again(r).NewestPublicationID, newest)
	}
}

func metadataInUnitsPlace(l library) {
	r := l.repository("r")
	ids := l.store(unit("LIST", 1))
	v := l.version(r, ids, nil)
	later := l.version(r, nil, ids)
	meta := content.PublishedFile{Path: "LIST", SHA256: digest(7)}
	l.fails(fault.Conflict, `version 1 has a unit at "LIST", where the publication's metadata belongs`, func(tx *db.Tx) error {
		_, err := tx.CreatePublication(l.ctx(), v, []content.PublishedFile{meta})
		return err
	})
	l.publish(later, meta)
}

func publishedDirectories(l library) {
	var all []*content.Unit
	for i, path := range []string{
		"a/x", "a/y/z", "a-b", "a.txt", "a b", "a0", "a-/1", "a-/2", "B/c/d/e/f", "ä/ö", "ä/\U0001F642", "z",
		"deep/one/two/three/four",
	} {
		all = append(all, unit(path, i+1))
	}
	for i := range 600 {
		all = append(all, unit(fmt.Sprintf("flat/%03d", i), 1), unit(fmt.Sprintf("wide/%03d/%d", i/3, i%3), 1))
	}
	r := l.repository("r")
	p := l.publish(l.version(r, l.store(all...), nil))
	other := l.repository("other")
	l.publish(l.version(other, l.store(unit("a/elsewhere", 1), unit("0", 1)), nil))

	for _, c := range []struct {
		dir, after string
		limit      int
		want       string
	}{
		{"", "", 99, "B/ a/ a b:5 a-/ a-b:3 a.txt:4 a0:6 deep/ flat/ wide/ z:12 ä/"},
		{"", "", 3, "B/ a/ a b:5"},
		{"", "a", 3, "a b:5 a-/ a-b:3"},
		{"", "a-", 2, "a-b:3 a.txt:4"},
		{"", "a-a", 2, "a-b:3 a.txt:4"},
		{"", "z", 9, "ä/"},
		{"", "ä", 9, ""},
		{"", "a/y", 2, "a0:6 deep/"},
		{"", "\xff", 0, ""},
		{"a", "", 9, "x:1 y/"},
		{"a/y", "", 9, "z:2"},
		{"a-", "1", 9, "2:8"},
		{"ä", "", 9, "ö:10 🙂:11"},
		{"deep/one/two", "", 9, "three/"},
		{"flat", "597", 9, "598:1 599:1"},
		{"wide", "197", 9, "198/ 199/"},
		{"wide/100", "", 2, "0:1 1:1"},
		{"fla", "", 9, ""},
		{"z", "", 9, ""},
		{"no/such", "", 9, ""},
		{"a/", "", 9, ""},
		{"/", "", 9, ""},
	} {
		var names []string
		for _, e := range must(l.PublishedDir(l.ctx(), p.ID, c.dir, c.after, c.limit))(l.t) {
			name := e.Name + "/"
			if !e.IsDir {
				name = fmt.Sprint(e.Name, ":", e.Size)
			}
			names = append(names, name)
		}
		equal(l.t, fmt.Sprintf("%d of %q after %q", c.limit, c.dir, c.after), strings.Join(names, " "), c.want)
	}
	for path, isDir := range map[string]bool{
		"a": true, "a/x": false, "a/y": true, "a-": true, "a-b": false, "z": false, "ä": true, "deep/one/two": true, "wide/100": true,
	} {
		equal(l.t, path+" is a directory", must(l.PublishedFile(l.ctx(), p.ID, path))(l.t).IsDir, isDir)
	}
	for _, path := range []string{"a.", "dee", "deep/one/tw", "a/y/z/", "b", "z/1", "zz", "elsewhere"} {
		_, err := l.PublishedFile(l.ctx(), p.ID, path)
		wantFault(l.t, err, fault.NotFound, fmt.Sprintf("%s has no file %q", p.ID, path))
	}
	for dir, want := range map[string]int{"flat": 600, "wide": 200} {
		entries := must(l.PublishedDir(l.ctx(), p.ID, dir, "", 1000))(l.t)
		equal(l.t, "names in "+dir, len(entries), want)
		equal(l.t, dir+" is in order", slices.IsSortedFunc(entries, func(a, b content.DirEntry) int { return strings.Compare(a.Name, b.Name) }), true)
	}
}

func distributions(l library) {
	r := l.repository("r")
	p := l.publish(l.version(r, nil, nil))
	a := l.distribute(content.Distribution{Path: "debian/stable", RepositoryID: r.ID})
	b := l.distribute(content.Distribution{Path: "debian/testing", PublicationID: p.ID, Access: content.WithToken})
	equal(l.t, "by path", must(l.DistributionByPath(l.ctx(), "debian/testing"))(l.t), b)
	equal(l.t, "by id", must(l.DistributionsByID(l.ctx(), []content.DistributionID{b.ID, 99, a.ID}))(l.t), []*content.Distribution{b, nil, a})
	equal(l.t, "all", nodes(must(l.Distributions(l.ctx(), page.Request{}))(l.t)), []*content.Distribution{a, b})
	equal(l.t, "of repository", nodes(must(only(l.RepositoryDistributions(l.ctx(), []content.RepositoryID{r.ID}, page.Request{})))(l.t)), []*content.Distribution{a})
	_, err := l.DistributionByPath(l.ctx(), "debian")
	wantFault(l.t, err, fault.NotFound, `there is no distribution at "debian"`)

	for path, message := range map[string]string{
		"debian/stable":      `there is already a distribution at "debian/stable"`,
		"debian/stable/main": `the path "debian/stable/main" lies below that of the distribution at "debian/stable"`,
		"debian":             `the path "debian" lies above that of the distribution at "debian/stable"`,
	} {
		l.fails(fault.Conflict, message, func(tx *db.Tx) error {
			return tx.CreateDistribution(l.ctx(), &content.Distribution{Path: path, RepositoryID: r.ID})
		})
		if path == "debian/stable" {
			continue
		}
		l.fails(fault.Conflict, message, func(tx *db.Tx) error {
			return tx.UpdateDistribution(l.ctx(), &content.Distribution{ID: b.ID, Path: path, RepositoryID: r.ID})
		})
	}
	for _, beside := range []string{"debian/stable-backports", "debian/stabl", "debian-security", "debian.org", "debian0"} {
		l.distribute(content.Distribution{Path: beside, RepositoryID: r.ID})
	}

	a.Path, a.RepositoryID, a.PublicationID, a.Access = "debian/stable/main", 0, p.ID, content.Public // below its own path
	l.tx(func(tx *db.Tx) error { return tx.UpdateDistribution(l.ctx(), a) })
	equal(l.t, "updated", must(l.DistributionByPath(l.ctx(), a.Path))(l.t), a)
	l.fails(fault.NotFound, "there is no distribution-99", func(tx *db.Tx) error {
		return tx.UpdateDistribution(l.ctx(), &content.Distribution{ID: 99, Path: "x", RepositoryID: r.ID})
	})
	l.tx(func(tx *db.Tx) error { return tx.DeleteDistribution(l.ctx(), b.ID) })
	l.fails(fault.NotFound, "there is no "+b.ID.String(), func(tx *db.Tx) error { return tx.DeleteDistribution(l.ctx(), b.ID) })
	l.fails(fault.Conflict, "it is in use, or what it refers to does not exist", func(tx *db.Tx) error {
		return tx.CreateDistribution(l.ctx(), &content.Distribution{Path: "x", RepositoryID: 99})
	})
}

// distributionsAtOnce creates one above, at and below the same path.
func distributionsAtOnce(l library) {
	r := l.repository("r")
	paths := []string{"a", "a/b", "a/b/c", "a/b", "a"}
	errs := make([]error, len(paths))
	var wg sync.WaitGroup
	for i, path := range paths {
		wg.Go(func() {
			errs[i] = l.InTx(l.ctx(), func(tx *db.Tx) error {
				return tx.CreateDistribution(l.ctx(), &content.Distribution{Path: path, RepositoryID: r.ID})
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
}

func serving(l library) {
	r := l.repository("r")
	d := l.distribute(content.Distribution{Path: "x/y", RepositoryID: r.ID})
	want := &content.Serving{DistributionID: d.ID, Path: "x/y", RepositoryID: r.ID, Access: content.AsServer}
	check := func(when string) {
		l.t.Helper()
		for _, path := range []string{"x/y", "x/y/z", "x/y/z/" + strings.Repeat("d/", 500) + "d"} {
			equal(l.t, when+", at "+path, l.serving(path), want)
		}
	}
	check("before the first publication")
	v1, v2 := l.version(r, nil, nil), l.version(r, nil, nil)
	want.PublicationID = l.publish(v2).ID
	check("after a publication")
	old := l.publish(v1).ID
	check("after a publication of an older version")
	d.RepositoryID, d.PublicationID, want.PublicationID = 0, old, old
	l.tx(func(tx *db.Tx) error { return tx.UpdateDistribution(l.ctx(), d) })
	check("pinned to it")
	d.Access, want.Access = content.WithToken, content.WithToken
	l.tx(func(tx *db.Tx) error { return tx.UpdateDistribution(l.ctx(), d) })
	check("with a token")
	equal(l.t, "anything public", must(l.AnyPublic(l.ctx()))(l.t), false)
	l.distribute(content.Distribution{Path: "open", RepositoryID: r.ID, Access: content.Public})
	equal(l.t, "anything public, once it is", must(l.AnyPublic(l.ctx()))(l.t), true)
}

// serving is what the distribution serves in whose tree a path lies.
func (l library) serving(path string) *content.Serving {
	l.t.Helper()
	s, vacant, err := l.Serving(l.ctx(), path)
	if err != nil || vacant != "" {
		l.t.Fatalf("%s: got %v, vacant %q", path, err, vacant)
	}
	return s
}

// vacantPaths asks for the distributions of paths that have none: it is told from
// where on there is none, beside names that sort before and behind a slash, and
// however deep the paths are.
func vacantPaths(l library) {
	r := l.repository("r")
	deep := "deep" + strings.Repeat("/d", 450)
	for _, path := range []string{"x/y", "x-", "x0", "é/ü/%", "a b/c", "a'b", deep} {
		d := l.distribute(content.Distribution{Path: path, RepositoryID: r.ID})
		equal(l.t, path, l.serving(path).DistributionID, d.ID)
		equal(l.t, "below "+path, l.serving(path+"/z/é").DistributionID, d.ID)
	}
	for _, tt := range []struct{ path, vacant string }{
		{"x", ""},
		{"x/z", "x/z"},
		{"x/z/y", "x/z"},
		{"x/y-", "x/y-"},
		{"x/y0/z", "x/y0"},
		{"x-y/z", "x-y"},
		{"nowhere", "nowhere"},
		{"nowhere/x/y", "nowhere"},
		{"nowhere" + strings.Repeat("/d", 500), "nowhere"},
		{"é", ""},
		{"é/ü", ""},
		{"é/ü/_", "é/ü/_"},
		{"é/u/%", "é/u"},
		{"e/ü", "e"},
		{"X/y", "X"},
		{"a b", ""},
		{"deep" + strings.Repeat("/d", 449), ""},
		{"deep" + strings.Repeat("/d", 449) + "/e/f", "deep" + strings.Repeat("/d", 449) + "/e"},
		{deep[:len(deep)-2] + "e", deep[:len(deep)-2] + "e"},
	} {
		_, vacant, err := l.Serving(l.ctx(), tt.path)
		wantFault(l.t, err, fault.NotFound, "no distribution serves this path")
		equal(l.t, tt.path, vacant, tt.vacant)
	}
}

func toldOfContent(l library) {
	var told atomic.Int32
	l.OnChange(func(c db.Changes) {
		if c.Content {
			told.Add(1)
		}
	})
	check := func(what string, changes bool, act func()) {
		l.t.Helper()
		before := told.Load()
		act()
		if got := told.Load() > before; got != changes {
			l.t.Errorf("%s: told is %t, want %t", what, got, changes)
		}
	}
	var (
		r *content.Repository
		v *content.Version
		d *content.Distribution
	)
	check("a new repository", false, func() { r = l.repository("r") })
	check("a new version", false, func() { v = l.version(r, nil, nil) })
	check("a publication", true, func() { l.publish(v) })
	check("a new distribution", true, func() { d = l.distribute(content.Distribution{Path: "x", RepositoryID: r.ID}) })
	check("a change", true, func() { l.tx(func(tx *db.Tx) error { return tx.UpdateDistribution(l.ctx(), d) }) })
	check("a change that fails", false, func() {
		l.fails(fault.NotFound, "there is no distribution-99", func(tx *db.Tx) error {
			return tx.UpdateDistribution(l.ctx(), &content.Distribution{ID: 99, Path: "y", RepositoryID: r.ID})
		})
	})
	check("a deletion", true, func() { l.tx(func(tx *db.Tx) error { return tx.DeleteDistribution(l.ctx(), d.ID) }) })
	check("the repository's deletion", true, func() { l.tx(func(tx *db.Tx) error { _, err := tx.DeleteRepository(l.ctx(), r.ID); return err }) })
}

func publishedEntries(l library) {
	r := l.repository("r")
	var all []*content.Unit
	for i, path := range []string{"a/x", "a/y/z", "a-b", "a.txt", ".b", "B/c/d", "ä/ö", "\uD7FFx", "\uE000", "\U0010FFFFq", "z"} {
		all = append(all, unit(path, i+1))
	}
	p := l.publish(l.version(r, l.store(all...), nil), content.PublishedFile{Path: "a/LIST", SHA256: digest(99), Size: 7})
	small := l.publish(l.version(l.repository("other"), l.store(unit("a/elsewhere", 1), unit("q", 2)), nil))
	empty := l.publish(l.version(l.repository("empty"), nil, nil))
	ids := []content.PublicationID{p.ID, small.ID, empty.ID}

	for _, c := range []struct {
		dir, prefix string
		want        []string // of each publication; "none" if it has no such directory
	}{
		{"", "", []string{"10: .b B/ a/ a-b a.txt z ä/ \uD7FFx \uE000 \U0010FFFFq", "2: a/ q", "0:"}},
		{"", "a", []string{"3: a/ a-b a.txt", "1: a/", "0:"}},
		{"", "a-", []string{"1: a-b", "0:", "0:"}},
		{"", ".", []string{"1: .b", "0:", "0:"}},
		{"", "ä", []string{"1: ä/", "0:", "0:"}},
		{"", "\uD7FF", []string{"1: \uD7FFx", "0:", "0:"}},
		{"", "\U0010FFFF", []string{"1: \U0010FFFFq", "0:", "0:"}},
		{"a", "", []string{"3: LIST x y/", "1: elsewhere", "none"}},
		{"a", "x", []string{"1: x", "0:", "none"}},
		{"a", "zz", []string{"0:", "0:", "none"}},
		{"a/y", "", []string{"1: z", "none", "none"}},
		{"z", "", []string{"none", "none", "none"}},
		{"no/such", "n", []string{"none", "none", "none"}},
	} {
		pages := must(l.PublishedEntries(l.ctx(), ids, c.dir, c.prefix, page.Request{}))(l.t)
		for i, want := range c.want {
			got := "none"
			if pages[i] != nil {
				got = fmt.Sprint(must(pages[i].Count(l.ctx()))(l.t), ":")
				for _, e := range nodes(pages[i]) {
					got += " " + e.Name
					if e.IsDir {
						got += "/"
					}
				}
			}
			equal(l.t, fmt.Sprintf("%s of %q that begin with %q", ids[i], c.dir, c.prefix), got, want)
		}
	}
	first := must(only(l.PublishedEntries(l.ctx(), ids[:1], "a", "", page.Request{First: 1})))(l.t)
	equal(l.t, "a file", first.Items, []page.Item[*content.DirEntry]{{Key: p.ID.String() + ":a/LIST",
		Node: &content.DirEntry{Name: "LIST", Path: "a/LIST", SHA256: digest(99), Size: 7, ModifiedAt: p.CreatedAt}}})

	// A walk by single names meets each of them once.
	for _, prefix := range []string{"", "a", "\U0010FFFF", "none"} {
		whole := must(only(l.PublishedEntries(l.ctx(), ids[:1], "", prefix, page.Request{})))(l.t)
		request := page.Request{First: 1}
		for i, item := range whole.Items {
			one := must(only(l.PublishedEntries(l.ctx(), ids[:1], "", prefix, request)))(l.t)
			equal(l.t, fmt.Sprintf("page %d of %q", i, prefix), one.Items, []page.Item[*content.DirEntry]{item})
			equal(l.t, fmt.Sprintf("more before and after page %d of %q", i, prefix), []bool{one.HasPrevious, one.HasNext}, []bool{i > 0, i < len(whole.Items)-1})
			request.After = item.Key
		}
	}

	for key, message := range map[string]string{
		first.Items[0].Key:          "after: the cursor is of " + p.ID.String() + " and not of " + small.ID.String() + ": go on in the former, or begin anew without a cursor",
		small.ID.String() + ":q":    `after: the cursor is of the directory "" and not of "a": begin anew without a cursor`,
		"7":                         `after: "7" is no cursor of this list: pass one that the list itself gave`,
		small.ID.String() + ":../q": `after: "` + small.ID.String() + `:../q" is no cursor of this list: pass one that the list itself gave`,
	} {
		_, err := l.PublishedEntries(l.ctx(), []content.PublicationID{small.ID}, "a", "", page.Request{After: key})
		wantFault(l.t, err, fault.BadInput, message)
	}
	equal(l.t, "of none", len(must(l.PublishedEntries(l.ctx(), nil, "a", "", page.Request{}))(l.t)), 0)
}
