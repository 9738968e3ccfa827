package db_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"ream/content"
	"ream/db"
	"ream/db/dbtest"
	"ream/fault"
	"ream/page"
	"ream/task"
)

// eachMigrated checks a database of every kind that was filled when its schema
// had an older version.
func eachMigrated(t *testing.T, version int64, fill []string, check func(*testing.T, *db.DB)) {
	t.Parallel()
	for _, c := range []struct {
		driver, dir string
		dialect     goose.Dialect
		address     func(*testing.T) string
	}{
		{"sqlite", "sqlite", goose.DialectSQLite3, func(t *testing.T) string { return filepath.Join(t.TempDir(), "ream.db") }},
		{"postgres", "postgres", goose.DialectPostgres, dbtest.PostgresAddress},
	} {
		t.Run(c.driver, func(t *testing.T) {
			t.Parallel()
			address := c.address(t)
			pool, err := sql.Open(c.driver, address)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			provider, err := goose.NewProvider(c.dialect, pool, os.DirFS(filepath.Join("migrations", c.dir)), goose.WithDisableGlobalRegistry(true))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := provider.UpTo(t.Context(), version); err != nil {
				t.Fatal(err)
			}
			for _, statement := range fill {
				if _, err := pool.ExecContext(t.Context(), statement); err != nil {
					t.Fatalf("%s: %v", statement, err)
				}
			}
			if err := pool.Close(); err != nil {
				t.Fatal(err)
			}
			check(t, dbtest.Open(t, address, db.Options{}))
		})
	}
}

func TestOlderWorkIsWithinLimits(t *testing.T) {
	const insert = `INSERT INTO task(id, kind, name, priority, position, group_id, args, created_at) VALUES `
	eachMigrated(t, 5, []string{
		`INSERT INTO repository(id, name, format, created_at, updated_at) VALUES (1, 'a', 'FILE', 0, 0), (2, 'b', 'FILE', 0, 0)`,
		`INSERT INTO repository_label(repository_id, key, value) VALUES (1, 'team', 'a'), (2, 'team', 'b')`,
		`INSERT INTO task_group(id, name, created_at) VALUES (1, 'of a', 0), (2, 'of both', 0), (3, 'also of none', 0)`,
		insert + `(1, 'repository.sync', 'sync a', 2, 1, 1, '{"repository":1,"mirror":true}', 0)`,
		insert + `(2, 'repository.publish', 'publish a', 2, 2, 2, '{"repository":1,"version":0}', 0)`,
		insert + `(3, 'distribution.update', 'serve b', 2, 3, 2, '{"repository":2,"path":"b"}', 0)`,
		insert + `(4, 'history.purge', 'purge', 2, 4, 3, '{"olderThanDays":1}', 0)`,
		insert + `(5, 'repository.sync', 'sync a', 2, 5, 3, '{"repository":1,"mirror":true}', 0)`,
	}, func(t *testing.T, d *db.DB) {
		v := d.Within("team=a")
		p, err := v.Tasks(t.Context(), task.Filter{}, page.Request{})
		if err != nil {
			t.Fatal(err)
		}
		var tasks []task.ID
		for _, item := range p.Items {
			tasks = append(tasks, item.Node.ID)
		}
		if want := []task.ID{1, 2, 5}; !slices.Equal(tasks, want) {
			t.Errorf("tasks: got %v, want %v", tasks, want)
		}
		groups, err := v.GroupsByID(t.Context(), []task.GroupID{1, 2, 3})
		if err != nil || groups[0] == nil || groups[1] != nil || groups[2] != nil {
			t.Errorf("groups: got %v, %v, want the first alone", groups, err)
		}
		if found, err := v.RepositoriesByID(t.Context(), []content.RepositoryID{1, 2}); err != nil || found[0] == nil || found[1] != nil {
			t.Errorf("repositories: got %v, %v", found, err)
		}
	})
}

// TestOlderVersionsAreCompared has versions and distributions from before
// either was deleted or recorded.
func TestOlderVersionsAreCompared(t *testing.T) {
	eachMigrated(t, 7, []string{
		`INSERT INTO repository(id, name, format, created_at, updated_at) VALUES (1, 'a', 'FILE', 0, 0), (2, 'b', 'FILE', 0, 0)`,
		`INSERT INTO version(id, repository_id, number, units, bytes, added, removed, created_at) VALUES (1, 1, 1, 0, 0, 0, 0, 0), (2, 1, 2, 0, 0, 0, 0, 0)`,
		`INSERT INTO publication(id, repository_id, version_id, files, bytes, created_at) VALUES (1, 1, 1, 0, 0, 10), (2, 1, 2, 0, 0, 20)`,
		`UPDATE repository SET newest_publication_id = 2, latest_version_id = 2 WHERE id = 1`,
		`INSERT INTO distribution(id, path, repository_id, publication_id, created_at, updated_at) VALUES (1, 'follows', 1, NULL, 5, 5), (2, 'pinned', NULL, 1, 5, 30), (3, 'empty', 2, NULL, 5, 5)`,
	}, func(t *testing.T, d *db.DB) {
		versions, err := d.VersionsByID(t.Context(), []content.VersionID{1, 2})
		if err != nil || versions[0].Base != 0 || versions[1].Base != 1 {
			t.Errorf("got %+v and %+v, %v", versions[0], versions[1], err)
		}
		served, err := d.Served(t.Context(), []content.DistributionID{1, 2, 3}, page.Request{})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []struct {
			publication content.PublicationID
			since       int64 // microseconds
		}{{2, 20}, {1, 30}} {
			if got := served[i].Items; len(got) != 1 || got[0].Node.PublicationID != want.publication || got[0].Node.Since.UnixMicro() != want.since || got[0].Node.Until != nil {
				t.Errorf("distribution %d: got %+v, want %+v", i+1, got, want)
			}
		}
		if old, err := d.DistributionByPath(t.Context(), "pinned"); err != nil || old.Access != content.AsServer {
			t.Errorf("the access of an older distribution: got %+v, %v", old, err)
		}
		if len(served[2].Items) > 0 {
			t.Errorf("an empty distribution: got %+v", served[2].Items)
		}
	})
}

