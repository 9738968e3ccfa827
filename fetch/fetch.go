// Package fetch downloads: with retries, limits, and the size and digest
// checked while the bytes arrive.
package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"ream/fault"
)

// Config is how a Client downloads. Zero values mean the defaults.
type Config struct {
	UserAgent string
	Attempts  int                             // in all, for failures that may pass; 5
	Stall     time.Duration                   // without a byte before an attempt is given up; 30 s
	Backoff   func(attempt int) time.Duration // before the next attempt; doubles from 500 ms to 30 s, with jitter
}

// Client downloads. It is safe for concurrent use and keeps connections open.
type Client struct {
	config Config
	http   *http.Client
}

// maxRetryAfter bounds how long an upstream may ask us to wait.
const maxRetryAfter = 2 * time.Minute

// New returns a client.
func New(c Config) *Client {
	if c.Attempts == 0 {
		c.Attempts = 5
	}
	if c.Stall == 0 {
		c.Stall = 30 * time.Second
	}
	if c.Backoff == nil {
		c.Backoff = func(attempt int) time.Duration {
			d := min(500*time.Millisecond<<(attempt-1), 30*time.Second)
			return d/2 + rand.N(d/2)
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 256
	transport.MaxIdleConnsPerHost = 64
	transport.DisableCompression = true // the digest is of the bytes as they are stored upstream
	transport.ResponseHeaderTimeout = c.Stall
	return &Client{config: c, http: &http.Client{Transport: transport, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) >= 10 {
			return errors.New("more than 10 redirects")
		}
		return nil
	}}}
}

// Request is what to download.
type Request struct {
	URL      string // http, https or file
	Size     int64  // that it must have; -1 if unknown
	SHA256   string // that it must have; empty if unknown
	MaxBytes int64  // that it may have; 0 for any number
}

// Result is what was downloaded.
type Result struct {
	Size   int64
	SHA256 string
}

// Sink takes a download. Reset drops what was written before an attempt begins
// anew. A sink that hashes what it takes may tell by a method SHA256() string.
type Sink interface {
	io.Writer
	Reset() error
}

