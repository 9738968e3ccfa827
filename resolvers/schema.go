package resolvers

import (
	"context"

	"ream/fault"
	"ream/graph"
	"ream/page"
)

func (r *queryResolver) Node(ctx context.Context, id string) (graph.Node, error) {
	return startNode(ctx, id)()
}

func (r *queryResolver) Nodes(ctx context.Context, ids []string) ([]graph.Node, error) {
	if len(ids) > page.Limit {
		return nil, fault.Input("ids", "%d ids are too many: at most %d are answered at once", len(ids), page.Limit)
	}
	return loadNodes(ctx, ids)
}

func (r *Resolver) Mutation() graph.MutationResolver { return &mutationResolver{r} }

func (r *Resolver) Query() graph.QueryResolver { return &queryResolver{r} }

func (r *Resolver) Subscription() graph.SubscriptionResolver { return &subscriptionResolver{r} }

type (
	mutationResolver     struct{ *Resolver }
	queryResolver        struct{ *Resolver }
	subscriptionResolver struct{ *Resolver }
)
