// Package content holds the nouns of a package repository and their
// invariants: remote, repository, version, unit, artifact, publication and
// distribution. It knows neither databases nor HTTP.
package content

import (
	"time"
)

// Format is the kind of packages that a repository holds.
type Format string

// The formats.
const File Format = "FILE"

// Policy says when a remote's bytes are fetched.
type Policy string

// The policies.
const (
	Immediate Policy = "IMMEDIATE" // every artifact during the sync
	OnDemand  Policy = "ON_DEMAND" // each when a client asks for it first
)

// Label is a key and value that people give a repository to select it by.
type Label struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Repository is a name, a format and a line of immutable versions.
type Repository struct {
	ID       RepositoryID
	Name     string // unique
	Format   Format
	RemoteID RemoteID  // 0 if it has none
	Labels   []Label   // by key
	LatestID VersionID // the newest version; 0 before the first
	// KeepVersions is how many versions are kept; 0 for all.
	KeepVersions int
	// NewestPublicationID is what distributions that follow the repository
	// serve; 0 before the first publication.
	NewestPublicationID PublicationID
	CreatedAt           time.Time
	UpdatedAt           time.Time
}

// Version is an immutable set of units.
type Version struct {
	ID           VersionID
	RepositoryID RepositoryID
	Number       int // 1, 2, … within the repository
	Base         int // the number of the version before it; 0 for none
	Units        int
	Bytes        int64
	Added        int // units that the version before it has not
	Removed      int // units that only the version before it has
	CreatedAt    time.Time
}

// VersionKey names a version as people do.
type VersionKey struct {
	RepositoryID RepositoryID
	Number       int
}

// Unit is one file, one package or one advisory. Path, digest and size together are
// the natural key of a file.
type Unit struct {
	ID     UnitID
	Format Format
	Path   string // where it lies in the repository, relative and clean
	SHA256 Digest // of its artifact
	Size   int64  // bytes
}

// Artifact is the record of bytes that are stored once, whatever refers to them.
type Artifact struct {
	ID        ArtifactID
	SHA256    Digest
	Size      int64 // bytes
	CreatedAt time.Time
}

// Source is where the bytes of an artifact can be got.
type Source struct {
	SHA256   Digest
	RemoteID RemoteID
	Path     string // below the directory of the remote's metadata
}

// Publication is a version made ready to be served: its metadata files and
// the path of every artifact.
type Publication struct {
	ID           PublicationID
	RepositoryID RepositoryID
	VersionID    VersionID
	Files        int
	Bytes        int64
	CreatedAt    time.Time
}

// PublishedFile is one path of a publication.
type PublishedFile struct {
	Path       string
	IsDir      bool // there is only a directory of that name, and nothing more to tell
	SHA256     Digest
	Size       int64
	ModifiedAt time.Time // what clients see as Last-Modified
	Stored     bool      // whether the bytes are here
}

// Access says who may read what a distribution serves.
type Access string

// The kinds of access.
const (
	AsServer  Access = "SERVER" // whoever may where nothing else is said
	Public    Access = "PUBLIC" // everybody
	WithToken Access = "TOKEN"  // who shows credentials that are good for reading
)

// Distribution serves a publication, or the newest one of a repository,
// below a path. Exactly one of RepositoryID and PublicationID is set.
type Distribution struct {
	ID            DistributionID
	Path          string // unique, below /content/
	RepositoryID  RepositoryID
	PublicationID PublicationID
	Access        Access
	CreatedAt     time.Time
	UpdatedAt     time.Time
}
