package main

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// files are many files of one size in a directory, with the manifest that
// makes them a repository.
type files struct {
	dir   string
	size  int
	paths []string
}

// makeFiles writes n files of different random bytes, a hundred a directory.
func (b *bench) makeFiles(n, size int) (*files, error) {
	dir, err := b.newDir("upstream")
	if err != nil {
		return nil, err
	}
	f := &files{dir: dir, size: size}
	var manifest strings.Builder
	random, body := rand.NewChaCha8([32]byte{}), make([]byte, size)
	for i := range n {
		_, _ = random.Read(body) // it never fails
		path := fmt.Sprintf("%03d/file-%05d.bin", i/100, i)
		if i%100 == 0 {
			if err := os.Mkdir(filepath.Join(dir, filepath.Dir(path)), 0o755); err != nil {
				return nil, err
			}
		}
		if err := os.WriteFile(filepath.Join(dir, path), body, 0o644); err != nil {
			return nil, err
		}
		fmt.Fprintf(&manifest, "%s,%x,%d\n", path, sha256.Sum256(body), size)
		f.paths = append(f.paths, path)
	}
	b.progress("%d files of %s written", n, inBytes(float64(size)))
	return f, os.WriteFile(filepath.Join(dir, "PULP_MANIFEST"), []byte(manifest.String()), 0o644)
}
