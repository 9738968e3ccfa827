package resolvers

import (
	"context"
	"strings"
	"time"

	"github.com/vikstrous/dataloadgen"

	"ream/content"
	"ream/fault"
	"ream/graph"
	"ream/task"
)

// batchSize bounds how many keys one question to the store may have.
const batchSize = 1000

// loaders turn the single lookups of many fields into one question to the
// store for each level of a response, and remember the answers. A set lives
// for one response only: an answer must not outlive a change that the client
// was told of.
type loaders struct {
	remotes            *dataloadgen.Loader[content.RemoteID, *content.Remote]
	repositories       *dataloadgen.Loader[content.RepositoryID, *content.Repository]
	repositoriesByName *dataloadgen.Loader[string, *content.Repository]
	versions           *dataloadgen.Loader[content.VersionID, *content.Version]
	units              *dataloadgen.Loader[content.UnitID, *content.Unit]
	publications       *dataloadgen.Loader[content.PublicationID, *content.Publication]
	distributions      *dataloadgen.Loader[content.DistributionID, *content.Distribution]
	tasks              *dataloadgen.Loader[task.ID, *task.Task]
	groups             *dataloadgen.Loader[task.GroupID, *task.Group]
	workers            *dataloadgen.Loader[task.WorkerID, *task.Worker]
	schedules          *dataloadgen.Loader[task.ScheduleID, *task.Schedule]

	versionsByNumber        *dataloadgen.Loader[content.VersionKey, *content.Version]
	repositoryVersions      pageLoader[content.RepositoryID, *content.Version]
	repositoryPublications  pageLoader[content.RepositoryID, *content.Publication]
	repositoryDistributions pageLoader[content.RepositoryID, *content.Distribution]
	versionUnits            pageLoader[content.Version, *content.Unit]
	versionAdded            pageLoader[content.Version, *content.Unit]
	versionRemoved          pageLoader[content.Version, *content.Unit]
	tasksOf                 pageLoader[taskOwner, *task.Task]
	groupRetries            pageLoader[task.GroupID, *task.Group]

	ahead        *dataloadgen.Loader[task.ID, int]
	reservations *dataloadgen.Loader[task.ID, []*task.Reservation]
	holders      *dataloadgen.Loader[string, []*task.Task]
	reports      *dataloadgen.Loader[task.ID, []*task.Report]
	created      *dataloadgen.Loader[task.ID, []task.Created]
}

func newLoaders(s Store, wait time.Duration) *loaders {
	return &loaders{
		remotes:            newLoader(s.RemotesByID, wait),
		repositories:       newLoader(s.RepositoriesByID, wait),
		repositoriesByName: newLoader(s.RepositoriesByName, wait),
		versions:           newLoader(s.VersionsByID, wait),
		units:              newLoader(s.UnitsByID, wait),
		publications:       newLoader(s.PublicationsByID, wait),
		distributions:      newLoader(s.DistributionsByID, wait),
		tasks:              newLoader(s.TasksByID, wait),
		groups:             newLoader(s.GroupsByID, wait),
		workers:            newLoader(s.WorkersByID, wait),
		schedules:          newLoader(s.SchedulesByID, wait),

		versionsByNumber:        newLoader(s.VersionsByNumber, wait),
		repositoryVersions:      newPageLoader(s.Versions, wait),
		repositoryPublications:  newPageLoader(s.RepositoryPublications, wait),
		repositoryDistributions: newPageLoader(s.RepositoryDistributions, wait),
		versionUnits:            newPageLoader(ofVersions(s.VersionUnits), wait),
		versionAdded:            newPageLoader(ofVersions(s.VersionAdded), wait),
		versionRemoved:          newPageLoader(ofVersions(s.VersionRemoved), wait),
		tasksOf:                 newPageLoader(ofTaskOwners(s.TasksOf), wait),
		groupRetries:            newPageLoader(s.GroupRetries, wait),

		ahead:        newLoader(s.Ahead, wait),
		reservations: newLoader(s.Reservations, wait),
		holders:      newLoader(s.Holders, wait),
		reports:      newLoader(s.Reports, wait),
		created:      newLoader(s.Created, wait),
	}
}

