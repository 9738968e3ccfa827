package cli

import (
	"bufio"
	"context"
	"fmt"

	"ream/cli/client"
)

// previewed follows work that finds out what syncs would do, and prints that, also
// if only some of it completed.
func previewed(ctx context.Context, c *client.Client, queued any, env Env) error {
	ended := accompany(ctx, c, queued, true, env)
	w, ok := queued.(client.Work)
	if !ok || ctx.Err() != nil {
		return ended
	}
	id := w.GetId()
	for after := ""; ; {
		answer, err := client.Previews(ctx, c, id, after)
		if err != nil {
			return err
		}
		switch w := answer.TaskOrGroup.(type) {
		case *client.PreviewsTaskOrGroupTask:
			if ended != nil {
				return ended
			}
			return printPreview(ctx, c, w.Previewed, env)
		case *client.PreviewsTaskOrGroupTaskGroup:
			for _, one := range w.Tasks.Nodes {
				if err := printPreview(ctx, c, one, env); err != nil {
					return err
				}
			}
			if w.Tasks.PageInfo.HasNextPage {
				after = w.Tasks.PageInfo.EndCursor
				continue
			}
		}
		return ended
	}
}

// previewSigns are how kinds of changes are printed.
var previewSigns = map[client.SyncPreviewKind]string{
	client.SyncPreviewKindAdded: "+", client.SyncPreviewKindRemoved: "-", client.SyncPreviewKindReplaced: "~", client.SyncPreviewKindFetched: "=",
}

// printPreview prints what one sync would do, with its changes page by page.
func printPreview(ctx context.Context, c *client.Client, t client.Previewed, env Env) error {
	p := t.Preview
	if p == nil {
		return fmt.Errorf("%s has no preview: it was purged meanwhile", t.Id)
	}
	out := bufio.NewWriter(env.Stdout)
	fmt.Fprintf(out, "%s: %d added, %d removed, %d replaced, %d unchanged; to fetch: %d files, %s\n", // Flush tells of errors
		clean(t.Name), p.Added, p.Removed, p.Replaced, p.Unchanged, p.FetchFiles, size(p.FetchBytes))
	for after := ""; ; {
		answer, err := client.PreviewChanges(ctx, c, t.Id, after)
		if err != nil {
			return err
		}
		if answer.Task.Preview == nil {
			return fmt.Errorf("%s was purged meanwhile", t.Id)
		}
		page := answer.Task.Preview.Changes
		for _, change := range page.Nodes {
			var bytes int64
			if change.After != nil {
				bytes = change.After.Size
			} else if change.Before != nil {
				bytes = change.Before.Size
			}
			fmt.Fprintf(out, "%s %s (%s)\n", previewSigns[change.Kind], clean(change.Path), size(bytes))
		}
		if err := out.Flush(); err != nil || !page.PageInfo.HasNextPage {
			return err
		}
		after = page.PageInfo.EndCursor
	}
}
