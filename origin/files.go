package origin

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"ream/content"
	"ream/fault"
	"ream/lane"
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
	seed   maphash.Seed // of what stands for several publications
}

type fileKey struct {
	publication content.PublicationID
	several     uint64 // stands for the publications that are looked into in one; 0 for publication alone
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

	head *lane.Head // of an answer with all of it, but for what depends on the request

	// Each a slice of one, which is what a http.Header holds.
	contentType, etag, digest, lastModified []string
}

// The memory that a file, a directory and a miss take besides their paths.
const (
	fileCost = 816
	dirCost  = 336
	missCost = 112
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
		seed:   maphash.MakeSeed(),
	}
}

// find returns what lies at path, and fault.NotFound if nothing does.
func (c *files) find(ctx context.Context, id content.PublicationID, path string) (*file, error) {
	key := fileKey{publication: id, path: path}
	if f, ok := c.known.find(key); ok {
		return f, nil
	}
	if c.names.lack(id, path) {
		return nil, errNotFound
	}
	return c.search(key, func() (*content.PublishedFile, error) {
		found, err := c.lookup.PublishedFile(ctx, id, path)
		if fault.Is(err, fault.NotFound) {
			c.names.miss(ctx, id)
		}
		return found, err
	})
}

// namesOfFirst is of how many of several publications the names are read at most,
// which takes memory for each.
const namesOfFirst = 4

// first returns the file at path of the first of several publications that has
// one there, and fault.NotFound if none has. However many there are, they are one
// lookup, and take the memory of one miss.
func (c *files) first(ctx context.Context, ids []content.PublicationID, path string) (*file, error) {
	var hash maphash.Hash
	hash.SetSeed(c.seed)
	for _, id := range ids {
		maphash.WriteComparable(&hash, id)
	}
	key := fileKey{several: hash.Sum64(), path: path}
	if f, ok := c.known.find(key); ok {
		return f, nil
	}
	may := slices.DeleteFunc(slices.Clone(ids), func(id content.PublicationID) bool { return c.names.lack(id, path) })
	if len(may) == 0 {
		return nil, errNotFound
	}
	return c.search(key, func() (*content.PublishedFile, error) {
		found, err := c.lookup.FirstFile(ctx, may, path)
		if fault.Is(err, fault.NotFound) {
			for _, id := range ids[:min(len(ids), namesOfFirst)] {
				c.names.miss(ctx, id)
			}
		}
		return found, err
	})
}

// search looks up what is not known of a path, and remembers it.
func (c *files) search(key fileKey, lookUp func() (*content.PublishedFile, error)) (*file, error) {
	if _, ok := c.missed.find(key); ok {
		return nil, errNotFound
	}
	if err := checkPath(key.path); err != nil {
		return nil, err
	}
	published, err := lookUp()
	key.path = strings.Clone(key.path) // without the URL that it is a part of
	switch {
	case fault.Is(err, fault.NotFound):
		c.missed.keep(key, struct{}{})
		return nil, errNotFound
	case err != nil:
		return nil, fmt.Errorf("find published %s: %w", key.path, err)
	}
	f := &file{isDir: true}
	if !published.IsDir {
		if f, err = newFile(published); err != nil {
			return nil, err
		}
	}
	c.known.keep(key, f)
	return f, nil
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
	contentType := media.TypeOf(p.Path)
	header := http.Header{
		"Accept-Ranges":          acceptRanges,
		"Content-Length":         {strconv.FormatInt(p.Size, 10)},
		"Content-Type":           {contentType},
		"Etag":                   {`"` + string(p.SHA256) + `"`},
		"Repr-Digest":            {"sha-256=:" + base64.StdEncoding.EncodeToString(raw) + ":"},
		"X-Content-Type-Options": noSniff,
	}
	saved := isSaved(contentType)
	if !saved {
		header["Content-Security-Policy"], header["Referrer-Policy"] = sandbox, noReferrer
	}
	if !p.ModifiedAt.IsZero() {
		header["Last-Modified"] = []string{p.ModifiedAt.UTC().Format(http.TimeFormat)}
	}
	head := lane.NewHead(header)
	// All values are parts of the head, in one array: each by itself would be many
	// small pieces of memory.
	values := [4]string{contentType, head.Get("Etag"), head.Get("Repr-Digest"), head.Get("Last-Modified")}
	f := &file{
		sha256:      values[1][1 : len(values[1])-1],
		size:        p.Size,
		modified:    p.ModifiedAt,
		saved:       saved,
		head:        head,
		contentType: values[0:1:1],
		etag:        values[1:2:2],
		digest:      values[2:3:3],
	}
	if values[3] != "" {
		f.lastModified = values[3:4:4]
	}
	f.stored.Store(p.Stored)
	return f, nil
}
