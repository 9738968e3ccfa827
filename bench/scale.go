package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// scale measures large directories and repositories.
func scale(ctx context.Context, b *bench) error {
	b.setting("all paths of the large directory and repository have the same bytes, so that their number alone is what counts")
	if err := b.metadata(ctx); err != nil {
		return err
	}
	return b.manyPaths(ctx)
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
			web, err := b.startUpstream(ctx, s.dir)
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
