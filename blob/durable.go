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
type durable struct {
	// flushAll writes out the file system, and fails if anything written to it
	// since the last call was lost. Nil if each file is flushed by itself.
	flushAll func() error
	dir      *os.File // what flushAll works on

	lost    atomic.Uint64 // how many flushes failed
	running chan struct{} // holds something while a flush runs

	mu   sync.Mutex
	next *flush // that whoever comes now may wait for; nil if none is to come
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
		return &durable{}, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	d := flushing(func() error { return flushAll(f) })
	d.dir = f
	return d, nil
}

func flushing(flushAll func() error) *durable {
	return &durable{flushAll: flushAll, running: make(chan struct{}, 1)}
}

func (d *durable) close() error {
	if d.dir == nil {
		return nil
	}
	return d.dir.Close()
}

// mark is what a writer notes before it writes its first byte.
func (d *durable) mark() uint64 { return d.lost.Load() }

// bytes waits until the bytes of staged blobs are on disk.
func (d *durable) bytes(ctx context.Context, staged []Staged) error {
	if d.flushAll == nil {
		return nil // each was flushed when it was finished
	}
	lost, err := d.settle(ctx)
	if err != nil {
		return err
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
	if d.flushAll != nil {
		return d.bytes(ctx, staged)
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
	if d.flushAll != nil {
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
	if err := d.flushAll(); err != nil {
		d.lost.Add(1)
		f.err = full(err)
		if f.err == err {
			f.err = fault.Wrap(err, fault.Unavailable, "the storage's disk failed to write: see the system's log, and try again")
		}
	}
	f.lost = d.lost.Load()
	close(f.done)
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
