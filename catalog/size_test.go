package catalog_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"ream/catalog"
	"ream/content"
	"ream/task"
)

// claimant is an upstream of one file, of whose size it says what it is told to.
type claimant struct {
	*httptest.Server
	body string

	mu   sync.Mutex
	size int
}

func newClaimant(t *testing.T, body string, size int) *claimant {
	c := &claimant{body: body, size: size}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *claimant) claim(size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size = size
}

func (c *claimant) manifest() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("dir/f,%s,%d\n", digestOf(c.body), c.size)
}

func (c *claimant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := c.body
	if r.URL.Path == "/PULP_MANIFEST" {
		body = c.manifest()
	}
	io.WriteString(w, body)
}

// stockedFrom creates a repository that syncs from an upstream by a policy.
func (d *depot) stockedFrom(c *claimant, name string, policy content.Policy) *content.Repository {
	d.t.Helper()
	in := input(name)
	in.URL, in.Retries, in.Policy = c.URL+"/PULP_MANIFEST", 0, policy
	remote := must[*content.Remote](d.t)(d.CreateRemote(d.t.Context(), in))
	return must[*content.Repository](d.t)(d.CreateRepository(d.t.Context(), catalog.RepositoryInput{Name: name, Format: content.File, Remote: remote.ID}))
}

// wantPublished publishes a repository and compares what came of it with a manifest.
func (d *depot) wantPublished(r *content.Repository, manifest string, size int64) {
	d.t.Helper()
	if _, err := d.Publish(d.t.Context(), catalog.PublishRequest{Repositories: catalog.Selector{Names: []string{r.Name}}, Priority: task.Normal}); err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.run(catalog.PublishKind); err != nil {
		d.t.Fatal(err)
	}
	now := must[[]*content.Repository](d.t)(d.DB.RepositoriesByID(d.t.Context(), []content.RepositoryID{r.ID}))[0]
	if f := must[*content.PublishedFile](d.t)(d.DB.PublishedFile(d.t.Context(), now.NewestPublicationID, "dir/f")); f.Size != size {
		d.t.Errorf("%s: it publishes %d bytes, want %d", r.Name, f.Size, size)
	}
	written := must[*content.PublishedFile](d.t)(d.DB.PublishedFile(d.t.Context(), now.NewestPublicationID, "PULP_MANIFEST"))
	from := must[io.ReadSeekCloser](d.t)(d.disk.Open(d.t.Context(), string(written.SHA256), written.Size))
	defer from.Close()
	if got := must[[]byte](d.t)(io.ReadAll(from)); string(got) != manifest {
		d.t.Errorf("%s: its manifest is %q, want %q", r.Name, got, manifest)
	}
}

// TestWrongSizeHarmsNobodyElse has an upstream that says a wrong size of a file
// that nobody has fetched, and others that have the same file at the same path.
func TestWrongSizeHarmsNobodyElse(t *testing.T) {
	eachDepot(t, func(d *depot) {
		const body = "what both have"
		up, other := newClaimant(d.t, body, 1), newClaimant(d.t, body, len(body))
		liar := d.stockedFrom(up, "liar", content.OnDemand)
		d.mustSync("liar")
		d.wantPublished(liar, up.manifest(), 1)

		waits := d.stockedFrom(other, "waits", content.OnDemand)
		d.mustSync("waits")
		d.wantPublished(waits, other.manifest(), int64(len(body)))
		honest := d.stockedFrom(other, "honest", content.Immediate)
		d.mustSync("honest")
		d.wantPublished(honest, other.manifest(), int64(len(body)))

		mine := must[*content.Repository](d.t)(d.CreateRepository(d.t.Context(), catalog.RepositoryInput{Name: "mine", Format: content.File}))
		d.done(d.UploadFiles(d.as("me"), catalog.UploadRequest{Repository: mine.ID, Files: []catalog.UploadedFile{{Path: "dir/f", Upload: d.whole("me", body)}}}))
		d.wantPublished(mine, other.manifest(), int64(len(body)))
	})
}

// TestCorrectedSizeIsTaken has an upstream that says another size of a file than it
// did before: a preview tells, and a sync takes it, though the digest is the same.
func TestCorrectedSizeIsTaken(t *testing.T) {
	eachDepot(t, func(d *depot) {
		const body = "the same as before"
		up := newClaimant(d.t, body, 1)
		r := d.stockedFrom(up, "r", content.OnDemand)
		d.mustSync("r")
		d.wantPublished(r, up.manifest(), 1)

		up.claim(len(body))
		if _, err := d.Sync(d.t.Context(), catalog.SyncRequest{Repositories: catalog.Selector{Names: []string{"r"}}, Mirror: true, DryRun: true, Priority: task.Normal}); err != nil {
			d.t.Fatal(err)
		}
		if _, err := d.run(catalog.PreviewKind); err != nil {
			d.t.Fatal(err)
		}
		last := d.tasks()[len(d.tasks())-1]
		preview := must[[]*content.Preview](d.t)(d.DB.Previews(d.t.Context(), []task.ID{last.ID}))[0]
		if preview == nil || preview.Replaced != 1 || preview.Unchanged != 0 {
			d.t.Errorf("the preview: got %+v, want one that is replaced", preview)
		}
		d.mustSync("r")
		d.wantPublished(r, up.manifest(), int64(len(body)))
	})
}
