package blob

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// syncFiles and syncNames flush the file system once, however many files
// there are.
func (d *Disk) syncFiles([]Staged) error { return d.syncfs() }
func (d *Disk) syncNames([]Staged) error { return d.syncfs() }

func (d *Disk) syncfs() error {
	dir, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return fmt.Errorf("syncfs: %w", err)
	}
	return nil
}
