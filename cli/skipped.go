package cli

import (
	"context"
	"fmt"

	"ream/cli/client"
)

// shownSkipped is how many of the files that a task completed without are
// printed.
const shownSkipped = 20

// tellSkipped prints without which files the tasks of finished work completed.
func tellSkipped(ctx context.Context, c *client.Client, id string, env Env) error {
	for after := ""; ; {
		answer, err := client.SkippedFiles(ctx, c, id, shownSkipped, after)
		if err != nil {
			return fmt.Errorf("which files were skipped is not known: %w", err)
		}
		switch w := answer.TaskOrGroup.(type) {
		case *client.SkippedFilesTaskOrGroupTask:
			if w.State == client.TaskStateCompleted {
				printSkipped(w.Skipped, env)
			}
		case *client.SkippedFilesTaskOrGroupTaskGroup:
			for _, one := range w.Tasks.Nodes {
				printSkipped(one, env)
			}
			if w.Tasks.PageInfo.HasNextPage {
				after = w.Tasks.PageInfo.EndCursor
				continue
			}
		}
		return nil
	}
}

func printSkipped(t client.Skipped, env Env) {
	for _, f := range t.Failures.Nodes {
		fmt.Fprintf(env.Stderr, "%s (%s) skipped %s\n", clean(t.Id), clean(t.Name), clean(f.Message))
	}
	if t.Failures.PageInfo.HasNextPage {
		fmt.Fprintf(env.Stderr, "%s (%s) skipped more: GET /api/v1/tasks/%s/failures lists them all\n", clean(t.Id), clean(t.Name), clean(t.Id))
	}
}
