package guard

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ream/access"
	"ream/fault"
)

// Refuse answers a request that ends with a fault. Headers that the guard has
// to say something with are set already.
type Refuse func(w http.ResponseWriter, r *http.Request, err error)

// Strangers says of every request that nobody is known to make it, unless it
// came from the system itself: so whatever was not protected by mistake is
// allowed nothing.
func Strangers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isLocal(r) {
			next.ServeHTTP(w, r)
			return
		}
		serveFor(next, w, r, access.Principal{Kind: access.Nobody})
	})
}

// isLocal reports whether a user of the system makes a request who may open the
// database anyway.
func isLocal(r *http.Request) bool { return access.CallerOf(r.Context()).Kind == access.Local }

func serveFor(next http.Handler, w http.ResponseWriter, r *http.Request, p access.Principal) {
	next.ServeHTTP(w, by(r, p))
}

// by is a request with who makes it in its context.
func by(r *http.Request, p access.Principal) *http.Request {
	return r.WithContext(access.WithCaller(r.Context(), access.Caller{Principal: p, Address: address(r)}))
}

// address is where a request comes from, without the port.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "" // a socket of the system
	}
	return host
}

// API lets requests through to a handler of the API that show good credentials
// as Authorization: Bearer. A request for a websocket may come without, since
// browsers cannot send any with it: the socket's first message has to have them.
func (g *Guard) API(next http.Handler, refuse Refuse) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isLocal(r) {
			next.ServeHTTP(w, r)
			return
		}
		p, err := g.Identify(r.Context(), r.Header.Get("Authorization"), address(r))
		if err != nil && r.Header.Get("Authorization") == "" && isUpgrade(r) {
			p, err = access.Principal{Kind: access.Nobody}, nil
		}
		if err != nil {
			challenge(w, r, err, bearerScheme)
			refuse(w, r, err)
			return
		}
		serveFor(next, w, r, p)
	})
}

func isUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// Content returns a request for content, with who makes it in its context, if
// they show credentials that are good for reading: as Authorization: Bearer or,
// for curl, apt, dnf and browsers, as the password of basic authentication, with
// any user name. It demands them also where nothing else does. If they are not
// good it answers, and returns nil.
func (g *Guard) Content(w http.ResponseWriter, r *http.Request) *http.Request {
	return g.reader(w, r, "published content", true, false)
}

// Metrics lets requests through to a handler of metrics, which tell of all
// repositories, that show credentials as Content wants them.
func (g *Guard) Metrics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r := g.reader(w, r, "metrics", false, g.anonymous); r != nil {
			next.ServeHTTP(w, r)
		}
	})
}

// reader is Content for those who read what is named, also if they are limited
// to some repositories or show no credentials, as far as that may be.
func (g *Guard) reader(w http.ResponseWriter, r *http.Request, what string, limited, anonymous bool) *http.Request {
	if isLocal(r) {
		return r
	}
	authorization := r.Header.Get("Authorization")
	if _, password, ok := r.BasicAuth(); ok {
		authorization = "Bearer " + password
	}
	p, err := access.Principal{}, errNoCredentials
	if authorization != "" || anonymous {
		p, err = g.Identify(r.Context(), authorization, address(r))
	}
	if err == nil {
		err = p.Check(access.Reader, limited, what)
	}
	if err != nil {
		challenge(w, r, err, `Basic realm="Ream", charset="UTF-8"`, bearerScheme)
		http.Error(w, fault.Message(err), status(err))
		return nil
	}
	return by(r, p)
}

const bearerScheme = `Bearer realm="Ream"`

// challenge sets the headers that say by which schemes credentials are wanted,
// and when.
func challenge(w http.ResponseWriter, r *http.Request, err error, schemes ...string) {
	w.Header().Set("Cache-Control", "no-store")
	switch fault.KindOf(err) {
	case fault.Unauthenticated:
		for _, scheme := range schemes {
			if r.Header.Get("Authorization") != "" && scheme == bearerScheme {
				scheme += `, error="invalid_token"`
			}
			w.Header().Add("WWW-Authenticate", scheme)
		}
	case fault.RateLimited:
		w.Header().Set("Retry-After", strconv.Itoa(int(failuresEvery/time.Second)))
	case fault.Unavailable:
		w.Header().Set("Retry-After", "5")
	}
}

// status is the status of HTTP for a fault of the guard's.
func status(err error) int {
	switch fault.KindOf(err) {
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.RateLimited:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
