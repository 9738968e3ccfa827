package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sync/errgroup"
)

// hashRate is how many bytes all processors together hash in a second.
func hashRate(ctx context.Context) float64 {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var (
		done sync.WaitGroup
		mu   sync.Mutex
		sum  float64
	)
	began := time.Now()
	for range runtime.NumCPU() {
		done.Go(func() {
			piece, hash, n := make([]byte, 1<<20), sha256.New(), 0
			for ; ctx.Err() == nil; n++ {
				hash.Write(piece)
			}
			mu.Lock()
			defer mu.Unlock()
			sum += float64(n << 20)
		})
	}
	done.Wait()
	return sum / time.Since(began).Seconds()
}

// diskRate is how fast files are written until they are on disk, in the way that is
// fastest now: through the kernel's cache, or past it, alone or so many at once.
func (b *bench) diskRate(count, files, size int) (float64, error) {
	best := 0.0
	for _, way := range []struct{ files, piece, flags int }{
		{1, 4 << 20, 0}, {1, 4 << 20, syscall.O_DIRECT}, {1, 1 << 20, syscall.O_DIRECT}, {files, 1 << 20, syscall.O_DIRECT},
	} {
		rate, err := b.writtenRate(count, way.files, size, func(_ int, path string) error {
			return writeFile(path, size, way.piece, way.flags, func([]byte) error { return nil }, func([]byte) {})
		})
		if err != nil {
			return 0, err
		}
		b.progress("wrote %s, %d at once, in pieces of %s, past the cache: %t", bytesPerSecond(rate), way.files, inBytes(float64(way.piece)), way.flags != 0)
		best = max(best, rate)
	}
	return best, nil
}

// copyRate is how fast files are read, so many of them at once, hashed and written
// past the cache.
func (b *bench) copyRate(from []string, files, size int) (float64, error) {
	return b.writtenRate(len(from), files, size, func(i int, path string) error {
		source, err := os.Open(from[i])
		if err != nil {
			return err
		}
		defer source.Close()
		hash := sha256.New()
		return writeFile(path, size, 1<<20, syscall.O_DIRECT,
			func(piece []byte) error { _, err := io.ReadFull(source, piece); return err },
			func(piece []byte) { hash.Write(piece) })
	})
}

// writtenRate is how many bytes a second write writes into files, so many of them
// at once.
func (b *bench) writtenRate(count, files, size int, write func(i int, path string) error) (float64, error) {
	dir, err := b.newDir("written")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	syscall.Sync()
	began := time.Now()
	var group errgroup.Group
	group.SetLimit(files)
	for i := range count {
		group.Go(func() error { return write(i, filepath.Join(dir, fmt.Sprint(i))) })
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	syscall.Sync()
	return float64(count) * float64(size) / time.Since(began).Seconds(), nil
}

// hugePage is how the memory is aligned that is written, so that it can be in huge
// pages: the disk takes those fastest.
const hugePage = 2 << 20

// writeFile writes a piece of memory of that size again and again. Each time fill
// fills it before, and use has it at the same time.
func writeFile(path string, size, pieceSize, flags int, fill func(piece []byte) error, use func(piece []byte)) error {
	memory, err := syscall.Mmap(-1, 0, pieceSize+hugePage, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return err
	}
	defer syscall.Munmap(memory)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(memory))) % hugePage
	piece := memory[skip:][:pieceSize]
	_ = syscall.Madvise(piece, syscall.MADV_HUGEPAGE) // kernels may have none
	_, _ = rand.Read(piece)                           // it never fails
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flags, 0o600)
	if err != nil {
		return err
	}
	for range size / pieceSize {
		if err = fill(piece); err != nil {
			break
		}
		var used sync.WaitGroup
		used.Go(func() { use(piece) })
		_, err = f.Write(piece)
		if used.Wait(); err != nil {
			break
		}
	}
	return errors.Join(err, f.Close())
}
