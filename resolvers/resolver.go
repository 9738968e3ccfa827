// Package resolvers answers GraphQL requests. A resolver decodes its
// arguments, makes one call, and returns what it got: reads go to the store
// through loaders that batch them, operations to the catalog, subscriptions
// to the hub.
package resolvers

import (
	"context"
	"time"

	"ream/access"
	"ream/catalog"
	"ream/content"
	"ream/event"
	"ream/graph"
	"ream/page"
	"ream/task"
)

// Resolver answers every field that needs more than its parent. All its
// fields must be set.
type Resolver struct {
	Store   Stores
	Catalog Catalog
	Hub     Hub
	Now     func() time.Time
	Server  graph.Server // as admins see it

	// ContentNeedsToken is whether clients have to show a token where a
	// distribution does not say.
	ContentNeedsToken bool
}

// Stores gives to each caller the store that they may read.
type Stores interface {
	// Within returns the store as it is seen within a limit: what has to do with
	// other repositories is not there.
	Within(access.Limit) Store
}

// store is what the caller may read. There is no other way to a store.
func (r *Resolver) store(ctx context.Context) Store {
	return r.Store.Within(access.CallerOf(ctx).Limit)
}

// Store reads. Methods that take several things answer in their order, with nil
// where there is no such thing; the other lookups of a single
// thing return a fault.NotFound. It must be safe for concurrent use.
type Store interface {
	Remotes
	Repositories
	Figures
	Versions
	Publications
	Distributions
	Tasks
	Schedules
	Uploads
	Principals
}

// Principals reads tokens and the audit log.
type Principals interface {
	Tokens(context.Context, access.TokenFilter, page.Request) (*page.Of[*access.Token], error)
	TokensByID(context.Context, []access.TokenID) ([]*access.Token, error)
	TokenByName(ctx context.Context, name string) (*access.Token, error)
	Entries(context.Context, access.EntryFilter, page.Request) (*page.Of[*access.Entry], error)
	EntriesByID(context.Context, []access.EntryID) ([]*access.Entry, error)
}

// Remotes reads remotes.
type Remotes interface {
	Remotes(context.Context, page.Request) (*page.Of[*content.Remote], error)
	RemotesByID(context.Context, []content.RemoteID) ([]*content.Remote, error)
	RemoteByName(ctx context.Context, name string) (*content.Remote, error)
}

// Repositories reads repositories.
type Repositories interface {
	RepositoriesWith(ctx context.Context, name, labels string, p page.Request) (*page.Of[*content.Repository], error)
	RepositoriesByID(context.Context, []content.RepositoryID) ([]*content.Repository, error)
	RepositoriesByName(ctx context.Context, names []string) ([]*content.Repository, error)
	CurrentTasks(context.Context, []content.RepositoryID) ([]*task.Task, error)
}

// Figures reads what was counted of the storage; nil where nothing was.
type Figures interface {
	Storage(context.Context) (*content.Storage, error)
	Figures(context.Context, []content.RepositoryID) ([]*content.Figures, error)
}

// Versions reads the versions of repositories, and their units. What takes
// several repositories or versions answers with the same page of each.
type Versions interface {
	Versions(context.Context, []content.RepositoryID, page.Request) ([]*page.Of[*content.Version], error)
	VersionsByID(context.Context, []content.VersionID) ([]*content.Version, error)
	VersionsByNumber(context.Context, []content.VersionKey) ([]*content.Version, error)
	VersionUnits(context.Context, []*content.Version, page.Request) ([]*page.Of[*content.Unit], error)
	VersionUnitsWith(ctx context.Context, versions []*content.Version, path string, p page.Request) ([]*page.Of[*content.Unit], error)
	VersionAdded(context.Context, []*content.Version, page.Request) ([]*page.Of[*content.Unit], error)
	VersionRemoved(context.Context, []*content.Version, page.Request) ([]*page.Of[*content.Unit], error)
	Stored(context.Context, []content.Artifact) ([]bool, error) // in the order of the artifacts
	UnitsByID(context.Context, []content.UnitID) ([]*content.Unit, error)
	Diff(ctx context.Context, from, to *content.Version, kinds []content.ChangeKind, p page.Request) (*page.Of[*content.UnitChange], error)
}

