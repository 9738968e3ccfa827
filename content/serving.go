package content

import "time"

// Serving is a distribution as a request meets it: what it serves at the
// moment. PublicationID is 0 if nothing has been published yet.
type Serving struct {
	DistributionID DistributionID
	Path           string       // of the distribution
	Access         Access       // of the distribution
	RepositoryID   RepositoryID // whose content it serves
	PublicationID  PublicationID
	// Replaced is what was served at its path until recently, newest first: clients
	// that read one of them get the rest of it.
	Replaced []Predecessor
}

// Predecessor is a publication that was served until recently.
type Predecessor struct {
	PublicationID PublicationID
	RepositoryID  RepositoryID // whose content it is
}

// Served is what a distribution served for a while, at one path.
type Served struct {
	Path          string        // at which it did
	PublicationID PublicationID // it may be deleted
	Since         time.Time
	Until         *time.Time // nil while it is served
}

// DirEntry is a name directly below a directory of a publication.
type DirEntry struct {
	Name   string
	Path   string // within the publication
	IsDir  bool
	SHA256 Digest // empty of a directory
	Size   int64  // bytes; 0 of a directory
	// ModifiedAt is what clients see as Last-Modified; zero of a directory.
	ModifiedAt time.Time
}
