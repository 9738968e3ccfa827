package resolvers

import (
	"cmp"
	"context"

	"ream/access"
	"ream/catalog"
	"ream/content"
	"ream/fault"
	"ream/graph"
	"ream/page"
	"ream/task"
)

func (r *fileUploadResolver) Sha256(ctx context.Context, obj *content.Upload) (*content.Digest, error) {
	return optional(cmp.Or(obj.SHA256, obj.Wanted)), nil
}

func (r *mutationResolver) UploadFiles(ctx context.Context, input graph.UploadFilesInput) (*task.Task, error) {
	repository, err := referredID[content.RepositoryID]("repository", "repository", input.Repository)
	if err != nil {
		return nil, err
	}
	files := make([]catalog.UploadedFile, len(input.Files))
	for i, f := range input.Files {
		if err := fault.ExactlyOne("files", "file and upload", f.File != nil, f.Upload != nil); err != nil {
			return nil, err
		}
		files[i] = catalog.UploadedFile{Path: f.Path, SHA256: value(f.Sha256)}
		if f.File != nil {
			files[i].Upload, files[i].Named = f.File.ID, string(f.File.SHA256)
		} else if files[i].Upload, err = referredID[content.UploadID]("files", "upload", *f.Upload); err != nil {
			return nil, err
		}
	}
	return r.Catalog.UploadFiles(ctx, catalog.UploadRequest{
		Repository:     repository,
		Files:          files,
		Priority:       input.Priority,
		IdempotencyKey: value(input.IdempotencyKey),
	})
}

func (r *queryResolver) Uploads(ctx context.Context, first *int32, after *string, last *int32, before *string) (*graph.Connection[*content.Upload], error) {
	read := func(ctx context.Context, p page.Request) (*page.Of[*content.Upload], error) {
		return r.store(ctx).Uploads(ctx, access.CallerOf(ctx).String(), p)
	}
	return list(ctx, read, first, after, last, before)
}

func (r *Resolver) FileUpload() graph.FileUploadResolver { return &fileUploadResolver{r} }

type fileUploadResolver struct{ *Resolver }
