package resolvers

import (
	"context"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"ream/access"
	"ream/content"
	"ream/fault"
	"ream/graph"
	"ream/task"
)

// loaders turn the single lookups of many fields into one question to the
// store for each level of a response, and remember the answers. A set lives
// for one response only: an answer must not outlive a change that the client
// was told of.
type loaders struct {
	remotes            *loader[content.RemoteID, *content.Remote]
	repositories       *loader[content.RepositoryID, *content.Repository]
	repositoriesByName *loader[string, *content.Repository]
	versions           *loader[content.VersionID, *content.Version]
	units              *loader[content.UnitID, *content.Unit]
	publications       *loader[content.PublicationID, *content.Publication]
	distributions      *loader[content.DistributionID, *content.Distribution]
	tasks              *loader[task.ID, *task.Task]
	groups             *loader[task.GroupID, *task.Group]
	workers            *loader[task.WorkerID, *task.Worker]
	tokens             *loader[access.TokenID, *access.Token]
	entries            *loader[access.EntryID, *access.Entry]
	schedules          *loader[task.ScheduleID, *task.Schedule]

	versionsByNumber        *loader[content.VersionKey, *content.Version]
	repositoryVersions      pageLoader[content.RepositoryID, *content.Version]
	repositoryPublications  pageLoader[content.RepositoryID, *content.Publication]
	repositoryDistributions pageLoader[content.RepositoryID, *content.Distribution]
	publishedEntries        pageLoader[directory, *content.DirEntry]
	served                  pageLoader[content.DistributionID, *content.Served]
	versionUnits            pageLoader[unitSearch, *content.Unit]
	versionAdded            pageLoader[content.Version, *content.Unit]
	versionRemoved          pageLoader[content.Version, *content.Unit]
	tasksOf                 pageLoader[taskOwner, *task.Task]
	groupRetries            pageLoader[task.GroupID, *task.Group]
	failures                pageLoader[task.ID, *task.Failure]
	previewChanges          pageLoader[previewOwner, *content.PreviewChange]
	findings                pageLoader[task.ID, *content.Finding]

	currentTasks *loader[content.RepositoryID, *task.Task]
	nextSyncs    *loader[*content.Repository, *time.Time]

	stored       *loader[content.Digest, bool]
	figures      *loader[content.RepositoryID, *content.Figures]
	ahead        *loader[task.ID, int]
	reservations *loader[task.ID, []*task.Reservation]
	holders      *loader[string, []*task.Task]
	reports      *loader[task.ID, []*task.Report]
	created      *loader[task.ID, []task.Created]
	previews     *loader[task.ID, *content.Preview]
}

func newLoaders(s Store) *loaders {
	var lookups lookups
	return &loaders{
		remotes:            newLoader(&lookups, s.RemotesByID),
		repositories:       newLoader(&lookups, s.RepositoriesByID),
		repositoriesByName: newLoader(&lookups, s.RepositoriesByName),
		versions:           newLoader(&lookups, s.VersionsByID),
		units:              newLoader(&lookups, s.UnitsByID),
		publications:       newLoader(&lookups, s.PublicationsByID),
		distributions:      newLoader(&lookups, s.DistributionsByID),
		tasks:              newLoader(&lookups, s.TasksByID),
		groups:             newLoader(&lookups, s.GroupsByID),
		workers:            newLoader(&lookups, s.WorkersByID),
		tokens:             newLoader(&lookups, s.TokensByID),
		entries:            newLoader(&lookups, s.EntriesByID),
		schedules:          newLoader(&lookups, s.SchedulesByID),

		versionsByNumber:        newLoader(&lookups, s.VersionsByNumber),
		repositoryVersions:      newPageLoader(&lookups, s.Versions),
		repositoryPublications:  newPageLoader(&lookups, s.RepositoryPublications),
		repositoryDistributions: newPageLoader(&lookups, s.RepositoryDistributions),
		publishedEntries:        newPageLoader(&lookups, ofDirectories(s)),
		served:                  newPageLoader(&lookups, s.Served),
		versionUnits:            newPageLoader(&lookups, ofSearches(s)),
		versionAdded:            newPageLoader(&lookups, ofVersions(s.VersionAdded)),
		versionRemoved:          newPageLoader(&lookups, ofVersions(s.VersionRemoved)),
		tasksOf:                 newPageLoader(&lookups, ofTaskOwners(s.TasksOf)),
		groupRetries:            newPageLoader(&lookups, s.GroupRetries),
		failures:                newPageLoader(&lookups, s.Failures),
		previewChanges:          newPageLoader(&lookups, ofPreviewOwners(s.PreviewChanges)),
		findings:                newPageLoader(&lookups, s.Findings),

		currentTasks: newLoader(&lookups, s.CurrentTasks),
		nextSyncs:    newLoader(&lookups, nextSyncs(s)),

		stored:       newLoader(&lookups, s.Stored),
		figures:      newLoader(&lookups, s.Figures),
		ahead:        newLoader(&lookups, s.Ahead),
		reservations: newLoader(&lookups, s.Reservations),
		holders:      newLoader(&lookups, s.Holders),
		reports:      newLoader(&lookups, s.Reports),
		created:      newLoader(&lookups, s.Created),
		previews:     newLoader(&lookups, s.Previews),
	}
}

