package blob

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ream/fault"
)

// staging is where blobs are written before they are committed: below root, a
// directory for each process. A process holds the lock of its own for as long
// as it lives, so that others can tell what a killed one left.
type staging struct {
	root string
	host string // the machine, as directories' names begin; without dashes, as one follows

	begun   atomic.Uint64 // files of this process
	memory  memory
	durable *durable // what makes the files last; nil if they need not

	mu   sync.Mutex
	dir  string // of this process; empty until it is needed
	lock *os.File
}

// lockName is the lock in each process's directory.
const lockName = "lock"

func newStaging(root string) (*staging, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name the staging directory: %w", err)
	}
	s := &staging{root: root, host: strings.ReplaceAll(host, "-", "_")}
	if err := os.MkdirAll(root, 0o750); err != nil {
		return nil, fmt.Errorf("create the staging directory: %w", err)
	}
	return s, nil
}

// unknownSize is of blobs that always go to a file.
const unknownSize = -1

// create begins a blob in memory if size, which it will have, is small and there
// is room, and else in a file. A disk that is full is Unavailable.
func (s *staging) create(size int64) (*Writer, error) {
	w := &Writer{staging: s, small: s.memory.take(size), hash: sha256.New(), last: time.Now()}
	if w.small == nil {
		var err error
		if w.f, w.mark, err = s.file(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// file makes a file for a blob. The mark is from before its first byte.
func (s *staging) file() (f *os.File, mark uint64, err error) {
	var dir string
	for range 2 {
		if dir, err = s.own(dir); err != nil {
			break
		}
		mark = s.mark()
		if f, err = s.fileIn(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, 0, curable(fmt.Errorf("create a blob: %w", err))
	}
	return f, mark, nil
}

func (s *staging) fileIn(dir string) (*os.File, error) {
	n := s.begun.Add(1)
	path := filepath.Join(dir, strconv.FormatUint(n%spread, 10), strconv.FormatUint(n, 10))
	f, err := createFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.Mkdir(filepath.Dir(path), 0o750); err == nil || errors.Is(err, fs.ErrExist) {
			f, err = createFile(path)
		}
	}
	return f, err
}

func (s *staging) mark() uint64 {
	if s.durable == nil {
		return 0
	}
	return s.durable.mark()
}

// there fails if root may not be made, as what it belongs to is away.
func (s *staging) there() error {
	if s.durable == nil {
		return nil
	}
	return s.durable.there()
}

// spread is over how many directories a process spreads its blobs: the kernel
// changes one directory for one file at a time.
const spread = 16

func createFile(path string) (*os.File, error) {
	return openRegular(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
}

// own returns the directory of this process, which it makes if need be: a disk
// that is full when the process starts must not keep it from serving. One that
// is gone, with all that was staged, is made anew.
func (s *staging) own(gone string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir != "" && s.dir != gone {
		return s.dir, nil
	}
	if err := s.there(); err != nil {
		return "", err
	}
	if s.dir != "" {
		s.lock.Close()
		s.dir, s.lock = "", nil
	}
	for {
		dir := filepath.Join(s.root, s.host+"-"+rand.Text())
		lock, err := newLocked(dir)
		if errors.Is(err, errCleaned) {
			continue
		}
		if err != nil {
			return "", err
		}
		s.dir, s.lock = dir, lock
		return dir, nil
	}
}

// errCleaned says that somebody who cleans took a directory for abandoned
// before it was locked.
var errCleaned = errors.New("cleaned away")

// newLocked makes a directory and takes its lock.
func newLocked(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	lock, err := openLock(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errCleaned
	}
	if err != nil {
		return nil, errors.Join(err, gone(os.Remove(dir)))
	}
	locked, err := tryLock(lock)
	if err == nil && locked {
		// It must still be the lock that others look at.
		if _, err = os.Stat(lock.Name()); errors.Is(err, fs.ErrNotExist) {
			locked, err = false, nil
		}
	}
	if err == nil && !locked {
		err = errCleaned
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

func openLock(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o640)
}

// unstaged tells that what was staged is gone from other errors.
func unstaged(err error) error {
	if errors.Is(err, fs.ErrNotExist) && !fault.Is(err, fault.Unavailable) {
		return fault.Wrap(err, fault.Unavailable, "the storage lost what was written to it: try again")
	}
	return err
}

// Discard drops a staged blob. After a Commit there is nothing left to drop.
func (s *staging) Discard(b Staged) {
	if b.small != nil {
		b.small.free()
		return
	}
	os.Remove(b.path)
}

// clean removes what processes left that are gone. The locks of those on other
// machines may not be seen from here, so theirs must also be untouched for a
// while.
func (s *staging) clean(olderThan time.Duration) error {
	entries, err := os.ReadDir(s.root)
	if errors.Is(err, fs.ErrNotExist) {
		return s.there() // it is made when it is needed
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	own := filepath.Base(s.dir)
	s.mu.Unlock()
	for _, e := range entries {
		if e.Name() == own {
			continue
		}
		path := filepath.Join(s.root, e.Name())
		host, ok := ownerOf(e)
		if !ok {
			continue // somebody else's: the directory may be shared
		}
		if host != s.host {
			if touched, err := lastTouched(path); err != nil {
				return err
			} else if time.Since(touched) < olderThan {
				continue
			}
		}
		if err := removeAbandoned(path); err != nil {
			return err
		}
	}
	return nil
}

// ownerOf is the machine of the process whose directory an entry of root is. It
// reports false for what is no such directory, or a link to one.
func ownerOf(e fs.DirEntry) (host string, ok bool) {
	host, random, _ := strings.Cut(e.Name(), "-")
	return host, e.IsDir() && host != "" && isText(random)
}

// isText reports whether s is what rand.Text returns.
func isText(s string) bool {
	return len(s) == 26 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// lastTouched is when a directory, or any file in it, was last written.
func lastTouched(path string) (last time.Time, err error) {
	err = filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return gone(err)
		}
		info, err := e.Info()
		if err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
		return gone(err)
	})
	return last, err
}

// removeAbandoned removes a process's directory unless its lock is held.
func removeAbandoned(path string) error {
	lock, err := openLock(path)
	switch {
	case isFull(err):
		// There is no room for the lock that is missing, and most likely
		// nothing else in the directory: if there is, it goes another time.
		os.Remove(path)
		return nil
	case err != nil:
		return gone(err)
	}
	defer lock.Close()
	if locked, err := tryLock(lock); err != nil || !locked {
		return err
	}
	return removeLocked(path)
}

// removeLocked removes a process's directory, whose lock the caller holds. The
// lock goes last, so that none of the files is ever without one.
func removeLocked(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return gone(err)
	}
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	if err := gone(os.Remove(filepath.Join(dir, lockName))); err != nil {
		return err
	}
	err = gone(os.Remove(dir))
	if errors.Is(err, fs.ErrExist) {
		return nil // somebody else cleans as well, and made a lock again
	}
	return err
}

// close gives up this process's directory. What is staged is lost.
func (s *staging) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dir == "" {
		return nil
	}
	err := errors.Join(removeLocked(s.dir), s.lock.Close())
	s.dir, s.lock = "", nil
	return err
}
