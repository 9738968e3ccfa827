package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// large measures syncs of large files, from a directory and from a server that
// takes its part of the same processors.
func large(ctx context.Context, b *bench) error {
	const connections = 8
	count, size := b.few(20, 4), b.few(500, 52)<<20
	b.setting("%d files at once; they lie on the disk that both sides write to", connections)
	b.setting("the limit is the slower of hashing on %d cores and of writing, through the kernel's cache or past it, one file or %d at once, each by itself", runtime.NumCPU(), connections)
	b.setting("a program that only reads, hashes and writes does so with the files of the directory, as many of them at once")
	b.setting("a megabyte of each file is random; the rest are zeros, of which the upstream's disk keeps none and Ream's keeps all")
	dir, files, err := b.makeLargeFiles(count, size)
	if err != nil {
		return err
	}
	web, err := b.startUpstream(ctx, dir)
	if err != nil {
		return err
	}
	whole := float64(count) * float64(size)
	return b.eachDatabase(func(d database) error {
		var limit, copies, memory sample
		upstreams := []struct {
			name, address string
			rate          sample
		}{{name: "a directory", address: "file://" + dir}, {name: "nginx", address: web.address}}
		turns := []func() error{func() error {
			hash := hashRate(ctx)
			disk, err := b.diskRate(count, connections, size)
			if err != nil {
				return err
			}
			limit.add(min(hash, disk))
			if err := readAll(ctx, files); err != nil {
				return err
			}
			copied, err := b.copyRate(files, connections, size)
			if err != nil {
				return err
			}
			copies.add(copied)
			b.progress("%s: hashed %s, wrote %s, copied %s", d, bytesPerSecond(hash), bytesPerSecond(disk), bytesPerSecond(copied))
			return nil
		}}
		for i := range upstreams {
			up := &upstreams[i]
			turns = append(turns, func() error {
				if err := readAll(ctx, files); err != nil {
					return err
				}
				s, err := b.syncAnew(ctx, d, up.address, connections, "--allow-file", dir)
				if err != nil {
					return err
				}
				up.rate.add(whole / s.took.Seconds())
				memory.add(s.memory)
				b.progress("%s: synced from %s at %s", d, up.name, bytesPerSecond(whole/s.took.Seconds()))
				return os.RemoveAll(s.dir) // the disk does not hold those of all turns
			})
		}
		if err := b.turns(ctx, 3, turns...); err != nil {
			return err
		}
		for _, up := range upstreams {
			b.add(row{measure: fmt.Sprintf("sync of %d files of %s from %s, %s", count, inBytes(float64(size)), up.name, d), unit: bytesPerSecond, ream: up.rate, peer: "limit", than: limit, goals: []goal{atLeast(0.9)}})
			b.add(row{measure: fmt.Sprintf("… beside a program that only reads, hashes and writes, %s", d), unit: bytesPerSecond, ream: up.rate, peer: "it", than: copies})
		}
		b.add(row{measure: fmt.Sprintf("… its peak memory, %s", d), unit: inBytes, ream: memory})
		return nil
	})
}

// readAll reads files, so that the kernel has them in its cache, where what many
// fetch is: the disk is for those who write.
func readAll(ctx context.Context, files []string) error {
	return exec.CommandContext(ctx, "sh", append([]string{"-c", `cat "$@" > /dev/null`, "sh"}, files...)...).Run()
}

// makeLargeFiles writes n files with a manifest.
func (b *bench) makeLargeFiles(n, size int) (dir string, files []string, err error) {
	if dir, err = b.newDir("upstream"); err != nil {
		return "", nil, err
	}
	var manifest strings.Builder
	random, head, zeros := mathrand.NewChaCha8([32]byte{}), make([]byte, 1<<20), make([]byte, 1<<20)
	for i := range n {
		_, _ = random.Read(head) // it never fails
		path, digest := fmt.Sprintf("large-%02d.iso", i), sha256.New()
		digest.Write(head)
		for range size>>20 - 1 {
			digest.Write(zeros)
		}
		files = append(files, filepath.Join(dir, path))
		if err := os.WriteFile(files[i], head, 0o644); err != nil {
			return "", nil, err
		}
		if err := os.Truncate(files[i], int64(size)); err != nil {
			return "", nil, err
		}
		fmt.Fprintf(&manifest, "%s,%x,%d\n", path, digest.Sum(nil), size)
	}
	return dir, files, os.WriteFile(filepath.Join(dir, "PULP_MANIFEST"), []byte(manifest.String()), 0o644)
}
