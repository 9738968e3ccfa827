package catalog

import (
	"ream/content"
	"ream/task"
)

// RemoteInput is what a new remote needs.
type RemoteInput struct {
	Name        string
	URL         string
	Policy      content.Policy
	Connections int
}

// RemoteChange is what changes in a remote. Nil fields stay.
type RemoteChange struct {
	Name        *string
	URL         *string
	Policy      *content.Policy
	Connections *int
}

// RepositoryInput is what a new repository needs.
type RepositoryInput struct {
	Name   string
	Format content.Format
	Remote content.RemoteID // 0 for none
	Labels []content.Label
}

// RepositoryChange is what changes in a repository. Nil fields stay.
type RepositoryChange struct {
	Name   *string
	Remote *content.RemoteID // 0 takes the remote away
	Labels *[]content.Label
}

// DistributionInput is what a new distribution needs. Exactly one of
// Repository and Publication is set.
type DistributionInput struct {
	Path        string
	Repository  content.RepositoryID
	Publication content.PublicationID
}

// DistributionChange is what changes in a distribution. Nil fields stay; at
// most one of Repository and Publication is set.
type DistributionChange struct {
	Path        *string
	Repository  *content.RepositoryID
	Publication *content.PublicationID
}

// Selector selects repositories, in exactly one way.
type Selector struct {
	IDs    []content.RepositoryID
	Names  []string
	Labels *string // "env=prod,team!=web,mirror,!old"
	All    bool
}

// SyncRequest asks for syncs.
type SyncRequest struct {
	Repositories   Selector
	Mirror         bool // remove what upstream dropped
	Priority       task.Priority
	MaxRunning     int    // how many members of the group may run at once; 0 for no limit
	IdempotencyKey string // empty for none
}

// PublishRequest asks for publications.
type PublishRequest struct {
	Repositories   Selector
	Version        int // its number; 0 for the newest
	Priority       task.Priority
	MaxRunning     int
	IdempotencyKey string
}

// MirrorRequest asks for syncs, publications and distributions.
type MirrorRequest struct {
	Repositories   Selector
	Path           string // of the distribution; empty for the repository's name
	Mirror         bool
	Priority       task.Priority
	MaxRunning     int
	IdempotencyKey string
}
