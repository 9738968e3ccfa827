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

// writeAll writes small blobs under their names. It returns those whose names
// are taken.
func (d *Disk) writeAll(ctx context.Context, small []Staged) (taken []Staged, err error) {
	var mu sync.Mutex
	group, writing := errgroup.WithContext(ctx)
	for part := range slices.Chunk(small, max(1, (len(small)+writtenAtOnce-1)/writtenAtOnce)) {
		group.Go(func() error {
			for _, b := range part {
				if err := writing.Err(); err != nil {
					return err
				}
				err := d.write(b)
				if errors.Is(err, fs.ErrExist) {
					mu.Lock()
					taken = append(taken, b)
					mu.Unlock()
				} else if err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = group.Wait()
	return taken, err
}

// write writes a small blob under its name, which nothing may have. What fails
// to be written leaves an empty file: by now, another process may have given
// the name to a blob of its own.
func (d *Disk) write(b Staged) error {
	f, err := openRegular(d.path(b.SHA256), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b.small.bytes)
	if err != nil {
		err = errors.Join(err, f.Truncate(0))
	} else if d.durable.flushAll == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
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
