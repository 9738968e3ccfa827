package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"time"

	"ream/content"
	"ream/fault"
	"ream/fetch"
	"ream/format/file"
	"ream/secret"
)

// ProbeRequest asks what is at a URL.
type ProbeRequest struct {
	URL       string // of a directory or of its metadata
	Username  string
	Password  secret.Text
	Token     secret.Text
	CACert    string
	VerifyTLS bool
}

// The limits of a probe: how much metadata it reads, and how long all of it takes.
const (
	probedBytes = 4 << 20
	probeTime   = 14 * time.Second
)

// errProbed ends a download of which enough is here.
var errProbed = errors.New("enough was read")

// Probe asks an upstream what it holds, without storing anything. Its faults are
// of the field url: NotFound if no metadata that is known is there, BadInput if
// it is not as it should be, Unavailable if it cannot be had, Forbidden if the
// operator does not allow it. It blocks for probeTime at most.
func (c *Catalog) Probe(ctx context.Context, in ProbeRequest) (*content.Upstream, error) {
	addresses, err := manifestsOf(in.URL)
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	var missed error // at the likeliest address
	for _, address := range addresses {
		found, err := c.probe(within, in, address)
		switch {
		case err == nil:
			found.Name, err = c.freeName(ctx, nameOf(address))
			return found, err
		case within.Err() != nil && ctx.Err() == nil:
			return nil, ofURL(fault.Wrap(err, fault.Unavailable, "%s gave no answer within %v", in.URL, probeTime))
		case !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.BadInput):
			return nil, ofURL(err)
		case missed == nil || fault.Is(missed, fault.NotFound):
			missed = err
		}
	}
	if fault.Is(missed, fault.NotFound) {
		return nil, ofURL(fault.New(fault.NotFound, "nothing that can be mirrored is there: files are listed in a %s, which is not at %s", file.ManifestName, addresses[0]))
	}
	return nil, ofURL(missed)
}

// manifestsOf are where the metadata of what somebody pasted may be, the
// likeliest place first.
func manifestsOf(pasted string) ([]string, error) {
	u, err := url.Parse(strings.TrimSpace(pasted))
	if err != nil || u.Scheme == "" {
		return nil, fault.Input("url", "want a whole URL: http://host/…, https://host/… or file:///…")
	}
	u.Fragment, u.RawFragment = "", ""
	given := u.String()
	if path.Base(u.Path) == file.ManifestName {
		return []string{given}, nil
	}
	beside := *u.JoinPath(file.ManifestName)
	if strings.HasSuffix(u.Path, "/") || u.Path == "" {
		return []string{beside.String()}, nil
	}
	return []string{beside.String(), given}, nil
}

// probe reads the beginning of a manifest.
func (c *Catalog) probe(ctx context.Context, in ProbeRequest, address string) (*content.Upstream, error) {
	r := &content.Remote{Name: "probe", URL: address, Policy: content.Immediate, Username: in.Username, CACert: in.CACert, VerifyTLS: in.VerifyTLS,
		Connections: 1, StallTimeout: probeTime, TotalTimeout: probeTime}
	if err := checkRemote(r); err != nil {
		return nil, err
	}
	if err := c.Fetch.CheckURL(address); err != nil {
		return nil, err
	}
	texts := secrets{}
	texts.set(content.Password, &in.Password)
	texts.set(content.Token, &in.Token)
	source, err := c.Fetch.Source("probe", settings(r, texts))
	if err != nil {
		return nil, err
	}
	head := &headSink{}
	_, err = source.Get(ctx, fetch.Request{URL: address, Size: -1, Patience: 5 * time.Second}, head)
	whole := err == nil
	if err != nil && !errors.Is(err, errProbed) {
		return nil, err
	}
	text := head.Bytes()
	if !whole {
		text = text[:bytes.LastIndexByte(text, '\n')+1] // the last line may have an end that was not read
	}
	units, size := 0, int64(0)
	if err := file.Parse(bytes.NewReader(text), func(e file.Entry) error {
		units++
		size += e.Size
		return nil
	}); err != nil {
		return nil, err
	}
	found := &content.Upstream{Format: content.File, URL: address}
	if whole {
		found.Units, found.Bytes = &units, &size
	}
	return found, nil
}

// headSink keeps the beginning of a download.
type headSink struct{ bytes.Buffer }

func (s *headSink) Write(p []byte) (int, error) {
	n, err := s.Buffer.Write(p)
	if err == nil && s.Len() >= probedBytes {
		err = errProbed
	}
	return n, err
}

func (s *headSink) Reset() error {
	s.Buffer.Reset()
	return nil
}

// ofURL makes a fault one of the field url. Faults of other fields, and what is
// no fault, stay.
func ofURL(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Field != "" {
		return err
	}
	named := *f
	named.Field = "url"
	return &named
}

// unnamed are the letters that names may not have.
var unnamed = regexp.MustCompile(`[^\pL\pN ._-]+`)

// nameOf is a name for what is at a URL: the last part of its path that says
// something, or its host.
func nameOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "mirror"
	}
	name := path.Base(path.Dir(u.Path))
	if strings.Trim(name, "./") == "" {
		name = u.Hostname()
	}
	name = strings.Trim(unnamed.ReplaceAllString(name, "-"), " ._-")
	if letters := []rune(name); len(letters) > 190 {
		name = strings.TrimRight(string(letters[:190]), " ")
	}
	if name == "" {
		return "mirror"
	}
	return name
}

// freeName is a name, with a number if a repository or a remote has it.
func (c *Catalog) freeName(ctx context.Context, name string) (string, error) {
	for i := 1; ; i++ {
		free := name
		if i > 1 {
			free = fmt.Sprintf("%s-%d", name, i)
		}
		taken, err := c.isTaken(ctx, free)
		if err != nil || !taken {
			return free, err
		}
	}
}

func (c *Catalog) isTaken(ctx context.Context, name string) (bool, error) {
	found, err := c.DB.RepositoriesByName(ctx, []string{name})
	if err != nil || found[0] != nil {
		return true, err
	}
	_, err = c.DB.RemoteByName(ctx, name)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return true, err
}
