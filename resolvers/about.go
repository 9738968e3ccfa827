package resolvers

import (
	"context"

	"ream/access"
	"ream/graph"
)

func (r *queryResolver) Server(ctx context.Context) (*graph.Server, error) {
	s := r.Resolver.Server
	if !access.CallerOf(ctx).Role.Includes(access.Admin) {
		s.Database, s.Storage = nil, nil
	}
	return &s, nil
}
