//go:build unix

package main_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"ream/blob"
	"ream/blob/blobtest"
)

// check makes sure that all work was done and that all is as it is to be.
func (c *care) check(work []string) {
	for _, id := range work {
		if got := c.p.follow(id); got.State != "COMPLETED" {
			c.t.Errorf("%s: got %+v %+v", id, got, got.Error)
		}
	}
	c.checkFindings(work[0])
	r, copies := c.checkVersions(&c.r), c.checkVersions(&c.copies)
	all := maps.Clone(r)
	maps.Copy(all, copies)
	c.checkStorage(all)
	for what, query := range map[string]string{
		"tasks are in the queue":              `SELECT count(*) FROM task_queue`,
		"resources are reserved":              `SELECT count(*) FROM resource WHERE held <> 0 OR waiting <> 0`,
		"reservations are left":               `SELECT count(*) FROM reservation`,
		"artifacts count as damaged":          `SELECT count(*) FROM artifact WHERE quarantined_at IS NOT NULL`,
		"units are in no version":             `SELECT count(*) FROM unit u WHERE NOT EXISTS (SELECT 1 FROM membership m WHERE m.unit_id = u.id)`,
		"units are in versions that are gone": `SELECT count(*) FROM membership m WHERE NOT EXISTS (SELECT 1 FROM version v WHERE v.repository_id = m.repository_id AND v.number >= m.added AND (m.removed IS NULL OR v.number < m.removed))`,
	} {
		if n := c.count(query); n > 0 {
			c.t.Errorf("%d %s", n, what)
		}
	}
	c.checkFigures(all, r, copies)
}

// checkFindings makes sure that a task tells of everything that was damaged, once.
func (c *care) checkFindings(id string) {
	c.t.Helper()
	got := map[string]string{}
	for _, f := range c.findings(id) {
		if got[f.SHA256] != "" || f.Remedy == "NONE" {
			c.t.Errorf("finding: got %+v after %q", f, got[f.SHA256])
		}
		got[f.SHA256] = f.Remedy
	}
	for _, sha256 := range c.damaged {
		if got[sha256] == "" {
			c.t.Errorf("%s was damaged and is not among the findings", sha256)
		}
	}
	if got := c.d.quarantined(); got < c.aside {
		c.t.Errorf("moved aside: got %d, want %d at least", got, c.aside)
	}
}

type finding struct{ SHA256, Problem, Remedy, Message string }

func (c *care) findings(id string) []finding {
	c.t.Helper()
	return query[struct {
		Task struct{ Findings struct{ Nodes []finding } }
	}](c.p, `query($id: ID!) { task(id: $id) { findings(first: 100) { nodes { sha256 problem remedy message } } } }`, map[string]any{"id": id}).Task.Findings.Nodes
}

// checkVersions makes sure that a repository has all of the versions that it is
// to have, and of no other one anything. It returns what they name.
func (c *care) checkVersions(r *cared) (named map[string]int64) {
	c.t.Helper()
	type version struct{ Number, UnitCount, Bytes, AddedCount, RemovedCount int }
	got := query[struct {
		Repository struct {
			Versions     struct{ Nodes []version }
			Publications struct {
				Nodes []struct {
					ID        string
					Version   struct{ Number int }
					FileCount int
				}
			}
		}
	}](c.p, `query($n: String!) { repository(name: $n) {
		versions(first: 20) { nodes { number unitCount bytes addedCount removedCount } }
		publications(first: 20) { nodes { id fileCount version { number } } } } }`, map[string]any{"n": r.name}).Repository

	named = map[string]int64{}
	var want []version
	var before map[string][]byte
	for _, n := range slices.Sorted(maps.Keys(r.versions)) {
		v := version{Number: n, UnitCount: len(r.versions[n])}
		for path, body := range r.versions[n] {
			v.Bytes += len(body)
			named[digest(body)] = int64(len(body))
			if old, ok := before[path]; !ok || !bytes.Equal(old, body) {
				v.AddedCount++
			}
		}
		for path, old := range before {
			if body, ok := r.versions[n][path]; !ok || !bytes.Equal(old, body) {
				v.RemovedCount++
			}
		}
		want, before = append(want, v), r.versions[n]
	}
	slices.SortFunc(got.Versions.Nodes, func(a, b version) int { return cmp.Compare(a.Number, b.Number) })
	if !slices.Equal(got.Versions.Nodes, want) {
		c.t.Errorf("versions of %s: got %+v, want %+v", r.name, got.Versions.Nodes, want)
	}
	var published []int
	for _, publication := range got.Publications.Nodes {
		number := publication.Version.Number
		published = append(published, number)
		distribution := query[struct{ CreateDistribution struct{ ID string } }](c.p,
			fmt.Sprintf(`mutation { createDistribution(input: {path: "pinned", publication: %q}) { id } }`, publication.ID), nil).CreateDistribution.ID
		manifest := c.checkServed("pinned", r.versions[number])
		named[digest(manifest)] = int64(len(manifest))
		query[any](c.p, fmt.Sprintf(`mutation { deleteDistribution(id: %q) { id } }`, distribution), nil)
		if publication.FileCount != len(r.versions[number])+1 {
			c.t.Errorf("%s has %d files", publication.ID, publication.FileCount)
		}
	}
	slices.Sort(published)
	if !slices.Equal(published, r.published) {
		c.t.Errorf("published versions of %s: got %v, want %v", r.name, published, r.published)
	}
	c.checkServed(r.name, r.versions[r.published[len(r.published)-1]])
	return named
}

