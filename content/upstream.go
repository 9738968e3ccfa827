package content

// Upstream is what was found at a URL that may be mirrored.
type Upstream struct {
	Format Format
	URL    string // of the metadata
	Name   string // for a repository and a remote
	Units  *int   // how many there are; nil if that was not read to its end
	Bytes  *int64 // of all units
}
