package origin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"ream/demand"
	"ream/fault"
	"ream/lane"
)

// smallFile is the size up to which a file is read into memory as a whole,
// which costs less than sending it piece by piece.
const smallFile = 64 << 10

var buffers = sync.Pool{New: func() any { return new([smallFile]byte) }}

// The values of headers that are the same for every file. Content is foreign:
// a browser that shows it may neither guess its type nor run anything in it.
var (
	acceptRanges = []string{"bytes"}
	noSniff      = []string{"nosniff"}
	sandbox      = []string{"sandbox; default-src 'none'; frame-ancestors 'none'"}
	noReferrer   = []string{"no-referrer"}
)

// caching is what caches are told.
type caching struct {
	current []string // of what the next publication may have otherwise
	past    []string // of what stays
	vary    []string // on what the answer depends; nil for nothing
}

var (
	forAll = caching{current: []string{"no-cache"}, past: []string{"max-age=31536000, immutable"}}
	// forOne is for what is not everybody's: no cache may give it to others.
	forOne = caching{current: []string{"private, no-cache"}, past: []string{"private, max-age=31536000, immutable"}, vary: []string{"Authorization"}}
)

// mayChange says of an answer that the next one may be another, to those caches
// alone that were told so far.
func mayChange(h http.Header) {
	if said := h.Get("Cache-Control"); strings.HasPrefix(said, "private") {
		h["Cache-Control"] = forOne.current
	} else {
		h["Cache-Control"] = forAll.current
	}
}

// serveFile answers with the bytes of a file, a part of them, or the news
// that the client has them already.
func (h *Handler) serveFile(w http.ResponseWriter, r *http.Request, f *file, caching []string) {
	header := w.Header()
	header["Cache-Control"] = caching
	keepByteRange(r, f.size)
	keepExactDate(r, f)
	small := f.size <= smallFile && !isConditional(r.Header)
	if small && (h.demand == nil || f.stored.Load()) { // as most are asked for: all headers are made
		h.serveSmall(w, r, f)
		return
	}
	header["Etag"] = f.etag
	if f.lastModified != nil {
		header["Last-Modified"] = f.lastModified
	}
	header["X-Content-Type-Options"] = noSniff
	if !f.saved {
		header["Content-Security-Policy"] = sandbox
		header["Referrer-Policy"] = noReferrer
	}
	if match := r.Header["If-None-Match"]; len(match) == 1 && match[0] == f.etag[0] && r.Header["If-Match"] == nil && r.Header["If-Unmodified-Since"] == nil {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	elsewhere := h.redirect != nil && mayRedirect(r, f)
	// Who is sent elsewhere would find nothing if it was moved aside, and nobody here would learn of it.
	if h.demand != nil && (elsewhere || !f.stored.Load()) && h.serveDemanded(w, r, f) {
		return
	}
	if elsewhere && h.serveElsewhere(w, r, f) {
		return
	}
	if small {
		h.serveSmall(w, r, f)
		return
	}
	header["Content-Type"] = f.contentType
	header["Repr-Digest"] = f.digest
	ctx, giveUp := context.WithCancel(r.Context())
	defer giveUp()
	b, err := h.blobs.Open(ctx, f.sha256, f.size)
	if err != nil {
		h.fail(w, r, notToBlame(f, err))
		return
	}
	defer b.Close()
	if onDisk, ok := b.(*os.File); ok { // which may be closed while it is read
		http.ServeContent(partWriter{w, f.size}, r, "", f.modified, onDisk)
	} else {
		h.serveRemote(w, r, f, b, giveUp)
	}
}

// serveSmall answers with a small file as a whole.
func (h *Handler) serveSmall(w http.ResponseWriter, r *http.Request, f *file) {
	body, ok := h.bodies.find(f.sha256)
	if !ok {
		buf := buffers.Get().(*[smallFile]byte)
		defer buffers.Put(buf)
		body = buf[:f.size]
		if err := h.read(r.Context(), f, body); err != nil {
			h.fail(w, r, notToBlame(f, err))
			return
		}
		h.bodies.keep(f.sha256, body)
	}
	lane.WriteHead(w, http.StatusOK, f.head)
	if r.Method == http.MethodGet {
		// An error means that the client went away: there is nobody to tell.
		_, _ = w.Write(body)
	}
}

// read fills body with the bytes of a file. Those that are kept in memory must be
// right: they would be sent for long after the storage was mended.
func (h *Handler) read(ctx context.Context, f *file, body []byte) error {
	b, err := h.blobs.Open(ctx, f.sha256, f.size)
	if err != nil {
		return err
	}
	defer b.Close()
	if _, err = io.ReadFull(b, body); err != nil {
		return err
	}
	if got := sha256.Sum256(body); f.size <= keptFile && hex.EncodeToString(got[:]) != f.sha256 {
		return errors.New("the bytes are not what the digest says: verify the content")
	}
	return nil
}

// notToBlame is what a client may know of why a file cannot be read. The path
// is known, so whatever the storage thinks of the digest, the client is not to
// blame.
func notToBlame(f *file, err error) error {
	if fault.Is(err, fault.NotFound) {
		f.stored.Store(false) // it may have been moved aside: whoever asks next looks whether it was
		return fmt.Errorf("read blob %s: %v", f.sha256, err)
	}
	return fmt.Errorf("read blob %s: %w", f.sha256, err)
}

// partWriter takes the digest of the whole file off answers that do not
// describe the file, and tells those who ask for what is beyond it how long it
// is.
type partWriter struct {
	http.ResponseWriter
	size int64
}

func (p partWriter) WriteHeader(status int) {
	if status >= 300 {
		p.Header().Del("Repr-Digest")
	}
	if status == http.StatusRequestedRangeNotSatisfiable {
		p.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", p.size))
	}
	p.ResponseWriter.WriteHeader(status)
}

// ReadFrom keeps the way open for the kernel to send the file itself.
func (p partWriter) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(p.ResponseWriter, r)
}

