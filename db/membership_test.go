package db_test

import (
	"fmt"
	"strings"
	"testing"

	"ream/content"
	"ream/db"
	"ream/db/dbtest"
	"ream/fault"
)

// TestVersionIsATree makes versions of more units than a statement takes, one of
// which may lie below another: of two, either may come first, or be there already.
func TestVersionIsATree(t *testing.T) {
	t.Parallel()
	between := make([]string, 2100)
	for i := range between {
		between[i] = fmt.Sprintf("between/%d", i)
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		for i, tt := range []struct{ before, first, last, want string }{
			{"", "x", "x/y", `a file at "x" and another below it, at "x/y"`},
			{"", "x/y/z", "x", `a file at "x" and another below it, at "x/y/z"`},
			{"x", "w", "x/y", `a file at "x" and another below it, at "x/y"`},
			{"x/y/z", "w", "x/y", `a file at "x/y" and another below it, at "x/y/z"`},
			{"x-y", "x", "x.y/x", ""},
			{"x/y", "x/z", "x/y.z", ""},
		} {
			r := &content.Repository{Name: fmt.Sprint("r", i), Format: content.File}
			add := func(tx *db.Tx, base content.VersionID, steps ...[]string) (content.VersionID, error) {
				var ids []content.UnitID
				for _, paths := range steps {
					units := make([]*content.Unit, len(paths))
					for n, path := range paths {
						units[n] = &content.Unit{Format: content.File, Path: path, SHA256: content.Digest(fmt.Sprintf("%064x", i)), Size: 1}
					}
					if err := tx.AddUnits(ctx, nil, units); err != nil {
						return 0, err
					}
					for _, u := range units {
						ids = append(ids, u.ID)
					}
				}
				v, err := tx.CreateVersion(ctx, r, base, ids, nil)
				if err != nil {
					return 0, err
				}
				return v.ID, nil
			}
			err := d.InTx(ctx, func(tx *db.Tx) error {
				err := tx.CreateRepository(ctx, r)
				var base content.VersionID
				if err == nil && tt.before != "" {
					base, err = add(tx, 0, []string{tt.before})
				}
				if err == nil {
					_, err = add(tx, base, []string{tt.first}, between, []string{tt.last}) // in the order of their IDs
				}
				return err
			})
			if tt.want == "" && err != nil || tt.want != "" && (!fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%q before, %q, then %q: got %v, want %s", tt.before, tt.first, tt.last, err, tt.want)
			}
		}
	})
}
