package fetch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"ream/fault"
)

// openFile opens a local file below one of the directories that the operator
// allowed. Symbolic links that lead out of it are not followed, and only
// regular files are read: a pipe or a device may block or never end.
func (d *download) openFile() (io.ReadCloser, int64, error) {
	root, name, ok := d.s.c.directoryOf(d.u.Path)
	if !ok {
		return nil, 0, fault.New(fault.Forbidden, "%s: %v", d.name, errDirectory)
	}
	// Not to wait for whoever writes to a pipe.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, fault.New(fault.NotFound, "%s: there is no such file", d.name)
	case err != nil:
		if _, ofSystem := errors.AsType[syscall.Errno](err); !ofSystem || errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w: %w", ErrRefused, err) // of this file, unlike an error of the disk
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

var errDirectory = errors.New("it is not below a directory that the operator allowed: see --allow-file")

// directoryOf returns the allowed directory that a path is below, and the rest
// of the path. The innermost one counts.
func (c *Client) directoryOf(path string) (root *os.Root, name string, ok bool) {
	path = filepath.Clean(path)
	for _, r := range c.config.Directories {
		rest, err := filepath.Rel(r.Name(), path)
		if err != nil || rest == ".." || strings.HasPrefix(rest, ".."+string(filepath.Separator)) {
			continue
		}
		if !ok || len(r.Name()) > len(root.Name()) {
			root, name, ok = r, rest, true
		}
	}
	return root, name, ok
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
