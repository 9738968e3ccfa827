// Package fetch downloads: with retries, limits, and the size and digest
// checked while the bytes arrive.
package fetch

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"ream/fault"
)

// Config is how a Client downloads. Zero values mean the defaults.
type Config struct {
	UserAgent string
	Attempts  int                                        // in all, for failures that may pass; 5
	Stall     time.Duration                              // without a byte before an attempt is given up; 30 s
	Backoff   func(attempt int) time.Duration            // before the next attempt; doubles from 500 ms to 30 s, with jitter
	Wait      func(context.Context, time.Duration) error // lets the time between attempts pass; ends early with the context
	Now       func() time.Time                           // that a Retry-After date is compared with
}

// Client downloads. It is safe for concurrent use and keeps connections open.
type Client struct {
	config Config
	http   *http.Client
}

// New returns a client.
func New(c Config) *Client {
	if c.Attempts == 0 {
		c.Attempts = 5
	}
	if c.Stall == 0 {
		c.Stall = 30 * time.Second
	}
	if c.Backoff == nil {
		c.Backoff = backoff
	}
	if c.Wait == nil {
		c.Wait = wait
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Client{config: c, http: newHTTP(c.Stall)}
}

func backoff(attempt int) time.Duration {
	d := min(500*time.Millisecond<<min(attempt-1, 6), 30*time.Second)
	return d/2 + rand.N(d/2)
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
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
// anew; an attempt that goes on where the last one broke off does not call it.
// A sink that hashes what it takes may tell by a method SHA256() string.
type Sink interface {
	io.Writer
	Reset() error
}

// Get downloads into sink. Network faults, 408, 429 and 5xx are tried again,
// from where the bytes broke off if upstream allows it; what is wrong after
// that is Unavailable. What upstream does not have is NotFound. A size or
// digest that is not as asked is tried once more, from the start, and is then
// BadInput. Errors of the sink and of ctx are returned as they are. No error
// holds the credentials or the query of a URL.
func (c *Client) Get(ctx context.Context, req Request, sink Sink) (Result, error) {
	u, err := parse(req.URL)
	if err != nil {
		return Result{}, err
	}
	d := newDownload(c, u, req, sink)
	lied := false
	for attempt := 1; ; attempt++ {
		err := d.attempt(ctx)
		if err == nil {
			return d.result(), nil
		}
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		passing, ok := errors.AsType[*passingError](err)
		if !ok {
			return Result{}, err
		}
		last := attempt >= c.config.Attempts
		switch {
		case passing.lie != nil && (lied || last):
			return Result{}, passing.lie
		case last:
			return Result{}, fault.Wrap(passing.err, fault.Unavailable, "%s: %s (tried %d times)", d.name, passing.reason, attempt)
		}
		lied = lied || passing.lie != nil
		if passing.lie != nil || d.validator == "" {
			if err := d.restart(); err != nil {
				return Result{}, err
			}
		}
		pause := c.config.Backoff(attempt)
		if passing.after > 0 {
			pause = min(passing.after, maxRetryAfter)
		}
		if err := c.config.Wait(ctx, pause); err != nil {
			return Result{}, err
		}
	}
}

// parse reads a URL that can be downloaded from. Its errors do not quote the
// URL, which may hold credentials.
func parse(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fault.New(fault.BadInput, "the URL is not valid")
	}
	switch u.Scheme {
	case "http", "https":
		if u.Hostname() == "" {
			return nil, fault.New(fault.BadInput, "the URL names no host")
		}
	case "file":
		if u.Host != "" && u.Host != "localhost" || u.Opaque != "" || u.Path == "" {
			return nil, fault.New(fault.BadInput, "the URL is no absolute path: want file:///path")
		}
	default:
		return nil, fault.New(fault.BadInput, "the URL's scheme %q is not supported: want http, https or file", u.Scheme)
	}
	return u, nil
}

// shown is a URL without what may be secret.
func shown(u *url.URL) string {
	s := *u
	s.User, s.RawQuery, s.ForceQuery, s.Fragment, s.RawFragment = nil, "", false, "", ""
	return s.String()
}
