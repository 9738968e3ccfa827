package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"ream/fault"
)

// Disk is a directory of blobs. It is safe for concurrent use, also by several
// processes.
type Disk struct {
	*staging
	dir   string
	large atomic.Int64 // files that are written past the kernel's cache
}

// IsDisk reports whether dir was used for blobs.
func IsDisk(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "sha256"))
	return !errors.Is(err, fs.ErrNotExist)
}

// NewDisk returns the blobs in dir, which it creates if it is missing. It fails
// if blobs cannot be stored there, unless that is because the disk is full.
func NewDisk(dir string) (*Disk, error) { return newDisk(dir, true) }

func newDisk(dir string, whole bool) (*Disk, error) {
	d := &Disk{dir: dir}
	for i := range 256 {
		if err := os.MkdirAll(filepath.Join(dir, "sha256", fmt.Sprintf("%02x", i)), 0o750); err != nil {
			return nil, fmt.Errorf("create the storage: %w", curable(err))
		}
	}
	var err error
	if d.staging, err = newStaging(filepath.Join(dir, "tmp")); err != nil {
		return nil, fmt.Errorf("create the storage: %w", curable(err))
	}
	if d.staging.durable, err = newDurable(dir, whole); err != nil {
		return nil, fmt.Errorf("create the storage: %w", curable(err))
	}
	if err := d.check(); err != nil && !isFull(err) {
		return nil, errors.Join(fmt.Errorf("store blobs in %s: %w", dir, curable(err)), d.Close())
	}
	if err := d.durable.parents(filepath.Join(dir, "sha256"), dir, filepath.Dir(dir)); err != nil {
		return nil, errors.Join(fmt.Errorf("create the storage: %w", err), d.Close())
	}
	return d, nil
}

// check stores something that is no blob, as a blob is stored.
func (d *Disk) check() error {
	w, err := d.Create()
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write([]byte("Can this be stored?\n")); err != nil {
		return err
	}
	s, err := w.Finish()
	if err != nil {
		return err
	}
	defer d.Discard(s)
	lock, err := d.lock(true)
	if err != nil {
		return err
	}
	defer lock.Close()
	// Were the directories on several file systems, this would tell.
	probe := filepath.Join(d.dir, "sha256", "probe")
	if err := rename(s.path, probe); err != nil {
		return err
	}
	return gone(os.Remove(probe)) // gone if another process checks at the same time
}

func (d *Disk) path(sha256 string) string {
	return filepath.Join(d.dir, filepath.FromSlash(name(sha256)))
}

// lock waits for the lock that keeps Commit and Remove apart. It makes none where
// the storage's file system is not mounted.
func (d *Disk) lock(shared bool) (*os.File, error) {
	path := filepath.Join(d.dir, "lock")
	lock, err := lockPath(path, os.O_RDWR, shared)
	if errors.Is(err, fs.ErrNotExist) && IsDisk(d.dir) {
		lock, err = lockPath(path, os.O_RDWR|os.O_CREATE, shared)
	}
	return lock, err
}

