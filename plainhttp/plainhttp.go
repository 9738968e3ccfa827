// Package plainhttp sends plain requests for less work than net/http's Transport
// takes: GETs without TLS and without a proxy, by HTTP/1.1. A request runs on the
// goroutine that asks, not on two more for its connection. Answers that are plain
// as well, of a length that they tell in a head that came at once, are read here;
// all others by http.ReadResponse.
package plainhttp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Transport is an http.RoundTripper for requests that Takes takes. It is safe for
// concurrent use, and must not be copied, nor its exported fields be changed, once
// it is used.
//
// A request on a connection that was kept, and that ended before a byte of the
// answer came, is sent again on another, as net/http does. The body of a response
// is for one goroutine at a time; its connection is kept when it was read to its
// end, and closed when it is closed before.
type Transport struct {
	// Dial connects, as net.Dialer.DialContext does. Only connections that have a
	// SyscallConn method are kept.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	IdlePerHost int           // connections that are kept for one host and port
	Idle        int           // connections that are kept in all; those that wait for longest give way
	IdleTimeout time.Duration // before one that is kept is closed
	MaxHead     int64         // bytes of a response's status and headers

	pool pool
}

// Takes reports whether a request is plain. The usual proxies are for the caller
// to look for.
func Takes(r *http.Request) bool {
	return canProbe && r.Method == http.MethodGet && r.URL.Scheme == "http" && r.Body == nil && !r.Close &&
		len(r.TransferEncoding) == 0 && r.Trailer == nil && r.Header["Connection"] == nil && r.Header["Upgrade"] == nil &&
		isPlainHost(r.URL.Host) && (r.Host == "" || r.Host == r.URL.Host)
}

// isPlainHost reports whether a host and its port have no letters that are written
// in another way on the network.
func isPlainHost(host string) bool {
	for i := range len(host) {
		if b := host[i]; b <= ' ' || b >= 0x7f || b == '%' {
			return false
		}
	}
	return host != ""
}

// RoundTrip implements http.RoundTripper. When the request's context ends, its
// cause is the error of whatever waits.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := check(r); err != nil {
		return nil, err
	}
	if r.Context().Err() != nil {
		return nil, context.Cause(r.Context())
	}
	for {
		c := t.pool.take(address(r.URL), t.IdleTimeout)
		kept := c != nil
		if !kept {
			var err error
			if c, err = t.dial(r); err != nil {
				return nil, cause(r.Context(), err)
			}
		}
		response, err := c.exchange(r)
		if err == nil {
			return response, nil
		}
		c.Close()
		if again := kept && !c.answered && r.Context().Err() == nil; !again {
			return nil, cause(r.Context(), err)
		}
	}
}

// check refuses requests that are not plain, or could be understood as others.
func check(r *http.Request) error {
	if !Takes(r) {
		return errors.New("plainhttp: the request is not plain")
	}
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return errors.New("plainhttp: a header's name is not valid")
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return fmt.Errorf("plainhttp: the value of the header %s is not valid", name)
			}
		}
	}
	return nil
}

// address is what a URL's host is connected by.
func address(u *url.URL) string { return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80")) }

func (t *Transport) dial(r *http.Request) (*conn, error) {
	to := address(r.URL)
	raw, err := t.Dial(r.Context(), "tcp", to)
	if err != nil {
		return nil, err
	}
	return newConn(t, to, raw), nil
}

// cause is why a request's context ended, if it did, and the error otherwise.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// CloseIdleConnections closes connections that wait for another request, and those
// that are given back before the next one.
func (t *Transport) CloseIdleConnections() { t.pool.close() }
