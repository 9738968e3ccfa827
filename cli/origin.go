package cli

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"ream/cli/client"
)

// manifestName is the file that lists a file repository.
const manifestName = "PULP_MANIFEST"

// origin is a repository of the command line.
type origin struct {
	name string
	url  string // of its manifest; empty if the repository was named
}

// originsOf tells names from URLs. The name is that of the one URL's
// repository; if it is empty, each is made from its URL.
func originsOf(words []string, name string) ([]origin, error) {
	var all []origin
	for _, word := range words {
		if !strings.Contains(word, "://") {
			all = append(all, origin{name: word})
			continue
		}
		o, err := originOf(word, name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(namesOf(all), o.name) {
			return nil, misuse(fmt.Sprintf("two repositories would be named %q: mirror them one by one, with --name", o.name))
		}
		all = append(all, o)
	}
	if name != "" && (len(all) != 1 || all[0].url == "") {
		return nil, misuse("--name is for one URL")
	}
	return all, nil
}

// originOf reads the URL of a manifest, or of its directory.
func originOf(address, name string) (origin, error) {
	u, err := url.Parse(address)
	if err != nil {
		return origin{}, misuse(fmt.Sprintf("%q is no URL", address))
	}
	if u.Path == "" || strings.HasSuffix(u.Path, "/") {
		u = u.JoinPath(manifestName)
	}
	if name == "" {
		name = plain(path.Base(path.Dir(u.Path)))
	}
	if name == "" {
		name = plain(u.Hostname())
	}
	if name == "" {
		return origin{}, misuse(fmt.Sprintf("no name can be made from %s: give one with --name", address))
	}
	return origin{name: name, url: u.String()}, nil
}

// plain keeps what a repository's name and a path may hold.
func plain(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		case r == '/':
			return -1
		}
		return '-'
	}, s), ".-")
}

// namesOf are the names of repositories, in order.
func namesOf(all []origin) []string {
	var names []string
	for _, o := range all {
		names = append(names, o.name)
	}
	return names
}

// ensure makes sure that there is a repository that syncs from the URL, by a
// policy if its remote is new.
func (o origin) ensure(ctx context.Context, c *client.Client, policy client.Policy, labels []client.LabelInput) error {
	if o.url == "" {
		return nil
	}
	repository, err := client.FindRepository(ctx, c, o.name)
	if err != nil {
		return err
	}
	if found := repository.Repository; found.Id != "" {
		switch found.Remote.Url {
		case o.url:
			return nil
		case "":
			return fmt.Errorf("the repository %q has no remote: choose another name with --name, or give it one", o.name)
		}
		return fmt.Errorf("the repository %q mirrors %s: choose another name with --name", o.name, found.Remote.Url)
	}
	remote, err := client.FindRemote(ctx, c, o.name)
	if err != nil {
		return err
	}
	id := remote.Remote.Id
	if id == "" {
		created, err := client.CreateRemote(ctx, c, client.CreateRemoteInput{Name: o.name, Url: o.url, Policy: policy, Connections: 16})
		if err != nil {
			return fmt.Errorf("create the remote %q: %w", o.name, err)
		}
		id = created.CreateRemote.Id
	} else if remote.Remote.Url != o.url {
		return fmt.Errorf("the remote %q has another URL, %s: choose another name with --name", o.name, remote.Remote.Url)
	}
	if labels == nil {
		labels = []client.LabelInput{}
	}
	if _, err := client.CreateRepository(ctx, c, client.CreateRepositoryInput{Name: o.name, Format: client.FormatFile, Remote: id, Labels: labels}); err != nil {
		return fmt.Errorf("create the repository %q: %w", o.name, err)
	}
	return nil
}
