package catalog_test

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"ream/blob"
	"ream/catalog"
	"ream/content"
	"ream/db"
	"ream/db/dbtest"
	"ream/fault"
	"ream/fetch"
	"ream/page"
	"ream/task"
)

// each runs a test with a catalog on every kind of database.
func each(t *testing.T, f func(t *testing.T, c *catalog.Catalog)) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		blobs, err := blob.NewDisk(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		f(t, &catalog.Catalog{DB: d, Blobs: blobs, Fetch: fetch.New(fetch.Config{}), Log: slog.New(slog.DiscardHandler)})
	})
}

// must stops the test at an error.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// atOnce runs functions at the same time and stops the test if one fails.
func atOnce(t *testing.T, all ...func() error) {
	t.Helper()
	var running sync.WaitGroup
	errs := make([]error, len(all))
	for i, f := range all {
		running.Go(func() { errs[i] = f() })
	}
	running.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestChangesAtOnce changes different fields of one thing at the same time:
// none of the changes is lost.
func TestChangesAtOnce(t *testing.T) {
	each(t, func(t *testing.T, c *catalog.Catalog) {
		ctx := t.Context()
		remotes := [2]*content.Remote{}
		for i := range remotes {
			remotes[i] = must[*content.Remote](t)(c.CreateRemote(ctx, input(fmt.Sprint("remote ", i))))
		}
		repository := must[*content.Repository](t)(c.CreateRepository(ctx, catalog.RepositoryInput{Name: "r", Format: content.File}))
		other := must[*content.Repository](t)(c.CreateRepository(ctx, catalog.RepositoryInput{Name: "other", Format: content.File}))
		distribution := must[*content.Distribution](t)(c.CreateDistribution(ctx, catalog.DistributionInput{Path: "d", Repository: repository.ID}))
		for round := range 10 {
			name, path := fmt.Sprint("name ", round), fmt.Sprint("path", round)
			labels := []content.Label{{Key: "round", Value: fmt.Sprint(round)}}
			remote, serves := remotes[round%2].ID, []content.RepositoryID{repository.ID, other.ID}[round%2]
			change := func(in catalog.RepositoryChange) func() error {
				return func() error { _, err := c.UpdateRepository(ctx, repository.ID, in); return err }
			}
			address, changed := fmt.Sprintf("http://example.org/%d/PULP_MANIFEST", round), remotes[0].ID
			changeRemote := func(in catalog.RemoteChange) func() error {
				return func() error { _, err := c.UpdateRemote(ctx, changed, in); return err }
			}
			distribute := func(in catalog.DistributionChange) func() error {
				return func() error { _, err := c.UpdateDistribution(ctx, distribution.ID, in); return err }
			}
			atOnce(t,
				changeRemote(catalog.RemoteChange{Name: &name}), changeRemote(catalog.RemoteChange{URL: &address}),
				change(catalog.RepositoryChange{Name: &name}), change(catalog.RepositoryChange{Labels: &labels}), change(catalog.RepositoryChange{Remote: &remote}),
				distribute(catalog.DistributionChange{Path: &path}), distribute(catalog.DistributionChange{Repository: &serves}))
			if r := must[[]*content.Remote](t)(c.DB.RemotesByID(ctx, []content.RemoteID{changed}))[0]; r.Name != name || r.URL != address {
				t.Errorf("round %d: a change of the remote was lost: %+v", round, r)
			}
			if r := must[[]*content.Repository](t)(c.DB.RepositoriesByID(ctx, []content.RepositoryID{repository.ID}))[0]; r.Name != name || r.RemoteID != remote || len(r.Labels) != 1 || r.Labels[0] != labels[0] {
				t.Errorf("round %d: a change of the repository was lost: %+v", round, r)
			}
			if d := must[[]*content.Distribution](t)(c.DB.DistributionsByID(ctx, []content.DistributionID{distribution.ID}))[0]; d.Path != path || d.RepositoryID != serves {
				t.Errorf("round %d: a change of the distribution was lost: %+v", round, d)
			}
		}
	})
}

// TestListsMissNothing follows lists, page after page, to which others add at
// the same time: who has read up to a cursor finds all that is added behind it.
func TestListsMissNothing(t *testing.T) {
	each(t, func(t *testing.T, c *catalog.Catalog) {
		const adders, each = 8, 8
		var adding sync.WaitGroup
		for a := range adders {
			adding.Go(func() {
				for i := range each {
					name := fmt.Sprintf("%d %d", a, i)
					if _, err := c.CreateRemote(t.Context(), input(name)); err != nil {
						t.Error(err)
					}
					r, err := c.CreateRepository(t.Context(), catalog.RepositoryInput{Name: name, Format: content.File, Labels: []content.Label{{Key: "a"}}})
					if err == nil {
						_, err = c.CreateDistribution(t.Context(), catalog.DistributionInput{Path: r.ID.String(), Repository: r.ID})
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		added := make(chan struct{})
		go func() { adding.Wait(); close(added) }()
		var following sync.WaitGroup
		following.Go(func() {
			follow(t, "repositories", adders*each, added, func(p page.Request) (*page.Of[*content.Repository], error) {
				return c.DB.Repositories(t.Context(), "", p)
			})
		})
		following.Go(func() {
			follow(t, "distributions", adders*each, added, func(p page.Request) (*page.Of[*content.Distribution], error) {
				return c.DB.Distributions(t.Context(), p)
			})
		})
		following.Go(func() {
			follow(t, "remotes", adders*each, added, func(p page.Request) (*page.Of[*content.Remote], error) { return c.DB.Remotes(t.Context(), p) })
		})
		following.Wait()
	})
}

// follow reads a list forwards until nothing is added any more.
func follow[T any](t *testing.T, list string, want int, added <-chan struct{}, read func(page.Request) (*page.Of[T], error)) {
	t.Helper()
	seen, request := 0, page.Request{First: page.Limit}
	for {
		var over bool
		select {
		case <-added:
			over = true
		default:
		}
		p, err := read(request)
		if err != nil {
			t.Error(err)
			return
		}
		if n := len(p.Items); n > 0 {
			seen += n
			request.After = p.Items[n-1].Key
		} else if over {
			break
		}
	}
	if seen != want {
		t.Errorf("%s: followed %d, want %d", list, seen, want)
	}
}

// TestAnsweredRequestIsNotReadAgain repeats a request whose first answer still
// counts, although it could not be carried out any more.
func TestAnsweredRequestIsNotReadAgain(t *testing.T) {
	each(t, func(t *testing.T, c *catalog.Catalog) {
		ctx := t.Context()
		remote := must[*content.Remote](t)(c.CreateRemote(ctx, input("r")))
		repository := must[*content.Repository](t)(c.CreateRepository(ctx, catalog.RepositoryInput{Name: "r", Format: content.File, Remote: remote.ID}))
		request := catalog.SyncRequest{Repositories: catalog.Selector{Names: []string{"r"}}, Priority: task.Normal, IdempotencyKey: "once"}
		first := must[task.Work](t)(c.Sync(ctx, request))
		name := "renamed"
		must[*content.Repository](t)(c.UpdateRepository(ctx, repository.ID, catalog.RepositoryChange{Name: &name}))
		if again := must[task.Work](t)(c.Sync(ctx, request)); again.NodeID() != first.NodeID() {
			t.Errorf("the same request again: got %s, want %s", again.NodeID(), first.NodeID())
		}
	})
}

// TestNothingIsQueuedForWhatIsGone deletes repositories while work on them is
// asked for: either comes first, and what is queued has its repository.
func TestNothingIsQueuedForWhatIsGone(t *testing.T) {
	each(t, func(t *testing.T, c *catalog.Catalog) {
		ctx := t.Context()
		remote := must[*content.Remote](t)(c.CreateRemote(ctx, input("r")))
		for i := range 20 {
			repository := must[*content.Repository](t)(c.CreateRepository(ctx, catalog.RepositoryInput{Name: fmt.Sprint(i), Format: content.File, Remote: remote.ID}))
			var queued, deleted error
			var both sync.WaitGroup
			both.Go(func() {
				_, queued = c.Sync(ctx, catalog.SyncRequest{Repositories: catalog.Selector{IDs: []content.RepositoryID{repository.ID}}, Priority: task.Normal})
			})
			both.Go(func() { _, deleted = c.DeleteRepository(ctx, repository.ID) })
			both.Wait()
			if (queued == nil) == (deleted == nil) || queued != nil && !fault.Is(queued, fault.BadInput) || deleted != nil && !fault.Is(deleted, fault.Conflict) {
				t.Errorf("sync: %v, deletion: %v: want one of them to fail, because of the other", queued, deleted)
			}
		}
	})
}
