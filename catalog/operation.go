package catalog

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"ream/access"
	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/task"
)

// Operation is what a mutation or the firing of a schedule queues. Exactly one
// field is set. As JSON it is stored with schedules, which have no use for those
// that are about one version.
type Operation struct {
	Sync    *SyncRequest    `json:"sync,omitzero"`
	Publish *PublishRequest `json:"publish,omitzero"`
	Mirror  *MirrorRequest  `json:"mirror,omitzero"`
	Purge   *PurgeRequest   `json:"purge,omitzero"`
	Modify  *ModifyRequest  `json:"modify,omitzero"`
	Copy    *CopyRequest    `json:"copy,omitzero"`
	Restore *RestoreRequest `json:"restore,omitzero"`
	Upload  *UploadRequest  `json:"upload,omitzero"`

	DeleteVersion *DeleteVersionRequest `json:"deleteVersion,omitzero"`

	CleanOrphans  *CleanOrphansRequest  `json:"cleanOrphans,omitzero"`
	VerifyContent *VerifyContentRequest `json:"verifyContent,omitzero"`
}

// request is one operation with its options.
type request interface {
	// check rejects what is wrong whatever exists, and returns what selects the
	// repositories that the request is about; nil if it is about none.
	check() (*Selector, error)
	// plan says what to queue. It rejects what cannot be done with what exists.
	plan(context.Context, *db.Tx) (plan, error)
}

// plan is what an operation queues.
type plan struct {
	tasks []task.New
	group string // the name of the tasks' group; empty for one task of its own
	limit int    // how many of the group may run at once; 0 for no limit
	// then is told of the task, if there is only one, in the transaction that
	// queues it; it may be nil.
	then func(context.Context, *db.Tx, task.ID) error
}

// request returns the only field that is set, with its name.
func (o Operation) request() (name string, r request, err error) {
	switch {
	case o.Sync != nil:
		return "sync", o.Sync, nil
	case o.Publish != nil:
		return "publish", o.Publish, nil
	case o.Mirror != nil:
		return "mirror", o.Mirror, nil
	case o.Purge != nil:
		return "purge", o.Purge, nil
	case o.Modify != nil:
		return "modify", o.Modify, nil
	case o.Copy != nil:
		return "copy", o.Copy, nil
	case o.Restore != nil:
		return "restore", o.Restore, nil
	case o.Upload != nil:
		return "uploadFiles", o.Upload, nil
	case o.DeleteVersion != nil:
		return "deleteVersion", o.DeleteVersion, nil
	case o.CleanOrphans != nil:
		return "cleanOrphans", o.CleanOrphans, nil
	case o.VerifyContent != nil:
		return "verifyContent", o.VerifyContent, nil
	}
	return "", nil, fault.New(fault.Conflict, "this version of the program does not know the operation: run the newer one")
}

// queue queues an operation and returns the ID, as clients see it, of the task
// or the group.
func (o Operation) queue(ctx context.Context, tx *db.Tx) (string, error) {
	_, r, err := o.request()
	if err != nil {
		return "", err
	}
	if _, err := r.check(); err != nil {
		return "", err
	}
	p, err := r.plan(ctx, tx)
	if err != nil {
		return "", err
	}
	if p.group == "" {
		id, err := tx.Enqueue(ctx, p.tasks[0])
		if err == nil && p.then != nil {
			err = p.then(ctx, tx, id)
		}
		return id.String(), err
	}
	for i := range p.tasks {
		p.tasks[i].Dedupe = ""
	}
	id, err := tx.EnqueueGroup(ctx, task.NewGroup{Name: p.group, MaxRunning: p.limit, Tasks: p.tasks})
	return id.String(), err
}

// answer queues an operation in a transaction and returns the work. With a key
// that was used for the same operation it returns the first answer again.
func (c *Catalog) answer(ctx context.Context, o Operation, key string) (task.Work, error) {
	if len(key) > 200 {
		return nil, fault.Input("idempotencyKey", "it has more than 200 bytes")
	}
	if caller := access.CallerOf(ctx); key != "" && caller.Kind != access.Anonymous {
		key = caller.String() + " " + key // of others' keys nobody learns anything
	}
	fingerprint, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("fingerprint of the request: %w", err)
	}
	return change(ctx, c, func(tx *db.Tx) (task.Work, error) {
		var id string
		if key != "" {
			if id, err = tx.Answered(ctx, key, string(fingerprint)); err != nil {
				return nil, err
			}
		}
		if id == "" {
			if id, err = o.queue(ctx, tx); err != nil {
				return nil, err
			}
			if key != "" {
				if err := tx.Answer(ctx, key, string(fingerprint), id); err != nil {
					return nil, err
				}
			}
		}
		return workByID(ctx, tx, id)
	})
}

