//go:build unix

package db

import (
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"ream/fault"
)

// reserve is how much of its disk an embedded database keeps for itself, in
// bytes: enough to record the largest transactions.
const reserve = 64 << 20

// roomFor is how long there is room once there was: no disk takes the reserve in
// so short a time.
const roomFor = 5 * time.Millisecond

// Room reports whether there is room beside an embedded database for what else
// is stored on its disk. What is to be stored there must ask first: a database
// without room could not even record that it failed. It fails with
// fault.Unavailable. A PostgreSQL server looks after its own disk.
func (db *DB) Room() error {
	if db.d != &sqlite {
		return nil
	}
	now := time.Now().UnixNano()
	if now-db.roomAt.Load() < int64(roomFor) {
		return nil
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(db.address), &disk); err != nil {
		return fmt.Errorf("look at the database's disk: %w", err)
	}
	if int64(disk.Bavail)*int64(disk.Bsize) < reserve {
		return fault.Wrap(unix.ENOSPC, fault.Unavailable, "the database's disk is nearly full: free some space and try again")
	}
	db.roomAt.Store(now)
	return nil
}
