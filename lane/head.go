package lane

import (
	"iter"
	"net/http"
	"strconv"
	"strings"
)

// Head is headers of answers as they are sent, made once for many answers. It is
// safe for concurrent use.
type Head struct {
	lines  string // each with its end
	length int64  // of the body
	marks  uint64 // of the names, so that most others are told at once
}

// NewHead returns headers to send with any answer that has a body of the
// Content-Type and the Content-Length, in bytes, that they must tell. It panics
// if they do not, or tell of what is another for each answer: its date, and how the
// connection goes on.
func NewHead(h http.Header) *Head {
	length, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil || length < 0 || len(h["Content-Length"]) > 1 || h.Get("Content-Type") == "" {
		panic("lane: a head must tell the Content-Type and the Content-Length of a body")
	}
	for _, name := range []string{"Connection", "Date", "Trailer", "Transfer-Encoding"} {
		if h[name] != nil {
			panic("lane: no head may tell of " + name)
		}
	}
	made := &Head{length: length}
	made.lines = string(appendHeaders(make([]byte, 0, 512), h, func(name string) bool {
		made.marks |= mark(name)
		return true
	}))
	return made
}

// mark is a bit that stands for a name, and for others.
func mark(name string) uint64 { return 1 << ((int(name[0]) + 7*len(name)) % 64) }

// all are the names and values, in the order of the names.
func (h *Head) all() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for lines := h.lines; lines != ""; {
			line, rest, _ := strings.Cut(lines, "\r\n")
			name, value, _ := strings.Cut(line, ": ")
			if !yield(name, value) {
				return
			}
			lines = rest
		}
	}
}

// Get returns the first value of a header, by its canonical name; empty if there
// is none. It takes no memory of its own.
func (h *Head) Get(name string) string {
	for its, value := range h.all() {
		if its == name {
			return value
		}
	}
	return ""
}

// has reports whether there is a header of that name.
func (h *Head) has(name string) bool {
	if h.marks&mark(name) == 0 {
		return false
	}
	for its := range h.all() {
		if its == name {
			return true
		}
	}
	return false
}

// addTo puts the headers in the place of others of their names.
func (h *Head) addTo(header http.Header) {
	for name := range h.all() {
		delete(header, name)
	}
	for name, value := range h.all() {
		header[name] = append(header[name], value)
	}
}

// HeadWriter is an http.ResponseWriter that takes headers that were made before.
type HeadWriter interface {
	http.ResponseWriter

	// WriteHead is WriteHeader for a status that allows a body. It sends head as well,
	// in the place of those of Header that have a name of head's. Header need not show
	// them afterwards.
	WriteHead(status int, head *Head)
}

// WriteHead writes the headers of an answer as HeadWriter says, whatever w is.
// Where that is one of a plain request it takes little work.
func WriteHead(w http.ResponseWriter, status int, head *Head) {
	if w, ok := w.(HeadWriter); ok {
		w.WriteHead(status, head)
		return
	}
	head.addTo(w.Header())
	w.WriteHeader(status)
}
