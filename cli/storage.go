package cli

import (
	"context"
	"errors"
	"fmt"

	"ream/cli/client"
)

func cleanOrphans(ctx context.Context, args []string, env Env) error {
	f := newFlags("clean", `clean

Removes artifacts that no version and no publication names, and what lies in the
storage and no artifact names, such as what a process that was killed left. What
was moved aside as it was damaged goes after a week, unless nothing else is left
of an artifact.`)
	server, wait, priority := f.server(env), f.wait(), f.priority()
	grace := f.Uint("grace-hours", 24, "spare what is younger than `N` hours, 1 at least: more than a sync may take")
	rest, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return misuse("it takes no names: it is about the storage")
	}
	c, err := server()
	if err != nil {
		return err
	}
	queued, err := client.CleanOrphans(ctx, c, client.CleanOrphansInput{GraceHours: int(*grace), Priority: *priority})
	if err != nil {
		return err
	}
	return accompanyCare(ctx, c, queued.CleanOrphans, *wait, env)
}

func verifyContent(ctx context.Context, args []string, env Env) error {
	f := newFlags("verify", `verify [NAME… | --labels SELECTOR | --all]

Compares the artifacts of repositories with their digests, or all that are
stored if no repositories are named. What is damaged is moved aside and fetched
again; it fails if that is not possible.`)
	server, wait, selection, priority, maxRunning := f.server(env), f.wait(), f.selection(), f.priority(), f.maxRunning()
	names, err := f.parse(args)
	if err != nil {
		return err
	}
	in := client.VerifyContentInput{Priority: *priority, MaxRunning: int(*maxRunning)}
	if len(names) > 0 || f.Lookup("labels").Value.String() != "" || f.Lookup("all").Value.String() == "true" {
		selector, err := selection(names)
		if err != nil {
			return err
		}
		in.Repositories = &selector
	}
	c, err := server()
	if err != nil {
		return err
	}
	queued, err := client.VerifyContent(ctx, c, in)
	if err != nil {
		return err
	}
	return accompanyCare(ctx, c, queued.VerifyContent, *wait, env)
}

// accompanyCare is accompany of work that looks after the storage: once it has
// ended, however it did, it prints what the work found and removed.
func accompanyCare(ctx context.Context, c *client.Client, queued any, wait bool, env Env) error {
	err := accompany(ctx, c, queued, wait, env)
	w, ok := queued.(client.Work)
	if !ok || !wait || ctx.Err() != nil {
		return err
	}
	return errors.Join(err, tellFound(ctx, c, w.GetId(), env))
}

// shownFindings is how many of the findings of a task are printed.
const shownFindings = 100

// tellFound prints what the tasks of finished work found and removed.
func tellFound(ctx context.Context, c *client.Client, id string, env Env) error {
	for after := ""; ; {
		answer, err := client.GetFound(ctx, c, id, shownFindings, after)
		if err != nil {
			return fmt.Errorf("what was found is not known: %w", err)
		}
		switch w := answer.TaskOrGroup.(type) {
		case *client.GetFoundTaskOrGroupTask:
			printFound(w.Found, env)
		case *client.GetFoundTaskOrGroupTaskGroup:
			for _, one := range w.Tasks.Nodes {
				printFound(one, env)
			}
			if w.Tasks.PageInfo.HasNextPage {
				after = w.Tasks.PageInfo.EndCursor
				continue
			}
		}
		return nil
	}
}

func printFound(t client.Found, env Env) {
	for _, r := range t.Reports {
		fmt.Fprintf(env.Stderr, "%s (%s): %s: %d\n", clean(t.Id), clean(t.Name), clean(r.Message), r.Done)
	}
	for _, f := range t.Findings.Nodes {
		fmt.Fprintf(env.Stderr, "%s (%s): %s %s %s: %s\n", clean(t.Id), clean(t.Name), f.Problem, clean(f.Sha256), clean(f.Path), clean(f.Message))
	}
	if t.Findings.PageInfo.HasNextPage {
		fmt.Fprintf(env.Stderr, "%s (%s) found more: GET /api/v1/tasks/%s/findings lists them all\n", clean(t.Id), clean(t.Name), clean(t.Id))
	}
}
