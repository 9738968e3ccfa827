package resolvers

import "ream/media"

// The media types of answers.
const (
	mediaJSON     = "application/json"
	mediaResponse = "application/graphql-response+json"
	mediaEvents   = "text/event-stream"
)

// accept is what a client accepts.
type accept struct{ media.Accept }

func parseAccept(values []string) accept { return accept{media.ParseAccept(values)} }

// best chooses the media type of a single answer, and reports whether it is
// acceptable. Who wants both alike gets the older one, unless both were named:
// programs written before the newer one existed do not know it.
func (a accept) best() (string, bool) {
	older, newer := a.Quality(mediaJSON), a.Quality(mediaResponse)
	switch {
	case older.Q <= 0 && newer.Q <= 0:
		return mediaJSON, false
	case newer.Q > older.Q,
		newer.Q == older.Q && newer.Specificity == 2 && newer.Specificity >= older.Specificity:
		return mediaResponse, true
	}
	return mediaJSON, true
}

// namesEvents reports whether the client can read server-sent events. Who
// accepts anything cannot.
func (a accept) namesEvents() bool {
	events := a.Quality(mediaEvents)
	return events.Specificity == 2 && events.Q > 0
}

// prefersEvents reports whether the client asks for server-sent events rather
// than for a single answer.
func (a accept) prefersEvents() bool {
	events := a.Quality(mediaEvents)
	if !a.namesEvents() {
		return false
	}
	for _, single := range []string{mediaJSON, mediaResponse} {
		if other := a.Quality(single); other.Specificity == 2 && other.Q >= events.Q {
			return false
		}
	}
	return true
}
