package fetch

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"ream/fault"
)

// openFile opens a local file. Only regular files are read: a pipe or a device
// may block or never end.
func (d *download) openFile() (io.ReadCloser, int64, error) {
	info, err := os.Stat(d.u.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, fault.New(fault.NotFound, "%s: there is no such file", d.name)
	case err != nil:
		return nil, 0, fault.Wrap(err, fault.Unavailable, "%s: it cannot be read", d.name)
	case !info.Mode().IsRegular():
		return nil, 0, fault.New(fault.BadInput, "%s: it is no regular file", d.name)
	}
	f, err := os.Open(d.u.Path)
	if err != nil {
		return nil, 0, fault.Wrap(err, fault.Unavailable, "%s: it cannot be read", d.name)
	}
	return f, info.Size(), nil
}