// answerTask is answer for an operation that is always one task.
func (c *Catalog) answerTask(ctx context.Context, o Operation, key string) (*task.Task, error) {
	work, err := c.answer(ctx, o, key)
	t, _ := work.(*task.Task)
	return t, err
}

// workByID reads a task or a group by the ID that clients see.
func workByID(ctx context.Context, tx *db.Tx, id string) (task.Work, error) {
	if key, err := task.ParseGroupID(id); err == nil {
		g, err := one(tx.GroupsByID(ctx, []task.GroupID{key}))
		return g, missing(err, key)
	}
	key, err := task.ParseID(id)
	if err != nil {
		return nil, err
	}
	t, err := one(tx.TasksByID(ctx, []task.ID{key}))
	return t, missing(err, key)
}

// Sync queues a sync of each selected repository: one task if one repository
// is named, a group otherwise.
func (c *Catalog) Sync(ctx context.Context, in SyncRequest) (task.Work, error) {
	return c.answer(ctx, Operation{Sync: &in}, in.IdempotencyKey)
}

func (in *SyncRequest) check() (*Selector, error) { return &in.Repositories, nil }

func (in *SyncRequest) plan(ctx context.Context, tx *db.Tx) (plan, error) {
	return expand(ctx, tx, "sync", in.Repositories, in.MaxRunning, func(r *content.Repository) ([]task.New, error) {
		t, err := newSync(r, in.Mirror, in.OnError, in.Priority)
		if in.DryRun {
			t, err = newPreview(r, in.Mirror, in.Priority)
		}
		return []task.New{t}, err
	})
}

// Publish queues a publication of each selected repository.
func (c *Catalog) Publish(ctx context.Context, in PublishRequest) (task.Work, error) {
	return c.answer(ctx, Operation{Publish: &in}, in.IdempotencyKey)
}

func (in *PublishRequest) check() (*Selector, error) {
	if in.Version < 0 {
		return nil, fault.Input("version", "want the number of a version: 1, 2, …")
	}
	if in.Version > 0 && !in.Repositories.single() {
		return nil, fault.Input("version", "a version can be named only with one repository")
	}
	return &in.Repositories, nil
}

