package resolvers

import (
	"context"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"ream/access"
	"ream/content"
	"ream/fault"
	"ream/graph"
)

// What fields ask the store for by the keys that they have.
var (
	remotesByID        = sourceOf(Store.RemotesByID)
	repositoriesByID   = sourceOf(Store.RepositoriesByID)
	repositoriesByName = sourceOf(Store.RepositoriesByName)
	versionsByID       = sourceOf(Store.VersionsByID)
	versionsByNumber   = sourceOf(Store.VersionsByNumber)
	unitsByID          = sourceOf(Store.UnitsByID)
	publicationsByID   = sourceOf(Store.PublicationsByID)
	distributionsByID  = sourceOf(Store.DistributionsByID)
	tasksByID          = sourceOf(Store.TasksByID)
	groupsByID         = sourceOf(Store.GroupsByID)
	workersByID        = sourceOf(Store.WorkersByID)
	tokensByID         = sourceOf(Store.TokensByID)
	entriesByID        = sourceOf(Store.EntriesByID)
	schedulesByID      = sourceOf(Store.SchedulesByID)

	repositoryVersions      = pagesOf(Store.Versions)
	repositoryPublications  = pagesOf(Store.RepositoryPublications)
	repositoryDistributions = pagesOf(Store.RepositoryDistributions)
	repositoryTask          = sourceOf(Store.CurrentTasks)
	repositoryNextSync      = sourceOf(nextSyncs)
	repositoryFigures       = sourceOf(Store.Figures)
	versionUnits            = pagesOf(ofSearches)
	versionAdded            = pagesOf(ofVersions(Store.VersionAdded))
	versionRemoved          = pagesOf(ofVersions(Store.VersionRemoved))
	storedArtifacts         = sourceOf(Store.Stored)
	publishedEntries        = pagesOf(ofDirectories)
	distributionServed      = pagesOf(Store.Served)
	distributionRollback    = sourceOf(Store.RollbackTargets)

	tasksOfOwner       = pagesOf(ofTaskOwners)
	tasksAhead         = sourceOf(Store.Ahead)
	taskReservations   = sourceOf(Store.Reservations)
	taskReports        = sourceOf(Store.Reports)
	taskCreated        = sourceOf(Store.Created)
	taskFailures       = pagesOf(Store.Failures)
	taskPreview        = sourceOf(Store.Previews)
	taskPreviewChanges = pagesOf(ofPreviewOwners)
	taskFindings       = pagesOf(Store.Findings)
	groupRetries       = pagesOf(Store.GroupRetries)
	resourceHolders    = sourceOf(Store.Holders)
)

// find loads the noun that a client names by its id. It is nil if there is
// none, or if the text is no id of that noun.
func find[K ~int64, V any](ctx context.Context, s *source[K, *V], noun, id string) (*V, error) {
	key, err := content.ParseID[K](noun, id)
	if err != nil {
		return nil, nil
	}
	if isAlone(ctx) {
		return s.of(ctx).loadAlone(ctx, key)
	}
	return s.load(ctx, key)
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
func reference[K ~int64, V any](ctx context.Context, s *source[K, *V], key K) (*V, error) {
	if key == 0 {
		return nil, nil
	}
	return s.load(ctx, key)
}

// required loads what another noun cannot be without. It may be gone all the
// same, if it was deleted while the request was answered.
func required[K interface {
	~int64
	String() string
}, V any](ctx context.Context, s *source[K, *V], key K) (*V, error) {
	v, err := s.load(ctx, key)
	if err == nil && v == nil {
		err = fault.New(fault.NotFound, "%s was deleted meanwhile", key)
	}
	return v, err
}

// startNode starts to load anything by its id and returns a function that waits
// for it. The result is nil if there is no such thing.
func startNode(ctx context.Context, id string) func() (graph.Node, error) {
	noun, _, _ := strings.Cut(id, "-")
	switch noun {
	case "remote":
		return start(ctx, remotesByID, noun, id)
	case "repository":
		return start(ctx, repositoriesByID, noun, id)
	case "version":
		return start(ctx, versionsByID, noun, id)
	case "unit":
		return start(ctx, unitsByID, noun, id)
	case "publication":
		return start(ctx, publicationsByID, noun, id)
	case "distribution":
		return start(ctx, distributionsByID, noun, id)
	case "task":
		return start(ctx, tasksByID, noun, id)
	case "group":
		return start(ctx, groupsByID, noun, id)
	case "worker":
		return start(ctx, workersByID, noun, id)
	case "schedule":
		return start(ctx, schedulesByID, noun, id)
	}
	if !access.CallerOf(ctx).Role.Includes(access.Admin) {
		return nothing
	}
	switch noun {
	case "token":
		return start(ctx, tokensByID, noun, id)
	case "audit":
		return start(ctx, entriesByID, noun, id)
	}
	return nothing
}

// bothVersions loads two versions together; nil where there is none.
func bothVersions(ctx context.Context, from, to string) (both [2]*content.Version, err error) {
	waits := [2]func() (graph.Node, error){start(ctx, versionsByID, "version", from), start(ctx, versionsByID, "version", to)}
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
}](ctx context.Context, s *source[K, N], noun, id string) func() (graph.Node, error) {
	key, err := content.ParseID[K](noun, id)
	if err != nil {
		return nothing
	}
	wait := s.of(ctx).start(ctx, key)
	return func() (graph.Node, error) {
		n, err := wait()
		var none N
		if err != nil || n == none {
			return nil, err
		}
		return n, nil
	}
}

// loadNodes loads several things at once, in the order of their ids, with nil
// where there is none.
func loadNodes(ctx context.Context, ids []string) ([]graph.Node, error) {
	waits := make([]func() (graph.Node, error), len(ids))
	for i, id := range ids {
		waits[i] = startNode(ctx, id)
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
