package resolvers

import (
	"context"

	"ream/catalog"
	"ream/fault"
	"ream/graph"
	"ream/task"
)

func (r *mutationResolver) Sync(ctx context.Context, input graph.SyncInput) (task.Work, error) {
	repositories, err := selector(input.Repositories)
	if err != nil {
		return nil, err
	}
	maxRunning, err := limit(input.MaxRunning)
	if err != nil {
		return nil, err
	}
	return r.Catalog.Sync(ctx, catalog.SyncRequest{
		Repositories:   repositories,
		Mirror:         input.Mirror,
		Priority:       input.Priority,
		MaxRunning:     maxRunning,
		IdempotencyKey: value(input.IdempotencyKey),
	})
}

func (r *mutationResolver) Publish(ctx context.Context, input graph.PublishInput) (task.Work, error) {
	repositories, err := selector(input.Repositories)
	if err != nil {
		return nil, err
	}
	if input.Version != nil && *input.Version < 1 {
		return nil, fault.Input("version", "%d is no version: they are numbered 1, 2, …", *input.Version)
	}
	maxRunning, err := limit(input.MaxRunning)
	if err != nil {
		return nil, err
	}
	return r.Catalog.Publish(ctx, catalog.PublishRequest{
		Repositories:   repositories,
		Version:        int(value(input.Version)),
		Priority:       input.Priority,
		MaxRunning:     maxRunning,
		IdempotencyKey: value(input.IdempotencyKey),
	})
}

func (r *mutationResolver) Mirror(ctx context.Context, input graph.MirrorInput) (*task.Group, error) {
	repositories, err := selector(input.Repositories)
	if err != nil {
		return nil, err
	}
	maxRunning, err := limit(input.MaxRunning)
	if err != nil {
		return nil, err
	}
	return r.Catalog.Mirror(ctx, catalog.MirrorRequest{
		Repositories:   repositories,
		Path:           value(input.Path),
		Mirror:         input.Mirror,
		Priority:       input.Priority,
		MaxRunning:     maxRunning,
		IdempotencyKey: value(input.IdempotencyKey),
	})
}
