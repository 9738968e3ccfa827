package db

import (
	"cmp"
	"context"
	"slices"

	"ream/content"
	"ream/fault"
)

// member is a unit as a repository has it.
type member struct {
	ID   content.UnitID `db:"id"`
	Path string         `db:"path"`
	Size int64          `db:"size"`
}

func bytesOf(ms []member) (n int64) {
	for _, m := range ms {
		n += m.Size
	}
	return n
}

// memberChanges is what adding and removing units really changes in a
// repository, by path: an added unit takes the place of one with the same path.
func (tx *Tx) memberChanges(ctx context.Context, r *content.Repository, added, removed []content.UnitID) (joining, leaving []member, err error) {
	wanted, err := tx.members(ctx, added)
	if err != nil {
		return nil, nil, err
	}
	unwanted, err := tx.members(ctx, removed)
	if err != nil {
		return nil, nil, err
	}
	var there map[string]member
	if r.LatestID != 0 {
		if there, err = tx.membersAt(ctx, r.ID, slices.Concat(wanted, unwanted)); err != nil {
			return nil, nil, err
		}
	}
	coming := make(map[string]member, len(wanted))
	for _, m := range wanted {
		if other, taken := coming[m.Path]; taken && other.ID != m.ID {
			return nil, nil, fault.New(fault.Conflict, "two of the units added to repository %q have the path %q", r.Name, m.Path)
		}
		coming[m.Path] = m
	}
	going := make(map[content.UnitID]bool, len(unwanted))
	for _, m := range unwanted {
		going[m.ID] = true
	}
	for path, old := range there {
		switch m, replaces := coming[path]; {
		case replaces && m.ID == old.ID:
			delete(coming, path)
		case replaces || going[old.ID]:
			leaving = append(leaving, old)
		}
	}
	for _, m := range coming {
		joining = append(joining, m)
	}
	byPath := func(a, b member) int { return cmp.Compare(a.Path, b.Path) }
	slices.SortFunc(joining, byPath)
	slices.SortFunc(leaving, byPath)
	return joining, leaving, nil
}

// span is units that were stored one after the other, which those that a sync
// adds mostly were.
type span struct {
	First content.UnitID `json:"lo"`
	Last  content.UnitID `json:"hi"`
}

// inSpans is the units u of spans x.
const inSpans = `u.id BETWEEN x.lo AND x.hi`

func (d *dialect) spans() string { return d.rows("x", "lo bigint", "hi bigint") + ` CROSS JOIN unit u` }

// spansOf are the spans of units that are in order.
func spansOf(ids []content.UnitID) []span {
	var spans []span
	for _, id := range ids {
		if n := len(spans); n > 0 && spans[n-1].Last == id-1 {
			spans[n-1].Last = id
		} else {
			spans = append(spans, span{id, id})
		}
	}
	return spans
}

// members reads units. It fails with ErrCleaned if one does not exist.
func (tx *Tx) members(ctx context.Context, ids []content.UnitID) ([]member, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	found := make([]member, 0, len(ids))
	for chunk := range slices.Chunk(ids, bulk) {
		var rows []member
		if err := tx.sel(ctx, &rows, `SELECT u.id, u.path, u.size FROM `+tx.d.spans()+` WHERE `+inSpans, encode(spansOf(chunk))); err != nil {
			return nil, err
		}
		if len(rows) != len(chunk) {
			return nil, ErrCleaned
		}
		found = append(found, rows...)
	}
	return found, nil
}

// membersAt reads what the newest version has at the paths of units.
func (tx *Tx) membersAt(ctx context.Context, id content.RepositoryID, units []member) (map[string]member, error) {
	found := make(map[string]member, len(units))
	for chunk := range slices.Chunk(pathsOf(units), bulk) {
		var rows []member
		if err := tx.sel(ctx, &rows, `SELECT u.id, m.path, u.size FROM `+memberTables+`
			WHERE u.id = m.unit_id AND m.repository_id = ? AND m.removed IS NULL AND `+tx.d.in("m.path"), id, list(tx.d, chunk)); err != nil {
			return nil, err
		}
		for _, m := range rows {
			found[m.Path] = m
		}
	}
	return found, nil
}

func pathsOf(units []member) []string {
	paths := make([]string, len(units))
	for i, m := range units {
		paths[i] = m.Path
	}
	return paths
}

// leave ends memberships with a version.
func (tx *Tx) leave(ctx context.Context, v *content.Version, leaving []member) error {
	for chunk := range slices.Chunk(pathsOf(leaving), bulk) {
		if _, err := tx.exec(ctx, `UPDATE membership SET removed = ? WHERE repository_id = ? AND removed IS NULL AND `+tx.d.in("path"),
			v.Number, v.RepositoryID, list(tx.d, chunk)); err != nil {
			return err
		}
	}
	return nil
}

// join starts memberships with a version.
func (tx *Tx) join(ctx context.Context, v *content.Version, joining []member) error {
	ids := make([]content.UnitID, len(joining))
	for i, m := range joining {
		ids[i] = m.ID
	}
	slices.Sort(ids)
	for chunk := range slices.Chunk(ids, bulk) {
		if _, err := tx.exec(ctx, `INSERT INTO membership(repository_id, path, unit_id, added)
			SELECT CAST(? AS bigint), u.path, u.id, CAST(? AS int) FROM `+tx.d.spans()+` WHERE `+inSpans,
			v.RepositoryID, v.Number, encode(spansOf(chunk))); err != nil {
			return err
		}
	}
	return nil
}
