package resolvers

import (
	"context"

	"ream/catalog"
	"ream/content"
	"ream/graph"
)

func (r *mutationResolver) CreateRemote(ctx context.Context, input graph.CreateRemoteInput) (*content.Remote, error) {
	return r.Catalog.CreateRemote(ctx, catalog.RemoteInput{
		Name:        input.Name,
		URL:         input.URL,
		Policy:      input.Policy,
		Connections: int(input.Connections),
	})
}

func (r *mutationResolver) UpdateRemote(ctx context.Context, input graph.UpdateRemoteInput) (*content.Remote, error) {
	id, err := knownID[content.RemoteID]("remote", input.ID)
	if err != nil {
		return nil, err
	}
	return r.Catalog.UpdateRemote(ctx, id, catalog.RemoteChange{
		Name:        input.Name,
		URL:         input.URL,
		Policy:      input.Policy,
		Connections: number(input.Connections),
	})
}

func (r *mutationResolver) DeleteRemote(ctx context.Context, id string) (*content.Remote, error) {
	key, err := knownID[content.RemoteID]("remote", id)
	if err != nil {
		return nil, err
	}
	return r.Catalog.DeleteRemote(ctx, key)
}

func (r *queryResolver) Remote(ctx context.Context, id *string, name *string) (*content.Remote, error) {
	if err := either(id, name, "name"); err != nil {
		return nil, err
	}
	if id != nil {
		return find(ctx, loadersOf(ctx).remotes, "remote", *id)
	}
	return absentIsNull(r.Store.RemoteByName(ctx, *name))
}

func (r *queryResolver) Remotes(ctx context.Context, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.Remote], error) {
	return list(ctx, r.Store.Remotes, first, after, last, before)
}
