package resolvers

import (
	"context"
	"strings"

	"ream/content"
	"ream/fault"
	"ream/page"
)

// directory is a directory of a publication, and which of its names a list is
// about: those that begin with prefix, or all.
type directory struct {
	publication  content.PublicationID
	path, prefix string
}

// directoryOf decodes the arguments that name one.
func directoryOf(id content.PublicationID, path, prefix string) (directory, error) {
	d := directory{id, path, prefix}
	if path != "" {
		if err := content.CheckPath(path); err != nil {
			return d, fault.Input("directory", "%s: want dists/stable, or nothing for the topmost one", err)
		}
	}
	if err := content.CheckPath(prefix + "x"); err != nil && prefix != "" || strings.Contains(prefix, "/") { // a name may begin with a dot
		return d, fault.Input("prefix", "no name begins with %.80q: names have no slash; directory says where they are", prefix)
	}
	return d, nil
}

// ofDirectories reads the entries of directories, together where they are of the
// same path.
func ofDirectories(s Store, ctx context.Context, owners []directory, request page.Request) ([]*page.Of[*content.DirEntry], error) {
	same := map[directory][]int{} // by the path and prefix, the places
	for i, o := range owners {
		o.publication = 0
		same[o] = append(same[o], i)
	}
	pages := make([]*page.Of[*content.DirEntry], len(owners))
	for d, places := range same {
		ids := make([]content.PublicationID, len(places))
		for i, place := range places {
			ids[i] = owners[place].publication
		}
		read, err := s.PublishedEntries(ctx, ids, d.path, d.prefix, request)
		if err != nil {
			return nil, err
		}
		for i, place := range places {
			pages[place] = read[i]
		}
	}
	return pages, nil
}

// ofFile is what an entry has if it is a file; nil of a directory.
func ofFile[T any](e *content.DirEntry, v T) *T {
	if e.IsDir {
		return nil
	}
	return &v
}