// TestOlderSourcesAreKept has sources that were of digests and paths.
func TestOlderSourcesAreKept(t *testing.T) {
	eachMigrated(t, 14, []string{
		`INSERT INTO remote(id, name, url, policy, connections, created_at, updated_at) VALUES (1, 'a', 'http://a/M', 'ON_DEMAND', 1, 0, 0), (2, 'b', 'http://b/M', 'ON_DEMAND', 1, 0, 0)`,
		`INSERT INTO unit(id, format, path, sha256, size) VALUES (7, 'FILE', 'x', 'one', 1), (8, 'FILE', 'y', 'one', 1), (9, 'FILE', 'x', 'two', 1)`,
		`INSERT INTO artifact_source(sha256, remote_id, path) VALUES ('one', 1, 'x'), ('one', 2, 'y'), ('one', 2, 'gone'), ('two', 2, 'x')`,
	}, func(t *testing.T, d *db.DB) {
		for digest, want := range map[content.Digest][]content.Source{
			"one": {{SHA256: "one", RemoteID: 1, Path: "x"}, {SHA256: "one", RemoteID: 2, Path: "y"}},
			"two": {{SHA256: "two", RemoteID: 2, Path: "x"}},
		} {
			if got, err := d.Sources(t.Context(), digest); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: got %v, %v, want %v", digest, got, err, want)
			}
		}
	})
}

// TestOlderPastHasPaths has a record of what was served from before it told where.
func TestOlderPastHasPaths(t *testing.T) {
	eachMigrated(t, 18, []string{
		`INSERT INTO repository(id, name, format, created_at, updated_at) VALUES (1, 'a', 'FILE', 0, 0)`,
		`INSERT INTO version(id, repository_id, number, units, bytes, added, removed, created_at) VALUES (1, 1, 1, 0, 0, 0, 0, 0)`,
		`INSERT INTO publication(id, repository_id, version_id, files, bytes, created_at) VALUES (1, 1, 1, 0, 0, 10)`,
		`INSERT INTO distribution(id, path, repository_id, created_at, updated_at) VALUES (1, 'x', 1, 5, 5), (2, 'y', 1, 5, 5)`,
		`INSERT INTO served(distribution_id, publication_id, since, until) VALUES (1, 1, 20, 30), (1, 1, 40, NULL), (2, 1, 20, NULL)`,
	}, func(t *testing.T, d *db.DB) {
		for path, want := range map[string]content.DistributionID{"x": 1, "y": 2} {
			for _, at := range []int64{20, 29, 40} {
				if got, err := d.ServedAt(t.Context(), path, time.UnixMicro(at)); err != nil || got.DistributionID != want || got.PublicationID != 1 {
					t.Errorf("%s at %d: got %+v, %v", path, at, got, err)
				}
			}
		}
		if got, err := d.ServedAt(t.Context(), "x", time.UnixMicro(30)); !fault.Is(err, fault.NotFound) {
			t.Errorf("when nothing was served: got %+v, %v", got, err)
		}
	})
}

// TestOlderSizesAreLookedAt has units as they were when a size that one upstream
// said was every repository's: a repository whose bytes do not prove what it has
// looks at its next sync.
func TestOlderSizesAreLookedAt(t *testing.T) {
	const insert = `INSERT INTO repository(id, name, format, synced_fingerprint, synced_version_id, created_at, updated_at) VALUES `
	eachMigrated(t, 18, []string{
		insert + `(1, 'wrong', 'FILE', 'x', 1, 0, 0), (2, 'unproven', 'FILE', 'x', 1, 0, 0), (3, 'right', 'FILE', 'x', 1, 0, 0), (4, 'was wrong', 'FILE', 'x', 1, 0, 0)`,
		`INSERT INTO artifact(sha256, size, created_at) VALUES ('one', 1000, 0), ('two', 2, 0)`,
		`INSERT INTO unit(id, format, path, sha256, size) VALUES (7, 'FILE', 'x', 'one', 1), (8, 'FILE', 'y', 'none', 1), (9, 'FILE', 'z', 'two', 2), (20, 'FILE', 'z', 'gone', 2)`,
		`DELETE FROM unit WHERE id = 20`,
		`INSERT INTO membership(repository_id, path, unit_id, added, removed) VALUES (1, 'x', 7, 1, NULL), (2, 'y', 8, 1, NULL), (3, 'z', 9, 1, NULL), (4, 'x', 7, 1, 2)`,
	}, func(t *testing.T, d *db.DB) {
		for id, want := range map[content.RepositoryID]string{1: "", 2: "", 3: "x", 4: "x"} {
			if got, _, err := d.Synced(t.Context(), id); err != nil || got != want {
				t.Errorf("repository %d: got %q, %v, want %q", id, got, err, want)
			}
		}
		units := []*content.Unit{
			{Format: content.File, Path: "x", SHA256: "one", Size: 1000},
			{Format: content.File, Path: "x", SHA256: "one", Size: 1},
		}
		if err := d.InTx(t.Context(), func(tx *db.Tx) error { return tx.AddUnits(t.Context(), units, nil) }); err != nil {
			t.Fatal(err)
		}
		if units[1].ID != 7 {
			t.Errorf("what was there: got %s, want %s", units[1].ID, content.UnitID(7))
		}
	})
}
