package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"ream/fault"
)

// durable makes blobs survive a power cut: by flushing the whole file system
// once, however many there are, or file by file where that cannot be trusted.
//
// A kernel that fails to write to disk in the background tells so once to each
// file that was open at that time, and to none that is opened after somebody
// was told. So one directory is held open for all flushes, and what any of
// them brings to light counts against every blob that was begun before. File by
// file, each is flushed before it is closed, for the same reason.
//
// Another file system may take the place of the one that blobs are in, while
// that is away. Flushes go on with the one that is there, and all that was begun
// before counts as lost.
type durable struct {
	path  string
	whole atomic.Bool // whether the file system is flushed, and not each file by itself

	// flushAll writes out the file system, and fails if anything written to it
	// since the last call was lost.
	flushAll func() error
	dir      atomic.Pointer[directory] // what flushAll works on; nil if it was never to flush

	lost    atomic.Uint64 // how many flushes failed, or lost their file system
	running chan struct{} // holds something while a flush runs

	mu   sync.Mutex
	next *flush // that whoever comes now may wait for; nil if none is to come
}

// directory is one that is held open.
type directory struct {
	*os.File
	info os.FileInfo
}

func openDirectory(path string) (*directory, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &directory{f, info}, nil
}

// flush is one flush that several may wait for.
type flush struct {
	done chan struct{}
	lost uint64 // how many had failed after it
	err  error
}

// newDurable is for the file system of dir. It works file by file if whole is
// false, or if the system is not known to flush file systems reliably.
func newDurable(dir string, whole bool) (*durable, error) {
	if !whole || !canFlushAll(dir) {
		return &durable{path: dir}, nil
	}
	open, err := openDirectory(dir)
	if err != nil {
		return nil, err
	}
	d := flushing(nil)
	d.path, d.flushAll = dir, func() error { return flushAll(d.dir.Load().File) }
	d.dir.Store(open)
	return d, nil
}

func flushing(flushAll func() error) *durable {
	d := &durable{flushAll: flushAll, running: make(chan struct{}, 1)}
	d.whole.Store(true)
	return d
}

func (d *durable) close() error {
	if dir := d.dir.Load(); dir != nil {
		return dir.Close()
	}
	return nil
}

// there fails if there is no storage where blobs are to be. Else it goes on with
// the file system that is there.
func (d *durable) there() error {
	if _, err := os.Stat(filepath.Join(d.path, "sha256")); errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.follow()
}

// follow goes on with the file system that is there now, if that is another one.
// It fails, and loses nothing, if the storage is away.
func (d *durable) follow() error {
	if same, err := d.holds(); err != nil || same {
		return err
	}
	d.running <- struct{}{}
	defer func() { <-d.running }()
	return d.reopen()
}

// holds reports whether the directory that is held open is the one that is there.
func (d *durable) holds() (bool, error) {
	dir := d.dir.Load()
	if dir == nil {
		return true, nil
	}
	now, err := os.Stat(d.path)
	return err == nil && os.SameFile(now, dir.info), err
}

// reopen is follow, while no flush runs.
func (d *durable) reopen() error {
	if same, err := d.holds(); err != nil || same {
		return err
	}
	if _, err := os.Stat(filepath.Join(d.path, "sha256")); err != nil {
		return err // where the file system is to be mounted again
	}
	open, err := openDirectory(d.path)
	if err != nil {
		return err
	}
	d.whole.Store(canFlushAll(d.path)) // before anybody can have the new mark
	d.lost.Add(1)
	return d.dir.Swap(open).Close()
}

// mark is what a writer notes before it writes its first byte.
func (d *durable) mark() uint64 { return d.lost.Load() }

// bytes waits until the bytes of staged blobs are on disk.
func (d *durable) bytes(ctx context.Context, staged []Staged) error {
	lost := d.lost.Load()
	if d.whole.Load() { // else each was flushed when it was finished
		var err error
		if lost, err = d.settle(ctx); err != nil {
			return err
		}
	}
	for _, b := range staged {
		if b.mark != lost {
			return fault.New(fault.Unavailable, "the storage's disk lost what was written to it: see the system's log, and try again")
		}
	}
	return nil
}

// names waits until the names that staged blobs got in dirs are on disk.
func (d *durable) names(ctx context.Context, staged []Staged, dirs map[string]bool) error {
	if err := d.bytes(ctx, staged); err != nil || d.whole.Load() {
		return err
	}
	for dir := range dirs {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// parents waits until the names of directories that lead to blobs are on disk.
func (d *durable) parents(dirs ...string) error {
	if d.whole.Load() {
		return nil // done with the first blob
	}
	for _, dir := range dirs {
		// What may not be read was not made by this process.
		if err := syncDir(dir); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// settle flushes the file system, sharing the flush with those who wait for
// one that has not begun. It returns how many flushes have failed.
func (d *durable) settle(ctx context.Context) (lost uint64, err error) {
	d.mu.Lock()
	f := d.next
	first := f == nil
	if first {
		f = &flush{done: make(chan struct{})}
		d.next = f
	}
	d.mu.Unlock()
	if first {
		d.run(f)
	}
	select {
	case <-f.done:
		return f.lost, f.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (d *durable) run(f *flush) {
	d.running <- struct{}{}
	defer func() { <-d.running }()
	d.mu.Lock()
	d.next = nil // what is written from here on needs another flush
	d.mu.Unlock()
	f.err = d.flush()
	f.lost = d.lost.Load()
	close(f.done)
}

// flush flushes the file system that is there, while no other flush runs.
func (d *durable) flush() error {
	if err := d.reopen(); err != nil || !d.whole.Load() {
		return err
	}
	err := d.flushAll()
	if err == nil {
		return nil
	}
	d.lost.Add(1)
	if isFull(err) {
		return curable(err)
	}
	return fault.Wrap(err, fault.Unavailable, "the storage's disk failed to write: see the system's log, and try again")
}

// syncDir waits until the names in a directory are on disk.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", filepath.Base(dir), err)
	}
	return nil
}
