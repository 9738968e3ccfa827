package resolvers

import (
	"context"

	"ream/content"
	"ream/graph"
	"ream/task"
)

func (r *contentFindingResolver) Path(ctx context.Context, obj *content.Finding) (*string, error) {
	return optional(obj.Path), nil
}

func (r *mutationResolver) CleanOrphans(ctx context.Context, input graph.CleanOrphansInput) (task.Work, error) {
	return r.Catalog.CleanOrphans(ctx, cleanOrphansRequest(input))
}

func (r *mutationResolver) VerifyContent(ctx context.Context, input graph.VerifyContentInput) (task.Work, error) {
	request, err := verifyContentRequest(input)
	if err != nil {
		return nil, err
	}
	return r.Catalog.VerifyContent(ctx, request)
}

func (r *queryResolver) Storage(ctx context.Context) (*content.Storage, error) {
	return r.store(ctx).Storage(ctx)
}

func (r *repositoryResolver) Storage(ctx context.Context, obj *content.Repository) (*content.Figures, error) {
	return repositoryFigures.load(ctx, obj.ID)
}

func (r *taskResolver) Findings(ctx context.Context, obj *task.Task, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.Finding], error) {
	return listOf(ctx, taskFindings, obj.ID, first, after, last, before)
}

func (r *Resolver) ContentFinding() graph.ContentFindingResolver { return &contentFindingResolver{r} }

type contentFindingResolver struct{ *Resolver }
