package catalog

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/task"
)

// maxPatterns bounds how many patterns one request may have.
const maxPatterns = 1000

// Copy queues a new version of a repository that also has units of another
// version, of any repository with the same format.
func (c *Catalog) Copy(ctx context.Context, in CopyRequest) (*task.Task, error) {
	return c.answerTask(ctx, Operation{Copy: &in}, in.IdempotencyKey)
}

func (in *CopyRequest) check() (*Selector, error) {
	if in.Paths != nil && (len(in.Paths) == 0 || len(in.Paths) > maxPatterns) {
		return nil, fault.Input("paths", "want 1 to %d patterns, or none at all for every unit", maxPatterns)
	}
	for _, p := range in.Paths {
		if err := checkPattern(p); err != nil {
			return nil, err
		}
	}
	return nil, nil //nolint:nilnil // it selects no repositories
}

func checkPattern(pattern string) error {
	if err := content.CheckPath(strings.TrimSuffix(pattern, "/")); err != nil {
		return fault.Input("paths", "%v", err)
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return fault.Input("paths", "the pattern %.80q has a [ without its ]", pattern)
	}
	return nil
}

func (in *CopyRequest) plan(ctx context.Context, tx *db.Tx) (plan, error) {
	v, from, err := versionWithRepository(ctx, tx, in.Version)
	if err != nil {
		return plan{}, err
	}
	to, err := keptRepository(ctx, tx, in.Repository)
	switch {
	case err != nil:
		return plan{}, err
	case from.Format != to.Format:
		return plan{}, fault.Input("repository", "%q holds %s, but %q holds %s", to.Name, to.Format, from.Name, from.Format)
	}
	return newCopy("copy to "+to.Name, v, to, copyArgs{v.ID, to.ID, in.Paths, in.Mirror}, in.Priority), nil
}

// Restore queues a new version of a repository that has exactly the units of an
// older one.
func (c *Catalog) Restore(ctx context.Context, in RestoreRequest) (*task.Task, error) {
	return c.answerTask(ctx, Operation{Restore: &in}, in.IdempotencyKey)
}

func (in *RestoreRequest) check() (*Selector, error) {
	return nil, nil //nolint:nilnil // it selects no repositories
}

func (in *RestoreRequest) plan(ctx context.Context, tx *db.Tx) (plan, error) {
	v, r, err := versionWithRepository(ctx, tx, in.Version)
	if err != nil {
		return plan{}, err
	}
	return newCopy(fmt.Sprintf("restore %s version %d", r.Name, v.Number), v, r, copyArgs{v.ID, r.ID, nil, true}, in.Priority), nil
}

// versionWithRepository reads the version that a request names, and its
// repository, which is not deleted before the transaction ends.
func versionWithRepository(ctx context.Context, tx *db.Tx, id content.VersionID) (*content.Version, *content.Repository, error) {
	v, err := one(tx.VersionsByID(ctx, []content.VersionID{id}))
	if err != nil {
		return nil, nil, named(err, "version", id)
	}
	r, err := keptRepository(ctx, tx, v.RepositoryID)
	return v, r, err
}

type copyArgs struct {
	Version    content.VersionID    `json:"version"`
	Repository content.RepositoryID `json:"repository"`
	Paths      []string             `json:"paths,omitzero"`
	Mirror     bool                 `json:"mirror"`
}

// newCopy is a task that nobody takes the version away from.
func newCopy(name string, from *content.Version, to *content.Repository, args copyArgs, p task.Priority) plan {
	reservations := reserve(task.Exclusive, to.ID)
	if from.RepositoryID != to.ID {
		reservations = append(reservations, reserve(task.Shared, from.RepositoryID)...)
	}
	return plan{tasks: []task.New{{Kind: CopyKind, Name: name, Args: args, Priority: p, RepositoryID: int64(to.ID), Reservations: reservations}}}
}

// copy makes the version.
func (c *Catalog) copy(ctx context.Context, run *task.Run) error {
	var args copyArgs
	if err := run.Decode(&args); err != nil {
		return err
	}
	from, err := one(c.DB.VersionsByID(ctx, []content.VersionID{args.Version}))
	if err != nil {
		return missing(err, args.Version)
	}
	repository, err := one(c.DB.RepositoriesByID(ctx, []content.RepositoryID{args.Repository}))
	if err != nil {
		return missing(err, args.Repository)
	}
	units, err := c.matching(ctx, run, from, args.Paths)
	if err != nil {
		return err
	}
	members, err := c.DB.Members(ctx, repository.ID)
	if err != nil {
		return err
	}
	added, removed := difference(units, members)
	if !args.Mirror {
		removed = nil
	}
	return c.revise(ctx, run, revision{repository, added, removed}, nil)
}

// matching returns the units of a version whose paths fit one of some patterns,
// or all without patterns, in order. It fails with fault.NotFound if one of the
// patterns fits none.
func (c *Catalog) matching(ctx context.Context, run *task.Run, v *content.Version, patterns []string) ([]content.UnitID, error) {
	units := make([]content.UnitID, 0, v.Units)
	fitted := make([]bool, len(patterns))
	var seen int64
	err := c.DB.UnitsInOrder(ctx, v, func(u *content.Unit) error {
		if seen++; seen%1000 == 0 {
			run.Progress.Report("copy.units", "Units looked at", task.Items, seen, int64(v.Units))
		}
		fits := patterns == nil
		for i, p := range patterns {
			if matches(p, u.Path) {
				fits, fitted[i] = true, true
			}
		}
		if fits {
			units = append(units, u.ID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	run.Progress.Report("copy.units", "Units looked at", task.Items, seen, int64(v.Units))
	if i := slices.Index(fitted, false); i >= 0 {
		return nil, fault.New(fault.NotFound, "version %d has no unit whose path fits %q", v.Number, patterns[i])
	}
	slices.Sort(units)
	return units, nil
}

// matches reports whether a path fits a pattern: as path.Match has it, in which
// no wildcard stands for a slash; or, if the pattern ends with a slash, whether
// the path lies below one that does.
func matches(pattern, name string) bool {
	dir, isDir := strings.CutSuffix(pattern, "/")
	if isDir {
		parts := strings.SplitN(name, "/", strings.Count(dir, "/")+2)
		if len(parts) < strings.Count(dir, "/")+2 {
			return false
		}
		name = strings.Join(parts[:len(parts)-1], "/")
	}
	fits, err := path.Match(dir, name)
	return err == nil && fits // patterns were checked when they were given
}
