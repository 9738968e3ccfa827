package db

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"ream/content"
	"ream/fault"
	"ream/page"
)

// PublishedDir returns up to limit names directly below a directory of a
// publication that sort behind after, by their bytes; the empty one is the
// topmost directory. It returns none for a directory that does not exist. Its
// cost is that of the names, whatever lies below them.
func (q *queries) PublishedDir(ctx context.Context, id content.PublicationID, dir, after string, limit int) ([]content.DirEntry, error) {
	if limit < 1 || dir != "" && content.CheckPath(dir) != nil || strings.ContainsRune(after, 0) {
		return nil, nil
	}
	rows, err := q.entries(ctx, ownersOf([]content.PublicationID{id}), names{dir: dir, after: strings.ToValidUTF8(after, "")}, limit)
	entries := make([]content.DirEntry, len(rows))
	for i, r := range rows {
		_, entry := r.item()
		entries[i] = *entry
	}
	return entries, err
}

// PublishedEntries returns a page of the names directly below a directory of
// each publication, by their bytes: all, or those that begin with prefix. It is
// nil of a publication that has no such directory. dir is empty or a clean path,
// and prefix the beginning of a name. A key tells the publication that it is of:
// with that of another one the page fails with fault.BadInput.
func (q *queries) PublishedEntries(ctx context.Context, ids []content.PublicationID, dir, prefix string, req page.Request) ([]*page.Of[*content.DirEntry], error) {
	in := names{dir: dir, prefix: prefix}
	counts := &ownerCounts{read: func(ctx context.Context) ([]int, error) { return q.countEntries(ctx, ids, in) }}
	var w window
	w.size, _ = req.Size()
	var err error
	if in.after, err = afterEntry(ids, dir, req.After); err != nil {
		return nil, err
	}
	rows, err := q.entries(ctx, ownersOf(ids), in, w.size+1)
	if err != nil {
		return nil, err
	}
	lists := make([][]nameRow, len(ids))
	for _, r := range rows {
		lists[r.N] = append(lists[r.N], r)
	}
	has, err := q.haveDir(ctx, ids, lists, dir)
	if err != nil {
		return nil, err
	}
	pages := make([]*page.Of[*content.DirEntry], len(ids))
	for i, id := range ids {
		if !has[i] {
			continue
		}
		list, more := cut(lists[i], w)
		key := func(r nameRow) string { path, _ := r.item(); return entryKey(id, path) }
		pages[i] = newPage(list, nodesOf(list, nameRow.item), key, w, more)
		pages[i].HasPrevious = in.after != "" && in.after >= prefix
		pages[i].Count = func(ctx context.Context) (int, error) { return counts.of(ctx, i) }
	}
	return pages, nil
}

// haveDir tells which publications have a directory. Of most that is known by
// what was found in it.
func (q *queries) haveDir(ctx context.Context, ids []content.PublicationID, found [][]nameRow, dir string) ([]bool, error) {
	has := make([]bool, len(ids))
	var unknown []owner
	for i, o := range ownersOf(ids) {
		if has[i] = dir == "" || len(found[i]) > 0; !has[i] {
			unknown = append(unknown, o)
		}
	}
	if unknown == nil {
		return has, nil
	}
	l := listing{from: "published_file f"}
	l.and("f.publication_id = o.owner AND f.path >= ? AND f.path < ?", treePath(dir)+below, treePath(dir)+behind)
	return has, q.whoHas(ctx, l, unknown, func(n int) { has[n] = true })
}

// entryKey is the key of what lies at a path of a publication.
func entryKey(id content.PublicationID, path string) string { return id.String() + ":" + path }

// afterEntry reads the key that a page of a directory begins after, and returns
// the name; empty for the first page.
func afterEntry(ids []content.PublicationID, dir, key string) (name string, err error) {
	if key == "" {
		return "", nil
	}
	of, path, _ := strings.Cut(key, ":")
	id, err := content.ParseID[content.PublicationID]("publication", of)
	if err != nil || content.CheckPath(path) != nil {
		return "", fault.Input("after", "%.80q is no cursor of this list: pass one that the list itself gave", key)
	}
	if i := slices.IndexFunc(ids, func(other content.PublicationID) bool { return other != id }); i >= 0 {
		return "", fault.Input("after", "the cursor is of %s and not of %s: go on in the former, or begin anew without a cursor", id, ids[i])
	}
	in := ""
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		in, path = path[:i], path[i+1:]
	}
	if in != dir {
		return "", fault.Input("after", "the cursor is of the directory %.80q and not of %.80q: begin anew without a cursor", in, dir)
	}
	return path, nil
}

