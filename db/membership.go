package db

import (
	"context"
	"slices"
	"strings"

	"ream/content"
	"ream/fault"
)

// member is a unit as a repository has it.
type member struct {
	ID   content.UnitID `db:"id"`
	Path string         `db:"path"`
	Size int64          `db:"size"`
}

// tally is how many units of how many bytes come to a version, or go.
type tally struct {
	units int
	bytes int64
}

func (t *tally) add(ms []member) {
	t.units += len(ms)
	for _, m := range ms {
		t.bytes = content.Plus(t.bytes, m.Size)
	}
}

// changeMembers removes units from a repository with a version, and adds others,
// which take the place of those with the same paths. It tells what that really
// changes, and holds no more of it than a statement takes.
func (tx *Tx) changeMembers(ctx context.Context, r *content.Repository, number int, added, removed []content.UnitID) (joined, left tally, err error) {
	for chunk := range slices.Chunk(inOrderOnce(removed), bulk) {
		leaving, err := tx.members(ctx, chunk)
		if err != nil {
			return joined, left, err
		}
		there, err := tx.membersAt(ctx, r.ID, number, leaving)
		if err != nil {
			return joined, left, err
		}
		leaving = slices.DeleteFunc(leaving, func(m member) bool { return there[m.Path].ID != m.ID })
		if err := tx.leave(ctx, r.ID, number, leaving); err != nil {
			return joined, left, err
		}
		left.add(leaving)
	}
	tree := tree{dirs: map[string]bool{}, whole: r.LatestID == 0}
	for chunk := range slices.Chunk(inOrderOnce(added), bulk) {
		joining, err := tx.members(ctx, chunk)
		if err != nil {
			return joined, left, err
		}
		var leaving []member
		if r.LatestID != 0 {
			there, err := tx.membersAt(ctx, r.ID, number, joining)
			if err != nil {
				return joined, left, err
			}
			joining = slices.DeleteFunc(joining, func(m member) bool { return there[m.Path].ID == m.ID })
			for _, m := range joining {
				if old, taken := there[m.Path]; taken {
					leaving = append(leaving, old)
				}
			}
		}
		if err := tx.leave(ctx, r.ID, number, leaving); err != nil {
			return joined, left, err
		}
		if err := tx.join(ctx, r, number, joining, &tree); err != nil {
			return joined, left, err
		}
		joined.add(joining)
		left.add(leaving)
	}
	return joined, left, nil
}

