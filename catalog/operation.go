package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/task"
)

// Sync queues a sync of each selected repository: one task if one repository
// is named, a group otherwise.
func (c *Catalog) Sync(ctx context.Context, in SyncRequest) (task.Work, error) {
	return c.queue(ctx, "sync", in, in.IdempotencyKey, in.MaxRunning, in.Repositories, func(tx *db.Tx, r *content.Repository) ([]task.New, error) {
		t, err := newSync(r, in.Mirror, in.Priority)
		return []task.New{t}, err
	})
}

// Publish queues a publication of each selected repository.
func (c *Catalog) Publish(ctx context.Context, in PublishRequest) (task.Work, error) {
	if in.Version < 0 {
		return nil, fault.Input("version", "want the number of a version: 1, 2, …")
	}
	if in.Version > 0 && !in.Repositories.single() {
		return nil, fault.Input("version", "a version can be named only with one repository")
	}
	return c.queue(ctx, "publish", in, in.IdempotencyKey, in.MaxRunning, in.Repositories, func(tx *db.Tx, r *content.Repository) ([]task.New, error) {
		if in.Version > 0 {
			if _, err := tx.VersionByNumber(ctx, r.ID, in.Version); fault.Is(err, fault.NotFound) {
				return nil, fault.Input("version", "%q has no version %d", r.Name, in.Version)
			} else if err != nil {
				return nil, err
			}
		} else if r.LatestID == 0 {
			return nil, fault.Input("repositories", "%q has no version yet: sync it first", r.Name)
		}
		return []task.New{newPublish(r, in.Version, in.Priority)}, nil
	})
}

// Mirror queues, for each selected repository, a sync, a publication, and the
// step that makes a distribution serve it, each after the one before.
func (c *Catalog) Mirror(ctx context.Context, in MirrorRequest) (*task.Group, error) {
	if in.Path != "" && !in.Repositories.single() {
		return nil, fault.Input("path", "a path can be named only with one repository")
	}
	work, err := c.queue(ctx, "mirror", in, in.IdempotencyKey, in.MaxRunning, in.Repositories, func(tx *db.Tx, r *content.Repository) ([]task.New, error) {
		path := in.Path
		if path == "" {
			path = r.Name
		}
		if err := content.CheckPath(path); err != nil {
			return nil, fault.Input("path", "%v", err)
		}
		sync, err := newSync(r, in.Mirror, in.Priority)
		if err != nil {
			return nil, err
		}
		sync.Dedupe = ""
		publish := newPublish(r, 0, in.Priority)
		publish.After = []int{0}
		publish.Dedupe = ""
		distribute := newDistribute(r, path, in.Priority)
		distribute.After = []int{1}
		return []task.New{sync, publish, distribute}, nil
	})
	if err != nil {
		return nil, err
	}
	return work.(*task.Group), nil
}

// single reports whether the selector can only name one repository.
func (s Selector) single() bool { return len(s.IDs)+len(s.Names) == 1 && s.Labels == nil && !s.All }

// queue selects repositories and queues what the request expands into, all in
// one transaction.
func (c *Catalog) queue(ctx context.Context, verb string, request any, key string, maxRunning int, s Selector, expand expansion) (task.Work, error) {
	fingerprint, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("fingerprint of the request: %w", err)
	}
	if len(key) > 200 {
		return nil, fault.Input("idempotencyKey", "it has more than 200 bytes")
	}
	var answer string
	err = c.DB.InTx(ctx, func(tx *db.Tx) (err error) {
		if key == "" {
			answer, err = enqueue(ctx, tx, verb, maxRunning, s, expand)
			return err
		}
		if answer, err = tx.Answered(ctx, key, verb+string(fingerprint)); err != nil || answer != "" {
			return err
		}
		if answer, err = enqueue(ctx, tx, verb, maxRunning, s, expand); err != nil {
			return err
		}
		return tx.Answer(ctx, key, verb+string(fingerprint), answer)
	})
	if err != nil {
		return nil, err
	}
	return c.work(ctx, answer)
}

// expansion is what a request wants to be done with a repository. Tasks come
// after others by their place in it.
type expansion func(*db.Tx, *content.Repository) ([]task.New, error)

// enqueue returns the task or the group that it queued, by the ID that clients
// see.
func enqueue(ctx context.Context, tx *db.Tx, verb string, maxRunning int, s Selector, expand expansion) (string, error) {
	repositories, err := selected(ctx, tx, s)
	if err != nil {
		return "", err
	}
	if err := tx.KeepRepositories(ctx, repositories); err != nil {
		return "", err
	}
	var tasks []task.New
	for _, r := range repositories {
		steps, err := expand(tx, r)
		if err != nil {
			return "", err
		}
		for _, step := range steps {
			for i := range step.After {
				step.After[i] += len(tasks)
			}
		}
		tasks = append(tasks, steps...)
	}
	if len(tasks) == 1 && s.single() {
		id, err := tx.Enqueue(ctx, tasks[0])
		return id.String(), err
	}
	for i := range tasks {
		tasks[i].Dedupe = ""
	}
	id, err := tx.EnqueueGroup(ctx, task.NewGroup{Name: groupName(verb, repositories), MaxRunning: maxRunning, Tasks: tasks})
	return id.String(), err
}

