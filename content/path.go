package content

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxPath is the longest path of a unit or distribution, in bytes.
const MaxPath = 1024

// MaxSegments is how many segments the path of a unit or distribution may have:
// each of its directories is remembered, and looked up, for itself.
const MaxSegments = 64

// CheckNewPath accepts what CheckPath does, with MaxSegments segments at most. It
// is for paths that are to be stored; where a distribution serves a unit is
// deeper than either.
func CheckNewPath(path string) error {
	if err := CheckPath(path); err != nil {
		return err
	}
	if n := strings.Count(path, "/") + 1; n > MaxSegments {
		return fmt.Errorf("the path %.80q has %d segments: at most %d are allowed", path, n, MaxSegments)
	}
	return nil
}

// CheckPath accepts a clean relative path: no empty, "." or ".." segment, no
// leading or trailing slash, no control character or backslash, valid UTF-8,
// and at most MaxPath bytes with segments of at most 255.
func CheckPath(path string) error {
	switch {
	case path == "":
		return fmt.Errorf("the path is empty")
	case len(path) > MaxPath:
		return fmt.Errorf("the path has %d bytes: at most %d are allowed", len(path), MaxPath)
	case !utf8.ValidString(path):
		return fmt.Errorf("the path %.80q is not UTF-8", path)
	case path[0] == '/':
		return fmt.Errorf("the path %.80q is absolute: it must be relative", path)
	}
	for _, r := range path {
		if r < 0x20 || r == 0x7f || r == '\\' {
			return fmt.Errorf("the path %.80q contains %q", path, r)
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		switch {
		case segment == "":
			return fmt.Errorf("the path %.80q has an empty segment", path)
		case segment == "." || segment == "..":
			return fmt.Errorf("the path %.80q has a segment %q", path, segment)
		case len(segment) > 255:
			return fmt.Errorf("the path %.80q has a segment of more than 255 bytes", path)
		}
	}
	return nil
}
