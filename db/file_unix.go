//go:build unix

package db

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"ream/fault"
)

// maxLinks is how many symbolic links may follow each other to a file, as on Linux.
const maxLinks = 40

// resolved is the path of a file without symbolic links, also if the file is yet
// to be made. Its directory must be there, unless a link leads elsewhere.
func resolved(path string) (string, error) {
	for range maxLinks {
		real, err := filepath.EvalSymlinks(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return real, err
		}
		to, err := os.Readlink(path)
		if err != nil {
			dir, err := filepath.EvalSymlinks(filepath.Dir(path))
			return filepath.Join(dir, filepath.Base(path)), err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return "", &fs.PathError{Op: "open", Path: path, Err: unix.ELOOP}
}

// keepPrivate makes the SQLite file at path, unless it is there, and sees to it
// that nobody else may read it, nor what SQLite keeps beside it with the same
// mode. Files of another owner stay as they are. It refuses a file that has
// several names: each would have a lock and a log of its own.
func keepPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("open the database: %w", err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		var file unix.Stat_t
		err := unix.Stat(name, &file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("look at %s: %w", name, err)
		}
		if file.Mode&unix.S_IFMT != unix.S_IFREG {
			continue
		}
		if file.Nlink > 1 {
			return fault.New(fault.Conflict, "%s has %d hard links, and SQLite would lose what is written through one of them: keep one, or copy the file", name, file.Nlink)
		}
		if file.Mode&0o077 == 0 || int(file.Uid) != os.Geteuid() {
			continue
		}
		if err := os.Chmod(name, 0o600); err != nil {
			return fmt.Errorf("keep the database private: %w", err)
		}
	}
	return nil
}
