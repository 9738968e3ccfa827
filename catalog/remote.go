package catalog

import (
	"context"
	"net/url"
	"strings"
	"time"

	"ream/content"
	"ream/db"
	"ream/fault"
)

// CreateRemote creates a remote.
func (c *Catalog) CreateRemote(ctx context.Context, in RemoteInput) (*content.Remote, error) {
	r := &content.Remote{
		Name: in.Name, URL: in.URL, Policy: in.Policy,
		Username: in.Username, CACert: in.CACert, ClientCert: in.ClientCert, VerifyTLS: in.VerifyTLS,
		ProxyURL: in.ProxyURL, ProxyUsername: in.ProxyUsername,
		InsecureRedirects: in.InsecureRedirects, Connections: in.Connections, BytesPerSecond: in.BytesPerSecond,
		StallTimeout: in.StallTimeout, TotalTimeout: in.TotalTimeout, Retries: in.Retries,
	}
	texts := secrets{}
	texts.set(content.Password, &in.Password)
	texts.set(content.Token, &in.Token)
	texts.set(content.ClientKey, &in.ClientKey)
	texts.set(content.ProxyPassword, &in.ProxyPassword)
	if err := texts.setHeaders(in.Headers); err != nil {
		return nil, err
	}
	if err := checkRemote(r); err != nil {
		return nil, err
	}
	if err := settings(r, texts).Check(); err != nil {
		return nil, err
	}
	if err := c.Fetch.CheckURL(r.URL); err != nil {
		return nil, err
	}
	return change(ctx, c, func(tx *db.Tx) (*content.Remote, error) {
		if err := tx.CreateRemote(ctx, r); err != nil || len(texts) == 0 {
			return r, err
		}
		r.Secrets = c.seal(r, texts, nil)
		return r, tx.UpdateRemote(ctx, r)
	})
}

// UpdateRemote changes a remote. What runs goes on with the settings that it
// began with.
func (c *Catalog) UpdateRemote(ctx context.Context, id content.RemoteID, in RemoteChange) (*content.Remote, error) {
	return change(ctx, c, func(tx *db.Tx) (*content.Remote, error) {
		r, err := tx.LockRemote(ctx, id)
		if err != nil {
			return nil, err
		}
		before := *r
		set(&r.Name, in.Name)
		set(&r.URL, in.URL)
		set(&r.Policy, in.Policy)
		set(&r.Username, in.Username)
		set(&r.CACert, in.CACert)
		set(&r.ClientCert, in.ClientCert)
		set(&r.VerifyTLS, in.VerifyTLS)
		set(&r.ProxyURL, in.ProxyURL)
		set(&r.ProxyUsername, in.ProxyUsername)
		set(&r.InsecureRedirects, in.InsecureRedirects)
		set(&r.Connections, in.Connections)
		set(&r.BytesPerSecond, in.BytesPerSecond)
		set(&r.StallTimeout, in.StallTimeout)
		set(&r.TotalTimeout, in.TotalTimeout)
		set(&r.Retries, in.Retries)
		if err := checkRemote(r); err != nil {
			return nil, err
		}
		texts, err := c.changeSecrets(&before, r, in)
		if err != nil {
			return nil, err
		}
		if err := settings(r, texts).Check(); err != nil {
			return nil, err
		}
		if in.URL != nil {
			if err := c.Fetch.CheckURL(r.URL); err != nil {
				return nil, err
			}
		}
		return r, tx.UpdateRemote(ctx, r)
	})
}

// DeleteRemote deletes a remote that no repository uses, and returns it.
func (c *Catalog) DeleteRemote(ctx context.Context, id content.RemoteID) (*content.Remote, error) {
	return change(ctx, c, func(tx *db.Tx) (*content.Remote, error) {
		r, err := tx.LockRemote(ctx, id)
		if err != nil {
			return nil, err
		}
		return r, tx.DeleteRemote(ctx, id)
	})
}

// The limits of a remote's settings.
const (
	leastBytesPerSecond = 1 << 10
	mostStall           = time.Hour
	mostTotal           = 7 * 24 * time.Hour
	mostRetries         = 10
)

func checkRemote(r *content.Remote) error {
	if err := checkName(r.Name); err != nil {
		return err
	}
	u, err := url.Parse(r.URL)
	switch {
	case err != nil || len(r.URL) > 2000:
		return fault.Input("url", "it is no valid URL")
	case u.User != nil:
		return fault.Input("url", "it may not hold a user name or password, which every reader of the remote would see: use username and password")
	case u.Scheme == "file" && u.Host == "" && strings.HasPrefix(u.Path, "/"):
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
	default:
		return fault.Input("url", "want http://host/…, https://host/… or file:///…")
	}
	switch {
	case u.Path == "" || strings.HasSuffix(u.Path, "/"):
		return fault.Input("url", "it names a directory: want the URL of the PULP_MANIFEST itself")
	case r.Policy != content.Immediate && r.Policy != content.OnDemand:
		return fault.Input("policy", "want IMMEDIATE or ON_DEMAND")
	case r.Connections < 1 || r.Connections > 64:
		return fault.Input("connections", "want 1 to 64")
	case r.BytesPerSecond != 0 && r.BytesPerSecond < leastBytesPerSecond:
		return fault.Input("bytesPerSecond", "want %d or more, or 0 for no limit", leastBytesPerSecond)
	case r.StallTimeout < time.Second || r.StallTimeout > mostStall:
		return fault.Input("stallTimeout", "want 1 to %d seconds", int(mostStall.Seconds()))
	case r.TotalTimeout < 0 || r.TotalTimeout > mostTotal:
		return fault.Input("totalTimeout", "want up to %d seconds, or 0 for no limit", int(mostTotal.Seconds()))
	case r.Retries < 0 || r.Retries > mostRetries:
		return fault.Input("retries", "want 0 to %d", mostRetries)
	}
	return nil
}
