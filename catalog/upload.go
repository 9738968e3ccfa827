package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"ream/access"
	"ream/blob"
	"ream/content"
	"ream/db"
	"ream/fault"
	"ream/format/file"
	"ream/task"
)

// UploadRequest asks for a version of a repository with files that were
// uploaded.
type UploadRequest struct {
	Repository     content.RepositoryID `json:"repository"`
	Files          []UploadedFile       `json:"files"`
	Priority       task.Priority        `json:"priority"`
	IdempotencyKey string               `json:"-"`

	expires time.Duration // after which the uploads may be purged, unless the task is unfinished
}

// UploadedFile is a file that was uploaded, with the path that it goes to.
type UploadedFile struct {
	Path   string           `json:"path"`
	Upload content.UploadID `json:"-"`
	// Named is what the client calls it, by which two requests are the same; the
	// ID of the upload if it is empty.
	Named  string         `json:"named"`
	SHA256 content.Digest `json:"sha256,omitzero"` // that it must have; empty for any
}

// UploadFiles queues a new version of a repository: its newest one with files
// that the caller uploaded, in the place of what lies at their paths.
func (c *Catalog) UploadFiles(ctx context.Context, in UploadRequest) (*task.Task, error) {
	for i := range in.Files {
		if in.Files[i].Named == "" {
			in.Files[i].Named = in.Files[i].Upload.String()
		}
	}
	in.expires = c.Uploads.kept()
	return c.answerTask(ctx, Operation{Upload: &in}, in.IdempotencyKey)
}

func (in *UploadRequest) check() (*Selector, error) {
	paths := make([]string, len(in.Files))
	for i, f := range in.Files {
		paths[i] = f.Path
		if f.SHA256 != "" {
			digest, err := content.ParseDigest(string(f.SHA256))
			if err != nil {
				return nil, fault.Input("files", "of %.80q: %v", f.Path, err)
			}
			in.Files[i].SHA256 = digest
		}
	}
	return nil, CheckUploadPaths(paths)
}

// CheckUploadPaths rejects paths at which the files of one request cannot lie.
func CheckUploadPaths(paths []string) error {
	if len(paths) == 0 {
		return fault.Input("files", "there is nothing to do: name files to add")
	}
	if len(paths) > maxModified {
		return fault.Input("files", "it names %d files: at most %d are allowed, in several requests there may be more", len(paths), maxModified)
	}
	taken := make(map[string]bool, len(paths))
	for _, path := range paths {
		switch err := content.CheckNewPath(path); {
		case err != nil:
			return fault.Input("files", "%v", err)
		case path == file.ManifestName || strings.HasPrefix(path, file.ManifestName+"/"):
			return fault.Input("files", "the path %s is the manifest's own, which publishing writes", file.ManifestName)
		case beginsWithTime(path):
			return fault.Input("files", "the path %.80q begins with a time: clients find there what was served then", path)
		case taken[path]:
			return fault.Input("files", "the path %.80q is named twice", path)
		}
		taken[path] = true
	}
	for _, path := range paths {
		for _, dir := range dirsOf(path) {
			if taken[dir] {
				return fault.Input("files", "the path %.80q lies below %.80q, which is a file", path, dir)
			}
		}
	}
	return nil
}

func beginsWithTime(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	_, ok := content.ParseMoment(first)
	return ok
}

// dirsOf are the directories that a path lies in.
func dirsOf(path string) (dirs []string) {
	for i, c := range path {
		if c == '/' {
			dirs = append(dirs, path[:i])
		}
	}
	return dirs
}

func (in *UploadRequest) plan(ctx context.Context, tx *db.Tx) (plan, error) {
	r, err := keptRepository(ctx, tx, in.Repository)
	if err != nil {
		return plan{}, err
	}
	ids := make([]content.UploadID, len(in.Files))
	for i, f := range in.Files {
		ids[i] = f.Upload
	}
	if len(slices.Compact(slices.Sorted(slices.Values(ids)))) != len(ids) {
		return plan{}, fault.Input("files", "an upload is named twice: it goes to one path")
	}
	owner := access.CallerOf(ctx).String()
	if err := tx.FreeUploads(ctx, owner, ids); err != nil {
		return plan{}, err
	}
	uploads, err := tx.UploadsByID(ctx, owner, ids)
	if err != nil {
		return plan{}, err
	}
	for i, u := range uploads {
		switch {
		case u == nil:
			return plan{}, fault.Input("files", "you have no %s: it may have expired", ids[i])
		case u.Used:
			return plan{}, fault.Input("files", "%s is used by a task already", u.ID)
		case !u.Complete():
			return plan{}, fault.Input("files", "of %s only %d of %d bytes have come: send the rest first", u.ID, u.Received, u.Size)
		}
		if want := in.Files[i].SHA256; want != "" && want != u.SHA256 {
			return plan{}, fault.Input("files", "%s has the SHA-256 %s, not %s", in.Files[i].Path, u.SHA256, want)
		}
		u.Path = in.Files[i].Path
	}
	if err := in.checkTree(ctx, tx, r); err != nil {
		return plan{}, err
	}
	batch := newBatch()
	if err := tx.JoinUploads(ctx, uploads, batch); err != nil {
		return plan{}, err
	}
	name := fmt.Sprintf("upload %d files to %s", len(ids), r.Name)
	if len(ids) == 1 {
		name = "upload a file to " + r.Name
	}
	return plan{
		tasks: []task.New{{Kind: UploadKind, Name: name, Args: uploadArgs{r.ID, batch, len(ids)}, Priority: in.Priority,
			RepositoryID: int64(r.ID), Reservations: reserve(task.Exclusive, r.ID)}},
		then: func(ctx context.Context, tx *db.Tx, id task.ID) error {
			_, err := tx.SetUploadTask(ctx, batch, id, tx.Now().Add(in.expires))
			return err
		},
	}, nil
}

