package resolvers

import (
	"mime"
	"strconv"
	"strings"
)

// The media types of answers.
const (
	mediaJSON     = "application/json"
	mediaResponse = "application/graphql-response+json"
	mediaEvents   = "text/event-stream"
)

// accept is what a client accepts.
type accept []mediaRange

// mediaRange is one entry of an Accept header.
type mediaRange struct {
	media string
	q     float64
}

// preference is how much a client wants a media type.
type preference struct {
	q         float64 // 0: not at all
	specifity int     // 2: asked for by name, 1: by type, 0: as good as any
}

// parseAccept reads the values of Accept headers. Entries that are malformed
// are left out; no header accepts everything.
func parseAccept(values []string) accept {
	if len(values) == 0 {
		return accept{{"*/*", 1}}
	}
	var a accept
	for entry := range strings.SplitSeq(strings.Join(values, ","), ",") {
		media, parameters, err := mime.ParseMediaType(entry)
		if err != nil {
			continue
		}
		q := 1.0
		if s, ok := parameters["q"]; ok {
			if q, err = strconv.ParseFloat(s, 64); err != nil || q < 0 || q > 1 {
				continue
			}
		}
		a = append(a, mediaRange{media, q})
	}
	return a
}

// quality tells how much a media type is wanted: the most specific entry that
// fits decides.
func (a accept) quality(media string) preference {
	kind, _, _ := strings.Cut(media, "/")
	best := preference{specifity: -1}
	for _, r := range a {
		specifity := -1
		switch r.media {
		case media:
			specifity = 2
		case kind + "/*":
			specifity = 1
		case "*/*":
			specifity = 0
		}
		if specifity > best.specifity {
			best = preference{r.q, specifity}
		}
	}
	return best
}

// best chooses the media type of a single answer, and reports whether it is
// acceptable. Who wants both alike gets the older one, unless both were named:
// programs written before the newer one existed do not know it.
func (a accept) best() (string, bool) {
	older, newer := a.quality(mediaJSON), a.quality(mediaResponse)
	switch {
	case older.q <= 0 && newer.q <= 0:
		return mediaJSON, false
	case newer.q > older.q,
		newer.q == older.q && newer.specifity == 2 && newer.specifity >= older.specifity:
		return mediaResponse, true
	}
	return mediaJSON, true
}

// namesEvents reports whether the client can read server-sent events. Who
// accepts anything cannot.
func (a accept) namesEvents() bool {
	events := a.quality(mediaEvents)
	return events.specifity == 2 && events.q > 0
}

// prefersEvents reports whether the client asks for server-sent events rather
// than for a single answer.
func (a accept) prefersEvents() bool {
	events := a.quality(mediaEvents)
	if !a.namesEvents() {
		return false
	}
	for _, media := range []string{mediaJSON, mediaResponse} {
		if other := a.quality(media); other.specifity == 2 && other.q >= events.q {
			return false
		}
	}
	return true
}