func groupName(verb string, repositories []*content.Repository) string {
	if len(repositories) == 1 {
		return verb + " " + repositories[0].Name
	}
	return fmt.Sprintf("%s %d repositories", verb, len(repositories))
}

// work reads a task or a group by the ID that clients see.
func (c *Catalog) work(ctx context.Context, nodeID string) (task.Work, error) {
	if id, err := task.ParseGroupID(nodeID); err == nil {
		return one(c.DB.GroupsByID(ctx, []task.GroupID{id}))
	}
	id, err := task.ParseID(nodeID)
	if err != nil {
		return nil, err
	}
	return one(c.DB.TasksByID(ctx, []task.ID{id}))
}

// selected are the repositories that a request is about.
func selected(ctx context.Context, tx *db.Tx, s Selector) ([]*content.Repository, error) {
	switch {
	case s.All:
		return tx.SelectRepositories(ctx, "")
	case s.Labels != nil && *s.Labels == "":
		return nil, fault.Input("repositories.labels", "it is empty: use all to select every repository")
	case s.Labels != nil:
		found, err := tx.SelectRepositories(ctx, *s.Labels)
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Field == "labels" {
			err = fault.Input("repositories.labels", "%s", f.Message)
		}
		return found, err
	case len(s.IDs) > 0:
		found, err := tx.RepositoriesByID(ctx, s.IDs)
		if err != nil {
			return nil, err
		}
		if i := slices.Index(found, nil); i >= 0 {
			return nil, fault.Input("repositories.ids", "there is no %s", s.IDs[i])
		}
		return distinct(found), nil
	}
	found, err := tx.RepositoriesByName(ctx, s.Names)
	if err != nil {
		return nil, err
	}
	if i := slices.Index(found, nil); i >= 0 {
		return nil, fault.Input("repositories.names", "there is no repository %q", s.Names[i])
	}
	return distinct(found), nil
}

func distinct(repositories []*content.Repository) []*content.Repository {
	seen := map[content.RepositoryID]bool{}
	var out []*content.Repository
	for _, r := range repositories {
		if !seen[r.ID] {
			seen[r.ID] = true
			out = append(out, r)
		}
	}
	return out
}

// CancelTask cancels a task with what it spawned, and returns it.
func (c *Catalog) CancelTask(ctx context.Context, id task.ID) (*task.Task, error) {
	if _, err := one(c.DB.TasksByID(ctx, []task.ID{id})); err != nil {
		return nil, missing(err, id)
	}
	if err := c.DB.CancelTask(ctx, id); err != nil {
		return nil, err
	}
	return one(c.DB.TasksByID(ctx, []task.ID{id}))
}

// CancelGroup cancels a group's members, and returns the group.
func (c *Catalog) CancelGroup(ctx context.Context, id task.GroupID) (*task.Group, error) {
	if _, err := one(c.DB.GroupsByID(ctx, []task.GroupID{id})); err != nil {
		return nil, missing(err, id)
	}
	if err := c.DB.CancelGroup(ctx, id); err != nil {
		return nil, err
	}
	return one(c.DB.GroupsByID(ctx, []task.GroupID{id}))
}

// RetryTask queues an unsuccessful task again, and returns the new one.
func (c *Catalog) RetryTask(ctx context.Context, id task.ID) (*task.Task, error) {
	var again task.ID
	if err := c.DB.InTx(ctx, func(tx *db.Tx) (err error) { again, err = tx.RetryTask(ctx, id); return err }); err != nil {
		return nil, err
	}
	return one(c.DB.TasksByID(ctx, []task.ID{again}))
}

// RetryGroup queues the members of a group that did not complete again, and
// returns the new group.
func (c *Catalog) RetryGroup(ctx context.Context, id task.GroupID) (*task.Group, error) {
	var again task.GroupID
	if err := c.DB.InTx(ctx, func(tx *db.Tx) (err error) { again, err = tx.RetryGroup(ctx, id); return err }); err != nil {
		return nil, err
	}
	return one(c.DB.GroupsByID(ctx, []task.GroupID{again}))
}

// reserve claims what a task works on.
func reserve(access task.Access, id fmt.Stringer) []task.Reservation {
	return []task.Reservation{{Resource: id.String(), Access: access}}
}
