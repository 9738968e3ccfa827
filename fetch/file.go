package fetch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"ream/fault"
)

// openFile opens a local file below one of the directories that the operator
// allowed. Symbolic links that lead out of it are not followed, and only
// regular files are read: a pipe or a device may block or never end.
//
// The directory is opened for each file, as whoever publishes a tree may put another
// one in its place.
func (d *download) openFile() (io.ReadCloser, int64, error) {
	dir, name, ok := d.s.c.directoryOf(d.u.Path)
	if !ok {
		return nil, 0, fault.New(fault.Forbidden, "%s: %v", d.name, errDirectory)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		reason := err
		if path, ok := errors.AsType[*fs.PathError](err); ok {
			reason = path.Err
		}
		return nil, 0, fault.Wrap(err, fault.Unavailable, "%s: the directory that the operator allowed cannot be opened: %v", d.name, reason)
	}
	defer root.Close()
	// Not to wait for whoever writes to a pipe.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, 0, fault.New(fault.NotFound, "%s: there is no such file", d.name)
	case err != nil:
		if isOfFile(err) {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return nil, 0, fault.Wrap(err, fault.Unavailable, "%s: it cannot be read, or leads out of the directory that the operator allowed", d.name)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		f.Close()
		return nil, 0, fault.Wrap(err, fault.Unavailable, "%s: it cannot be read", d.name)
	case !info.Mode().IsRegular():
		f.Close()
		return nil, 0, fault.New(fault.BadInput, "%s: it is no regular file", d.name)
	}
	if d.req.Length == 0 {
		return f, info.Size(), nil
	}
	if _, err = f.Seek(d.req.Offset, io.SeekStart); err == nil && info.Size() != d.req.Size {
		err = d.lie("it has %d bytes, but the metadata says %d", info.Size(), d.req.Size)
	}
	if err != nil {
		f.Close()
	}
	return f, d.req.Length, err
}

// isOfFile reports whether an error of opening a file says nothing about others,
// unlike one of the disk: it is that of its name, its mode or its kind.
func isOfFile(err error) bool {
	errno, ofSystem := errors.AsType[syscall.Errno](err)
	return !ofSystem || errors.Is(err, fs.ErrPermission) ||
		slices.Contains([]syscall.Errno{syscall.ENAMETOOLONG, syscall.ELOOP, syscall.EINVAL, syscall.ENXIO}, errno)
}

var errDirectory = errors.New("it is not below a directory that the operator allowed: see --allow-file")

// directoryOf returns the allowed directory that a path is below, and the rest
// of the path. The innermost one counts.
func (c *Client) directoryOf(path string) (dir, name string, ok bool) {
	path = filepath.Clean(path)
	for _, allowed := range c.config.Directories {
		rest, err := filepath.Rel(allowed, path)
		if err != nil || rest == ".." || strings.HasPrefix(rest, ".."+string(filepath.Separator)) {
			continue
		}
		if !ok || len(allowed) > len(dir) {
			dir, name, ok = allowed, rest, true
		}
	}
	return dir, name, ok
}

// CheckURL fails with a fault.BadInput for the field url if the operator does
// not allow a file:// URL.
func (c *Client) CheckURL(address string) error {
	u, err := parse(address)
	if err != nil {
		return fault.Input("url", "%s", fault.Message(err))
	}
	if u.Scheme != "file" {
		return nil
	}
	if _, _, ok := c.directoryOf(u.Path); !ok {
		return fault.Input("url", "%v", errDirectory)
	}
	return nil
}