// Open opens a blob of size bytes for reading; what it returns is an *os.File.
// It returns NotFound if there is none, also for what is no digest, Unavailable
// if the whole storage is away, and fails if the blob has another size.
func (d *Disk) Open(_ context.Context, sha256 string, size int64) (io.ReadSeekCloser, error) {
	if !isDigest(sha256) {
		return nil, missing(sha256)
	}
	f, err := d.open(sha256)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() != size {
		err = fmt.Errorf("blob %s has %d bytes, not %d", sha256, info.Size(), size)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// open opens a blob, of whatever size.
func (d *Disk) open(sha256 string) (*os.File, error) {
	f, err := openRegular(d.path(sha256), os.O_RDONLY, 0)
	if err == nil {
		return f, nil
	}
	away := d.away(fmt.Errorf("open a blob: %w", err))
	if errors.Is(err, fs.ErrNotExist) && !fault.Is(away, fault.Unavailable) {
		return nil, missing(sha256)
	}
	return nil, away
}

// away tells that the whole storage is away, such as when its file system is not
// mounted, from other errors: nothing is known of any blob then. It also tells
// those that are curable.
func (d *Disk) away(err error) error {
	if !errors.Is(err, fs.ErrNotExist) || IsDisk(d.dir) {
		return curable(err)
	}
	return fault.Wrap(err, fault.Unavailable, "the storage is away: mount its file system, or put its directory back")
}

// Create begins a blob. The writer must be finished or aborted. A full disk is
// Unavailable, and so is one that is away.
func (d *Disk) Create() (*Writer, error) { return d.CreateSized(unknownSize) }

// CreateSized begins a blob that will have size bytes, and that the database
// does not name, as far as the caller knows. One of few bytes waits for its
// Commit in memory, and one of very many is written past the kernel's cache. The
// rest is as with Create.
func (d *Disk) CreateSized(size int64) (*Writer, error) {
	w, err := d.create(size)
	if err != nil {
		return nil, d.away(err)
	}
	if size >= largeLeast {
		w.large = newLarge(w.f, size, &d.large)
	}
	return w, nil
}

// Commit makes blobs durable under their digests, all at the cost of about
// one. After it returned nil, the database may name them. A blob that is
// already there is only replaced by the same bytes, which are on disk before
// they take its name. A new one may be written under its name from the
// beginning: a power cut can leave a name that leads to a part of the bytes,
// which the database does not name, and the next Commit replaces. A full disk,
// one that loses what was written to it, and one that is away are Unavailable.
// After an error, what is still staged should be discarded.
func (d *Disk) Commit(ctx context.Context, staged []Staged) error {
	return d.away(d.commit(ctx, staged))
}

func (d *Disk) commit(ctx context.Context, staged []Staged) error {
	if len(staged) == 0 {
		return nil
	}
	if err := d.durable.follow(); err != nil {
		return fmt.Errorf("make blobs durable: %w", err)
	}
	small, files := byPlace(staged)
	if len(files) > 0 {
		if err := d.durable.bytes(ctx, files); err != nil {
			return fmt.Errorf("make blobs durable: %w", err)
		}
	}
	for i := range small {
		small[i].mark = d.durable.mark() // its first byte is yet to be written
	}
	taken, failed, err := d.name(ctx, small, files)
	if err != nil {
		return fmt.Errorf("name a blob: %w", errors.Join(err, d.drop(failed)))
	}
	if err := d.durable.names(ctx, slices.Concat(small, files), d.dirs(staged)); err != nil {
		return fmt.Errorf("make blobs' names durable: %w", err)
	}
	if len(taken) > 0 {
		if err := d.replace(ctx, taken); err != nil {
			return err
		}
	}
	for _, b := range small {
		d.Discard(b)
	}
	return nil
}

// byPlace tells blobs in memory from those in files.
func byPlace(staged []Staged) (small, files []Staged) {
	for _, b := range staged {
		if b.small != nil {
			small = append(small, b)
		} else {
			files = append(files, b)
		}
	}
	return small, files
}

// dirs are the directories of blobs.
func (d *Disk) dirs(staged []Staged) map[string]bool {
	dirs := make(map[string]bool)
	for _, b := range staged {
		dirs[filepath.Dir(d.path(b.SHA256))] = true
	}
	return dirs
}

// name gives staged blobs their names. It returns the small ones whose names
// are taken, and those that could not be written, which are to be dropped.
// Remove, which goes by when that was, does not come between.
func (d *Disk) name(ctx context.Context, small, files []Staged) (taken []Staged, failed []halfWritten, err error) {
	lock, err := d.lock(true)
	if err != nil {
		return nil, nil, err
	}
	defer lock.Close()
	now := time.Now()
	for _, b := range files {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if err := d.nameFile(b, now); err != nil {
			return nil, nil, err
		}
	}
	return d.writeAll(ctx, small)
}

func (d *Disk) nameFile(b Staged, now time.Time) error {
	// What was just written has that time already, near enough for Remove.
	if now.Sub(b.written) > time.Minute {
		if err := os.Chtimes(b.path, now, now); err != nil {
			return unstaged(d.away(err))
		}
	}
	err := rename(b.path, d.path(b.SHA256))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := d.away(err); fault.Is(err, fault.Unavailable) {
		return err
	}
	if _, err := os.Lstat(b.path); err != nil {
		return unstaged(err)
	}
	if err := d.makeDir(b.SHA256); err != nil {
		return err
	}
	return rename(b.path, d.path(b.SHA256))
}

// makeDir makes the directory of a blob, which a copy of the storage may lack. It
// makes none where the storage's file system is not mounted.
func (d *Disk) makeDir(sha256 string) error {
	dir := filepath.Dir(d.path(sha256))
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.durable.parents(filepath.Dir(dir))
}

// Clean removes files that were never committed, of processes that are gone:
// what a killed one left. The files of processes on other machines, whose end
// may not show here, must also be untouched for a while.
func (d *Disk) Clean(_ context.Context, olderThan time.Duration) error {
	if err := d.clean(olderThan); err != nil {
		return d.away(fmt.Errorf("clean the storage: %w", err))
	}
	return nil
}

// Close drops what is staged. Nothing may be used after it.
func (d *Disk) Close() error { return errors.Join(d.staging.close(), d.durable.close()) }