type loadersKey struct{}

func withLoaders(ctx context.Context, l *loaders) context.Context {
	return context.WithValue(ctx, loadersKey{}, l)
}

func loadersOf(ctx context.Context) *loaders { return ctx.Value(loadersKey{}).(*loaders) }

// find loads the noun that a client names by its id. It is nil if there is
// none, or if the text is no id of that noun.
func find[K ~int64, V any](ctx context.Context, l *loader[K, *V], noun, id string) (*V, error) {
	key, err := content.ParseID[K](noun, id)
	if err != nil {
		return nil, nil
	}
	if isAlone(ctx) {
		return l.loadAlone(ctx, key)
	}
	return l.load(ctx, key)
}

// isAlone reports whether a field is the only one at the root of its operation:
// then nobody has to be waited for who might ask for something at the same time.
func isAlone(ctx context.Context) bool {
	parent := graphql.GetFieldContext(ctx).Parent
	if parent == nil || parent.Parent != nil {
		return false
	}
	selected := graphql.GetOperationContext(ctx).Operation.SelectionSet
	if len(selected) != 1 {
		return false
	}
	_, ok := selected[0].(*ast.Field)
	return ok
}

// reference loads what another noun refers to; nil if it refers to nothing.
func reference[K ~int64, V any](ctx context.Context, l *loader[K, *V], key K) (*V, error) {
	if key == 0 {
		return nil, nil
	}
	return l.load(ctx, key)
}

// required loads what another noun cannot be without. It may be gone all the
// same, if it was deleted while the request was answered.
func required[K interface {
	~int64
	String() string
}, V any](ctx context.Context, l *loader[K, *V], key K) (*V, error) {
	v, err := l.load(ctx, key)
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
	if !access.CallerOf(ctx).Role.Includes(access.Admin) {
		return nothing
	}
	switch noun {
	case "token":
		return start(ctx, l.tokens, noun, id)
	case "audit":
		return start(ctx, l.entries, noun, id)
	}
	return nothing
}

// bothVersions loads two versions together; nil where there is none.
func (l *loaders) bothVersions(ctx context.Context, from, to string) (both [2]*content.Version, err error) {
	waits := [2]func() (graph.Node, error){start(ctx, l.versions, "version", from), start(ctx, l.versions, "version", to)}
	for i, wait := range waits {
		n, err := wait()
		if err != nil {
			return both, err
		}
		both[i], _ = n.(*content.Version)
	}
	return both, nil
}

func nothing() (graph.Node, error) { return nil, nil }

func start[K ~int64, N interface {
	comparable
	graph.Node
}](ctx context.Context, l *loader[K, N], noun, id string) func() (graph.Node, error) {
	key, err := content.ParseID[K](noun, id)
	if err != nil {
		return nothing
	}
	wait := l.start(ctx, key)
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
