// Package catalog holds every operation on content: what a request validates
// and changes or queues, and beside it the handler of the task that does it.
package catalog

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"regexp"
	"time"

	"ream/blob"
	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/fetch"
	"ream/secret"
	"ream/task"
)

// Blobs stores bytes.
type Blobs interface {
	// Create begins a blob. The writer must be finished or aborted.
	Create() (*blob.Writer, error)
	// CreateSized begins a blob of size bytes that the database did not name
	// when the caller looked: few bytes may wait for their Commit in memory, very
	// many may go past the kernel's cache.
	CreateSized(size int64) (*blob.Writer, error)
	// Commit makes finished blobs durable. After it returned nil, the database
	// may name them.
	Commit(ctx context.Context, staged []blob.Staged) error
	// Discard drops a finished blob. After a Commit, it does nothing.
	Discard(staged blob.Staged)
	// Open opens a blob of size bytes for reading.
	Open(ctx context.Context, sha256 string, size int64) (io.ReadSeekCloser, error)
	// Stored tells what is stored, by digest, from the first behind after on.
	Stored(ctx context.Context, after string) iter.Seq2[blob.Stored, error]
	// Remove removes those of some blobs that were last committed longer ago than
	// olderThan, and returns them. The database must not name any of them.
	Remove(ctx context.Context, digests []string, olderThan time.Duration) (removed []string, err error)
	// Clean removes what was begun and never finished, by processes that are gone
	// or, where that does not show, longer ago than olderThan.
	Clean(ctx context.Context, olderThan time.Duration) error
	// Verify compares a blob with its digest, and moves it aside if it is damaged.
	Verify(ctx context.Context, sha256 string, size int64) (blob.Condition, error)
	// Aside tells what was moved aside, and RemoveAside removes some of it for good.
	Aside(ctx context.Context) iter.Seq2[blob.Aside, error]
	RemoveAside(ctx context.Context, a blob.Aside) error
	// Identity returns the text that tells this storage from others, or none.
	Identity(ctx context.Context) (string, error)
}

// BegunAgo is how long ago a blob was begun that nobody is storing any more: even
// the largest is uploaded in less.
const BegunAgo = 24 * time.Hour

// Catalog carries out operations. It is safe for concurrent use.
type Catalog struct {
	DB    *db.DB
	Blobs Blobs
	Fetch *fetch.Client
	Key   *secret.Key // seals the secrets of remotes
	Log   *slog.Logger
	// KeepReplaced is for how long a publication is kept after distributions
	// serve another one instead.
	KeepReplaced time.Duration
	Uploads      UploadLimits
}

// The kinds of tasks that the catalog queues and handles.
const (
	SyncKind       task.Kind = "repository.sync"
	PreviewKind    task.Kind = "repository.preview"
	PublishKind    task.Kind = "repository.publish"
	DistributeKind task.Kind = "distribution.update"
	PurgeKind      task.Kind = "history.purge"
	ModifyKind     task.Kind = "repository.modify"
	CopyKind       task.Kind = "repository.copy"
	UploadKind     task.Kind = "repository.upload"

	DeleteVersionKind task.Kind = "version.delete"
	CleanKind         task.Kind = "storage.clean"
	VerifyKind        task.Kind = "storage.verify"
)

// Handlers are what a worker runs for the catalog's tasks.
func (c *Catalog) Handlers() map[task.Kind]task.Handler {
	return map[task.Kind]task.Handler{
		SyncKind:       c.retaining(c.sync),
		PreviewKind:    c.preview,
		PublishKind:    c.retaining(c.publish),
		DistributeKind: c.retaining(c.distribute),
		PurgeKind:      c.purge,
		ModifyKind:     c.retaining(c.modify),
		CopyKind:       c.retaining(c.copy),
		UploadKind:     c.retaining(c.upload),

		DeleteVersionKind: c.deleteVersion,
		CleanKind:         c.clean,
		VerifyKind:        c.verify,
	}
}

