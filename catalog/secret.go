package catalog

import (
	"fmt"
	"maps"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"ream/content"
	"ream/fault"
	"ream/fetch"
	"ream/secret"
)

// secrets are those of a remote, as they are.
type secrets map[content.SecretName]secret.Text

// set changes a secret if the request names it; an empty one is removed.
func (s secrets) set(name content.SecretName, to *secret.Text) {
	switch {
	case to == nil:
	case to.IsSet():
		s[name] = *to
	default:
		delete(s, name)
	}
}

// setHeaders replaces all headers. One without a value keeps the one it has.
func (s secrets) setHeaders(headers []Header) error {
	all := secrets{}
	for _, h := range headers {
		name := content.HeaderValue(textproto.CanonicalMIMEHeaderKey(h.Name))
		if _, ok := all[name]; ok {
			return fault.Input("headers", "%.80q is given twice", h.Name)
		}
		value := s[name]
		if h.Value != nil {
			value = *h.Value
		}
		if !value.IsSet() {
			return fault.Input("headers", "%.80q has no value: give one", h.Name)
		}
		all[name] = value
	}
	for name := range s {
		if _, ok := name.Header(); ok {
			delete(s, name)
		}
	}
	for name, value := range all {
		s[name] = value
	}
	return nil
}

// changeSecrets gives a remote the sealed secrets that it has after a change,
// and returns what all of them are. What stays is not sealed anew; what is
// replaced need not open.
func (c *Catalog) changeSecrets(before, after *content.Remote, in RemoteChange) (secrets, error) {
	kept := *before
	kept.Secrets = content.Secrets{}
	for _, name := range slices.Sorted(maps.Keys(before.Secrets)) {
		if in.replaces(name) {
			continue
		}
		if place(before, name) != place(after, name) {
			return nil, movedAway(before, after, name)
		}
		kept.Secrets[name] = before.Secrets[name]
	}
	texts, err := c.open(&kept)
	if err != nil {
		return nil, err
	}
	texts.set(content.Password, in.Password)
	texts.set(content.Token, in.Token)
	texts.set(content.ClientKey, in.ClientKey)
	texts.set(content.ProxyPassword, in.ProxyPassword)
	if in.Headers != nil {
		if err := texts.setHeaders(*in.Headers); err != nil {
			return nil, err
		}
	}
	after.Secrets = c.seal(after, texts, kept.Secrets)
	return texts, nil
}

// movedAway is that a secret would be sent where it was not given for: whoever
// may change a remote may not read its secrets in that way.
func movedAway(before, after *content.Remote, name content.SecretName) error {
	field := "proxyUrl"
	if name != content.ProxyPassword && origin(before.URL) != origin(after.URL) {
		field = "url"
	}
	return fault.Input(field, "the %s that is set was not given to be sent there: give it again, or remove it", name)
}

// replaces reports whether a change gives a secret another text, or removes it.
func (in RemoteChange) replaces(name content.SecretName) bool {
	if header, ok := name.Header(); ok && in.Headers != nil {
		for _, h := range *in.Headers {
			if strings.EqualFold(h.Name, header) {
				return h.Value != nil
			}
		}
		return true
	}
	switch name {
	case content.Password:
		return in.Password != nil
	case content.Token:
		return in.Token != nil
	case content.ClientKey:
		return in.ClientKey != nil
	case content.ProxyPassword:
		return in.ProxyPassword != nil
	}
	return false
}

// seal encrypts a remote's secrets, but for those that are sealed already.
func (c *Catalog) seal(r *content.Remote, texts secrets, sealed content.Secrets) content.Secrets {
	all := content.Secrets{}
	for name, text := range texts {
		if s, ok := sealed[name]; ok {
			all[name] = s
		} else {
			all[name] = c.Key.Seal(text, place(r, name))
		}
	}
	return all
}

// open decrypts a remote's secrets.
func (c *Catalog) open(r *content.Remote) (secrets, error) {
	texts := secrets{}
	for name, sealed := range r.Secrets {
		text, err := c.Key.Open(sealed, place(r, name))
		if err != nil {
			return nil, fault.Wrap(err, fault.Conflict, "the %s of remote %q does not open with this server's key: set it again, or give all servers the key that it was sealed with by --secret-key-file", name, r.Name)
		}
		texts[name] = text
	}
	return texts, nil
}

// place is what a secret is sealed for: it opens in no other remote's row, as
// no other secret, and not to be sent to another host or through another proxy.
func place(r *content.Remote, name content.SecretName) string {
	if name == content.ProxyPassword {
		return fmt.Sprintf("%s %s at %s", r.ID, name, origin(r.ProxyURL))
	}
	return fmt.Sprintf("%s %s at %s through %s", r.ID, name, origin(r.URL), origin(r.ProxyURL))
}

// origin is the part of a URL that says whose it is.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + strings.ToLower(u.Host)
}

// source is where a remote's bytes come from.
func (c *Catalog) source(r *content.Remote) (*fetch.Source, error) {
	texts, err := c.open(r)
	if err != nil {
		return nil, err
	}
	return c.Fetch.Source(r.ID.String(), settings(r, texts))
}

// settings are a remote's, as downloads need them.
func settings(r *content.Remote, texts secrets) fetch.Settings {
	s := fetch.Settings{
		URL:      r.URL,
		Username: r.Username, Password: texts[content.Password], Token: texts[content.Token], Headers: map[string]secret.Text{},
		CACert: r.CACert, ClientCert: r.ClientCert, ClientKey: texts[content.ClientKey], Unverified: !r.VerifyTLS,
		ProxyURL: r.ProxyURL, ProxyUsername: r.ProxyUsername, ProxyPassword: texts[content.ProxyPassword],
		InsecureRedirects: r.InsecureRedirects, Connections: r.Connections, BytesPerSecond: r.BytesPerSecond,
		Stall: r.StallTimeout, Total: r.TotalTimeout, Attempts: 1 + r.Retries,
	}
	for name, value := range texts {
		if header, ok := name.Header(); ok {
			s.Headers[header] = value
		}
	}
	return s
}
