package catalog

import (
	"context"
	"fmt"
	"slices"

	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/format/file"
	"ream/task"
)

// newPreview is a task that finds out what a sync would do. The repository must
// stay what it is meanwhile, but others may read it as well.
func newPreview(r *content.Repository, mirror bool, p task.Priority) (task.New, error) {
	if r.RemoteID == 0 {
		return task.New{}, fault.Input("repositories", "%q has no remote to sync from: give it one", r.Name)
	}
	return task.New{Kind: PreviewKind, Name: "preview sync of " + r.Name, Args: previewArgs{r.ID, mirror}, Priority: p,
		RepositoryID: int64(r.ID),
		Reservations: reserve(task.Shared, r.ID), Dedupe: fmt.Sprintf("preview %d %t %s", r.ID, mirror, p)}, nil
}

type previewArgs struct {
	Repository content.RepositoryID `json:"repository"`
	Mirror     bool                 `json:"mirror"`
}

// preview records what a sync would do with what upstream has now, as long as
// upstream gives all its files. Like the sync, it fails if there would be a file
// at a path and another below it.
func (c *Catalog) preview(ctx context.Context, run *task.Run) error {
	var args previewArgs
	if err := run.Decode(&args); err != nil {
		return err
	}
	p := &previewing{c: c, run: run}
	if err := p.change(ctx, func(tx *db.Tx) error { return tx.DropPreview(ctx, run.Task.ID) }); err != nil {
		return err
	}
	up, err := c.readUpstream(ctx, run, args.Repository)
	if err != nil {
		return err
	}
	defer up.manifest.remove()
	p.repository, p.mirror, p.fetches = up.repository, args.Mirror, up.remote.Policy == content.Immediate
	if err := p.compareAll(ctx, up.manifest); err != nil {
		return err
	}
	if err := p.rest(ctx); err != nil {
		return err
	}
	return p.change(ctx, func(tx *db.Tx) error { return tx.AddPreview(ctx, run.Task.ID, p.unchanged) })
}

// previewing is a preview under way.
type previewing struct {
	c          *Catalog
	run        *task.Run
	repository *content.Repository
	mirror     bool // whether a sync removes what upstream has no longer
	fetches    bool // whether a sync fetches bytes

	looked    int64            // lines of the manifest
	named     []content.UnitID // members at whose paths upstream has something
	unchanged int
}

// change runs a transaction of the task.
func (p *previewing) change(ctx context.Context, f func(*db.Tx) error) error {
	return p.c.DB.InTx(ctx, func(tx *db.Tx) error {
		if err := tx.Hold(ctx, p.run.Fence()); err != nil {
			return err
		}
		return f(tx)
	})
}

func (p *previewing) record(ctx context.Context, changes []content.PreviewChange) error {
	if len(changes) == 0 {
		return nil
	}
	return p.change(ctx, func(tx *db.Tx) error { return tx.AddPreviewChanges(ctx, p.run.Task.ID, changes) })
}

// compareAll compares everything that the manifest names with the newest version.
func (p *previewing) compareAll(ctx context.Context, m fetchedManifest) error {
	entries := make([]file.Entry, 0, lookAt)
	if err := file.Parse(m.f, func(e file.Entry) error {
		if entries = append(entries, e); len(entries) < lookAt {
			return nil
		}
		err := p.compare(ctx, entries)
		entries = entries[:0]
		return err
	}); err != nil {
		return err
	}
	return p.compare(ctx, entries)
}

// compare does so for entries that are looked up at once.
func (p *previewing) compare(ctx context.Context, entries []file.Entry) error {
	if err := p.c.DB.Room(); err != nil {
		return err
	}
	paths, digests := make([]string, len(entries)), make([]content.Digest, len(entries))
	for i, e := range entries {
		paths[i], digests[i] = e.Path, e.SHA256
	}
	members, err := p.c.DB.MembersAt(ctx, p.repository.ID, paths)
	if err != nil {
		return err
	}
	stored, err := p.c.DB.FindArtifacts(ctx, digests)
	if err != nil {
		return err
	}
	at := make(map[string]*content.Unit, len(members))
	for _, u := range members {
		at[u.Path] = u
		p.named = append(p.named, u.ID)
	}
	var changes []content.PreviewChange
	var added []string
	for _, e := range entries {
		_, known := stored[e.SHA256]
		c := content.PreviewChange{Path: e.Path, After: &content.PreviewFile{SHA256: e.SHA256, Size: e.Size}, Fetch: p.fetches && !known}
		before := at[e.Path]
		if before != nil {
			c.Before = &content.PreviewFile{SHA256: before.SHA256, Size: before.Size}
		}
		switch {
		case before == nil:
			c.Kind = content.WouldAdd
			added = append(added, e.Path)
		case *c.Before != *c.After:
			c.Kind = content.WouldReplace
		default:
			p.unchanged++
			if !c.Fetch {
				continue
			}
			c.Kind = content.WouldFetch
		}
		changes = append(changes, c)
	}
	if !p.mirror && len(added) > 0 {
		if err := p.c.DB.CheckTree(ctx, p.repository, added); err != nil {
			return err
		}
	}
	p.looked += int64(len(entries))
	p.run.Progress.Report("preview.files", "Files compared", task.Items, p.looked, p.looked)
	return p.record(ctx, changes)
}

// rest records what a sync would do about the units at whose paths upstream has
// nothing any more.
func (p *previewing) rest(ctx context.Context) error {
	members, err := p.c.DB.Members(ctx, p.repository.ID)
	if err != nil {
		return err
	}
	slices.Sort(p.named)
	dropped, _ := difference(members, p.named)
	if !p.mirror {
		p.unchanged += len(dropped)
		return nil
	}
	for ids := range slices.Chunk(dropped, lookAt) {
		units, err := p.c.DB.UnitsByID(ctx, ids)
		if err != nil {
			return err
		}
		changes := make([]content.PreviewChange, len(units))
		for i, u := range units {
			changes[i] = content.PreviewChange{Path: u.Path, Kind: content.WouldRemove, Before: &content.PreviewFile{SHA256: u.SHA256, Size: u.Size}}
		}
		if err := p.record(ctx, changes); err != nil {
			return err
		}
	}
	return nil
}
