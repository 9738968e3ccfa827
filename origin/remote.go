package origin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// serveRemote answers with bytes that have to be fetched first. Nothing is
// promised to the client before the first of them are here. When it returns nobody
// reads them any more, so that they can be closed; giveUp ends a Read that waits.
func (h *Handler) serveRemote(w http.ResponseWriter, r *http.Request, f *file, b io.ReadSeeker, giveUp context.CancelFunc) {
	from := &source{content: b}
	defer from.end(giveUp)
	late := &lateWriter{partWriter: partWriter{w, f.size}, from: from}
	http.ServeContent(late, r, "", f.modified, from)
	switch err := from.failure(); {
	case err == nil:
		late.begin()
	case !late.begun:
		w.Header().Del("Content-Range")
		h.fail(w, r, notToBlame(f, err))
	case r.Context().Err() == nil:
		// The client notices, as there are fewer bytes than it was promised.
		h.log.ErrorContext(r.Context(), "content broke off", "path", r.URL.Path, "error", err)
	}
}

// source is content that can be closed when http.ServeContent has returned: of
// several ranges, that reads in a goroutine that it does not wait for. It remembers
// why it could not be read.
type source struct {
	using   sync.Mutex // held while content is used
	content io.ReadSeeker
	ended   bool

	mu  sync.Mutex
	err error
}

var errEnded = errors.New("the answer is over")

func (s *source) Read(p []byte) (int, error) {
	s.using.Lock()
	defer s.using.Unlock()
	if s.ended {
		return 0, errEnded
	}
	n, err := s.content.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
	return n, err
}

func (s *source) Seek(offset int64, whence int) (int64, error) {
	s.using.Lock()
	defer s.using.Unlock()
	if s.ended {
		return 0, errEnded
	}
	return s.content.Seek(offset, whence)
}

// end lets nobody use the content any more. giveUp wakes who does.
func (s *source) end(giveUp context.CancelFunc) {
	giveUp()
	s.using.Lock()
	defer s.using.Unlock()
	s.ended = true
}

func (s *source) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// lateWriter holds the header of an answer back until there is a body.
type lateWriter struct {
	partWriter
	from   *source
	status int
	begun  bool
}

func (l *lateWriter) WriteHeader(status int) {
	if l.status == 0 {
		l.status = status
	}
}

func (l *lateWriter) begin() {
	if !l.begun {
		l.begun = true
		l.partWriter.WriteHeader(l.status)
	}
}

func (l *lateWriter) Write(p []byte) (int, error) {
	l.begin()
	return l.partWriter.Write(p)
}

// ReadFrom begins once it could read something.
func (l *lateWriter) ReadFrom(r io.Reader) (int64, error) {
	buf := buffers.Get().(*[smallFile]byte)
	defer buffers.Put(buf)
	first, err := io.ReadFull(r, buf[:])
	ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if ended {
		err = l.from.failure()
	}
	if err != nil {
		return 0, err
	}
	n, err := l.Write(buf[:first])
	if err != nil || ended {
		return int64(n), err
	}
	rest, err := l.partWriter.ReadFrom(r)
	return int64(n) + rest, err
}

// mayRedirect reports whether to send a client elsewhere for a file: not for
// small ones, which cost less than the way there, and not when it depends on
// headers that mean something else there.
func mayRedirect(r *http.Request, f *file) bool {
	if r.Method != http.MethodGet || f.size <= smallFile {
		return false
	}
	part := r.Header["Range"] != nil && r.Header["If-Range"] == nil
	return part || !isConditional(r.Header)
}

// serveElsewhere sends the client to where it can get the file by itself. It
// reports false, and answers nothing, if the client might take its token along.
func (h *Handler) serveElsewhere(w http.ResponseWriter, r *http.Request, f *file) bool {
	address, err := h.redirect(r.Context(), f.sha256, f.contentType[0])
	if err != nil {
		h.fail(w, r, notToBlame(f, err))
		return true
	}
	if r.Header["Authorization"] != nil && isWithin(address, r.Host) {
		return false
	}
	header := w.Header()
	for _, name := range []string{"Etag", "Last-Modified"} {
		header.Del(name)
	}
	// The address is good for a while only: nobody may keep it.
	header.Set("Cache-Control", "no-store")
	header.Set("Location", address)
	w.WriteHeader(http.StatusTemporaryRedirect)
	return true
}

// isWithin reports whether an address is on a host, whatever the port, or one
// whose name is below its name. Many clients send credentials that they have for
// the host there as well, where they are nobody's business, and which a store refuses.
func isWithin(address, host string) bool {
	to, err := url.Parse(address)
	if err != nil {
		return true
	}
	from := strings.ToLower((&url.URL{Host: host}).Hostname())
	name := strings.ToLower(to.Hostname())
	return name == from || strings.HasSuffix(name, "."+from)
}
