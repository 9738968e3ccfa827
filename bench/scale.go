package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// scale measures what is large: files, directories, and repositories.
func scale(ctx context.Context, b *bench) error {
	b.setting("the large files lie on the disk that both sides write to; the limit is the slower of hashing on %d cores and of writing, through the kernel's cache or past it", runtime.NumCPU())
	b.setting("all paths of the large directory and repository have the same bytes, so that their number alone is what counts")
	if err := b.metadata(ctx); err != nil {
		return err
	}
	if err := b.largeFiles(ctx); err != nil {
		return err
	}
	return b.manyPaths(ctx)
}

// largeFiles syncs files that are large.
func (b *bench) largeFiles(ctx context.Context) error {
	count, size := b.few(20, 4), b.few(500, 50)<<20
	b.setting("a megabyte of each large file is random; the rest are zeros, of which the upstream's disk keeps none and Ream's keeps all")
	dir, err := b.makeLargeFiles(count, size)
	if err != nil {
		return err
	}
	web, err := b.startNginx(ctx, dir)
	if err != nil {
		return err
	}
	whole := float64(count) * float64(size)
	return b.eachDatabase(func(d database) error {
		var rate, limit, memory sample
		if err := b.turns(ctx, 2, func() error {
			s, err := b.syncAnew(ctx, d, web.address, 4)
			if err != nil {
				return err
			}
			rate.add(whole / s.took.Seconds())
			memory.add(s.memory)
			b.progress("%s: synced at %s", d, bytesPerSecond(whole/s.took.Seconds()))
			return os.RemoveAll(s.dir) // a few large files: the disk does not hold those of all turns
		}, func() error {
			hash := hashRate(ctx)
			cached, err := b.writeRate(count, size, 0)
			if err != nil {
				return err
			}
			direct, err := b.writeRate(count, size, syscall.O_DIRECT)
			limit.add(min(hash, max(cached, direct)))
			b.progress("%s: hashed %s, wrote %s, past the cache %s", d, bytesPerSecond(hash), bytesPerSecond(cached), bytesPerSecond(direct))
			return err
		}); err != nil {
			return err
		}
		b.add(row{measure: fmt.Sprintf("sync of %d files of %s, %s", count, inBytes(float64(size)), d), unit: bytesPerSecond, ream: rate, peer: "limit", than: limit, goals: []goal{atLeast(0.9)}})
		b.add(row{measure: fmt.Sprintf("… its peak memory, %s", d), unit: inBytes, ream: memory})
		return nil
	})
}

// makeLargeFiles writes n files with a manifest.
func (b *bench) makeLargeFiles(n, size int) (dir string, err error) {
	if dir, err = b.newDir("upstream"); err != nil {
		return "", err
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
		if err := os.WriteFile(filepath.Join(dir, path), head, 0o644); err != nil {
			return "", err
		}
		if err := os.Truncate(filepath.Join(dir, path), int64(size)); err != nil {
			return "", err
		}
		fmt.Fprintf(&manifest, "%s,%x,%d\n", path, digest.Sum(nil), size)
	}
	return dir, os.WriteFile(filepath.Join(dir, "PULP_MANIFEST"), []byte(manifest.String()), 0o644)
}

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
	dir, err := b.newDir("written")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	piece, err := syscall.Mmap(-1, 0, 1<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE) // aligned
	if err != nil {
		return 0, err
	}
	defer syscall.Munmap(piece)
	_, _ = rand.Read(piece) // it never fails
	syscall.Sync()
	began := time.Now()
	for i := range count {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(i)), os.O_WRONLY|os.O_CREATE|flags, 0o600)
		if err != nil {
			return 0, err
		}
		for range size >> 20 {
			if _, err := f.Write(piece); err != nil {
				return 0, err
			}
		}
		if err := f.Close(); err != nil {
			return 0, err
		}
	}
	syscall.Sync()
	return float64(count) * float64(size) / time.Since(began).Seconds(), nil
}

