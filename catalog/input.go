package catalog

import (
	"time"

	"ream/content"
	"ream/secret"
	"ream/task"
)

// RemoteInput is what a new remote needs.
type RemoteInput struct {
	Name              string
	URL               string
	Policy            content.Policy
	Username          string
	Password          secret.Text
	Token             secret.Text
	Headers           []Header
	CACert            string
	ClientCert        string
	ClientKey         secret.Text
	VerifyTLS         bool
	ProxyURL          string
	ProxyUsername     string
	ProxyPassword     secret.Text
	InsecureRedirects bool
	Connections       int
	BytesPerSecond    int64
	StallTimeout      time.Duration
	TotalTimeout      time.Duration
	Retries           int
}

// RemoteChange is what changes in a remote. Nil fields stay; empty texts and
// secrets are removed.
type RemoteChange struct {
	Name              *string
	URL               *string
	Policy            *content.Policy
	Username          *string
	Password          *secret.Text
	Token             *secret.Text
	Headers           *[]Header // all of them
	CACert            *string
	ClientCert        *string
	ClientKey         *secret.Text
	VerifyTLS         *bool
	ProxyURL          *string
	ProxyUsername     *string
	ProxyPassword     *secret.Text
	InsecureRedirects *bool
	Connections       *int
	BytesPerSecond    *int64
	StallTimeout      *time.Duration
	TotalTimeout      *time.Duration
	Retries           *int
}

// Header is a header of a remote's requests. A nil value stays what it is.
type Header struct {
	Name  string
	Value *secret.Text
}

// RepositoryInput is what a new repository needs.
type RepositoryInput struct {
	Name         string
	Format       content.Format
	Remote       content.RemoteID // 0 for none
	Labels       []content.Label
	KeepVersions int // 0 for all
}

// RepositoryChange is what changes in a repository. Nil fields stay.
type RepositoryChange struct {
	Name         *string
	Remote       *content.RemoteID // 0 takes the remote away
	Labels       *[]content.Label
	KeepVersions *int // 0 for all
}

// DistributionInput is what a new distribution needs. Exactly one of
// Repository and Publication is set.
type DistributionInput struct {
	Path        string
	Repository  content.RepositoryID
	Publication content.PublicationID
	Access      content.Access // content.AsServer if empty
}

// DistributionChange is what changes in a distribution. Nil fields stay; at
// most one of Repository and Publication is set.
type DistributionChange struct {
	Path        *string
	Repository  *content.RepositoryID
	Publication *content.PublicationID
	Access      *content.Access
}

// SyncRequest asks for syncs.
type SyncRequest struct {
	Repositories   Selector        `json:"repositories"`
	Mirror         bool            `json:"mirror"`           // remove what upstream dropped
	OnError        content.OnError `json:"onError,omitzero"` // what to do about files that cannot be got
	DryRun         bool            `json:"dryRun,omitzero"`  // find out what would change, and change nothing
	Priority       task.Priority   `json:"priority"`
	MaxRunning     int             `json:"maxRunning,omitzero"` // how many members of the group may run at once; 0 for no limit
	IdempotencyKey string          `json:"-"`                   // empty for none
}

// PublishRequest asks for publications.
type PublishRequest struct {
	Repositories   Selector      `json:"repositories"`
	Version        int           `json:"version,omitzero"` // its number; 0 for the newest
	Priority       task.Priority `json:"priority"`
	MaxRunning     int           `json:"maxRunning,omitzero"`
	IdempotencyKey string        `json:"-"`
}

// MirrorRequest asks for syncs, publications and distributions.
type MirrorRequest struct {
	Repositories   Selector        `json:"repositories"`
	Path           string          `json:"path,omitzero"` // of the distribution; empty for the repository's name
	Mirror         bool            `json:"mirror"`
	OnError        content.OnError `json:"onError,omitzero"`
	Priority       task.Priority   `json:"priority"`
	MaxRunning     int             `json:"maxRunning,omitzero"`
	IdempotencyKey string          `json:"-"`
}

// PurgeRequest asks to delete the history of work.
type PurgeRequest struct {
	OlderThanDays  int           `json:"olderThanDays"` // since it finished; 0 for all that has
	Priority       task.Priority `json:"priority"`
	IdempotencyKey string        `json:"-"`
}

// ModifyRequest asks for a version of a repository with other units.
type ModifyRequest struct {
	Repository     content.RepositoryID `json:"repository"`
	Add            []content.UnitID     `json:"add"`
	Remove         []content.UnitID     `json:"remove"`
	Priority       task.Priority        `json:"priority"`
	IdempotencyKey string               `json:"-"`
}

// CopyRequest asks for a version of a repository with the units of another
// version.
type CopyRequest struct {
	Version        content.VersionID    `json:"version"` // whose units are copied
	Repository     content.RepositoryID `json:"repository"`
	Paths          []string             `json:"paths,omitzero"` // patterns; nil for all
	Mirror         bool                 `json:"mirror"`         // remove what is not copied
	Priority       task.Priority        `json:"priority"`
	IdempotencyKey string               `json:"-"`
}

// RestoreRequest asks for a version that has the units of an older one.
type RestoreRequest struct {
	Version        content.VersionID `json:"version"`
	Priority       task.Priority     `json:"priority"`
	IdempotencyKey string            `json:"-"`
}

// DeleteVersionRequest asks to delete a version.
type DeleteVersionRequest struct {
	Version        content.VersionID `json:"version"`
	Priority       task.Priority     `json:"priority"`
	IdempotencyKey string            `json:"-"`

	replaced time.Time // what was replaced since then is in use still
}

// ScheduleInput is what a new schedule needs.
type ScheduleInput struct {
	Name      string
	Cron      string
	TimeZone  string
	Operation Operation
	Paused    bool
}

// ScheduleChange is what changes in a schedule. Nil fields stay.
type ScheduleChange struct {
	Name      *string
	Cron      *string
	TimeZone  *string
	Operation *Operation
	Paused    *bool
}
