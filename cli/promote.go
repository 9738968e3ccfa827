package cli

import (
	"context"
	"fmt"

	"ream/cli/client"
)

// distributionCommand reads a command line of so many distributions, by their
// paths, and finds their ids.
func (f flags) distributionCommand(ctx context.Context, args []string, env Env, count int, want string) (*client.Client, []string, error) {
	connect := f.server(env)
	paths, err := f.parse(args)
	if err != nil {
		return nil, nil, err
	}
	if len(paths) != count {
		return nil, nil, misuse(want)
	}
	c, err := connect()
	if err != nil {
		return nil, nil, err
	}
	ids := make([]string, count)
	for i, path := range paths {
		found, err := client.FindDistribution(ctx, c, path)
		if err != nil {
			return nil, nil, err
		}
		if found.Distribution == nil {
			return nil, nil, fmt.Errorf("there is no distribution at %q", path)
		}
		ids[i] = found.Distribution.Id
	}
	return c, ids, nil
}

func promoteDistribution(ctx context.Context, args []string, env Env) error {
	f := newFlags("promote", `promote FROM TO

Makes the distribution at the path TO serve the publication that the one at FROM
serves now, and prints it.`)
	expected := f.String("publication", "", "promote only if FROM serves this `publication`, such as publication-5")
	c, ids, err := f.distributionCommand(ctx, args, env, 2, "say from which distribution and to which, by their paths")
	if err != nil {
		return err
	}
	promoted, err := client.Promote(ctx, c, client.PromoteInput{From: ids[0], To: ids[1], Publication: *expected})
	if err != nil {
		return err
	}
	return printServing(env, promoted.Promote)
}

func rollBack(ctx context.Context, args []string, env Env) error {
	f := newFlags("rollback", `rollback PATH

Makes the distribution at a path serve what it served before, and prints it.
Each rollback goes one step further back.`)
	expected := f.String("publication", "", "roll back only if that leads to this `publication`, such as publication-4; if it is served already, nothing changes")
	c, ids, err := f.distributionCommand(ctx, args, env, 1, "say which distribution, by its path")
	if err != nil {
		return err
	}
	back, err := client.Rollback(ctx, c, ids[0], *expected)
	if err != nil {
		return err
	}
	return printServing(env, back.Rollback)
}

func printServing(env Env, s client.Serving) error {
	publication := "nothing"
	if s.Publication != nil {
		publication = s.Publication.Id
	}
	_, err := fmt.Fprintf(env.Stdout, "%s serves %s\n", clean(s.Path), clean(publication))
	return err
}