// Limits are what the catalog's tasks may take on a worker with so many slots.
// Syncs can last for hours, so they leave every fourth slot to other work, if
// there are several.
func Limits(slots int) map[task.Kind]task.Limits {
	syncs := max(1, slots-(slots+3)/4)
	return map[task.Kind]task.Limits{
		SyncKind:       {Slots: syncs, Deadline: 24 * time.Hour, Stall: 30 * time.Minute},
		PreviewKind:    {Slots: syncs, Deadline: 6 * time.Hour, Stall: 30 * time.Minute},
		PublishKind:    {Deadline: 6 * time.Hour, Stall: 30 * time.Minute},
		DistributeKind: {Deadline: 5 * time.Minute},
		PurgeKind:      {Deadline: 24 * time.Hour, Stall: 30 * time.Minute},
		ModifyKind:     {Deadline: time.Hour},
		CopyKind:       {Deadline: 6 * time.Hour, Stall: 30 * time.Minute},
		UploadKind:     {Deadline: 6 * time.Hour, Stall: 30 * time.Minute},

		DeleteVersionKind: {Deadline: time.Hour},
		CleanKind:         {Deadline: 24 * time.Hour, Stall: 30 * time.Minute},
		VerifyKind:        {Slots: max(1, slots/2), Deadline: 24 * time.Hour, Stall: 30 * time.Minute},
	}
}

var names = regexp.MustCompile(`^[\pL\pN]([\pL\pN ._-]{0,198}[\pL\pN._-])?$`)

func checkName(name string) error {
	if !names.MatchString(name) {
		return fault.Input("name", "want up to 200 letters, digits and . _ - and spaces, beginning with a letter or digit")
	}
	return nil
}

// CreateRepository creates a repository.
func (c *Catalog) CreateRepository(ctx context.Context, in RepositoryInput) (*content.Repository, error) {
	r := &content.Repository{Name: in.Name, Format: in.Format, RemoteID: in.Remote, Labels: in.Labels, KeepVersions: in.KeepVersions}
	return change(ctx, c, func(tx *db.Tx) (*content.Repository, error) {
		if err := checkRepository(ctx, tx, r); err != nil {
			return nil, err
		}
		return r, tx.CreateRepository(ctx, r)
	})
}

// UpdateRepository changes a repository's settings.
func (c *Catalog) UpdateRepository(ctx context.Context, id content.RepositoryID, in RepositoryChange) (*content.Repository, error) {
	return change(ctx, c, func(tx *db.Tx) (*content.Repository, error) {
		r, err := tx.LockRepository(ctx, id)
		if err != nil {
			return nil, err
		}
		set(&r.Name, in.Name)
		set(&r.RemoteID, in.Remote)
		set(&r.Labels, in.Labels)
		set(&r.KeepVersions, in.KeepVersions)
		if err := checkRepository(ctx, tx, r); err != nil {
			return nil, err
		}
		return r, tx.UpdateRepository(ctx, r)
	})
}

// DeleteRepository deletes a repository that is not served or worked on, with
// its versions and publications, and returns it.
func (c *Catalog) DeleteRepository(ctx context.Context, id content.RepositoryID) (*content.Repository, error) {
	return change(ctx, c, func(tx *db.Tx) (*content.Repository, error) { return tx.DeleteRepository(ctx, id) })
}

var (
	labelKeys   = regexp.MustCompile(`^[A-Za-z0-9._/-]{1,63}$`)
	labelValues = regexp.MustCompile(`^[A-Za-z0-9._-]{0,63}$`)
)

func checkRepository(ctx context.Context, tx *db.Tx, r *content.Repository) error {
	if err := checkName(r.Name); err != nil {
		return err
	}
	if r.Format != content.File {
		return fault.Input("format", "want FILE")
	}
	seen := map[string]bool{}
	for _, l := range r.Labels {
		switch {
		case !labelKeys.MatchString(l.Key):
			return fault.Input("labels", "the key %.80q: want 1 to 63 letters, digits and . _ - /", l.Key)
		case !labelValues.MatchString(l.Value):
			return fault.Input("labels", "the value of %q: want up to 63 letters, digits and . _ -", l.Key)
		case seen[l.Key]:
			return fault.Input("labels", "the key %q is given twice", l.Key)
		}
		seen[l.Key] = true
	}
	if r.RemoteID == 0 {
		return nil
	}
	if _, err := one(tx.RemotesByID(ctx, []content.RemoteID{r.RemoteID})); err != nil {
		return named(err, "remote", r.RemoteID)
	}
	return nil
}

