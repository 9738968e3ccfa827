package content

import (
	"slices"
	"strings"
	"time"
)

// Remote is where upstream is and how to fetch from it.
type Remote struct {
	ID     RemoteID
	Name   string // unique
	URL    string // of the metadata: for files, of the PULP_MANIFEST
	Policy Policy

	Username   string
	CACert     string // PEM, that the server's certificate must come from; empty for the system's authorities
	ClientCert string // PEM
	VerifyTLS  bool

	ProxyURL      string // empty for the environment's proxy
	ProxyUsername string

	InsecureRedirects bool          // whether https may redirect to http
	Connections       int           // how many downloads may run at once
	BytesPerSecond    int64         // 0 for any number
	StallTimeout      time.Duration // without a byte; whole seconds
	TotalTimeout      time.Duration // for a file; whole seconds; 0 for any time
	Retries           int           // after the first attempt

	Secrets Secrets

	CreatedAt time.Time
	UpdatedAt time.Time
}

// Secrets are what only the remote's upstream may see, encrypted, by name.
type Secrets map[SecretName][]byte

// SecretName says what a secret is for.
type SecretName string

// The secrets that a remote may have, beside the values of its headers.
const (
	Password      SecretName = "password"
	Token         SecretName = "token"
	ClientKey     SecretName = "clientKey"
	ProxyPassword SecretName = "proxyPassword"
)

// headerPrefix begins the names of secrets that are headers' values.
const headerPrefix = "header "

// HeaderValue names the value of a header, which has its canonical form.
func HeaderValue(header string) SecretName { return SecretName(headerPrefix + header) }

// Header returns the header whose value the secret is; false if it is none.
func (n SecretName) Header() (string, bool) { return strings.CutPrefix(string(n), headerPrefix) }

// HasPassword reports whether a password is set.
func (r *Remote) HasPassword() bool { return r.has(Password) }

// HasToken reports whether a token is set.
func (r *Remote) HasToken() bool { return r.has(Token) }

// HasClientKey reports whether a client key is set.
func (r *Remote) HasClientKey() bool { return r.has(ClientKey) }

// HasProxyPassword reports whether a password of the proxy is set.
func (r *Remote) HasProxyPassword() bool { return r.has(ProxyPassword) }

func (r *Remote) has(name SecretName) bool { return r.Secrets[name] != nil }

// HeaderNames are the headers that requests carry, in alphabetical order.
func (r *Remote) HeaderNames() []string {
	names := []string{}
	for name := range r.Secrets {
		if header, ok := name.Header(); ok {
			names = append(names, header)
		}
	}
	slices.Sort(names)
	return names
}
