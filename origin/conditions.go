package origin

import (
	"net/http"
	"strings"
	"time"
)

func isConditional(h http.Header) bool {
	return h["Range"] != nil || h["If-None-Match"] != nil || h["If-Modified-Since"] != nil ||
		h["If-Match"] != nil || h["If-Unmodified-Since"] != nil
}

// maxRanges is how many ranges one request may ask for. Each may be a request of
// its own to a storage elsewhere.
const maxRanges = 16

// keepByteRange takes off a request a Range that it does not mean, or that asks
// for too much: RFC 9110 defines one for GET alone, has units ignored that are
// not known, and lets many ranges be ignored. Names of units are of either case,
// which http.ServeContent does not know; it ignores ranges that are longer
// together than the file by itself.
func keepByteRange(r *http.Request) {
	if r.Header["Range"] == nil {
		return
	}
	unit, ranges, _ := strings.Cut(r.Header.Get("Range"), "=")
	if r.Method != http.MethodGet || len(r.Header["Range"]) > 1 || !strings.EqualFold(unit, "bytes") || strings.Count(ranges, ",") >= maxRanges {
		r.Header.Del("Range")
		return
	}
	r.Header.Set("Range", "bytes="+ranges)
}

// keepExactDate takes off a request an If-Modified-Since that is not the date of
// the file: whose is newer has what a rollback withdrew, and http.ServeContent would
// let the client keep it.
func keepExactDate(r *http.Request, f *file) {
	if r.Header["If-Modified-Since"] == nil {
		return
	}
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	if err != nil || !since.Equal(f.modified.Truncate(time.Second)) {
		r.Header.Del("If-Modified-Since")
	}
}
