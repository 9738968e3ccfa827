package origin

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"ream/demand"
)

// serveDemanded answers with a file that was not stored when it was looked up.
// What can be answered by what is known of it is, without its bytes. It reports
// false, and answers nothing, if the file has been stored meanwhile.
func (h *Handler) serveDemanded(w http.ResponseWriter, r *http.Request, f *file) bool {
	if r.Method == http.MethodGet {
		stored, err := h.demand.Stored(r.Context(), f.sha256, f.size)
		if err != nil {
			h.fail(w, r, err)
			return true
		}
		if stored {
			f.stored.Store(true)
			return false
		}
	}
	header := w.Header()
	header["Content-Type"] = f.contentType
	header["Repr-Digest"] = f.digest
	ctx, giveUp := context.WithCancel(r.Context())
	defer giveUp()
	b := h.demand.Open(ctx, f.sha256, f.size)
	defer b.Close()
	if f.size == 0 && f.sha256 != digestOfNothing && r.Method == http.MethodGet {
		// No byte would be read, so that nobody would notice.
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			h.fail(w, r, err)
			return true
		}
	}
	if offset, length, ok := onlyRange(r, f); ok {
		b.Only(offset, length)
	}
	h.serveRemote(w, r, f, b, giveUp)
	return true
}

// digestOfNothing is that of an empty file, which need not be fetched.
var digestOfNothing = fmt.Sprintf("%x", sha256.Sum256(nil))

// onlyRange returns the part of a file that a request wants, if it is one that
// ends before the file does, or the last bytes, which is where archives have their
// directories, and whatever else the request says cannot make it want the whole.
// Who asks for what is left of a file from some byte on had the rest, and gets it
// verified.
func onlyRange(r *http.Request, f *file) (offset, length int64, ok bool) {
	if validator := r.Header.Get("If-Range"); r.Header["Range"] == nil || validator != "" && validator != f.etag[0] {
		return 0, 0, false
	}
	first, last, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-")
	first, last = strings.TrimSpace(first), strings.TrimSpace(last)
	to, err := strconv.ParseInt(last, 10, 64)
	if !ok || err != nil || to < 0 {
		return 0, 0, false
	}
	if first == "" {
		length = min(to, f.size)
		return f.size - length, length, true
	}
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil || from < 0 || to < from || to >= f.size-1 {
		return 0, 0, false
	}
	return from, to - from + 1, true
}

// failUpstream tells a client when it may try again. What upstream did
// wrong is in the log already, once for all who wait.
func (h *Handler) failUpstream(w http.ResponseWriter, err *demand.UpstreamError) {
	header, status := w.Header(), http.StatusBadGateway
	if err.Late {
		status = http.StatusGatewayTimeout
	}
	header.Set("Retry-After", strconv.Itoa(h.demand.RetryAfter(err)))
	http.Error(w, "the upstream that this file comes from does not give it, or not as it should be: try again later", status)
}
