package blob

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// writtenAtOnce is how many small blobs a Commit writes at once.
const writtenAtOnce = 4

// halfWritten is a file that has a blob's name, and not all its bytes.
type halfWritten struct {
	path string
	info os.FileInfo
}

// writeAll writes small blobs under their names. It returns those whose names
// are taken, and those that could not be written.
func (d *Disk) writeAll(ctx context.Context, small []Staged) (taken []Staged, failed []halfWritten, err error) {
	var mu sync.Mutex
	group, writing := errgroup.WithContext(ctx)
	for part := range slices.Chunk(small, max(1, (len(small)+writtenAtOnce-1)/writtenAtOnce)) {
		group.Go(func() error {
			for _, b := range part {
				if err := writing.Err(); err != nil {
					return err
				}
				half, err := d.write(b)
				mu.Lock()
				if half != nil {
					failed = append(failed, *half)
				}
				if errors.Is(err, fs.ErrExist) {
					taken, err = append(taken, b), nil
				}
				mu.Unlock()
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = group.Wait()
	return taken, failed, err
}

// write writes a small blob under its name, which nothing may have. If that
// fails it tells what was begun.
func (d *Disk) write(b Staged) (half *halfWritten, err error) {
	path := d.path(b.SHA256)
	f, err := createFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = d.makeDir(b.SHA256); err == nil {
			f, err = createFile(path)
		}
	}
	if err != nil {
		return nil, err
	}
	_, err = f.Write(b.small.bytes)
	if err == nil && !d.durable.whole.Load() {
		err = f.Sync()
	}
	if err != nil {
		info, unknown := f.Stat()
		if unknown == nil {
			half = &halfWritten{path, info}
		}
		err = errors.Join(err, unknown)
	}
	return half, errors.Join(err, f.Close())
}

// drop removes what could not be written, unless another Commit has given the
// name to a blob that is whole. None does so meanwhile.
func (d *Disk) drop(failed []halfWritten) error {
	if len(failed) == 0 {
		return nil
	}
	lock, err := d.lock(false)
	if err != nil {
		return err
	}
	defer lock.Close()
	for _, half := range failed {
		now, err := os.Lstat(half.path)
		if err == nil && os.SameFile(now, half.info) {
			err = os.Remove(half.path)
		}
		if err := gone(err); err != nil {
			return err
		}
	}
	return nil
}

// replace commits small blobs whose names are taken, by what nobody knows to be
// whole: in files, as large ones are.
func (d *Disk) replace(ctx context.Context, small []Staged) (err error) {
	files := make([]Staged, 0, len(small))
	defer func() {
		if err != nil {
			for _, b := range files {
				d.Discard(b)
			}
		}
	}()
	for _, b := range small {
		w, err := d.Create()
		if err != nil {
			return err
		}
		if _, err := w.Write(b.small.bytes); err != nil {
			w.Abort()
			return err
		}
		f, err := w.Finish()
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	return d.Commit(ctx, files)
}
