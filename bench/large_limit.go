package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

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

// writeRate is how fast files are written until they are on disk, when they are
// opened with more flags.
func (b *bench) writeRate(count, size, flags int) (float64, error) {
	return b.writtenRate(count, size, 1, func(path string) error { return writeFile(path, size, flags, func([]byte) {}) })
}

// hashAndWriteRate is how fast so many files at once are hashed and written past
// the cache, each of them a piece while the next one is hashed.
func (b *bench) hashAndWriteRate(count, size, files int) (float64, error) {
	return b.writtenRate(count, size, files, func(path string) error {
		hash := sha256.New()
		return writeFile(path, size, syscall.O_DIRECT, func(piece []byte) { hash.Write(piece) })
	})
}

// writtenRate is how many bytes a second write writes into files, so many of them
// at once.
func (b *bench) writtenRate(count, size, files int, write func(path string) error) (float64, error) {
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
		group.Go(func() error { return write(filepath.Join(dir, fmt.Sprint(i))) })
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	syscall.Sync()
	return float64(count) * float64(size) / time.Since(began).Seconds(), nil
}

// writeFile writes a piece of memory again and again, while use has it as well.
func writeFile(path string, size, flags int, use func(piece []byte)) error {
	piece, err := syscall.Mmap(-1, 0, 1<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE) // aligned
	if err != nil {
		return err
	}
	defer syscall.Munmap(piece)
	_, _ = rand.Read(piece) // it never fails
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flags, 0o600)
	if err != nil {
		return err
	}
	for range size >> 20 {
		var used sync.WaitGroup
		used.Go(func() { use(piece) })
		_, err := f.Write(piece)
		used.Wait()
		if err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}