// CreateDistribution creates a distribution.
func (c *Catalog) CreateDistribution(ctx context.Context, in DistributionInput) (*content.Distribution, error) {
	d := &content.Distribution{Path: in.Path, RepositoryID: in.Repository, PublicationID: in.Publication, Access: cmp.Or(in.Access, content.AsServer)}
	return change(ctx, c, func(tx *db.Tx) (*content.Distribution, error) {
		if err := checkDistribution(ctx, tx, d); err != nil {
			return nil, err
		}
		return d, tx.CreateDistribution(ctx, d)
	})
}

// UpdateDistribution changes a distribution. Readers see what was served
// before or what is served from now on, never a mix.
func (c *Catalog) UpdateDistribution(ctx context.Context, id content.DistributionID, in DistributionChange) (*content.Distribution, error) {
	if in.Repository != nil && in.Publication != nil {
		return nil, fault.Input("publication", "give either a repository or a publication")
	}
	return change(ctx, c, func(tx *db.Tx) (*content.Distribution, error) {
		d, err := tx.LockDistribution(ctx, id)
		if err != nil {
			return nil, err
		}
		set(&d.Path, in.Path)
		set(&d.Access, in.Access)
		if in.Repository != nil {
			d.RepositoryID, d.PublicationID = *in.Repository, 0
		}
		if in.Publication != nil {
			d.RepositoryID, d.PublicationID = 0, *in.Publication
		}
		if err := checkDistribution(ctx, tx, d); err != nil {
			return nil, err
		}
		return d, tx.UpdateDistribution(ctx, d)
	})
}

// DeleteDistribution deletes a distribution and returns it.
func (c *Catalog) DeleteDistribution(ctx context.Context, id content.DistributionID) (*content.Distribution, error) {
	return change(ctx, c, func(tx *db.Tx) (*content.Distribution, error) {
		d, err := tx.LockDistribution(ctx, id)
		if err != nil {
			return nil, err
		}
		return d, tx.DeleteDistribution(ctx, id)
	})
}

func checkDistribution(ctx context.Context, tx *db.Tx, d *content.Distribution) error {
	if err := content.CheckNewPath(d.Path); err != nil {
		return fault.Input("path", "%v", err)
	}
	switch d.Access {
	case content.AsServer, content.Public, content.WithToken:
	default:
		return fault.Input("access", "want SERVER, PUBLIC or TOKEN")
	}
	switch {
	case (d.RepositoryID == 0) == (d.PublicationID == 0):
		return fault.Input("repository", "give either a repository or a publication")
	case d.RepositoryID != 0:
		if _, err := one(tx.RepositoriesByID(ctx, []content.RepositoryID{d.RepositoryID})); err != nil {
			return named(err, "repository", d.RepositoryID)
		}
	default:
		if _, err := one(tx.PublicationsByID(ctx, []content.PublicationID{d.PublicationID})); err != nil {
			return named(err, "publication", d.PublicationID)
		}
	}
	return nil
}

// errMissing is what one returns for an id that names nothing.
var errMissing = fault.New(fault.NotFound, "it does not exist")

// one is the only result of a look-up by one id.
func one[T any](found []*T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	if found[0] == nil {
		return nil, errMissing
	}
	return found[0], nil
}

// missing names what a request is about and does not exist.
func missing(err error, id fmt.Stringer) error {
	if err == error(errMissing) {
		return fault.New(fault.NotFound, "there is no %s", id)
	}
	return err
}

// named names the field of a request that refers to what does not exist.
func named(err error, field string, id fmt.Stringer) error {
	if err == error(errMissing) {
		return fault.Input(field, "there is no %s", id)
	}
	return err
}

// set changes a field if the request names it.
func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}
