package origin

import (
	"errors"
	"math"
	"net/http"
	"net/textproto"
	"strconv"
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
// not known, and lets any Range be ignored. Of an empty file, the last bytes are all
// of it, but no Content-Range can tell a part without a byte. Names of units are of
// either case, which http.ServeContent does not know; it ignores ranges that are
// longer together than the file by itself.
func keepByteRange(r *http.Request, size int64) {
	if r.Header["Range"] == nil {
		return
	}
	unit, ranges, _ := strings.Cut(r.Header.Get("Range"), "=")
	if r.Method != http.MethodGet || len(r.Header["Range"]) > 1 || size == 0 || !strings.EqualFold(unit, "bytes") || strings.Count(ranges, ",") >= maxRanges {
		r.Header.Del("Range")
		return
	}
	parts := strings.Split(ranges, ",")
	for i, part := range parts {
		parts[i] = plainRange(part, size)
	}
	r.Header.Set("Range", "bytes="+strings.Join(parts, ","))
}

// plainRange says a range as http.ServeContent understands it: no last bytes as
// those behind the end, which nobody can be given either, and numbers that are
// too large for it as large ones.
func plainRange(part string, size int64) string {
	first, last, ok := strings.Cut(part, "-")
	if !ok {
		return part
	}
	first, last = bounded(first), bounded(last)
	if n, err := strconv.ParseInt(last, 10, 64); first == "" && err == nil && n == 0 {
		return strconv.FormatInt(size, 10) + "-"
	}
	return first + "-" + last
}

// bounded is a number of a range that http.ServeContent can read, if it is one.
func bounded(digits string) string {
	digits = textproto.TrimString(digits)
	if _, err := strconv.ParseUint(digits, 10, 63); errors.Is(err, strconv.ErrRange) {
		return strconv.FormatInt(math.MaxInt64, 10)
	}
	return digits
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