// checkServed reads everything that is served at a path.
func (c *care) checkServed(path string, files map[string][]byte) (manifest []byte) {
	c.t.Helper()
	manifest = c.p.get("/content/" + path + "/PULP_MANIFEST")
	lines := func(manifest string) []string { return slices.Sorted(strings.Lines(manifest)) }
	if !slices.Equal(lines(string(manifest)), lines(manifestOf(files))) {
		c.t.Errorf("the manifest at %s has %d bytes, and is not that of its %d files", path, len(manifest), len(files))
	}
	for name, want := range files {
		if got := c.p.get("/content/" + path + "/" + name); !bytes.Equal(got, want) {
			c.t.Errorf("%s at %s is served with %d bytes that differ", name, path, len(got))
		}
	}
	return manifest
}

// checkStorage cleans once more what became old, and makes sure that exactly what
// is named is stored, and intact.
func (c *care) checkStorage(named map[string]int64) {
	c.t.Helper()
	c.p.ageArtifacts(c.d)
	c.done(c.do(`cleanOrphans(input: {graceHours: 24})`))
	if got := c.stored(); !maps.Equal(got, named) {
		for digest, size := range named {
			if got[digest] != size {
				c.t.Errorf("%s is stored with %d bytes, want %d", digest, got[digest], size)
			}
			delete(got, digest)
		}
		c.t.Errorf("nothing names what is still stored: %v", got)
	}
	verify := c.do(`verifyContent(input: {})`)
	c.done(verify)
	if got := c.p.reported(verify)["verify.artifacts"]; got != int64(len(named)) {
		c.t.Errorf("verified: got %d artifacts, want %d", got, len(named))
	}
	if got := c.findings(verify); len(got) > 0 {
		c.t.Errorf("once all was mended: got %+v", got)
	}
}

// stored is what there is in the storage, beside the server.
func (c *care) stored() map[string]int64 {
	c.t.Helper()
	var storage blobtest.Storage
	var err error
	if strings.Contains(c.d.location, "://") {
		var o blob.S3Options
		if o, err = blob.ParseS3(c.d.location); err == nil {
			o.Staging = c.t.TempDir()
			storage, err = blob.NewS3(c.t.Context(), o)
		}
	} else {
		storage, err = blob.NewDisk(c.d.location)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	defer storage.Close()
	stored := map[string]int64{}
	for b, err := range storage.Stored(c.t.Context(), "") {
		if err != nil {
			c.t.Fatal(err)
		}
		stored[b.SHA256] = b.Size
	}
	return stored
}

// staging is where the server puts what it has not stored yet.
func (c *care) staging() string {
	if strings.Contains(c.d.location, "://") {
		return filepath.Join(c.p.flag("--data"), "staging")
	}
	return filepath.Join(c.d.location, "tmp")
}

// figures are what is counted of the storage, or of a repository in it.
type figures struct{ ArtifactCount, Bytes, OwnBytes, SharedBytes, OrphanedCount, QuarantinedCount, UnfetchedCount int64 }

// checkFigures makes sure that a server that was just started counts what is
// there.
func (c *care) checkFigures(all, r, copies map[string]int64) {
	c.t.Helper()
	of := func(mine, others map[string]int64) (f figures) {
		f.ArtifactCount = int64(len(mine))
		for digest, size := range mine {
			if _, shared := others[digest]; shared {
				f.SharedBytes += size
			} else {
				f.OwnBytes += size
			}
		}
		return f
	}
	type counted struct {
		Storage   figures
		R, Copies struct{ Storage figures }
	}
	var want counted
	want.R.Storage, want.Copies.Storage = of(r, copies), of(copies, r)
	want.Storage = figures{ArtifactCount: int64(len(all)), Bytes: of(all, nil).OwnBytes}
	c.exec(`UPDATE storage_count SET took = 0`) // lest it waits before it counts again
	c.restart("8")
	await(c.t, fmt.Sprintf("the storage is counted: %+v", want), func() bool {
		return query[counted](c.p, `{ storage { artifactCount bytes orphanedCount quarantinedCount unfetchedCount }
			r: repository(name: "r") { storage { artifactCount ownBytes sharedBytes } }
			copies: repository(name: "copies") { storage { artifactCount ownBytes sharedBytes } } }`, nil) == want
	})
}
