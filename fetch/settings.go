package fetch

import (
	"time"

	"ream/secret"
)

// Settings are how to download from one upstream. Zero values mean the
// defaults.
type Settings struct {
	URL string // of the upstream; its host alone sees credentials, headers and the client's certificate

	Username string
	Password secret.Text
	Token    secret.Text            // a bearer token, instead of a username and a password
	Headers  map[string]secret.Text // by canonical name

	CACert     string      // PEM: that the host's certificate must come from; the system's authorities
	ClientCert string      // PEM
	ClientKey  secret.Text // PEM
	Unverified bool        // take any certificate

	ProxyURL      string // http, https, socks5 or socks5h; the environment's proxy
	ProxyUsername string
	ProxyPassword secret.Text

	InsecureRedirects bool          // from https to http
	Connections       int           // downloads at once; only as many as the host may have
	BytesPerSecond    int64         // no limit
	Stall             time.Duration // without a byte before an attempt is given up; 30 s
	Total             time.Duration // for all attempts at one file, without the pauses between them and the waits for their host and for BytesPerSecond; no limit
	Attempts          int           // in all, for failures that may pass; 5
}

// Check fails with a fault.BadInput that names the field, as the API spells
// it, of what cannot be used.
func (s Settings) Check() error {
	_, err := newSource(nil, s)
	return err
}