// manyPaths publishes a directory of many files and a repository of far more.
func (b *bench) manyPaths(ctx context.Context) error {
	listed, all := b.few(100_000, 100_000), b.few(1_000_000, 100_000)
	flat, err := b.makePaths(listed, listed)
	if err != nil {
		return err
	}
	deep, err := b.makePaths(all, 1000)
	if err != nil {
		return err
	}
	return b.eachDatabase(func(d database) error {
		r, err := b.startReam(ctx, d, "--keep-replaced", "0s") // so that what was published can be deleted at once
		if err != nil {
			return err
		}
		for _, s := range []*paths{flat, deep} {
			web, err := b.startNginx(ctx, s.dir)
			if err != nil {
				return err
			}
			s.address = web.address
			if err := r.createRepository(ctx, s.name, web.address+"/PULP_MANIFEST", 4); err != nil {
				return err
			}
			took, err := r.mirror(ctx, s.name)
			if err != nil {
				return err
			}
			b.add(row{measure: fmt.Sprintf("mirror of %s paths, %s", whole(s.count), d), unit: inSeconds, ream: sample{took.Seconds()}})
		}
		if err := b.unchanged(ctx, d, r, flat); err != nil {
			return err
		}
		if err := b.figures(ctx, d, r, flat, deep); err != nil {
			return err
		}
		if err := b.listing(ctx, d, r, flat); err != nil {
			return err
		}
		if err := b.misses(ctx, d, r, deep); err != nil {
			return err
		}
		if err := b.deletion(ctx, d, r, flat); err != nil {
			return err
		}
		held, err := r.peak()
		if err != nil {
			return err
		}
		b.add(row{measure: fmt.Sprintf("peak memory of the server in all this, %s", d), unit: inBytes, ream: sample{held}})
		return r.stop()
	})
}

// paths are many paths of the same bytes, with their manifest.
type paths struct {
	name, dir string
	address   string // of the upstream
	count     int
	some      []string
}

