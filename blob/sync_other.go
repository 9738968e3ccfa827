//go:build !linux

package blob

import (
	"errors"
	"os"
	"path/filepath"
)

func (d *Disk) syncFiles(staged []Staged) error {
	for _, s := range staged {
		if err := syncPath(s.path); err != nil {
			return err
		}
	}
	return nil
}

func (d *Disk) syncNames(staged []Staged) error {
	dirs := map[string]bool{}
	for _, s := range staged {
		dirs[filepath.Dir(d.Path(s.SHA256))] = true
	}
	for dir := range dirs {
		if err := syncPath(dir); err != nil {
			return err
		}
	}
	return nil
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
