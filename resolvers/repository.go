package resolvers

import (
	"context"
	"time"

	"ream/catalog"
	"ream/content"
	"ream/event"
	"ream/graph"
	"ream/task"
)

func (r *mutationResolver) CreateRepository(ctx context.Context, input graph.CreateRepositoryInput) (*content.Repository, error) {
	remote, err := optionalID[content.RemoteID]("remote", input.Remote)
	if err != nil {
		return nil, err
	}
	keep, err := keepVersions(input.KeepVersions)
	if err != nil {
		return nil, err
	}
	return r.Catalog.CreateRepository(ctx, catalog.RepositoryInput{
		Name:         input.Name,
		Format:       input.Format,
		Remote:       value(remote),
		Labels:       labels(input.Labels),
		KeepVersions: keep,
	})
}

func (r *mutationResolver) UpdateRepository(ctx context.Context, input graph.UpdateRepositoryInput) (*content.Repository, error) {
	id, err := knownID[content.RepositoryID]("repository", input.ID)
	if err != nil {
		return nil, err
	}
	change := catalog.RepositoryChange{Name: input.Name}
	if remote, given := input.Remote.ValueOK(); given {
		key, err := optionalID[content.RemoteID]("remote", remote)
		if err != nil {
			return nil, err
		}
		change.Remote = new(value(key))
	}
	if given, ok := input.KeepVersions.ValueOK(); ok {
		keep, err := keepVersions(given)
		if err != nil {
			return nil, err
		}
		change.KeepVersions = &keep
	}
	if input.Labels != nil {
		change.Labels = new(labels(input.Labels))
	}
	return r.Catalog.UpdateRepository(ctx, id, change)
}

func (r *mutationResolver) DeleteRepository(ctx context.Context, id string) (*content.Repository, error) {
	key, err := knownID[content.RepositoryID]("repository", id)
	if err != nil {
		return nil, err
	}
	return r.Catalog.DeleteRepository(ctx, key)
}

func (r *queryResolver) Repository(ctx context.Context, id *string, name *string) (*content.Repository, error) {
	if err := either(id, name, "name"); err != nil {
		return nil, err
	}
	if id != nil {
		return find(ctx, repositoriesByID, "repository", *id)
	}
	return repositoriesByName.load(ctx, *name)
}

func (r *queryResolver) Repositories(ctx context.Context, labels *string, name *string, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.Repository], error) {
	return r.repositories(ctx, labels, name, first, after, last, before)
}

func (r *queryResolver) RepositoryVersion(ctx context.Context, id string) (*content.Version, error) {
	return find(ctx, versionsByID, "version", id)
}

func (r *repositoryResolver) Remote(ctx context.Context, obj *content.Repository) (*content.Remote, error) {
	return reference(ctx, remotesByID, obj.RemoteID)
}

func (r *repositoryResolver) KeepVersions(ctx context.Context, obj *content.Repository) (*int32, error) {
	return optional(int32(obj.KeepVersions)), nil
}

func (r *repositoryResolver) LatestVersion(ctx context.Context, obj *content.Repository) (*content.Version, error) {
	return reference(ctx, versionsByID, obj.LatestID)
}

func (r *repositoryResolver) Versions(ctx context.Context, obj *content.Repository, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.Version], error) {
	return listOf(ctx, repositoryVersions, obj.ID, first, after, last, before)
}

func (r *repositoryResolver) Version(ctx context.Context, obj *content.Repository, number int32) (*content.Version, error) {
	return versionsByNumber.load(ctx, content.VersionKey{RepositoryID: obj.ID, Number: int(number)})
}

func (r *repositoryResolver) NewestPublication(ctx context.Context, obj *content.Repository) (*content.Publication, error) {
	return reference(ctx, publicationsByID, obj.NewestPublicationID)
}

func (r *repositoryResolver) Publications(ctx context.Context, obj *content.Repository, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.Publication], error) {
	return listOf(ctx, repositoryPublications, obj.ID, first, after, last, before)
}

func (r *repositoryResolver) Distributions(ctx context.Context, obj *content.Repository, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.Distribution], error) {
	return listOf(ctx, repositoryDistributions, obj.ID, first, after, last, before)
}

func (r *repositoryResolver) Tasks(ctx context.Context, obj *content.Repository, filter *graph.TaskFilter, first *int32, after *string, last *int32, before *string) (*graph.Connection[*task.Task], error) {
	return listOf(ctx, tasksOfOwner, taskOwner{task.About, int64(obj.ID), filterKeyOf(newestBy(filter))}, first, after, last, before)
}

func (r *repositoryResolver) CurrentTask(ctx context.Context, obj *content.Repository) (*task.Task, error) {
	return repositoryTask.load(ctx, obj.ID)
}

func (r *repositoryResolver) NextSyncAt(ctx context.Context, obj *content.Repository) (*time.Time, error) {
	return repositoryNextSync.load(ctx, obj)
}

func (r *repositoryVersionResolver) Repository(ctx context.Context, obj *content.Version) (*content.Repository, error) {
	return required(ctx, repositoriesByID, obj.RepositoryID)
}

func (r *repositoryVersionResolver) Units(ctx context.Context, obj *content.Version, path *string, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.Unit], error) {
	return listOf(ctx, versionUnits, unitSearch{*obj, value(path)}, first, after, last, before)
}

func (r *repositoryVersionResolver) Added(ctx context.Context, obj *content.Version, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.Unit], error) {
	return listOf(ctx, versionAdded, *obj, first, after, last, before)
}

func (r *repositoryVersionResolver) Removed(ctx context.Context, obj *content.Version, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.Unit], error) {
	return listOf(ctx, versionRemoved, *obj, first, after, last, before)
}

func (r *subscriptionResolver) Repository(ctx context.Context, id string) (<-chan *content.Repository, error) {
	key, err := knownID[content.RepositoryID]("repository", id)
	if err != nil {
		return nil, err
	}
	return again(ctx, r.Hub, event.Repositories, func() (*content.Repository, error) {
		return present(ctx, key, r.store(ctx).RepositoriesByID)
	})
}

func (r *subscriptionResolver) Repositories(ctx context.Context, labels *string, name *string, first *int32, after *string, last *int32, before *string) (<-chan *graph.Connection[*content.Repository], error) {
	return again(ctx, r.Hub, event.Repositories, func() (*graph.Connection[*content.Repository], error) {
		return r.repositories(ctx, labels, name, first, after, last, before)
	})
}

func (r *unitResolver) Stored(ctx context.Context, obj *content.Unit) (bool, error) {
	return storedArtifacts.load(ctx, content.Artifact{SHA256: obj.SHA256, Size: obj.Size})
}

func (r *Resolver) Repository() graph.RepositoryResolver { return &repositoryResolver{r} }

func (r *Resolver) RepositoryVersion() graph.RepositoryVersionResolver {
	return &repositoryVersionResolver{r}
}

func (r *Resolver) Unit() graph.UnitResolver { return &unitResolver{r} }

type (
	repositoryResolver        struct{ *Resolver }
	repositoryVersionResolver struct{ *Resolver }
	unitResolver              struct{ *Resolver }
)