// Publications reads publications: all, or a page of each repository's, or of
// what a directory of each has.
type Publications interface {
	Publications(context.Context, page.Request) (*page.Of[*content.Publication], error)
	RepositoryPublications(context.Context, []content.RepositoryID, page.Request) ([]*page.Of[*content.Publication], error)
	PublicationsByID(context.Context, []content.PublicationID) ([]*content.Publication, error)
	// PublishedEntries takes a clean path, or none, and the beginning of a name, or
	// none. It answers with nil where there is no such directory.
	PublishedEntries(ctx context.Context, ids []content.PublicationID, dir, prefix string, p page.Request) ([]*page.Of[*content.DirEntry], error)
}

// Distributions reads distributions: all, or a page of those that follow each
// repository.
type Distributions interface {
	Distributions(context.Context, page.Request) (*page.Of[*content.Distribution], error)
	RepositoryDistributions(context.Context, []content.RepositoryID, page.Request) ([]*page.Of[*content.Distribution], error)
	DistributionsByID(context.Context, []content.DistributionID) ([]*content.Distribution, error)
	DistributionByPath(ctx context.Context, path string) (*content.Distribution, error)
	Served(context.Context, []content.DistributionID, page.Request) ([]*page.Of[*content.Served], error)
	RollbackTargets(context.Context, []content.DistributionID) ([]content.PublicationID, error) // in the order of the ids, 0 for none
}

// Tasks reads tasks, groups, workers and the queue. What it returns for a list
// of tasks is in the order of their ids.
type Tasks interface {
	Tasks(context.Context, task.Filter, page.Request) (*page.Of[*task.Task], error)
	TasksByID(context.Context, []task.ID) ([]*task.Task, error)
	TasksOf(ctx context.Context, relation task.Relation, ids []int64, f task.Filter, p page.Request) ([]*page.Of[*task.Task], error)
	Groups(context.Context, page.Request) (*page.Of[*task.Group], error)
	GroupRetries(context.Context, []task.GroupID, page.Request) ([]*page.Of[*task.Group], error)
	GroupsByID(context.Context, []task.GroupID) ([]*task.Group, error)
	WorkersByID(context.Context, []task.WorkerID) ([]*task.Worker, error)
	BlockedBy(context.Context, task.ID, page.Request) (*page.Of[*task.Task], error)
	Ahead(context.Context, []task.ID) ([]int, error)
	Reservations(context.Context, []task.ID) ([][]*task.Reservation, error)
	Holders(ctx context.Context, resources []string) ([][]*task.Task, error)
	Reports(context.Context, []task.ID) ([][]*task.Report, error)
	Created(context.Context, []task.ID) ([][]task.Created, error)
	Failures(context.Context, []task.ID, page.Request) ([]*page.Of[*task.Failure], error)
	Previews(context.Context, []task.ID) ([]*content.Preview, error)
	PreviewChanges(context.Context, []task.ID, []content.PreviewKind, page.Request) ([]*page.Of[*content.PreviewChange], error)
	Findings(context.Context, []task.ID, page.Request) ([]*page.Of[*content.Finding], error)
	Queue(context.Context) (*task.Queue, error)
	Samples(context.Context) ([]*task.Sample, error)
}

// Uploads reads the uploads of an owner that came into no version yet.
type Uploads interface {
	Uploads(ctx context.Context, owner string, p page.Request) (*page.Of[*content.Upload], error)
}

// Schedules reads schedules.
type Schedules interface {
	Schedules(context.Context, page.Request) (*page.Of[*task.Schedule], error)
	FiringSchedules(context.Context) ([]*task.Schedule, error)
	SchedulesByID(context.Context, []task.ScheduleID) ([]*task.Schedule, error)
	ScheduleByName(ctx context.Context, name string) (*task.Schedule, error)
}

// Catalog changes things. It validates what it is given, and returns faults
// for what it rejects. It must be safe for concurrent use.
type Catalog interface {
	RemoteEditor
	RepositoryEditor
	DistributionEditor
	ScheduleEditor
	VersionEditor
	TokenEditor
	Operator
	Recorder
}

