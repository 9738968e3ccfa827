package content

// Serving is a distribution as a request meets it: what it serves at the
// moment. PublicationID is 0 if nothing has been published yet.
type Serving struct {
	DistributionID DistributionID
	Path           string       // of the distribution
	RepositoryID   RepositoryID // whose content it serves
	PublicationID  PublicationID
}

// DirEntry is a name directly below a directory of a publication.
type DirEntry struct {
	Name  string
	IsDir bool
	Size  int64 // bytes; 0 of a directory
}
