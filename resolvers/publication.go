package resolvers

import (
	"context"
	"net/url"
	"time"

	"ream/catalog"
	"ream/content"
	"ream/event"
	"ream/graph"
	"ream/media"
)

func (r *distributionResolver) URL(ctx context.Context, obj *content.Distribution) (string, error) {
	return (&url.URL{Path: "/content/" + obj.Path + "/"}).EscapedPath(), nil
}

func (r *distributionResolver) Repository(ctx context.Context, obj *content.Distribution) (*content.Repository, error) {
	return reference(ctx, repositoriesByID, obj.RepositoryID)
}

func (r *distributionResolver) Publication(ctx context.Context, obj *content.Distribution) (*content.Publication, error) {
	if obj.RepositoryID == 0 {
		return reference(ctx, publicationsByID, obj.PublicationID)
	}
	repository, err := required(ctx, repositoriesByID, obj.RepositoryID)
	if err != nil {
		return nil, err
	}
	return reference(ctx, publicationsByID, repository.NewestPublicationID)
}

func (r *distributionResolver) NeedsToken(ctx context.Context, obj *content.Distribution) (bool, error) {
	return obj.Access == content.WithToken || obj.Access == content.AsServer && r.ContentNeedsToken, nil
}

func (r *distributionResolver) History(ctx context.Context, obj *content.Distribution, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.Served], error) {
	return listOf(ctx, distributionServed, obj.ID, first, after, last, before)
}

func (r *distributionResolver) RollbackTo(ctx context.Context, obj *content.Distribution) (*content.Publication, error) {
	target, err := distributionRollback.load(ctx, obj.ID)
	if err != nil {
		return nil, err
	}
	return reference(ctx, publicationsByID, target)
}

func (r *mutationResolver) CreateDistribution(ctx context.Context, input graph.CreateDistributionInput) (*content.Distribution, error) {
	repository, err := optionalID[content.RepositoryID]("repository", input.Repository)
	if err != nil {
		return nil, err
	}
	publication, err := optionalID[content.PublicationID]("publication", input.Publication)
	if err != nil {
		return nil, err
	}
	return r.Catalog.CreateDistribution(ctx, catalog.DistributionInput{
		Path:        input.Path,
		Repository:  value(repository),
		Publication: value(publication),
		Access:      input.Access,
	})
}

func (r *mutationResolver) UpdateDistribution(ctx context.Context, input graph.UpdateDistributionInput) (*content.Distribution, error) {
	id, err := knownID[content.DistributionID]("distribution", input.ID)
	if err != nil {
		return nil, err
	}
	repository, err := optionalID[content.RepositoryID]("repository", input.Repository)
	if err != nil {
		return nil, err
	}
	publication, err := optionalID[content.PublicationID]("publication", input.Publication)
	if err != nil {
		return nil, err
	}
	return r.Catalog.UpdateDistribution(ctx, id, catalog.DistributionChange{
		Path:        input.Path,
		Repository:  repository,
		Publication: publication,
		Access:      input.Access,
	})
}

func (r *mutationResolver) Promote(ctx context.Context, input graph.PromoteInput) (*content.Distribution, error) {
	from, err := referredID[content.DistributionID]("from", "distribution", input.From)
	if err != nil {
		return nil, err
	}
	to, err := referredID[content.DistributionID]("to", "distribution", input.To)
	if err != nil {
		return nil, err
	}
	publication, err := optionalID[content.PublicationID]("publication", input.Publication)
	if err != nil {
		return nil, err
	}
	return r.Catalog.Promote(ctx, from, to, value(publication))
}

func (r *mutationResolver) Rollback(ctx context.Context, id string, publication *string) (*content.Distribution, error) {
	key, err := knownID[content.DistributionID]("distribution", id)
	if err != nil {
		return nil, err
	}
	expected, err := optionalID[content.PublicationID]("publication", publication)
	if err != nil {
		return nil, err
	}
	return r.Catalog.Rollback(ctx, key, value(expected))
}

func (r *mutationResolver) DeleteDistribution(ctx context.Context, id string) (*content.Distribution, error) {
	key, err := knownID[content.DistributionID]("distribution", id)
	if err != nil {
		return nil, err
	}
	return r.Catalog.DeleteDistribution(ctx, key)
}

