package db_test

import (
	"context"
	"fmt"
	"testing"

	"ream/content"
	"ream/db"
	"ream/db/dbtest"
	"ream/page"
)

// TestOneStatementForAllOwners reads lists of thirty repositories, and of their
// versions, with as many statements as for one.
func TestOneStatementForAllOwners(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var ids []content.RepositoryID
		var versions []*content.Version
		err := d.InTx(t.Context(), func(tx *db.Tx) error {
			for i := range 30 {
				r := &content.Repository{Name: fmt.Sprint(i), Format: content.File}
				if err := tx.CreateRepository(t.Context(), r); err != nil {
					return err
				}
				v, err := tx.CreateVersion(t.Context(), r, 0, nil, nil)
				if err != nil {
					return err
				}
				ids, versions = append(ids, r.ID), append(versions, v)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		count := d.CountStatements()
		key := fmt.Sprint(1)
		for _, c := range []struct {
			name string
			read func(page.Request) (counts []func(context.Context) (int, error), err error)
		}{
			{"versions", func(r page.Request) ([]func(context.Context) (int, error), error) {
				return countsOf(d.Versions(t.Context(), ids, r))
			}},
			{"publications", func(r page.Request) ([]func(context.Context) (int, error), error) {
				return countsOf(d.RepositoryPublications(t.Context(), ids, r))
			}},
			{"distributions", func(r page.Request) ([]func(context.Context) (int, error), error) {
				return countsOf(d.RepositoryDistributions(t.Context(), ids, r))
			}},
			{"units", func(r page.Request) ([]func(context.Context) (int, error), error) {
				return countsOf(d.VersionUnits(t.Context(), versions, r))
			}},
		} {
			for request, want := range map[page.Request]int64{{}: 1, {First: 2}: 1, {Last: 2}: 1, {First: 1, After: key}: 2, {Last: 1, After: key, Before: key}: 3} {
				before := count.Load()
				counts, err := c.read(request)
				if err != nil || len(counts) != 30 {
					t.Fatalf("%s: %d pages, %v", c.name, len(counts), err)
				}
				if got := count.Load() - before; got != want {
					t.Errorf("%s %+v: %d statements, want %d", c.name, request, got, want)
				}
				before = count.Load()
				for _, n := range counts {
					if _, err := n(t.Context()); err != nil {
						t.Error(err)
					}
				}
				if got := count.Load() - before; got > 1 {
					t.Errorf("%s %+v: %d statements to count them, want at most 1", c.name, request, got)
				}
			}
		}
		before := count.Load()
		if _, err := d.VersionsByNumber(t.Context(), []content.VersionKey{{RepositoryID: 1, Number: 1}, {RepositoryID: 2, Number: 1}}); err != nil || count.Load()-before != 1 {
			t.Errorf("versions by number: %d statements, %v, want 1", count.Load()-before, err)
		}
	})
}

func countsOf[T any](pages []*page.Of[T], err error) (counts []func(context.Context) (int, error), _ error) {
	for _, p := range pages {
		counts = append(counts, p.Count)
	}
	return counts, err
}