// newBatch is the number of a batch that no other has or will have: a retry finds
// by it what is left of its own, and nothing else.
func newBatch() content.UploadID {
	return content.UploadID(1 + rand.Int64N(1<<53)) //nolint:gosec // nobody has to guess it
}

// checkTree refuses files that do not fit to those that the repository has. The
// task looks again: if others come before it, it alone can tell.
func (in *UploadRequest) checkTree(ctx context.Context, tx *db.Tx, r *content.Repository) error {
	if busy, err := tx.Busy(ctx, r.ID); err != nil || busy {
		return err
	}
	paths := make([]string, len(in.Files))
	for i, f := range in.Files {
		paths[i] = f.Path
	}
	return tx.CheckTree(ctx, r, paths)
}

// keepUploads lets the retry of a task have the uploads of that, all of which must
// still be there.
func (c *Catalog) keepUploads(ctx context.Context, tx *db.Tx, of *task.Task, retry task.ID) error {
	if of.Kind != UploadKind {
		return nil
	}
	var args uploadArgs
	if err := json.Unmarshal(of.Args, &args); err != nil {
		return fmt.Errorf("arguments of %s: %w", of.ID, err)
	}
	kept, err := tx.SetUploadTask(ctx, args.Batch, retry, tx.Now().Add(c.Uploads.kept()))
	if err == nil && kept < args.files() {
		err = fault.New(fault.Conflict, "of the %d uploads that %s needs, %d are gone or are needed by another task: upload the files again", args.files(), of.ID, args.files()-kept)
	}
	return err
}

type uploadArgs struct {
	Repository content.RepositoryID `json:"repository"`
	Batch      content.UploadID     `json:"batch"`
	Files      int                  `json:"files"` // how many there are in the batch; 0 if that was not written down
}

// files is how many files there are at least.
func (a uploadArgs) files() int { return max(1, a.Files) }

// upload makes the version of a batch of uploads, all at once. The uploads are
// gone with the transaction that makes it.
func (c *Catalog) upload(ctx context.Context, run *task.Run) error {
	var args uploadArgs
	if err := run.Decode(&args); err != nil {
		return err
	}
	repository, err := one(c.DB.RepositoriesByID(ctx, []content.RepositoryID{args.Repository}))
	if err != nil {
		return missing(err, args.Repository)
	}
	uploads, err := c.DB.UploadBatch(ctx, args.Batch)
	switch {
	case err != nil:
		return err
	case len(uploads) == 0 && run.Task.Attempt > 1:
		return nil // an attempt before this one made the version, and was lost
	case len(uploads) < args.files():
		return fault.New(fault.Conflict, "some of the uploads have expired, or came into a version already")
	}
	u := &uploading{c: c, run: run, total: int64(len(uploads))}
	for _, one := range uploads {
		u.inBytes += one.Size
	}
	u.report()
	for some := range slices.Chunk(uploads, lookAt) {
		if err := u.keep(ctx, repository.Format, some); err != nil {
			return err
		}
	}
	members, err := c.DB.Members(ctx, repository.ID)
	if err != nil {
		return err
	}
	added, _ := difference(sorted(u.units), members)
	return c.revise(ctx, run, revision{repository, added, nil}, func(tx *db.Tx, _ content.VersionID) error {
		return tx.DropBatch(ctx, args.Batch)
	})
}

// uploading is what becomes of a batch of uploads.
type uploading struct {
	c     *Catalog
	run   *task.Run
	units []content.UnitID

	files, total, bytes, inBytes int64
}

