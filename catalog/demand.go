package catalog

import (
	"context"
	"net/url"

	"ream/content"
	"ream/fault"
	"ream/fetch"
)

// Places returns where bytes can be got that are not stored: those that syncs
// left to be fetched on demand, and those that were found damaged. A remote that
// cannot be used as it is set is passed over, unless there is no other.
func (c *Catalog) Places(ctx context.Context, digest content.Digest) ([]fetch.Place, error) {
	sources, err := c.DB.Sources(ctx, digest)
	if err != nil {
		return nil, err
	}
	ids := make([]content.RemoteID, len(sources))
	for i, s := range sources {
		ids[i] = s.RemoteID
	}
	remotes, err := c.DB.RemotesByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	var places []fetch.Place
	var unusable error
	for i, remote := range remotes {
		if remote == nil {
			continue // it was deleted just now
		}
		place, err := c.place(remote, sources[i].Path)
		if err != nil {
			unusable = err
			continue
		}
		places = append(places, place)
	}
	if len(places) > 0 {
		return places, nil
	}
	return nil, unusable
}

// place is where a remote has a file.
func (c *Catalog) place(r *content.Remote, path string) (fetch.Place, error) {
	base, err := url.Parse(r.URL)
	if err != nil {
		return fetch.Place{}, fault.Wrap(err, fault.BadInput, "the remote's URL is not valid")
	}
	source, err := c.source(r)
	if err != nil {
		return fetch.Place{}, err
	}
	return fetch.Place{Source: source, URL: address(base, path)}, nil
}
