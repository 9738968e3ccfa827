package origin

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"ream/content"
	"ream/fault"
	"ream/media"
)

// files remembers what lies at the paths of publications. Publications never
// change, so what was found stays true. Misses are kept apart, so that a
// client that asks for many paths in vain does not push out the files.
type files struct {
	lookup Lookup
	known  *kept[fileKey, *file]
	missed *kept[fileKey, struct{}]
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
	saved    bool        // browsers save what is of its type, and never show it
	stored   atomic.Bool // whether the bytes are here; until they are missed

	// Each a slice of one, which is what a http.Header holds.
	contentType, length, etag, digest, lastModified []string
}

// The memory that a file, a directory and a miss take besides their paths.
const (
	fileCost = 640
	dirCost  = 320
	missCost = 96
)

// newFiles keeps up to so many bytes of memory of what lies at paths, an eighth
// as many of paths where nothing does, and names.
func newFiles(lookup Lookup, most, names int) *files {
	return &files{
		lookup: lookup,
		known: newKept(most, func(key fileKey, f *file) int {
			if f.isDir {
				return dirCost + len(key.path)
			}
			return fileCost + len(key.path)
		}),
		missed: newKept(most/8, func(key fileKey, _ struct{}) int { return missCost + len(key.path) }),
		names:  newNames(lookup, names),
	}
}

// find returns what lies at path, and fault.NotFound if nothing does.
func (c *files) find(ctx context.Context, id content.PublicationID, path string) (*file, error) {
	key := fileKey{id, path}
	if f, ok := c.known.find(key); ok {
		return f, nil
	}
	if c.names.lack(id, path) {
		return nil, errNotFound
	}
	if _, ok := c.missed.find(key); ok {
		return nil, errNotFound
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	f, err := c.load(ctx, key)
	key.path = strings.Clone(path) // without the URL that it is a part of
	switch {
	case err == nil:
		c.known.keep(key, f)
	case fault.Is(err, fault.NotFound):
		c.missed.keep(key, struct{}{})
		c.names.miss(ctx, id)
	}
	return f, err
}

func (c *files) load(ctx context.Context, key fileKey) (*file, error) {
	published, err := c.lookup.PublishedFile(ctx, key.publication, key.path)
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, errNotFound
	case err != nil:
		return nil, fmt.Errorf("find %s of %s: %w", key.path, key.publication, err)
	case published.IsDir:
		return &file{isDir: true}, nil
	}
	return newFile(published)
}

var errNotFound error = fault.New(fault.NotFound, "not found")

// isSaved reports whether browsers save what is of a type, and never show it or
// run anything in it.
func isSaved(contentType string) bool {
	name, _ := strings.CutPrefix(contentType, "application/")
	switch name {
	case "octet-stream", "vnd.debian.binary-package", "x-rpm", "gzip", "x-xz", "x-bzip2", "zstd", "x-lz4", "x-tar", "zip", "x-iso9660-image":
		return true
	}
	return false
}

// newFile makes the headers of a file.
func newFile(p *content.PublishedFile) (*file, error) {
	raw, err := hex.DecodeString(string(p.SHA256))
	if err != nil {
		return nil, fmt.Errorf("digest of %s: %w", p.Path, err)
	}
	// One text and one array for all values: each by itself would be many small
	// pieces of memory.
	digest, length := base64.StdEncoding.EncodeToString(raw), strconv.FormatInt(p.Size, 10)
	text := `"` + string(p.SHA256) + `"` + "sha-256=:" + digest + ":" + length
	etag, rest := text[:len(p.SHA256)+2], text[len(p.SHA256)+2:]
	values := [5]string{media.TypeOf(p.Path), rest[len(rest)-len(length):], etag, rest[:len(rest)-len(length)]}
	f := &file{
		sha256:      etag[1 : len(etag)-1],
		size:        p.Size,
		saved:       isSaved(values[0]),
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