func (r *publicationResolver) Repository(ctx context.Context, obj *content.Publication) (*content.Repository, error) {
	return required(ctx, repositoriesByID, obj.RepositoryID)
}

func (r *publicationResolver) Version(ctx context.Context, obj *content.Publication) (*content.Version, error) {
	return required(ctx, versionsByID, obj.VersionID)
}

func (r *publicationResolver) Entries(ctx context.Context, obj *content.Publication, directory string, prefix string, first *int32, after *string) (*graph.Connection[*content.DirEntry], error) {
	of, err := directoryOf(obj.ID, directory, prefix)
	if err != nil {
		return nil, err
	}
	return listOf(ctx, publishedEntries, of, first, after, nil, nil)
}

func (r *publishedEntryResolver) Kind(ctx context.Context, obj *content.DirEntry) (graph.PublishedEntryKind, error) {
	if obj.IsDir {
		return graph.PublishedEntryKindDirectory, nil
	}
	return graph.PublishedEntryKindFile, nil
}

func (r *publishedEntryResolver) Size(ctx context.Context, obj *content.DirEntry) (*int64, error) {
	return ofFile(obj, obj.Size), nil
}

func (r *publishedEntryResolver) Sha256(ctx context.Context, obj *content.DirEntry) (*content.Digest, error) {
	return ofFile(obj, obj.SHA256), nil
}

func (r *publishedEntryResolver) ContentType(ctx context.Context, obj *content.DirEntry) (*string, error) {
	return ofFile(obj, media.TypeOf(obj.Name)), nil
}

func (r *publishedEntryResolver) ModifiedAt(ctx context.Context, obj *content.DirEntry) (*time.Time, error) {
	return ofFile(obj, obj.ModifiedAt), nil
}

func (r *publishedEntryResolver) Stored(ctx context.Context, obj *content.DirEntry) (*bool, error) {
	if obj.IsDir {
		return nil, nil
	}
	stored, err := storedArtifacts.load(ctx, content.Artifact{SHA256: obj.SHA256, Size: obj.Size})
	return &stored, err
}

func (r *queryResolver) Publication(ctx context.Context, id string) (*content.Publication, error) {
	return find(ctx, publicationsByID, "publication", id)
}

func (r *queryResolver) Publications(ctx context.Context, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.Publication], error) {
	return list(ctx, r.store(ctx).Publications, first, after, last, before)
}

func (r *queryResolver) Distribution(ctx context.Context, id *string, path *string) (*content.Distribution, error) {
	if err := either(id, path, "path"); err != nil {
		return nil, err
	}
	if id != nil {
		return find(ctx, distributionsByID, "distribution", *id)
	}
	return absentIsNull(r.store(ctx).DistributionByPath(ctx, *path))
}

func (r *queryResolver) Distributions(ctx context.Context, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.Distribution], error) {
	return list(ctx, r.store(ctx).Distributions, first, after, last, before)
}

func (r *servedResolver) Publication(ctx context.Context, obj *content.Served) (*content.Publication, error) {
	return reference(ctx, publicationsByID, obj.PublicationID)
}

func (r *subscriptionResolver) Distribution(ctx context.Context, id string) (<-chan *content.Distribution, error) {
	key, err := knownID[content.DistributionID]("distribution", id)
	if err != nil {
		return nil, err
	}
	return again(ctx, r.Hub, event.Distributions, func() (*content.Distribution, error) {
		return present(ctx, key, r.store(ctx).DistributionsByID)
	})
}

func (r *subscriptionResolver) Distributions(ctx context.Context, first *int32, after *string, last *int32, before *string) (<-chan *graph.Connection[*content.Distribution], error) {
	return again(ctx, r.Hub, event.Distributions, func() (*graph.Connection[*content.Distribution], error) {
		return r.Query().Distributions(ctx, first, after, last, before)
	})
}

func (r *Resolver) Distribution() graph.DistributionResolver { return &distributionResolver{r} }

func (r *Resolver) Publication() graph.PublicationResolver { return &publicationResolver{r} }

func (r *Resolver) PublishedEntry() graph.PublishedEntryResolver { return &publishedEntryResolver{r} }

func (r *Resolver) Served() graph.ServedResolver { return &servedResolver{r} }

type (
	distributionResolver   struct{ *Resolver }
	publicationResolver    struct{ *Resolver }
	publishedEntryResolver struct{ *Resolver }
	servedResolver         struct{ *Resolver }
)