func (in *PublishRequest) plan(ctx context.Context, tx *db.Tx) (plan, error) {
	return expand(ctx, tx, "publish", in.Repositories, in.MaxRunning, func(r *content.Repository) ([]task.New, error) {
		if in.Version > 0 {
			if _, err := one(tx.VersionsByNumber(ctx, []content.VersionKey{{RepositoryID: r.ID, Number: in.Version}})); err != nil {
				if err == error(errMissing) {
					err = fault.Input("version", "%q has no version %d", r.Name, in.Version)
				}
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
	work, err := c.answer(ctx, Operation{Mirror: &in}, in.IdempotencyKey)
	if err != nil {
		return nil, err
	}
	return work.(*task.Group), nil
}

func (in *MirrorRequest) check() (*Selector, error) {
	if in.Path == "" {
		return &in.Repositories, nil
	}
	if !in.Repositories.single() {
		return nil, fault.Input("path", "a path can be named only with one repository")
	}
	return &in.Repositories, checkPath(in.Path)
}

func (in *MirrorRequest) plan(ctx context.Context, tx *db.Tx) (plan, error) {
	var paths []string
	p, err := expand(ctx, tx, "mirror", in.Repositories, in.MaxRunning, func(r *content.Repository) ([]task.New, error) {
		path := cmp.Or(in.Path, r.Name)
		if err := checkPath(path); err != nil {
			return nil, err
		}
		sync, err := newSync(r, in.Mirror, in.OnError, in.Priority)
		if err != nil {
			return nil, err
		}
		publish := newPublish(r, 0, in.Priority)
		publish.After = []int{0}
		distribute := newDistribute(r, path, in.Priority)
		distribute.After = []int{1}
		paths = append(paths, path)
		return []task.New{sync, publish, distribute}, nil
	})
	if err == nil && access.CallerOf(ctx).Limit != "" {
		err = checkServed(ctx, tx, paths)
	}
	return p, err
}

// checkServed lets callers that are limited to some repositories mirror only to
// where these are served already: with a new distribution they would learn, by
// the paths that are taken, of others.
func checkServed(ctx context.Context, tx *db.Tx, paths []string) error {
	served, err := tx.ServedPaths(ctx, paths)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if !slices.Contains(served, path) {
			return fault.New(fault.Forbidden, "you see no distribution at %q, and your token is limited to some repositories: somebody whose is not has to create the distribution first", path)
		}
	}
	return nil
}

func checkPath(path string) error {
	if err := content.CheckNewPath(path); err != nil {
		return fault.Input("path", "%v", err)
	}
	return nil
}

// expand plans what is to be done for each selected repository.
func expand(ctx context.Context, tx *db.Tx, verb string, s Selector, limit int, steps func(*content.Repository) ([]task.New, error)) (plan, error) {
	p := plan{limit: limit}
	repositories, err := selected(ctx, tx, s)
	if err != nil {
		return p, err
	}
	if err := tx.KeepRepositories(ctx, repositories); err != nil {
		return p, err
	}
	for _, r := range repositories {
		added, err := steps(r)
		if err != nil {
			return p, err
		}
		for _, step := range added {
			for i := range step.After {
				step.After[i] += len(p.tasks)
			}
		}
		p.tasks = append(p.tasks, added...)
	}
	if len(p.tasks) != 1 || !s.single() {
		p.group = groupName(verb, repositories)
	}
	return p, nil
}

func groupName(verb string, repositories []*content.Repository) string {
	if len(repositories) == 1 {
		return verb + " " + repositories[0].Name
	}
	return fmt.Sprintf("%s %d repositories", verb, len(repositories))
}

// task reads a task, which the history may have lost already.
func (c *Catalog) task(ctx context.Context, id task.ID) (*task.Task, error) {
	t, err := one(c.DB.TasksByID(ctx, []task.ID{id}))
	return t, missing(err, id)
}

func (c *Catalog) group(ctx context.Context, id task.GroupID) (*task.Group, error) {
	g, err := one(c.DB.GroupsByID(ctx, []task.GroupID{id}))
	return g, missing(err, id)
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
		return found, fault.Within("repositories", err)
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
		return nil, fault.Input("repositories.names", "there is no repository %.80q", s.Names[i])
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
	if _, err := change(ctx, c, func(tx *db.Tx) (*task.Task, error) {
		t, err := one(tx.TasksByID(ctx, []task.ID{id}))
		if err != nil {
			return nil, missing(err, id)
		}
		_, err = tx.CancelTask(ctx, id)
		return t, err
	}); err != nil {
		return nil, err
	}
	if err := c.DB.CancelTask(ctx, id); err != nil { // what it spawned meanwhile
		return nil, err
	}
	return c.task(ctx, id)
}

// CancelGroup cancels a group's members, and returns the group.
func (c *Catalog) CancelGroup(ctx context.Context, id task.GroupID) (*task.Group, error) {
	if _, err := change(ctx, c, func(tx *db.Tx) (*task.Group, error) {
		g, err := one(tx.GroupsByID(ctx, []task.GroupID{id}))
		if err != nil {
			return nil, missing(err, id)
		}
		_, err = tx.CancelGroup(ctx, id)
		return g, err
	}); err != nil {
		return nil, err
	}
	if err := c.DB.CancelGroup(ctx, id); err != nil {
		return nil, err
	}
	return c.group(ctx, id)
}

// RetryTask queues an unsuccessful task again, and returns the new one.
func (c *Catalog) RetryTask(ctx context.Context, id task.ID) (*task.Task, error) {
	return change(ctx, c, func(tx *db.Tx) (*task.Task, error) {
		before, err := one(tx.TasksByID(ctx, []task.ID{id}))
		if err != nil {
			return nil, missing(err, id)
		}
		again, err := tx.RetryTask(ctx, id)
		if err != nil {
			return nil, err
		}
		if err := c.keepUploads(ctx, tx, before, again); err != nil {
			return nil, err
		}
		return one(tx.TasksByID(ctx, []task.ID{again}))
	})
}

// RetryGroup queues the members of a group that did not complete again, and
// returns the new group.
func (c *Catalog) RetryGroup(ctx context.Context, id task.GroupID) (*task.Group, error) {
	return change(ctx, c, func(tx *db.Tx) (*task.Group, error) {
		if _, err := one(tx.GroupsByID(ctx, []task.GroupID{id})); err != nil {
			return nil, missing(err, id)
		}
		again, err := tx.RetryGroup(ctx, id)
		if err != nil {
			return nil, err
		}
		return one(tx.GroupsByID(ctx, []task.GroupID{again}))
	})
}

// reserve claims what a task works on.
func reserve(access task.Access, id fmt.Stringer) []task.Reservation {
	return []task.Reservation{{Resource: id.String(), Access: access}}
}
