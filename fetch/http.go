package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ream/fault"
)

// maxRetryAfter bounds how long an upstream may ask us to wait.
const maxRetryAfter = 2 * time.Minute

// maxRedirects bounds how often a request may be sent elsewhere.
const maxRedirects = 10

// What is wrong with a redirect. It does not pass, and is told without the
// address, which may hold credentials.
var (
	errRedirects = errors.New("it has more than 10 redirects")
	errElsewhere = errors.New("it redirects to what is no http or https address")
)

func newHTTP(stall time.Duration) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 256
	transport.MaxIdleConnsPerHost = 64
	transport.DisableCompression = true // the digest is of the bytes as they are stored upstream
	transport.ResponseHeaderTimeout = stall
	return &http.Client{Transport: checkedRedirects{transport}, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errRedirects
		}
		r.Header.Del("Referer") // it would hand the query on to another host
		return nil
	}}
}

// checkedRedirects refuses redirects that the client would quote in its error.
type checkedRedirects struct{ http.RoundTripper }

func (t checkedRedirects) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.RoundTripper.RoundTrip(r)
	if err != nil || response.StatusCode/100 != 3 || response.Header.Get("Location") == "" {
		return response, err
	}
	to, err := response.Location()
	if err != nil || to.Scheme != "http" && to.Scheme != "https" || to.Hostname() == "" {
		response.Body.Close()
		return nil, errElsewhere
	}
	return response, nil
}

func (d *download) openHTTP(ctx context.Context) (io.ReadCloser, int64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.u.String(), nil)
	if err != nil {
		return nil, 0, fault.New(fault.BadInput, "%s: the URL is not valid", d.name)
	}
	r.Header.Set("User-Agent", d.c.config.UserAgent)
	if d.got > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", d.got))
		r.Header.Set("If-Range", d.validator)
	}
	response, err := d.c.http.Do(r)
	if err != nil {
		for _, final := range []error{errRedirects, errElsewhere} {
			if errors.Is(err, final) {
				return nil, 0, fault.New(fault.Unavailable, "%s: %v", d.name, final)
			}
		}
		return nil, 0, broken(err)
	}
	total, err := d.accept(response)
	if err != nil {
		response.Body.Close()
		return nil, 0, err
	}
	return response.Body, total, nil
}

// accept decides by a response's head whether its body goes on, begins anew or
// is not wanted.
func (d *download) accept(response *http.Response) (total int64, err error) {
	status := strings.TrimSpace(fmt.Sprintf("%d %s", response.StatusCode, http.StatusText(response.StatusCode)))
	switch s := response.StatusCode; {
	case s == http.StatusOK:
		if err := d.restart(); err != nil {
			return 0, err
		}
		d.validator = validator(response.Header)
		return response.ContentLength, nil
	case s == http.StatusPartialContent && d.got > 0:
		start, total, ok := contentRange(response.Header.Get("Content-Range"))
		if v := validator(response.Header); ok && start == d.got && (v == "" || v == d.validator) {
			return total, nil
		}
		d.validator = ""
		return 0, &passingError{reason: "it goes on with other bytes than asked for"}
	case s == http.StatusRequestedRangeNotSatisfiable && d.got > 0:
		d.validator = ""
		return 0, &passingError{reason: status}
	case s == http.StatusRequestTimeout, s == http.StatusTooManyRequests, s >= 500:
		return 0, &passingError{reason: status, after: retryAfter(response.Header.Get("Retry-After"), d.c.config.Now())}
	case s == http.StatusNotFound, s == http.StatusGone:
		return 0, fault.New(fault.NotFound, "%s: %s", d.name, status)
	}
	return 0, fault.New(fault.Unavailable, "%s: %s", d.name, status)
}

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
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 0), 3600)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
