package fetch

import (
	"context"
	"encoding/base64"
	"errors"
	"math"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"ream/fault"
)

// Source is an upstream with its settings. It is safe for concurrent use.
type Source struct {
	c        *Client
	settings Settings

	base      *url.URL    // whose host is the source's own; nil if none is
	header    http.Header // for the own host
	own       *identity   // by TLS, for the own host
	elsewhere *identity   // for hosts that it redirects to
	proxy     *url.URL    // nil for the environment's
	attempts  int
	stall     time.Duration
	slots     *semaphore.Weighted
	rest      rest
	rate      *rate.Limiter // nil without a limit
	scrub     *strings.Replacer
}

// newSource checks the settings. The client may be nil if nothing is to be
// downloaded.
func newSource(c *Client, settings Settings) (*Source, error) {
	s := &Source{c: c, settings: settings, attempts: settings.Attempts, stall: settings.Stall, rate: newRate(settings.BytesPerSecond)}
	if s.attempts == 0 {
		s.attempts = 5
	}
	if s.stall == 0 {
		s.stall = 30 * time.Second
	}
	connections := int64(settings.Connections)
	if connections == 0 {
		connections = math.MaxInt64
	}
	s.slots = semaphore.NewWeighted(connections)
	var err error
	if settings.URL != "" {
		if s.base, err = parse(settings.URL); err != nil {
			return nil, fault.Input("url", "%s", fault.Message(err))
		}
	}
	if s.header, err = settings.header(); err != nil {
		return nil, err
	}
	if s.own, s.elsewhere, err = settings.identities(); err != nil {
		return nil, err
	}
	if s.proxy, err = settings.proxy(); err != nil {
		return nil, err
	}
	s.scrub = strings.NewReplacer(settings.secrets()...)
	return s, nil
}

// secrets are pairs for a replacer that takes the secrets out of what an
// upstream may have said.
func (s Settings) secrets() (pairs []string) {
	hide := func(text string) {
		if text == "" {
			return
		}
		quoted := strconv.Quote(text)
		for _, form := range []string{text, quoted[1 : len(quoted)-1], base64.StdEncoding.EncodeToString([]byte(text))} {
			pairs = append(pairs, form, "[secret]")
		}
	}
	account := func(username, password string) {
		if password != "" {
			hide(username + ":" + password) // as basic authentication sends it
			hide(password)
		}
	}
	account(s.Username, s.Password.Reveal())
	account(s.ProxyUsername, s.ProxyPassword.Reveal())
	hide(s.Token.Reveal())
	for _, value := range s.Headers {
		hide(value.Reveal())
	}
	return pairs
}

// progress is how many bytes an attempt has to bring that none brought before, to
// be gone on after, so that it does not count: large files may break off many
// times.
const progress = 1 << 20

// Get downloads into sink. Network faults, 408, 429 and 5xx are tried again,
// from where the bytes broke off if upstream allows it; what is wrong after
// that is Unavailable. It is not asked again before the time that upstream said by
// Retry-After, nor for anything if it said so with 429: if that is not soon, Get
// fails with a LaterError. What upstream does not have is NotFound; what the
// operator does not allow is Forbidden. A size or
// digest that is not as asked is tried once more, from the start, and is then
// BadInput. What may pass, but is not tried again, has an AgainError. Errors of the sink and of ctx are returned as they are. No error holds
// a secret of the settings or the query of a URL.
func (s *Source) Get(ctx context.Context, req Request, sink Sink) (Result, error) {
	u, err := parse(req.URL)
	if err != nil {
		return Result{}, err
	}
	d := newDownload(s, u, req, sink)
	attempts := s.attempts
	if req.Attempts > 0 {
		attempts = min(attempts, req.Attempts)
	}
	furthest := int64(0) // that an attempt came
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
		goesOn := d.validator != "" && d.got-furthest >= progress
		if goesOn {
			attempt = 1
		}
		furthest = max(furthest, d.got)
		stalled := req.Stall > 0 && errors.Is(passing.err, os.ErrDeadlineExceeded)
		last := attempt >= attempts && !goesOn && passing.after <= req.patience() // else the next one tells when to try again
		switch {
		case passing.lie != nil && d.lied:
			return Result{}, passing.lie
		case passing.lie != nil && last:
			return Result{}, fault.Wrap(d.again(passing, attempt), passing.lie.Kind, "%s", passing.lie.Message)
		case stalled:
			return Result{}, fault.Wrap(passing.err, fault.Unavailable, "%s: %s (tried %d times)", d.name, passing.reason, attempt)
		case last:
			return Result{}, fault.Wrap(d.again(passing, attempt), fault.Unavailable, "%s: %s (tried %d times)", d.name, passing.reason, attempt)
		}
		d.lied = d.lied || passing.lie != nil
		if passing.lie != nil || d.validator == "" {
			if err := d.restart(); err != nil {
				return Result{}, err
			}
		}
		if passing.after > 0 {
			continue // the next attempt awaits that
		}
		if err := s.c.config.Wait(ctx, s.c.config.Backoff(attempt)); err != nil {
			return Result{}, err
		}
	}
}

// again is the cause of a failure that may pass, after the last attempt.
func (d *download) again(passing *passingError, attempt int) error {
	config := d.s.c.config
	return &AgainError{config.Now().Add(max(passing.after, config.Backoff(attempt))), passing.err}
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
	if u.User != nil {
		return nil, fault.New(fault.BadInput, "the URL holds a user name or password: they belong in the settings")
	}
	return u, nil
}

// shown is a URL without what may be secret.
func shown(u *url.URL) string {
	s := *u
	s.RawQuery, s.ForceQuery, s.Fragment, s.RawFragment = "", false, "", ""
	return s.String()
}