// names are those directly below a directory that begin with a prefix and sort
// behind another one. All but dir may be empty, and the topmost dir is.
type names struct{ dir, prefix, after string }

type nameRow struct {
	owned
	Path     string         `db:"path"` // of the first file below it, if it is a directory
	SHA256   content.Digest `db:"sha256"`
	Size     int64          `db:"size"`
	Modified int64          `db:"modified_at"`
	dir      string         // where the name is
}

// item returns the entry with its path.
func (r nameRow) item() (string, *content.DirEntry) {
	name, _, isDir := strings.Cut(strings.TrimPrefix(r.Path, inTree(r.dir)), below)
	e := &content.DirEntry{Name: name, Path: name, IsDir: isDir}
	if r.dir != "" {
		e.Path = r.dir + "/" + name
	}
	if !isDir {
		e.SHA256, e.Size, e.ModifiedAt = r.SHA256, r.Size, fromMicros(r.Modified)
	}
	return e.Path, e
}

// inTree is what the paths of all below a directory begin with in published_file.
func inTree(dir string) string {
	if dir == "" {
		return ""
	}
	return treePath(dir) + below
}

// entries reads up to limit names of each publication.
func (q *queries) entries(ctx context.Context, publications []owner, in names, limit int) (rows []nameRow, err error) {
	scan, args := in.scan(q.d, publications, limit)
	// Each name is found by its key, in the order of the scan.
	err = q.sel(ctx, &rows, scan+` SELECT s.n, s.path, f.sha256, f.size, f.modified_at FROM scan s CROSS JOIN published_file f
		WHERE f.publication_id = s.publication_id AND f.path = s.path ORDER BY s.n, s.place`, args...)
	for i := range rows {
		rows[i].dir = in.dir
	}
	return rows, err
}

// countEntries counts the names of each publication. It goes through all of them.
func (q *queries) countEntries(ctx context.Context, ids []content.PublicationID, in names) (counts []int, err error) {
	in.after = ""
	scan, args := in.scan(q.d, ownersOf(ids), math.MaxInt32)
	err = q.sel(ctx, &counts, scan+` SELECT count(s.path) FROM scan s GROUP BY s.n ORDER BY s.n`, args...)
	return counts, err
}

// scan begins a statement with the first path of each name: it looks up one, and
// then the first that lies behind all of its name's, up to limit times for each
// publication. The last path of one is NULL if there are no more.
func (in names) scan(d *dialect, publications []owner, limit int) (with string, args []any) {
	dir, from := inTree(in.dir), inTree(in.dir)+in.prefix
	bounds, until := ``, []any{}
	if end, ok := beyond(from); ok {
		bounds, until = ` AND f.path < ?`, []any{end}
	}
	if after := dir + in.after + behind; in.after != "" && after > from {
		from = after
	}
	position := "instr"
	if d == &postgres {
		position = "strpos"
	}
	first := func(publication, from string) string {
		return `(SELECT f.path FROM published_file f WHERE f.publication_id = ` + publication + ` AND f.path >= ` + from + bounds + ` ORDER BY f.path LIMIT 1)`
	}
	start := len([]rune(dir))
	next := fmt.Sprintf(`substr(s.path, 1, %d + %s(substr(s.path, %d) || '%s', '%s')) || '%s'`, start-1, position, start+1, below, below, behind)
	return `WITH RECURSIVE scan(n, publication_id, place, path) AS (
			SELECT o.n, o.owner, 1, ` + first(`o.owner`, `?`) + ` FROM ` + d.owners() + `
			UNION ALL SELECT s.n, s.publication_id, s.place + 1, ` + first(`s.publication_id`, next) + ` FROM scan s WHERE s.path IS NOT NULL AND s.place < ?)`,
		joined(from, until, encode(publications), until, limit)
}

// beyond is the first text that sorts behind all that begin with a prefix; false
// if nothing does.
func beyond(prefix string) (string, bool) {
	letters := []rune(prefix)
	for i, r := range slices.Backward(letters) {
		if r < unicode.MaxRune {
			if r++; utf16.IsSurrogate(r) {
				r = 0xE000
			}
			return string(append(letters[:i], r)), true
		}
	}
	return "", false
}
