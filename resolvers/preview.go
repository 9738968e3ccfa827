package resolvers

import (
	"context"

	"ream/content"
	"ream/graph"
	"ream/task"
)

func (r *syncPreviewResolver) Changes(ctx context.Context, obj *content.Preview, kinds []content.PreviewKind, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.PreviewChange], error) {
	owner := previewOwner{id: task.ID(obj.TaskID)}
	for _, k := range kinds {
		owner.kinds += " " + string(k)
	}
	return listOf(ctx, taskPreviewChanges, owner, first, after, last, before)
}

func (r *Resolver) SyncPreview() graph.SyncPreviewResolver { return &syncPreviewResolver{r} }

type syncPreviewResolver struct{ *Resolver }
