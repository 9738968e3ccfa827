package catalog

import (
	"cmp"
	"context"
	"slices"

	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/task"
)

// maxModified bounds how many units one request may add and remove.
const maxModified = 10_000

// Modify queues a new version of a repository, with some units more and some
// fewer than its newest one has then.
func (c *Catalog) Modify(ctx context.Context, in ModifyRequest) (*task.Task, error) {
	return c.answerTask(ctx, Operation{Modify: &in}, in.IdempotencyKey)
}

func (in *ModifyRequest) check() (*Selector, error) {
	if len(in.Add)+len(in.Remove) == 0 {
		return nil, fault.Input("add", "there is nothing to do: name units to add or to remove")
	}
	coming := make(map[content.UnitID]bool, len(in.Add))
	for _, id := range in.Add {
		coming[id] = true
	}
	for _, id := range in.Remove {
		if coming[id] {
			return nil, fault.Input("remove", "%s is also to be added", id)
		}
	}
	return nil, cmp.Or(checkCount("add", in.Add), checkCount("remove", in.Remove)) // it selects no repositories
}

func checkCount(field string, ids []content.UnitID) error {
	if len(ids) > maxModified {
		return fault.Input(field, "it names %d units: at most %d are allowed, in several requests there may be more", len(ids), maxModified)
	}
	return nil
}

func (in *ModifyRequest) plan(ctx context.Context, tx *db.Tx) (plan, error) {
	r, err := keptRepository(ctx, tx, in.Repository)
	if err != nil {
		return plan{}, err
	}
	args := modifyArgs{r.ID, sorted(in.Add), sorted(in.Remove)}
	coming, err := namedUnits(ctx, tx, "add", args.Add, r)
	if err != nil {
		return plan{}, err
	}
	if _, err := namedUnits(ctx, tx, "remove", args.Remove, r); err != nil {
		return plan{}, err
	}
	at := make(map[string]content.UnitID, len(coming))
	for _, u := range coming {
		if other, taken := at[u.Path]; taken {
			return plan{}, fault.Input("add", "%s and %s have the same path %q", other, u.ID, u.Path)
		}
		at[u.Path] = u.ID
	}
	for _, u := range coming {
		for _, dir := range dirsOf(u.Path) {
			if file, taken := at[dir]; taken {
				return plan{}, fault.Input("add", "%s has the path %.200q, which lies below that of %s", u.ID, u.Path, file)
			}
		}
	}
	return plan{tasks: []task.New{{Kind: ModifyKind, Name: "modify " + r.Name, Args: args, Priority: in.Priority,
		RepositoryID: int64(r.ID), Reservations: reserve(task.Exclusive, r.ID)}}}, nil
}

// namedUnits reads the units that a field names, which a repository can hold.
func namedUnits(ctx context.Context, tx *db.Tx, field string, ids []content.UnitID, r *content.Repository) ([]*content.Unit, error) {
	units, err := tx.UnitsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, u := range units {
		switch {
		case u == nil:
			return nil, fault.Input(field, "there is no %s", ids[i])
		case u.Format != r.Format:
			return nil, fault.Input(field, "%s has the format %s, but %q holds %s", u.ID, u.Format, r.Name, r.Format)
		}
	}
	return units, nil
}

func sorted(ids []content.UnitID) []content.UnitID {
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

// keptRepository reads the repository that a request names, which is not
// deleted before the transaction ends.
func keptRepository(ctx context.Context, tx *db.Tx, id content.RepositoryID) (*content.Repository, error) {
	found, err := tx.RepositoriesByID(ctx, []content.RepositoryID{id})
	if _, err := one(found, err); err != nil {
		return nil, named(err, "repository", id)
	}
	return found[0], tx.KeepRepositories(ctx, found)
}

type modifyArgs struct {
	Repository content.RepositoryID `json:"repository"`
	Add        []content.UnitID     `json:"add"`
	Remove     []content.UnitID     `json:"remove"`
}

// modify makes the version. What is there, or is not, already stays so.
func (c *Catalog) modify(ctx context.Context, run *task.Run) error {
	var args modifyArgs
	if err := run.Decode(&args); err != nil {
		return err
	}
	repository, err := one(c.DB.RepositoriesByID(ctx, []content.RepositoryID{args.Repository}))
	if err != nil {
		return missing(err, args.Repository)
	}
	members, err := c.DB.Members(ctx, repository.ID)
	if err != nil {
		return err
	}
	added, _ := difference(args.Add, members)
	absent, _ := difference(args.Remove, members)
	removed, _ := difference(args.Remove, absent)
	return c.revise(ctx, run, revision{repository, added, removed}, nil)
}
