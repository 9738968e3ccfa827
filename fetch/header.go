package fetch

import (
	"encoding/base64"
	"net/http"
	"net/textproto"
	"regexp"
	"strings"

	"ream/fault"
)

// ownHeaders are those that a download sets itself, that belong to the
// connection and not to the request, or that have settings of their own.
var ownHeaders = map[string]string{
	"Authorization":       "use username and password, or token",
	"Host":                "the URL says it",
	"Range":               "downloads set it themselves",
	"If-Range":            "downloads set it themselves",
	"If-Match":            "downloads are not conditional",
	"If-None-Match":       "downloads are not conditional",
	"If-Modified-Since":   "downloads are not conditional",
	"If-Unmodified-Since": "downloads are not conditional",
	"Accept-Encoding":     "bytes are stored as upstream has them",
	"Connection":          "it is the connection's",
	"Keep-Alive":          "it is the connection's",
	"Te":                  "it is the connection's",
	"Trailer":             "it is the connection's",
	"Transfer-Encoding":   "it is the connection's",
	"Upgrade":             "it is the connection's",
	"Http2-Settings":      "it is the connection's",
	"Expect":              "there is no body to send",
	"Content-Length":      "there is no body to send",
}

// The most headers, and the longest name or value, in bytes.
const (
	maxHeaders = 50
	maxHeader  = 8 << 10
)

// header returns what the own host's requests carry.
func (s Settings) header() (http.Header, error) {
	h := http.Header{}
	if len(s.Headers) > maxHeaders {
		return nil, fault.Input("headers", "there are %d: at most %d are allowed", len(s.Headers), maxHeaders)
	}
	for name, value := range s.Headers {
		if err := checkHeader(name, value.Reveal()); err != nil {
			return nil, err
		}
		h.Set(name, value.Reveal())
	}
	switch username, password, token := s.Username, s.Password.Reveal(), s.Token.Reveal(); {
	case token != "" && username != "":
		return nil, fault.Input("token", "give either a token or a username")
	case password != "" && username == "":
		return nil, fault.Input("username", "it is needed with a password")
	case strings.Contains(username, ":") || !printable(username):
		return nil, fault.Input("username", "it may hold no colon and no control character")
	case !printable(password):
		return nil, fault.Input("password", "it may hold no control character")
	case len(username) > maxHeader:
		return nil, fault.Input("username", "it has more than %d bytes", maxHeader)
	case len(password) > maxHeader:
		return nil, fault.Input("password", "it has more than %d bytes", maxHeader)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || len(token) > maxHeader:
		return nil, fault.Input("token", "want up to %d letters, digits and signs of ASCII without spaces", maxHeader)
	case token != "":
		h.Set("Authorization", "Bearer "+token)
	case username != "":
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(username+":"+password)))
	}
	if len(h) > 0 && s.URL == "" {
		return nil, fault.Input("url", "it is needed with credentials and headers: no other host may see them")
	}
	return h, nil
}

var headerNames = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)

// checkHeader accepts a header that a request may carry beside its own. Its
// errors never quote the value.
func checkHeader(name, value string) error {
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	reason, own := ownHeaders[canonical]
	switch {
	case !headerNames.MatchString(name):
		return fault.Input("headers", "the name %.80q: want up to 200 letters, digits and - _ . of ASCII", name)
	case own:
		return fault.Input("headers", "%s is not allowed: %s", canonical, reason)
	case strings.HasPrefix(canonical, "Proxy-"):
		return fault.Input("headers", "%s is not allowed: use proxyUsername and proxyPassword", canonical)
	case value == "" || !printable(value) || len(value) > maxHeader:
		return fault.Input("headers", "the value of %s: want 1 to %d bytes without control characters", canonical, maxHeader)
	case strings.TrimSpace(value) != value:
		return fault.Input("headers", "the value of %s begins or ends with a space", canonical)
	}
	return nil
}

// printable reports whether a text has no control characters.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
