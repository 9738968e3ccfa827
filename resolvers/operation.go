package resolvers

import (
	"context"

	"ream/graph"
	"ream/task"
)

func (r *mutationResolver) Sync(ctx context.Context, input graph.SyncInput) (task.Work, error) {
	request, err := syncRequest(input)
	if err != nil {
		return nil, err
	}
	return r.Catalog.Sync(ctx, request)
}

func (r *mutationResolver) Publish(ctx context.Context, input graph.PublishInput) (task.Work, error) {
	request, err := publishRequest(input)
	if err != nil {
		return nil, err
	}
	return r.Catalog.Publish(ctx, request)
}

func (r *mutationResolver) Mirror(ctx context.Context, input graph.MirrorInput) (*task.Group, error) {
	request, err := mirrorRequest(input)
	if err != nil {
		return nil, err
	}
	return r.Catalog.Mirror(ctx, request)
}

func (r *mutationResolver) Purge(ctx context.Context, input graph.PurgeInput) (task.Work, error) {
	return r.Catalog.Purge(ctx, purgeRequest(input))
}
