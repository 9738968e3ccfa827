package origin

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"ream/content"
	"ream/fault"
	"ream/media"
)

// files remembers what lies at the paths of publications. Publications never
// change, so what was found stays true. Misses are kept apart, so that a
// client that asks for many paths in vain does not push out the files.
type files struct {
	lookup Lookup
	known  *lru.Cache[fileKey, *file]
	missed *lru.Cache[fileKey, struct{}]
	names  *names
}

type fileKey struct {
	publication content.PublicationID
	path        string
}

// file is a published file with the headers that describe it, made once.
type file struct {
	isDir    bool // there is only a directory of that name
	sha256   string
	size     int64
	modified time.Time
	stored   atomic.Bool // whether the bytes are here; once they are, they stay

	// Each a slice of one, which is what a http.Header holds.
	contentType, length, etag, digest, lastModified []string
}

func newFiles(lookup Lookup, size, names int) *files {
	known, err := lru.New[fileKey, *file](size)
	if err != nil {
		panic(fmt.Sprintf("origin: cache of %d files: %v", size, err))
	}
	missed, err := lru.New[fileKey, struct{}](max(size/8, 1))
	if err != nil {
		panic(fmt.Sprintf("origin: cache of %d misses: %v", size/8, err))
	}
	return &files{lookup: lookup, known: known, missed: missed, names: newNames(lookup, names)}
}

// find returns what lies at path, and fault.NotFound if nothing does.
func (c *files) find(ctx context.Context, id content.PublicationID, path string) (*file, error) {
	key := fileKey{id, path}
	if f, ok := c.known.Get(key); ok {
		return f, nil
	}
	if c.names.lack(id, path) || c.missed.Contains(key) {
		return nil, notFound()
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	f, err := c.load(ctx, key)
	switch {
	case err == nil:
		c.known.Add(key, f)
	case fault.Is(err, fault.NotFound):
		c.missed.Add(key, struct{}{})
		c.names.miss(ctx, id)
	}
	return f, err
}

func (c *files) load(ctx context.Context, key fileKey) (*file, error) {
	published, err := c.lookup.PublishedFile(ctx, key.publication, key.path)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, notFound()
	case err != nil:
		return nil, fmt.Errorf("find %s of %s: %w", key.path, key.publication, err)
	case published.IsDir:
		return &file{isDir: true}, nil
	}
	return newFile(published)
}

func notFound() error { return fault.New(fault.NotFound, "not found") }

// newFile makes the headers of a file.
func newFile(p *content.PublishedFile) (*file, error) {
	raw, err := hex.DecodeString(string(p.SHA256))
	if err != nil {
		return nil, fmt.Errorf("digest of %s: %w", p.Path, err)
	}
	// One array for all values: five small slices would be five allocations.
	values := [5]string{
		media.TypeOf(p.Path),
		strconv.FormatInt(p.Size, 10),
		`"` + string(p.SHA256) + `"`,
		"sha-256=:" + base64.StdEncoding.EncodeToString(raw) + ":",
	}
	f := &file{
		sha256:      string(p.SHA256),
		size:        p.Size,
		contentType: values[0:1:1],
		length:      values[1:2:2],
		etag:        values[2:3:3],
		digest:      values[3:4:4],
	}
	f.stored.Store(p.Stored)
	if !p.ModifiedAt.IsZero() {
		f.modified = p.ModifiedAt
		values[4] = p.ModifiedAt.UTC().Format(http.TimeFormat)
		f.lastModified = values[4:5:5]
	}
	return f, nil
}