// Get downloads into sink. Network faults, 408, 429 and 5xx are tried again;
// what is wrong after that is Unavailable. What upstream does not have is
// NotFound, and a size or digest that is not as asked is BadInput.
func (c *Client) Get(ctx context.Context, req Request, sink Sink) (Result, error) {
	u, err := url.Parse(req.URL)
	if err != nil {
		return Result{}, fault.Wrap(err, fault.BadInput, "the URL is not valid")
	}
	name := shown(u)
	for attempt := 1; ; attempt++ {
		result, err := c.attempt(ctx, u, name, req, sink)
		if err == nil {
			return result, nil
		}
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		passing, ok := errors.AsType[*passingError](err)
		if !ok {
			return Result{}, err
		}
		if attempt >= c.config.Attempts {
			return Result{}, fault.Wrap(passing.err, fault.Unavailable, "%s: %s (tried %d times)", name, passing.reason, attempt)
		}
		if err := sink.Reset(); err != nil {
			return Result{}, err
		}
		wait := c.config.Backoff(attempt)
		if passing.after > 0 {
			wait = min(passing.after, maxRetryAfter)
		}
		select {
		case <-ctx.Done():
			return Result{}, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// shown is a URL without what may be secret.
func shown(u *url.URL) string {
	s := *u
	s.User, s.RawQuery, s.Fragment = nil, "", ""
	return s.String()
}

// passingError is a failure that may pass.
type passingError struct {
	reason string
	after  time.Duration // that upstream asked us to wait; 0 if it did not
	err    error
}

func (e *passingError) Error() string { return e.reason }
func (e *passingError) Unwrap() error { return e.err }

func (c *Client) attempt(ctx context.Context, u *url.URL, name string, req Request, sink Sink) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body, length, err := c.open(ctx, u, name)
	if err != nil {
		return Result{}, err
	}
	defer body.Close()
	if req.Size >= 0 && length >= 0 && length != req.Size {
		return Result{}, wrongSize(name, length, req.Size)
	}
	watched := newStallReader(body, c.config.Stall, cancel)
	defer watched.stop()
	return receive(name, req, length, watched, sink)
}

// open begins a download; length is -1 if upstream does not tell it.
func (c *Client) open(ctx context.Context, u *url.URL, name string) (io.ReadCloser, int64, error) {
	if u.Scheme == "file" {
		return openFile(u.Path, name)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, 0, fault.Wrap(err, fault.BadInput, "%s: the URL is not valid", name)
	}
	r.Header.Set("User-Agent", c.config.UserAgent)
	response, err := c.http.Do(r)
	if err != nil {
		return nil, 0, &passingError{reason: networkReason(err), err: err}
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, response.ContentLength, nil
	}
	response.Body.Close()
	switch s := response.StatusCode; {
	case s == http.StatusRequestTimeout, s == http.StatusTooManyRequests, s >= 500:
		return nil, 0, &passingError{reason: response.Status, after: retryAfter(response.Header.Get("Retry-After"))}
	case s == http.StatusNotFound, s == http.StatusGone:
		return nil, 0, fault.New(fault.NotFound, "%s: %s", name, response.Status)
	}
	return nil, 0, fault.New(fault.Unavailable, "%s: %s", name, response.Status)
}

func openFile(path, name string) (io.ReadCloser, int64, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, 0, fault.New(fault.NotFound, "%s: there is no such file", name)
	case err != nil:
		return nil, 0, fault.Wrap(err, fault.Unavailable, "%s: it cannot be read", name)
	case !info.Mode().IsRegular():
		return nil, 0, fault.New(fault.BadInput, "%s: it is no regular file", name)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fault.Wrap(err, fault.Unavailable, "%s: it cannot be read", name)
	}
	return f, info.Size(), nil
}

// receive copies the body, checking it against the request.
func receive(name string, req Request, length int64, body io.Reader, sink Sink) (Result, error) {
	var (
		own    hash.Hash
		into   io.Writer = sink
		digest func() string
	)
	if hashing, ok := sink.(interface{ SHA256() string }); ok {
		digest = hashing.SHA256
	} else {
		own = sha256.New()
		into = io.MultiWriter(sink, own)
		digest = func() string { return hex.EncodeToString(own.Sum(nil)) }
	}
	limit := int64(-1)
	if req.Size >= 0 {
		limit = req.Size
	} else if req.MaxBytes > 0 {
		limit = req.MaxBytes
	}
	from := body
	if limit >= 0 {
		from = io.LimitReader(body, limit+1)
	}
	w := &writeErrors{w: into}
	n, err := io.Copy(w, from)
	switch {
	case w.err != nil:
		return Result{}, w.err
	case err != nil:
		return Result{}, &passingError{reason: networkReason(err), err: err}
	case length >= 0 && n < length && (limit < 0 || n <= limit):
		return Result{}, &passingError{reason: fmt.Sprintf("the connection ended after %d of %d bytes", n, length)}
	case req.Size >= 0 && n > req.Size:
		return Result{}, fault.New(fault.BadInput, "%s: it has more than the %d bytes that the metadata says", name, req.Size)
	case req.Size >= 0 && n != req.Size:
		return Result{}, wrongSize(name, n, req.Size)
	case req.Size < 0 && req.MaxBytes > 0 && n > req.MaxBytes:
		return Result{}, fault.New(fault.BadInput, "%s: it has more than %d bytes", name, req.MaxBytes)
	}
	sum := digest()
	if req.SHA256 != "" && sum != req.SHA256 {
		return Result{}, fault.New(fault.BadInput, "%s: its SHA-256 is %s, but the metadata says %s", name, sum, req.SHA256)
	}
	return Result{Size: n, SHA256: sum}, nil
}

func wrongSize(name string, got, want int64) error {
	return fault.New(fault.BadInput, "%s: it has %d bytes, but the metadata says %d", name, got, want)
}

// writeErrors tells errors of the sink from those of the network.
type writeErrors struct {
	w   io.Writer
	err error
}

func (w *writeErrors) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

// errStalled is why a download without bytes is given up.
var errStalled = errors.New("no bytes arrived for too long")

// stallReader gives a download up when it stands still.
type stallReader struct {
	io.Reader
	timer *time.Timer
	after time.Duration
}

func newStallReader(r io.Reader, after time.Duration, cancel context.CancelCauseFunc) *stallReader {
	return &stallReader{Reader: r, after: after, timer: time.AfterFunc(after, func() { cancel(errStalled) })}
}

func (r *stallReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.timer.Reset(r.after)
	}
	return n, err
}

func (r *stallReader) stop() { r.timer.Stop() }

// networkReason says in a few words, without addresses, what went wrong.
func networkReason(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return "there is no such host"
		}
		return "the host's name cannot be resolved"
	}
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errStalled):
		return errStalled.Error()
	case ok && timeout.Timeout():
		return "it does not answer in time"
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the connection ended in the middle"
	}
	if u, ok := errors.AsType[*url.Error](err); ok && u.Err.Error() == "more than 10 redirects" {
		return u.Err.Error()
	}
	return "the connection failed"
}

// retryAfter reads the header: seconds or a date. It is 0 if there is none.
func retryAfter(value string) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
