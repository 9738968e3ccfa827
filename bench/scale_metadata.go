package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
)

// metadata syncs and publishes a repository of many different files of which
// only the metadata is taken, as bytes come on demand.
func (b *bench) metadata(ctx context.Context) error {
	const name = "metadata"
	count := b.few(1_000_000, 20_000)
	b.setting("the files whose metadata alone is synced have each a path and a digest of its own")
	dir, err := b.makeMetadata(count)
	if err != nil {
		return err
	}
	web, err := b.startUpstream(ctx, dir)
	if err != nil {
		return err
	}
	return b.eachDatabase(func(d database) error {
		r, err := b.startReam(ctx, d)
		if err != nil {
			return err
		}
		if err := r.createRepository(ctx, name, web.address+"/PULP_MANIFEST", 4); err != nil {
			return err
		}
		var policy any
		if err := r.query(ctx, &policy, `mutation { updateRemote(input: {id: "remote-1", policy: ON_DEMAND}) { id } }`, nil); err != nil {
			return err
		}
		for _, step := range []struct {
			what string
			run  func() (float64, error)
		}{
			{fmt.Sprintf("sync of the metadata of %s files, %s", whole(count), d), func() (float64, error) {
				took, err := r.sync(ctx, name)
				return took.Seconds(), err
			}},
			{fmt.Sprintf("publish them, %s", d), func() (float64, error) {
				took, err := r.mirror(ctx, name) // nothing is new upstream
				return took.Seconds(), err
			}},
		} {
			took, err := step.run()
			if err != nil {
				return err
			}
			held, err := r.peak()
			if err != nil {
				return err
			}
			b.add(row{measure: step.what, unit: inSeconds, ream: sample{took}})
			b.add(row{measure: fmt.Sprintf("… peak memory of the server until then, %s", d), unit: inBytes, ream: sample{held}, peer: "limit", than: sample{200e6}, goals: []goal{atMost(1)}})
		}
		return r.stop()
	})
}

// makeMetadata writes a manifest of so many files, none of which is there, a
// thousand a directory.
func (b *bench) makeMetadata(count int) (dir string, err error) {
	if dir, err = b.newDir("upstream"); err != nil {
		return "", err
	}
	f, err := os.Create(filepath.Join(dir, "PULP_MANIFEST"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	manifest := bufio.NewWriter(f)
	for i := range count {
		path := fmt.Sprintf("%04d/file-%07d.bin", i/1000, i)
		fmt.Fprintf(manifest, "%s,%x,%d\n", path, sha256.Sum256([]byte(path)), 1<<10)
	}
	return dir, manifest.Flush()
}
