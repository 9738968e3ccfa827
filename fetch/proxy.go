package fetch

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"

	"ream/fault"
)

// proxy reads the proxy's settings. It is nil if they name none.
func (s Settings) proxy() (*url.URL, error) {
	switch {
	case s.ProxyURL == "" && s.ProxyUsername != "":
		return nil, fault.Input("proxyUrl", "it is needed with a username of the proxy")
	case s.ProxyPassword.IsSet() && s.ProxyUsername == "":
		return nil, fault.Input("proxyUsername", "it is needed with a password of the proxy")
	case s.ProxyURL == "":
		return nil, nil
	}
	u, err := url.Parse(s.ProxyURL)
	switch {
	case err != nil || len(s.ProxyURL) > 2000 || u.Hostname() == "":
		return nil, fault.Input("proxyUrl", "want a URL such as http://proxy.example.org:3128")
	case u.User != nil:
		return nil, fault.Input("proxyUrl", "it may not hold a user name or password, which everybody who reads the remote would see: use proxyUsername and proxyPassword")
	case !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme):
		return nil, fault.Input("proxyUrl", "its scheme %.80q is not supported: want http, https, socks5 or socks5h", u.Scheme)
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return nil, fault.Input("proxyUrl", "it may have no path, query or fragment")
	case !printable(s.ProxyUsername) || len(s.ProxyUsername) > 255:
		return nil, fault.Input("proxyUsername", "want up to 255 bytes without control characters")
	case !printable(s.ProxyPassword.Reveal()) || len(s.ProxyPassword.Reveal()) > 255:
		return nil, fault.Input("proxyPassword", "want up to 255 bytes without control characters")
	}
	if s.ProxyUsername != "" {
		u.User = url.UserPassword(s.ProxyUsername, s.ProxyPassword.Reveal())
	}
	return u, nil
}

// proxyFor returns the proxy that a request goes through, nil for none.
func (s *Source) proxyFor(r *http.Request) (*url.URL, error) {
	if s.proxy != nil {
		return s.proxy, nil
	}
	p, err := http.ProxyFromEnvironment(r)
	if err != nil { // it would quote the proxy's password
		return nil, fault.New(fault.Unavailable, "the proxy in the server's environment is not valid: look at HTTP_PROXY and HTTPS_PROXY")
	}
	return p, nil
}

// proxyRefusal is a proxy's answer to the request for a connection.
type proxyRefusal struct{ status int }

func (e *proxyRefusal) Error() string {
	return fmt.Sprintf("the proxy answers %s", statusLine(e.status))
}

func checkProxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, response *http.Response) error {
	if response.StatusCode != http.StatusOK {
		return &proxyRefusal{response.StatusCode}
	}
	return nil
}

// isOfProxy reports whether a connection through a proxy failed before the
// upstream could.
func isOfProxy(op *net.OpError) bool { return op.Op == "proxyconnect" || op.Op == "socks connect" }