// makePaths writes a manifest of so many paths, so many a directory. Only the
// first is there: it is the only one that is fetched.
func (b *bench) makePaths(count, each int) (*paths, error) {
	dir, err := b.newDir("upstream")
	if err != nil {
		return nil, err
	}
	s := &paths{name: fmt.Sprintf("paths-%d-of-%d", each, count), dir: dir, count: count}
	f, err := os.Create(filepath.Join(dir, "PULP_MANIFEST"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body := make([]byte, 1<<10)
	digest := sha256.Sum256(body)
	manifest := bufio.NewWriter(f)
	for i := range count {
		path := fmt.Sprintf("%04d/file-%07d.bin", i/each, i)
		fmt.Fprintf(manifest, "%s,%x,%d\n", path, digest, len(body))
		if i%max(count/1000, 1) == 0 {
			s.some = append(s.some, path)
		}
		if i > 0 {
			continue
		}
		if err := os.Mkdir(filepath.Join(dir, filepath.Dir(path)), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, path), body, 0o644); err != nil {
			return nil, err
		}
	}
	return s, manifest.Flush()
}

// unchanged syncs again what has not changed, and what has changed by one line.
func (b *bench) unchanged(ctx context.Context, d database, r *ream, s *paths) error {
	var same, other sample
	manifest := filepath.Join(s.dir, "PULP_MANIFEST")
	text, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	defer os.WriteFile(manifest, text, 0o644) //nolint:errcheck // should it stay, the next server's sync fails and tells
	for i := range b.few(5, 2) {
		took, err := r.sync(ctx, s.name)
		if err != nil {
			return err
		}
		same.addDuration(took)
		more := fmt.Appendf(text[:len(text):len(text)], "added-%d%s", i, text[len("0000/file-0000000.bin"):len("0000/file-0000000.bin")+1+64+len(",1024\n")])
		if err := os.WriteFile(manifest, more, 0o644); err != nil {
			return err
		}
		if took, err = r.sync(ctx, s.name); err != nil {
			return err
		}
		other.addDuration(took)
	}
	b.add(row{measure: fmt.Sprintf("sync again of %s files, nothing changed, %s", whole(s.count), d), unit: inSeconds, ream: same, peer: "limit", than: sample{1}, goals: []goal{atMost(1)}})
	b.add(row{measure: fmt.Sprintf("… one of them changed, %s", d), unit: inSeconds, ream: other})
	return nil
}

// deletion deletes a version, with its publication, of which all units are in no
// other one.
func (b *bench) deletion(ctx context.Context, d database, r *ream, s *paths) error {
	if b.quick {
		return nil // it needs another repository as large
	}
	const name = "deletion"
	if err := r.createRepository(ctx, name, s.address+"/PULP_MANIFEST", 4); err != nil {
		return err
	}
	if _, err := r.mirror(ctx, name); err != nil {
		return err
	}
	manifest := filepath.Join(s.dir, "PULP_MANIFEST")
	text, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	defer os.WriteFile(manifest, text, 0o644) //nolint:errcheck // should it stay, the next server's sync fails and tells
	if err := os.WriteFile(manifest, nil, 0o644); err != nil {
		return err
	}
	if _, err := r.mirror(ctx, name); err != nil {
		return err
	}
	var found struct {
		Repository struct {
			Versions struct {
				Nodes []struct {
					ID    string
					Units struct{ TotalCount int }
				}
			}
		}
	}
	if err := r.query(ctx, &found, `query($name: String!) { repository(name: $name) { versions(last: 1) { nodes { id units { totalCount } } } } }`, map[string]any{"name": name}); err != nil {
		return err
	}
	if v := found.Repository.Versions.Nodes; len(v) != 1 || v[0].Units.TotalCount != s.count {
		return fmt.Errorf("deletion: got versions %+v", v)
	}
	took, err := r.work(ctx, `mutation($name: ID!) { work: deleteVersion(input: {version: $name}) { id } }`, found.Repository.Versions.Nodes[0].ID)
	if err != nil {
		return err
	}
	b.add(row{measure: fmt.Sprintf("delete a version of %s units of its own, which was published, %s", whole(s.count), d), unit: inSeconds, ream: sample{took.Seconds()}, peer: "limit", than: sample{2}, goals: []goal{atMost(1)}})
	return nil
}

// figures asks what the repositories take of the storage.
func (b *bench) figures(ctx context.Context, d database, r *ream, of ...*paths) error {
	var took sample
	var answer struct {
		Repositories struct {
			Nodes []struct {
				Storage *struct{ ArtifactCount, OwnBytes, SharedBytes int64 }
			}
		}
		Storage *struct{ OrphanedBytes int64 }
	}
	for range b.few(20, 5) {
		began := time.Now()
		if err := r.query(ctx, &answer, `{ storage { orphanedBytes } repositories { nodes { storage { artifactCount ownBytes sharedBytes } } } }`, nil); err != nil {
			return err
		}
		took.addDuration(time.Since(began))
	}
	if len(answer.Repositories.Nodes) != len(of) || answer.Storage == nil {
		return fmt.Errorf("figures: got %+v", answer)
	}
	b.add(row{measure: fmt.Sprintf("figures of all repositories, %s", d), unit: inSeconds, ream: took})
	return nil
}

// listing asks for the first page of a large directory.
func (b *bench) listing(ctx context.Context, d database, r *ream, s *paths) error {
	for kind, accept := range map[string]string{"HTML": "text/html", "JSON": "application/json"} {
		var took sample
		for range b.few(20, 5) {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.address+"/content/"+s.name+"/0000/", nil)
			if err != nil {
				return err
			}
			request.Header.Set("Accept", accept)
			began := time.Now()
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return err
			}
			n, err := io.Copy(io.Discard, response.Body)
			took.addDuration(time.Since(began))
			response.Body.Close()
			if err != nil || response.StatusCode != http.StatusOK || n < 50_000 {
				return fmt.Errorf("listing: %s, %d bytes, %v", response.Status, n, err)
			}
		}
		b.add(row{measure: fmt.Sprintf("first page of a directory of %s, %s, %s", whole(s.count), kind, d), unit: inSeconds, ream: took, peer: "limit", than: sample{0.05}, goals: []goal{atMost(1)}})
	}
	return nil
}

// misses asks for ever new paths that a large repository has not.
func (b *bench) misses(ctx context.Context, d database, r *ream, s *paths) error {
	at := "/content/" + s.name + "/"
	l := load{connections: 64, seconds: 3}
	// The first ones make the server read which paths there are.
	if _, err := b.wrk(ctx, r.process, r.address, l.missing(at, []string{"0000/first-{n}"})); err != nil {
		return err
	}
	var hits, misses results
	if err := b.turns(ctx, b.few(5, 2),
		func() error { return hits.add(b.wrk(ctx, r.process, r.address, l.of(at, s.some))) },
		func() error {
			return misses.add(b.wrk(ctx, r.process, r.address, l.missing(at, []string{"0000/no-{n}"})))
		},
	); err != nil {
		return err
	}
	b.add(row{measure: fmt.Sprintf("404 for never the same path beside %s, 64 connections, %s", whole(s.count), d), unit: perSecond, ream: misses.perSecond(), peer: "its hits", than: hits.perSecond(), goals: []goal{atLeast(1)}})
	return nil
}
