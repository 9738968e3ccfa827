package fetch

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// maxRedirects bounds how often a request may be sent elsewhere.
const maxRedirects = 10

// What is wrong with a redirect. It does not pass, and is told without the
// address, which may hold credentials.
var (
	errRedirects = errors.New("it has more than 10 redirects")
	errElsewhere = errors.New("it redirects to what is no http or https address")
	errInsecure  = errors.New("it redirects from https to http, where anybody may change what is sent: insecureRedirects allows that")
)

// hop is where a request goes.
type hop struct {
	url *url.URL
	own bool // whether it is the source's own host, which may see its credentials
}

// redirect returns where a response sends the request; a hop without a URL if
// it answers by itself.
func (h hop) redirect(response *http.Response, insecure bool) (hop, error) {
	switch response.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return hop{}, nil
	}
	location := response.Header.Get("Location")
	if location == "" {
		return hop{}, nil
	}
	to, err := h.url.Parse(location)
	if err != nil || to.Scheme != "http" && to.Scheme != "https" || to.Hostname() == "" {
		return hop{}, errElsewhere
	}
	if h.url.Scheme == "https" && to.Scheme == "http" && !insecure {
		return hop{}, errInsecure
	}
	return hop{url: to}, nil
}

// isOwn reports whether a URL leads to the source's own host: by the same
// scheme and port, or by https if the source has http, on their usual ports.
func (s *Source) isOwn(u *url.URL) bool {
	if s.base == nil || !strings.EqualFold(s.base.Hostname(), u.Hostname()) {
		return false
	}
	if s.base.Scheme == "http" && u.Scheme == "https" {
		return withPort(s.base) == withPort(&url.URL{Scheme: "http", Host: s.base.Hostname()}) && (u.Port() == "" || u.Port() == "443")
	}
	return s.base.Scheme == u.Scheme && strings.EqualFold(withPort(s.base), withPort(u))
}