func newLoader[K comparable, V any](read func(context.Context, []K) ([]V, error), wait time.Duration) *dataloadgen.Loader[K, V] {
	fetch := func(ctx context.Context, keys []K) ([]V, []error) {
		values, err := read(ctx, keys)
		if err != nil {
			return nil, []error{err} // of every key
		}
		return values, nil
	}
	return dataloadgen.NewLoader(fetch, dataloadgen.WithWait(wait), dataloadgen.WithBatchCapacity(batchSize))
}

type loadersKey struct{}

func withLoaders(ctx context.Context, l *loaders) context.Context {
	return context.WithValue(ctx, loadersKey{}, l)
}

func loadersOf(ctx context.Context) *loaders { return ctx.Value(loadersKey{}).(*loaders) }

// find loads the noun that a client names by its id. It is nil if there is
// none, or if the text is no id of that noun.
func find[K ~int64, V any](ctx context.Context, l *dataloadgen.Loader[K, *V], noun, id string) (*V, error) {
	key, err := content.ParseID[K](noun, id)
	if err != nil {
		return nil, nil
	}
	return l.Load(ctx, key)
}

// reference loads what another noun refers to; nil if it refers to nothing.
func reference[K ~int64, V any](ctx context.Context, l *dataloadgen.Loader[K, *V], key K) (*V, error) {
	if key == 0 {
		return nil, nil
	}
	return l.Load(ctx, key)
}

// required loads what another noun cannot be without. It may be gone all the
// same, if it was deleted while the request was answered.
func required[K interface {
	~int64
	String() string
}, V any](ctx context.Context, l *dataloadgen.Loader[K, *V], key K) (*V, error) {
	v, err := l.Load(ctx, key)
	if err == nil && v == nil {
		err = fault.New(fault.NotFound, "%s was deleted meanwhile", key)
	}
	return v, err
}

// node starts to load anything by its id and returns a function that waits
// for it. The result is nil if there is no such thing.
func (l *loaders) node(ctx context.Context, id string) func() (graph.Node, error) {
	noun, _, _ := strings.Cut(id, "-")
	switch noun {
	case "remote":
		return start(ctx, l.remotes, noun, id)
	case "repository":
		return start(ctx, l.repositories, noun, id)
	case "version":
		return start(ctx, l.versions, noun, id)
	case "unit":
		return start(ctx, l.units, noun, id)
	case "publication":
		return start(ctx, l.publications, noun, id)
	case "distribution":
		return start(ctx, l.distributions, noun, id)
	case "task":
		return start(ctx, l.tasks, noun, id)
	case "group":
		return start(ctx, l.groups, noun, id)
	case "worker":
		return start(ctx, l.workers, noun, id)
	case "schedule":
		return start(ctx, l.schedules, noun, id)
	}
	return nothing
}

func nothing() (graph.Node, error) { return nil, nil }

func start[K ~int64, N interface {
	comparable
	graph.Node
}](ctx context.Context, l *dataloadgen.Loader[K, N], noun, id string) func() (graph.Node, error) {
	key, err := content.ParseID[K](noun, id)
	if err != nil {
		return nothing
	}
	wait := l.LoadThunk(ctx, key)
	return func() (graph.Node, error) {
		n, err := wait()
		var none N
		if err != nil || n == none {
			return nil, err
		}
		return n, nil
	}
}

// nodes loads several things at once, in the order of their ids, with nil
// where there is none.
func (l *loaders) nodes(ctx context.Context, ids []string) ([]graph.Node, error) {
	waits := make([]func() (graph.Node, error), len(ids))
	for i, id := range ids {
		waits[i] = l.node(ctx, id)
	}
	nodes := make([]graph.Node, len(ids))
	for i, wait := range waits {
		n, err := wait()
		if err != nil {
			return nil, err
		}
		nodes[i] = n
	}
	return nodes, nil
}