// nothing is what most are told who ask for a path at which nothing lies, and
// nothingHead how, as by http.Error.
var (
	nothing     = []byte(fault.Message(errNotFound) + "\n")
	nothingHead = lane.NewHead(http.Header{
		"Content-Type":           {"text/plain; charset=utf-8"},
		"Content-Length":         {strconv.Itoa(len(nothing))},
		"X-Content-Type-Options": noSniff,
	})
)

// serveNothing is fail for a path at which nothing lies, as many clients ask for
// on purpose, before anything was said of a file.
func serveNothing(w http.ResponseWriter, err error) {
	if err != errNotFound {
		http.Error(w, fault.Message(err), http.StatusNotFound)
		return
	}
	lane.WriteHead(w, http.StatusNotFound, nothingHead)
	_, _ = w.Write(nothing)
}

// statusClientGone counts requests whose clients went away, as nginx does. No
// standard has one for what nobody gets to see.
const statusClientGone = 499

// fail shows an error. Those that are not the client's doing are logged.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	header := w.Header()
	for _, name := range []string{"Repr-Digest", "Etag", "Last-Modified"} {
		header.Del(name)
	}
	mayChange(header)
	if ctx := r.Context(); errors.Is(err, context.Canceled) && ctx.Err() != nil {
		if context.Cause(ctx) == context.Canceled {
			// Who has only ended sending still reads, and must not take nothing for the file.
			w.WriteHeader(statusClientGone)
			return
		}
		err = fault.New(fault.Unavailable, "the server is stopping")
	}
	if upstream, ok := errors.AsType[*demand.UpstreamError](err); ok {
		h.failUpstream(w, upstream)
		return
	}
	status := http.StatusInternalServerError
	switch fault.KindOf(err) {
	case fault.NotFound:
		status = http.StatusNotFound
	case fault.BadInput:
		status = http.StatusBadRequest
	case fault.Unavailable:
		status = http.StatusServiceUnavailable
		header.Set("Retry-After", "1")
	}
	if status >= 500 {
		h.log.ErrorContext(r.Context(), "content not served", "path", r.URL.Path, "error", err)
	}
	http.Error(w, fault.Message(err), status)
}
