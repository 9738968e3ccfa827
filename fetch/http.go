package fetch

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"ream/fault"
)

// openHTTP asks for what is still missing, wherever upstream redirects to.
func (d *download) openHTTP(ctx context.Context, w *watch) (io.ReadCloser, int64, error) {
	at := hop{url: d.u, own: d.s.isOwn(d.u)}
	for redirects := 0; ; redirects++ {
		response, err := d.send(ctx, w, at)
		if err != nil {
			return nil, 0, err
		}
		to, err := at.redirect(response, d.s.settings.InsecureRedirects)
		if err == nil && to.url != nil && redirects == maxRedirects {
			err = errRedirects
		}
		if err != nil {
			response.Body.Close()
			return nil, 0, d.refused(err.Error())
		}
		if to.url == nil {
			total, err := d.accept(at.url.Host, response)
			if err != nil {
				w.discard(response)
				return nil, 0, err
			}
			return response.Body, total, nil
		}
		w.discard(response)
		to.own = at.own && d.s.isOwn(to.url) // credentials do not come back once they stayed behind
		at = to
	}
}

// send sends the request to one host, as soon as that may be asked for more.
// The response's body gives back the host's slot.
func (d *download) send(ctx context.Context, w *watch, at hop) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.url.String(), nil)
	if err != nil {
		return nil, fault.New(fault.BadInput, "%s: the URL is not valid", d.name)
	}
	identity := d.s.elsewhere
	if at.own {
		r.Header, identity = d.s.header.Clone(), d.s.own
	}
	d.ask(r.Header)
	proxy, err := d.s.proxyFor(r)
	if err != nil {
		return nil, err
	}
	if proxy != nil && !d.s.c.config.Networks.allowsHost(at.url.Hostname()) {
		return nil, d.broken(ctx, errPrivate)
	}
	d.clock.end()
	host, err := d.s.c.hosts.enter(ctx, at.url)
	d.clock.begin(w.giveUp)
	if err != nil {
		return nil, d.broken(ctx, err)
	}
	w.begin()
	response, err := d.s.c.transports.by(r, identity, d.s.elsewhere, proxy).RoundTrip(r)
	w.end()
	if err != nil {
		host.slots.Release(1)
		return nil, d.broken(ctx, err)
	}
	d.host = host
	response.Body = &slotBody{ReadCloser: response.Body, leave: func() { host.slots.Release(1) }}
	return response, nil
}

