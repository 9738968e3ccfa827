package resolvers

import (
	"context"

	"ream/catalog"
	"ream/content"
	"ream/graph"
	"ream/page"
	"ream/task"
)

func (r *mutationResolver) ModifyRepository(ctx context.Context, input graph.ModifyRepositoryInput) (*task.Task, error) {
	repository, err := referredID[content.RepositoryID]("repository", "repository", input.Repository)
	if err != nil {
		return nil, err
	}
	add, err := referredIDs[content.UnitID]("add", "unit", input.Add)
	if err != nil {
		return nil, err
	}
	remove, err := referredIDs[content.UnitID]("remove", "unit", input.Remove)
	if err != nil {
		return nil, err
	}
	return r.Catalog.Modify(ctx, catalog.ModifyRequest{
		Repository:     repository,
		Add:            add,
		Remove:         remove,
		Priority:       input.Priority,
		IdempotencyKey: value(input.IdempotencyKey),
	})
}

func (r *mutationResolver) CopyUnits(ctx context.Context, input graph.CopyUnitsInput) (*task.Task, error) {
	version, err := referredID[content.VersionID]("version", "version", input.Version)
	if err != nil {
		return nil, err
	}
	repository, err := referredID[content.RepositoryID]("repository", "repository", input.Repository)
	if err != nil {
		return nil, err
	}
	return r.Catalog.Copy(ctx, catalog.CopyRequest{
		Version:        version,
		Repository:     repository,
		Paths:          input.Paths,
		Mirror:         input.Mirror,
		Priority:       input.Priority,
		IdempotencyKey: value(input.IdempotencyKey),
	})
}

func (r *mutationResolver) RestoreVersion(ctx context.Context, input graph.RestoreVersionInput) (*task.Task, error) {
	version, err := referredID[content.VersionID]("version", "version", input.Version)
	if err != nil {
		return nil, err
	}
	return r.Catalog.Restore(ctx, catalog.RestoreRequest{
		Version:        version,
		Priority:       input.Priority,
		IdempotencyKey: value(input.IdempotencyKey),
	})
}

func (r *mutationResolver) DeleteVersion(ctx context.Context, input graph.DeleteVersionInput) (*task.Task, error) {
	version, err := referredID[content.VersionID]("version", "version", input.Version)
	if err != nil {
		return nil, err
	}
	return r.Catalog.DeleteVersion(ctx, catalog.DeleteVersionRequest{
		Version:        version,
		Priority:       input.Priority,
		IdempotencyKey: value(input.IdempotencyKey),
	})
}

func (r *queryResolver) Diff(ctx context.Context, from string, to string, kinds []content.ChangeKind, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.UnitChange], error) {
	versions, err := bothVersions(ctx, from, to)
	if err != nil || versions[0] == nil || versions[1] == nil {
		return nil, err
	}
	read := func(ctx context.Context, p page.Request) (*page.Of[*content.UnitChange], error) {
		return r.store(ctx).Diff(ctx, versions[0], versions[1], kinds, p)
	}
	return list(ctx, read, first, after, last, before)
}
