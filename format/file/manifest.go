// Package file reads and writes the metadata of file repositories: a
// PULP_MANIFEST, a text of lines "path,sha256,size".
package file

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"ream/content"
	"ream/fault"
)

// ManifestName is the name of a repository's manifest.
const ManifestName = "PULP_MANIFEST"

const (
	maxLine        = content.MaxPath + 128 // bytes of a line
	maxDirectories = 2_000_000             // that files lie in: each takes memory, and a line may name 63 of them
)

// Entry is one line of a manifest.
type Entry struct {
	Line   int // its number, from 1
	Path   string
	SHA256 content.Digest
	Size   int64 // bytes
}

// Parse reads a manifest as it arrives and calls each with every line. It
// stops at the first line that is wrong, with a BadInput that names it, or at
// the first error of each. No file has more than content.MaxSize bytes, and all
// together have no more than content.MaxTotal. Memory grows by some 50 bytes for
// each line, and for each directory, to find paths that are named twice.
func Parse(r io.Reader, each func(Entry) error) error {
	// The manifest's own path is taken: nothing may lie at or below it.
	p := parser{hash: sha256.New(), files: map[pathKey]struct{}{}, dirs: map[pathKey]struct{}{}}
	if err := p.place(ManifestName); err != nil {
		return err
	}
	return parse(r, func(line string) (Entry, error) {
		e, err := entry(line)
		if err == nil {
			err = p.place(e.Path)
		}
		if err == nil {
			err = p.weigh(e.Size)
		}
		return e, err
	}, each)
}

// ParseAgain reads a manifest that Parse has found right before, as Parse does,
// in memory that does not grow.
func ParseAgain(r io.Reader, each func(Entry) error) error { return parse(r, entry, each) }

func parse(r io.Reader, entry func(line string) (Entry, error), each func(Entry) error) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 4096), maxLine)
	n := 0
	// Once reading failed, what is left may be half a line.
	for scanner.Scan() && scanner.Err() == nil {
		n++
		e, err := entry(scanner.Text()) // without "\n" or "\r\n"
		if err != nil {
			return fault.New(fault.BadInput, "%s line %d: %v", ManifestName, n, err)
		}
		e.Line = n
		if err := each(e); err != nil {
			return err
		}
	}
	switch err := scanner.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fault.New(fault.BadInput, "%s line %d: it is longer than %d bytes", ManifestName, n+1, maxLine)
	case err != nil:
		return fmt.Errorf("read %s: %w", ManifestName, err)
	}
	return nil
}

// pathKey stands for a path in the parser's sets: cut short, because two paths
// that share 128 bits of a SHA-256 do not occur.
type pathKey [16]byte

// parser knows the lines before.
type parser struct {
	files, dirs map[pathKey]struct{} // their paths
	last        string               // the one of the line before
	total       int64                // their bytes

	hash hash.Hash // of the path that is being placed, as far as it was read
	sum  [sha256.Size]byte
}

func (p *parser) key() pathKey { return pathKey(p.hash.Sum(p.sum[:0])[:len(pathKey{})]) }

func entry(line string) (Entry, error) {
	if line == "" {
		return Entry{}, errors.New("it is empty: want path,sha256,size")
	}
	rest, size, ok := cutLast(line)
	path, digest, ok2 := cutLast(rest)
	if !ok || !ok2 {
		return Entry{}, errors.New("want path,sha256,size")
	}
	if err := content.CheckNewPath(path); err != nil {
		return Entry{}, err
	}
	if path == ManifestName {
		return Entry{}, fmt.Errorf("the path %s is the manifest's own", ManifestName)
	}
	sha, err := content.ParseDigest(digest)
	if err != nil {
		return Entry{}, err
	}
	bytes, err := strconv.ParseUint(size, 10, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return Entry{}, fmt.Errorf("the size %.40q is no number of bytes", size)
	case bytes > content.MaxSize: // also what is out of range
		return Entry{}, fmt.Errorf("the size %.40s is too large: a file has at most %d bytes, which are 1 PiB", size, int64(content.MaxSize))
	}
	return Entry{Path: path, SHA256: sha, Size: int64(bytes)}, nil
}

// cutLast cuts at the last comma, because a path may hold commas.
func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ',')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// place takes a path that no line before has taken, be it as a file or as a
// directory.
func (p *parser) place(path string) error {
	known := shared(p.last, path)
	p.last = path
	p.hash.Reset()
	text, from := []byte(path), 0
	for i, c := range text {
		if c != '/' {
			continue
		}
		p.hash.Write(text[from:i])
		from = i
		if i < known {
			continue // it is a directory of the line before
		}
		dir := p.key()
		if _, ok := p.files[dir]; ok {
			return fmt.Errorf("the path %.80q lies below %.80q, which is a file", path, path[:i])
		}
		if p.dirs[dir] = struct{}{}; len(p.dirs) > maxDirectories {
			return fmt.Errorf("with the path %.80q, the files are in more than %d directories: a manifest names no more", path, maxDirectories)
		}
	}
	p.hash.Write(text[from:])
	key := p.key()
	if _, ok := p.files[key]; ok {
		return fmt.Errorf("the path %.80q is named twice", path)
	}
	if _, ok := p.dirs[key]; ok {
		return fmt.Errorf("the path %.80q is a directory of another line", path)
	}
	p.files[key] = struct{}{}
	return nil
}

// shared is how many bytes two paths begin with alike.
func shared(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// weigh adds the size of a line to those before.
func (p *parser) weigh(size int64) error {
	if p.total += size; p.total > content.MaxTotal {
		return fmt.Errorf("with its size, the files have more than %d bytes, which are 8 PiB: a manifest names no more", int64(content.MaxTotal))
	}
	return nil
}

// WriteEntry writes one line of a manifest.
func WriteEntry(w io.Writer, e Entry) error {
	_, err := fmt.Fprintf(w, "%s,%s,%d\n", e.Path, e.SHA256, e.Size)
	return err
}