// ask fills in what a download's requests say.
func (d *download) ask(h http.Header) {
	if h.Get("User-Agent") == "" {
		h.Set("User-Agent", d.s.c.config.UserAgent)
	}
	h.Set("Accept-Encoding", "identity")
	if d.lied { // a cache on the way may keep what is wrong
		h.Set("Cache-Control", "no-cache")
	}
	switch from := d.req.Offset + d.got; {
	case d.req.Length > 0:
		h.Set("Range", fmt.Sprintf("bytes=%d-%d", from, d.req.Offset+d.req.Length-1))
	case d.got > 0:
		h.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	if d.got > 0 {
		h.Set("If-Range", d.validator)
	}
}

// slotBody gives a slot of the host back when it is closed.
type slotBody struct {
	io.ReadCloser
	leave func()
}

func (b *slotBody) Close() error {
	err := b.ReadCloser.Close()
	if b.leave != nil {
		b.leave()
		b.leave = nil
	}
	return err
}

// accept decides by the head of a host's response whether its body goes on, begins
// anew or is not wanted.
func (d *download) accept(host string, response *http.Response) (total int64, err error) {
	switch s := response.StatusCode; {
	case s == http.StatusOK && d.req.Length > 0:
		return 0, fault.Wrap(ErrNoParts, fault.Unavailable, "%s: %v", d.name, ErrNoParts)
	case s == http.StatusPartialContent && d.req.Length > 0 && d.got == 0:
		d.validator = validator(response.Header)
		return d.req.Length, d.checkPart(response.Header)
	case s == http.StatusOK:
		if err := d.restart(); err != nil {
			return 0, err
		}
		if d.encoded = isEncoded(response.Header); d.encoded && d.req.SHA256 == "" && !compressed[path.Ext(d.u.Path)] {
			return 0, d.refused("it comes with a Content-Encoding although none was asked for")
		}
		d.validator = validator(response.Header)
		return response.ContentLength, nil
	case s == http.StatusPartialContent && d.got > 0:
		start, total, ok := contentRange(response.Header.Get("Content-Range"))
		if ok && start == d.req.Offset+d.got && d.isSame(response.Header) && isEncoded(response.Header) == d.encoded {
			if d.req.Length > 0 {
				return d.req.Length, d.checkPart(response.Header)
			}
			return total, nil
		}
		d.validator = ""
		return 0, &passingError{reason: "it goes on with other bytes than asked for"}
	case s == http.StatusRequestedRangeNotSatisfiable && d.got > 0:
		d.validator = ""
		return 0, &passingError{reason: statusLine(s)}
	case s == http.StatusRequestTimeout, s == http.StatusTooManyRequests, s >= 500:
		return 0, &passingError{reason: statusLine(s), after: retryAfter(response.Header.Get("Retry-After"), d.s.c.config.Now()), ofAll: s == http.StatusTooManyRequests && host == d.u.Host}
	case s == http.StatusNotFound, s == http.StatusGone:
		return 0, fault.New(fault.NotFound, "%s: %s", d.name, statusLine(s))
	case s == http.StatusUnauthorized, s == http.StatusProxyAuthRequired: // of whoever asks, whatever the file
		return 0, fault.New(fault.Unavailable, "%s: %s", d.name, statusLine(s))
	default:
		return 0, d.refused(statusLine(s))
	}
}

// refused is that upstream answers, without giving the file.
func (d *download) refused(reason string) error {
	return fault.Wrap(ErrRefused, fault.Unavailable, "%s: %s", d.name, reason)
}

// checkPart makes sure that what comes is the rest of the part that was asked
// for, of a file of the right size.
func (d *download) checkPart(h http.Header) error {
	if isEncoded(h) {
		return fault.Wrap(ErrNoParts, fault.Unavailable, "%s: it gives parts of an encoded file", d.name)
	}
	want := fmt.Sprintf("bytes %d-%d/%d", d.req.Offset+d.got, d.req.Offset+d.req.Length-1, d.req.Size)
	if got := h.Get("Content-Range"); got != want {
		return d.lie("it gives another part than asked for: %.80q, not %q", got, want)
	}
	return nil
}

// statusLine is a status with its usual text: upstream's own may say anything.
func statusLine(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}

// isEncoded reports whether a body is not the file itself but its form under
// an encoding.
func isEncoded(h http.Header) bool {
	return slices.ContainsFunc(h.Values("Content-Encoding"), func(encoding string) bool {
		return encoding != "" && !strings.EqualFold(encoding, "identity")
	})
}

// compressed are the endings of files that servers often declare to be encoded
// while they send them as they are. Other encoded bodies are never unpacked,
// since they may grow without end.
var compressed = map[string]bool{".gz": true, ".tgz": true, ".xz": true, ".txz": true, ".bz2": true, ".tbz": true, ".tbz2": true,
	".zst": true, ".tzst": true, ".br": true, ".lz4": true, ".lzma": true, ".Z": true}

// validator is what tells exactly these bytes from later ones: a strong ETag,
// or a Last-Modified a minute before the response, as RFC 9110 has it.
func validator(h http.Header) string {
	if h.Get("Accept-Ranges") == "none" {
		return ""
	}
	if tag := h.Get("ETag"); tag != "" {
		if strings.HasPrefix(tag, `"`) {
			return tag
		}
		return ""
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	date, err2 := http.ParseTime(h.Get("Date"))
	if err != nil || err2 != nil || date.Sub(modified) < time.Minute {
		return ""
	}
	return h.Get("Last-Modified")
}

// isSame reports whether a part is of the version that the bytes before it are of,
// by what the validator is compared with. Upstream has to say so (RFC 9110, 15.3.7),
// unless the digest of the whole will tell.
func (d *download) isSame(part http.Header) bool {
	if strings.HasPrefix(d.validator, `"`) {
		tag := part.Get("ETag")
		return tag == d.validator || tag == "" && d.digestTells()
	}
	modified := part.Get("Last-Modified")
	return part.Get("ETag") == "" && (modified == d.validator || modified == "" && d.digestTells())
}

// digestTells reports whether other bytes than those asked for will be noticed.
func (d *download) digestTells() bool { return d.req.SHA256 != "" && d.req.Length == 0 }

// contentRange reads "bytes 5-9/10"; total is -1 if it is "*".
func contentRange(value string) (start, total int64, ok bool) {
	value, ok = strings.CutPrefix(value, "bytes ")
	span, size, ok2 := strings.Cut(value, "/")
	first, _, ok3 := strings.Cut(span, "-")
	start, err := strconv.ParseInt(first, 10, 64)
	if !ok || !ok2 || !ok3 || err != nil {
		return 0, 0, false
	}
	if size == "*" {
		return start, -1, true
	}
	total, err = strconv.ParseInt(size, 10, 64)
	return start, total, err == nil
}

// retryAfter reads the header: seconds or a date. It is 0 if there is none.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(maxRest/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), maxRest)
	}
	return 0
}
