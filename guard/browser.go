package guard

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/rs/cors"

	"ream/fault"
)

// isLoopback reports whether a host is this machine, by its name or address.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// Hosts answers only requests for a host of loopback, or one of those that are
// named. A page of a name that its owner lets lead to this machine would be of
// the same origin for the browser, and could ask for whatever nobody needs
// credentials for.
func Hosts(named []string, next http.Handler, refuse Refuse) http.Handler {
	var last atomic.Pointer[string] // host that was let in: most requests name the same
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if known := last.Load(); known != nil && *known == r.Host {
			next.ServeHTTP(w, r)
			return
		}
		host := hostname(r.Host)
		if isLoopback(host) || slices.ContainsFunc(named, func(n string) bool { return strings.EqualFold(n, host) }) {
			asked := strings.Clone(r.Host)
			last.Store(&asked)
			next.ServeHTTP(w, r)
			return
		}
		refuse(w, r, fault.New(fault.Forbidden, "requests for the host %.100q are not answered: the server's operator can allow it (--host)", host))
	})
}

// hostname is the host of a Host header, without a port.
func hostname(host string) string {
	u := url.URL{Host: host}
	return strings.TrimSuffix(u.Hostname(), ".")
}

// CheckOrigin reports what is wrong with an origin from which pages are to be
// let in.
func CheckOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || origin != u.Scheme+"://"+u.Host || strings.Contains(origin, "*") {
		return fmt.Errorf("%q is no origin: want one such as https://pages.example.org, without a path", origin)
	}
	return nil
}

// Pages protects a handler of the API from pages of other origins, but for
// those that are named: browsers let these read its answers, and the others may
// not even send what changes something.
func Pages(origins []string, next http.Handler, refuse Refuse) http.Handler {
	protection := http.NewCrossOriginProtection()
	for _, o := range origins {
		if err := protection.AddTrustedOrigin(o); err != nil {
			panic(err) // CheckOrigin found it well
		}
	}
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, fault.New(fault.Forbidden, "pages of another origin may not send this: the server's operator can allow it (--cors-origin)"))
	}))
	protected := protection.Handler(next)
	if len(origins) == 0 {
		return protected
	}
	// Pages send no cookies: a token that they have goes into Authorization.
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Accept", "Prefer", "GraphQL-Require-Preflight",
			"Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Metadata", "Upload-Checksum"},
		ExposedHeaders: []string{"Content-Location", "Location", "Link", "Preference-Applied", "Retry-After", "WWW-Authenticate",
			"Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Upload-Length", "Upload-Offset", "Upload-Expires"},
		MaxAge: 600,
	}).Handler(protected)
}

// Headers sets what every answer has, unless a handler says something else:
// browsers may neither guess types, nor tell others where a page was, nor show
// the answer within a page of others, nor run anything in it.
func Headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X-Content-Type-Options"] = noSniff
		h["Referrer-Policy"] = noReferrer
		h["X-Frame-Options"] = deny
		h["Content-Security-Policy"] = nothing
		h["Cross-Origin-Opener-Policy"] = sameOrigin
		next.ServeHTTP(w, r)
	})
}

// The values are the same for every answer. Nobody changes them.
var (
	noSniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
	deny       = []string{"DENY"}
	nothing    = []string{"default-src 'none'; frame-ancestors 'none'"}
	sameOrigin = []string{"same-origin"}
)