func inOrderOnce(ids []content.UnitID) []content.UnitID {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
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

// members reads units, whose IDs are in order. It fails with ErrCleaned if one
// does not exist.
func (tx *Tx) members(ctx context.Context, ids []content.UnitID) ([]member, error) {
	var found []member
	if err := tx.sel(ctx, &found, `SELECT u.id, u.path, u.size FROM `+tx.d.spans()+` WHERE `+inSpans, encode(spansOf(ids))); err != nil {
		return nil, err
	}
	if len(found) != len(ids) {
		return nil, ErrCleaned
	}
	return found, nil
}

// membersAt reads what the version before a number has at the paths of units,
// unless it has left.
func (tx *Tx) membersAt(ctx context.Context, id content.RepositoryID, number int, units []member) (map[string]member, error) {
	var rows []member
	if err := tx.sel(ctx, &rows, `SELECT u.id, m.path, u.size FROM `+memberTables+`
		WHERE u.id = m.unit_id AND m.repository_id = ? AND m.added < ? AND m.removed IS NULL AND `+tx.d.in("m.path"), id, number, list(tx.d, pathsOf(units))); err != nil {
		return nil, err
	}
	found := make(map[string]member, len(rows))
	for _, m := range rows {
		found[m.Path] = m
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
func (tx *Tx) leave(ctx context.Context, id content.RepositoryID, number int, leaving []member) error {
	if len(leaving) == 0 {
		return nil
	}
	_, err := tx.exec(ctx, `UPDATE membership SET removed = ? WHERE repository_id = ? AND removed IS NULL AND `+tx.d.in("path"),
		number, id, list(tx.d, pathsOf(leaving)))
	return err
}

// join starts memberships with a version. It fails with fault.Conflict if the
// repository then has two units at one path, or one below another.
func (tx *Tx) join(ctx context.Context, r *content.Repository, number int, joining []member, t *tree) error {
	if len(joining) == 0 {
		return nil
	}
	ids := make([]content.UnitID, len(joining))
	for i, m := range joining {
		ids[i] = m.ID
	}
	slices.Sort(ids)
	spans := encode(spansOf(ids))
	n := 0
	insert := func(onConflict string) func() error {
		return func() (err error) {
			n, err = tx.exec(ctx, `INSERT INTO membership(repository_id, path, unit_id, added)
				SELECT CAST(? AS bigint), u.path, u.id, CAST(? AS int) FROM `+tx.d.spans()+` WHERE `+inSpans+onConflict, r.ID, number, spans)
			return err
		}
	}
	if err := tx.insertNew(ctx, len(joining), insert(""), insert(" ON CONFLICT DO NOTHING")); err != nil {
		return err
	}
	if n != len(joining) {
		return tx.samePath(ctx, r, spans)
	}
	return tx.checkTree(ctx, r, t, joining, ids)
}

// samePath is the error that some units cannot join, as others do at their paths.
func (tx *Tx) samePath(ctx context.Context, r *content.Repository, spans string) error {
	var path string
	if err := tx.get(ctx, &path, `SELECT min(m.path) FROM `+tx.d.spans()+` CROSS JOIN membership m
		WHERE `+inSpans+` AND m.repository_id = ? AND m.path = u.path AND m.removed IS NULL AND m.unit_id <> u.id`, spans, r.ID); err != nil {
		return err
	}
	return fault.New(fault.Conflict, "two of the units added to repository %q have the path %.200q", r.Name, path)
}

// tree is the directories of the units that joined a version so far.
type tree struct {
	dirs  map[string]bool
	whole bool // there are no others in the repository
}

// treeMost is how many directories a tree holds at most.
const treeMost = 100_000

// add takes units that join. It returns directories that are new, and one of the
// units' files that is a directory of others; none if nothing is.
func (t *tree) add(joined []member) (dirs []string, clash string) {
	if len(t.dirs) > treeMost {
		*t = tree{dirs: map[string]bool{}}
	}
	for _, m := range joined {
		for i := strings.LastIndexByte(m.Path, '/'); i > 0 && !t.dirs[m.Path[:i]]; i = strings.LastIndexByte(m.Path[:i], '/') {
			t.dirs[m.Path[:i]] = true
			dirs = append(dirs, m.Path[:i])
		}
	}
	for _, m := range joined {
		if t.dirs[m.Path] {
			return dirs, m.Path
		}
	}
	return dirs, ""
}

// checkTree fails with fault.Conflict if a unit that joined lies below another,
// or another below it: no file system could hold both.
func (tx *Tx) checkTree(ctx context.Context, r *content.Repository, t *tree, joined []member, ids []content.UnitID) error {
	dirs, file := t.add(joined)
	if file != "" {
		return tx.notATree(ctx, r, file)
	}
	clash, err := tx.found(ctx, &file, `SELECT path FROM membership WHERE repository_id = ? AND removed IS NULL AND `+tx.d.in("path")+` ORDER BY path LIMIT 1`,
		r.ID, list(tx.d, dirs))
	if err == nil && !clash && !t.whole {
		// In this form, PostgreSQL looks up what is below each, however few members it believes in.
		clash, err = tx.found(ctx, &file, `SELECT u.path FROM unit u WHERE `+tx.d.in("u.id")+` AND (SELECT m.path FROM membership m
			WHERE m.repository_id = ? AND m.path > u.path || '/' AND m.path < u.path || '0' AND m.removed IS NULL ORDER BY m.path LIMIT 1) IS NOT NULL ORDER BY u.path LIMIT 1`,
			list(tx.d, ids), r.ID)
	}
	if err != nil || !clash {
		return err
	}
	return tx.notATree(ctx, r, file)
}

// notATree is the error that a repository would have others below a file.
func (tx *Tx) notATree(ctx context.Context, r *content.Repository, file string) error {
	var below string
	if err := tx.get(ctx, &below, `SELECT min(path) FROM membership WHERE repository_id = ? AND path > ? AND path < ? AND removed IS NULL`,
		r.ID, file+"/", file+"0"); err != nil {
		return err
	}
	return fileBelowFile(r, file, below)
}

func fileBelowFile(r *content.Repository, file, below string) error {
	return fault.New(fault.Conflict, "repository %q would have a file at %.200q and another below it, at %.200q: it can have only one of them", r.Name, file, below)
}
