// Package media tells media types: of a file by its name, and of an answer by
// what a client accepts.
package media

import (
	"mime"
	"strconv"
	"strings"
)

// Accept is what a client accepts.
type Accept []entry

// entry is one of an Accept header.
type entry struct {
	media string
	q     float64
}

// Preference is how much a client wants a media type.
type Preference struct {
	Q           float64 // 0: not at all
	Specificity int     // 2: asked for by name, 1: by type, 0: as good as any
}

// ParseAccept reads the values of Accept headers. Entries that are malformed
// are left out; no header accepts everything.
func ParseAccept(values []string) Accept {
	if len(values) == 0 {
		return Accept{{"*/*", 1}}
	}
	var a Accept
	for text := range strings.SplitSeq(strings.Join(values, ","), ",") {
		media, parameters, err := mime.ParseMediaType(text)
		if err != nil {
			continue
		}
		q := 1.0
		if s, ok := parameters["q"]; ok {
			if q, err = strconv.ParseFloat(s, 64); err != nil || q < 0 || q > 1 {
				continue
			}
		}
		a = append(a, entry{media, q})
	}
	return a
}

// Quality tells how much a media type is wanted: the most specific entry that
// fits decides.
func (a Accept) Quality(media string) Preference {
	kind, _, _ := strings.Cut(media, "/")
	best := Preference{Specificity: -1}
	for _, e := range a {
		specificity := -1
		switch e.media {
		case media:
			specificity = 2
		case kind + "/*":
			specificity = 1
		case "*/*":
			specificity = 0
		}
		if specificity > best.Specificity {
			best = Preference{e.q, specificity}
		}
	}
	return best
}

// Best returns the media type among the offered ones that is wanted most, the
// first of several that are wanted alike, and whether any of them is accepted.
func (a Accept) Best(offered ...string) (best string, ok bool) {
	most := 0.0
	for _, media := range offered {
		if q := a.Quality(media).Q; q > most {
			best, most, ok = media, q, true
		}
	}
	return best, ok
}