// TokenEditor makes and revokes tokens.
type TokenEditor interface {
	// CreateToken returns the token and its secret.
	CreateToken(context.Context, catalog.TokenInput) (*access.Token, string, error)
	RevokeToken(context.Context, access.TokenID) (*access.Token, error)
}

// Recorder keeps the audit log.
type Recorder interface {
	// RecordOutcome makes sure that the log has an entry of the context's action,
	// which ended with an error, or with none.
	RecordOutcome(ctx context.Context, outcome error) error
}

// RemoteEditor creates, changes and deletes remotes, and asks upstreams what they
// hold.
type RemoteEditor interface {
	CreateRemote(context.Context, catalog.RemoteInput) (*content.Remote, error)
	UpdateRemote(context.Context, content.RemoteID, catalog.RemoteChange) (*content.Remote, error)
	DeleteRemote(context.Context, content.RemoteID) (*content.Remote, error)
	Probe(context.Context, catalog.ProbeRequest) (*content.Upstream, error)
}

// RepositoryEditor creates, changes and deletes repositories.
type RepositoryEditor interface {
	CreateRepository(context.Context, catalog.RepositoryInput) (*content.Repository, error)
	UpdateRepository(context.Context, content.RepositoryID, catalog.RepositoryChange) (*content.Repository, error)
	DeleteRepository(context.Context, content.RepositoryID) (*content.Repository, error)
}

// DistributionEditor creates, changes and deletes distributions.
type DistributionEditor interface {
	CreateDistribution(context.Context, catalog.DistributionInput) (*content.Distribution, error)
	UpdateDistribution(context.Context, content.DistributionID, catalog.DistributionChange) (*content.Distribution, error)
	DeleteDistribution(context.Context, content.DistributionID) (*content.Distribution, error)
	Promote(ctx context.Context, from, to content.DistributionID, expected content.PublicationID) (*content.Distribution, error)
	Rollback(ctx context.Context, id content.DistributionID, expected content.PublicationID) (*content.Distribution, error)
}

// ScheduleEditor creates, changes and deletes schedules, and queues what they
// would.
type ScheduleEditor interface {
	CreateSchedule(context.Context, catalog.ScheduleInput) (*task.Schedule, error)
	UpdateSchedule(context.Context, task.ScheduleID, catalog.ScheduleChange) (*task.Schedule, error)
	DeleteSchedule(context.Context, task.ScheduleID) (*task.Schedule, error)
	FireSchedule(context.Context, task.ScheduleID) (task.Work, error)
}

// VersionEditor queues work that makes versions of others, and deletes some.
type VersionEditor interface {
	Modify(context.Context, catalog.ModifyRequest) (*task.Task, error)
	Copy(context.Context, catalog.CopyRequest) (*task.Task, error)
	UploadFiles(context.Context, catalog.UploadRequest) (*task.Task, error)
	FileReceiver
	Restore(context.Context, catalog.RestoreRequest) (*task.Task, error)
	DeleteVersion(context.Context, catalog.DeleteVersionRequest) (*task.Task, error)
}

// Operator queues work, cancels it, and does it again.
type Operator interface {
	Sync(context.Context, catalog.SyncRequest) (task.Work, error)
	Publish(context.Context, catalog.PublishRequest) (task.Work, error)
	Mirror(context.Context, catalog.MirrorRequest) (*task.Group, error)
	Purge(context.Context, catalog.PurgeRequest) (task.Work, error)
	CleanOrphans(context.Context, catalog.CleanOrphansRequest) (task.Work, error)
	VerifyContent(context.Context, catalog.VerifyContentRequest) (task.Work, error)
	CancelTask(context.Context, task.ID) (*task.Task, error)
	CancelGroup(context.Context, task.GroupID) (*task.Group, error)
	RetryTask(context.Context, task.ID) (*task.Task, error)
	RetryGroup(context.Context, task.GroupID) (*task.Group, error)
}

// Hub tells what changed. The channel gives the present snapshot at once,
// then newer ones, and is closed after the final one or when ctx ends.
// An unknown topic is a fault.NotFound.
type Hub interface {
	Subscribe(ctx context.Context, topic event.Topic) (<-chan event.Snapshot, error)
}
