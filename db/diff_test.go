package db_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"ream/content"
	"ream/db"
	"ream/db/dbtest"
	"ream/page"
	"ream/task"
)

// fill makes a repository whose second version has none of the units of its
// first, in the order of the alphabet, but others.
func fill(t *testing.T, d *db.DB, name string, units int) (versions []*content.Version) {
	t.Helper()
	ctx := t.Context()
	if err := d.InTx(ctx, func(tx *db.Tx) error {
		r := &content.Repository{Name: name, Format: content.File}
		err := tx.CreateRepository(ctx, r)
		var base content.VersionID
		var gone []content.UnitID
		for _, prefix := range []string{"a", "b"} {
			fresh, ids := make([]*content.Unit, units), make([]content.UnitID, units)
			for i := range fresh {
				fresh[i] = &content.Unit{Format: content.File, Path: fmt.Sprintf("%s/%s%06d", name, prefix, i), SHA256: content.Digest(fmt.Sprintf("%064x", i)), Size: 1}
			}
			err = errors.Join(err, tx.AddUnits(ctx, nil, fresh))
			for i, u := range fresh {
				ids[i] = u.ID
			}
			if err == nil {
				var v *content.Version
				v, err = tx.CreateVersion(ctx, r, base, ids, gone)
				if err == nil {
					versions, base, gone = append(versions, v), v.ID, ids
				}
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return versions
}

// TestReadsOfNewRepository counts what PostgreSQL looks at when it does not know
// yet that a repository has members.
func TestReadsOfNewRepository(t *testing.T) {
	t.Parallel()
	const units = 2500
	address := dbtest.PostgresAddress(t)
	d := dbtest.Open(t, address, db.Options{})
	for _, table := range []string{"membership", "unit", "task_failure"} {
		administer(t, d, "ALTER TABLE "+table+" SET (autovacuum_enabled = off)")
	}
	const fail = "INSERT INTO task_failure(task_id, path, url, code, message) SELECT repository_id, path, '', '', '' FROM membership WHERE removed IS NULL"
	fill(t, d, "old", 500)
	administer(t, d, fail)
	administer(t, d, "ANALYZE")
	vs, other := fill(t, d, "new", units), fill(t, d, "other", units)
	administer(t, d, fail+fmt.Sprintf(" AND repository_id = %d", vs[0].RepositoryID))
	all := page.Request{First: page.Limit}
	later := *vs[1]
	later.Number = 3 // as if a version in between was deleted
	odd := []*content.Version{&later}
	between := page.Request{Last: page.Limit, After: "new/a000100", Before: "new/b000100"}
	for name, read := range map[string]func(context.Context) error{
		"diff":       func(ctx context.Context) error { return diff(ctx, d, vs[0], vs[1], nil, all) },
		"diff, back": func(ctx context.Context) error { return diff(ctx, d, vs[1], vs[0], nil, between) },
		"diff of kinds": func(ctx context.Context) error {
			return diff(ctx, d, vs[0], vs[1], []content.ChangeKind{content.Replaced}, all)
		},
		"members at failures": func(ctx context.Context) error {
			_, err := d.MembersAtFailures(ctx, vs[0].RepositoryID, task.ID(vs[0].RepositoryID))
			return err
		},
		"units": func(ctx context.Context) error { _, err := d.VersionUnits(ctx, vs[1:], all); return err },
		"search": func(ctx context.Context) error {
			p, err := d.VersionUnitsWith(ctx, vs[1:], "b00", all)
			if err == nil {
				_, err = p[0].Count(ctx)
			}
			return err
		},
		"added":       func(ctx context.Context) error { _, err := d.VersionAdded(ctx, odd, all); return err },
		"removed":     func(ctx context.Context) error { _, err := d.VersionRemoved(ctx, odd, all); return err },
		"diff of two": func(ctx context.Context) error { return diff(ctx, d, vs[0], other[1], nil, between) },
	} {
		costs, err := d.Spent(t.Context(), func() error { return read(t.Context()) })
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range costs {
			if c.Examined > 20*units {
				t.Errorf("%s: it looked at %d rows and blocks for %d units:\n%s\n%s", name, c.Examined, units, c.Statement, c.Plan)
			}
		}
	}
}

// diff reads a page of a diff and counts the whole.
func diff(ctx context.Context, d *db.DB, from, to *content.Version, kinds []content.ChangeKind, req page.Request) error {
	p, err := d.Diff(ctx, from, to, kinds, req)
	if err == nil {
		_, err = p.Count(ctx)
	}
	return err
}

func administer(t *testing.T, d *db.DB, statement string) {
	t.Helper()
	if err := d.Administer(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
