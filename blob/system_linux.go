package blob

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// trusted are the file systems for which syncfs writes everything to disk and
// tells of what it could not write. Others flush too little (FUSE) or tell
// nobody (overlays), or it is not known.
var trusted = map[int64]bool{
	unix.EXT4_SUPER_MAGIC:  true, // also ext2 and ext3
	unix.XFS_SUPER_MAGIC:   true,
	unix.BTRFS_SUPER_MAGIC: true,
	unix.F2FS_SUPER_MAGIC:  true,
	unix.TMPFS_MAGIC:       true,
}

// canFlushAll reports whether flushAll can be trusted with the file system of
// dir. Kernels before 5.8 do not tell when it loses something.
func canFlushAll(dir string) bool {
	var name unix.Utsname
	var fs unix.Statfs_t
	if unix.Uname(&name) != nil || unix.Statfs(dir, &fs) != nil {
		return false
	}
	return trusted[int64(fs.Type)] && kernelTells(unix.ByteSliceToString(name.Release[:]))
}

// kernelTells reports whether a kernel is of version 5.8 or newer.
func kernelTells(release string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(strings.Replace(release, ".", " ", 1), "%d %d", &major, &minor); err != nil {
		return false
	}
	return major > 5 || major == 5 && minor >= 8
}

// flushAll writes out the file system that an open directory is in. It fails
// if something that was written since it was opened, or since the last call,
// was lost.
func flushAll(dir *os.File) error { return os.NewSyscallError("syncfs", unix.Syncfs(int(dir.Fd()))) }

// startWriting has the kernel begin to write a part of a file to disk, so that
// less is left to wait for in the end.
func startWriting(f *os.File, offset, length int64) {
	// It is a hint: what matters is whether the file can be flushed.
	_ = unix.SyncFileRange(int(f.Fd()), offset, length, unix.SYNC_FILE_RANGE_WRITE)
}

// bypassCache says whether what is written to a file goes past the kernel's
// cache, which some file systems refuse.
func bypassCache(f *os.File, bypass bool) error {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	if flags &^= unix.O_DIRECT; bypass {
		flags |= unix.O_DIRECT
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags)
	return os.NewSyscallError("fcntl", err)
}

// reserve gives a part of a file room on the disk, and makes the file as large as
// that, if so many bytes are free. Some file systems cannot do it.
func reserve(f *os.File, offset, length, free int64) error {
	var disk unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &disk); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	if unit := int64(disk.Frsize); unit <= 0 || int64(disk.Bavail) < free/unit { // some file systems tell nothing
		return unix.ENOSPC
	}
	for {
		err := unix.Fallocate(int(f.Fd()), 0, offset, length)
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("fallocate", err)
		}
	}
}