func (u *uploading) report() {
	u.run.Progress.Report("upload.files", "Files", task.Items, u.files, u.total)
	u.run.Progress.Report("upload.bytes", "Bytes", task.Bytes, u.bytes, u.inBytes)
}

// keep makes units of some uploads.
func (u *uploading) keep(ctx context.Context, format content.Format, uploads []*content.Upload) error {
	ids, units := make([]content.UploadID, len(uploads)), make([]*content.Unit, len(uploads))
	for i, one := range uploads {
		ids[i] = one.ID
		units[i] = &content.Unit{Format: format, Path: one.Path, SHA256: one.SHA256, Size: one.Size}
	}
	parts, err := u.c.DB.UploadParts(ctx, ids)
	if err != nil {
		return err
	}
	var staged []blob.Staged
	defer func() {
		for _, s := range staged {
			u.c.Blobs.Discard(s)
		}
	}()
	var artifacts []content.Artifact
	var kept []*content.Upload // as they came: in one part, which is all of it
	for i, one := range uploads {
		if len(parts[i]) == 1 {
			kept = append(kept, one)
			u.bytes += one.Size
		} else {
			s, err := u.join(ctx, one, parts[i])
			if err != nil {
				return err
			}
			staged = append(staged, s)
			artifacts = append(artifacts, content.Artifact{SHA256: one.SHA256, Size: one.Size})
		}
		u.files++
		u.report()
	}
	if err := u.look(ctx, kept); err != nil {
		return err
	}
	if err := u.c.Blobs.Commit(ctx, staged); err != nil {
		return err
	}
	if err := u.c.DB.InTx(ctx, func(tx *db.Tx) error {
		if err := tx.AddArtifacts(ctx, artifacts); err != nil {
			return err
		}
		if err := stillStored(ctx, tx, kept); err != nil {
			return err
		}
		return tx.AddUnits(ctx, units, nil)
	}); err != nil {
		return err
	}
	for _, one := range units {
		u.units = append(u.units, one.ID)
	}
	return nil
}

// lookAtOnce is how many uploads are looked at at once: a bucket takes its time.
const lookAtOnce = 16

// look makes sure that the bytes of uploads that came in one part are there:
// nothing else reads them on their way into a version.
func (u *uploading) look(ctx context.Context, uploads []*content.Upload) error {
	group, looking := errgroup.WithContext(ctx)
	group.SetLimit(lookAtOnce)
	for _, one := range uploads {
		group.Go(func() error { return u.lookAt(looking, one) })
	}
	return group.Wait()
}

func (u *uploading) lookAt(ctx context.Context, one *content.Upload) error {
	from, err := u.c.Blobs.Open(ctx, string(one.SHA256), one.Size)
	if err == nil {
		defer from.Close()
		// A bucket is not asked before something is read.
		_, err = io.ReadFull(from, make([]byte, min(one.Size, 1)))
	}
	if fault.Is(err, fault.NotFound) {
		return lost(one)
	}
	return err
}

// stillStored fails if bytes that came in one part were found damaged or missing
// since. To record them again would say that they are good.
func stillStored(ctx context.Context, tx *db.Tx, uploads []*content.Upload) error {
	artifacts := make([]content.Artifact, len(uploads))
	for i, one := range uploads {
		artifacts[i] = content.Artifact{SHA256: one.SHA256, Size: one.Size}
	}
	stored, err := tx.Stored(ctx, artifacts)
	if err != nil {
		return err
	}
	for i, one := range uploads {
		if !stored[i] {
			return lost(one)
		}
	}
	return nil
}

// lost is the error that what an upload brought is not there any more.
func lost(u *content.Upload) error {
	return fault.New(fault.Conflict, "the bytes of %s, for %.200q, are damaged or missing: upload them again", u.ID, u.Path)
}

// join puts the parts of an upload together.
func (u *uploading) join(ctx context.Context, whole *content.Upload, parts []content.Artifact) (blob.Staged, error) {
	if err := u.c.DB.Room(); err != nil {
		return blob.Staged{}, err
	}
	w, err := u.c.Blobs.Create()
	if err != nil {
		return blob.Staged{}, err
	}
	defer w.Abort()
	for _, p := range parts {
		if err := u.copy(ctx, w, p); err != nil {
			return blob.Staged{}, err
		}
		u.bytes += p.Size
		u.report()
	}
	if w.SHA256() != string(whole.SHA256) || w.Size() != whole.Size {
		return blob.Staged{}, fmt.Errorf("the parts of %s are not what came", whole.ID)
	}
	return w.Finish()
}

func (u *uploading) copy(ctx context.Context, w *blob.Writer, part content.Artifact) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	from, err := u.c.Blobs.Open(ctx, string(part.SHA256), part.Size)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(w, from)
	return err
}
