package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ream/cli/client"
)

func syncRepositories(ctx context.Context, args []string, env Env) error {
	f := newFlags("sync", `sync [NAME… | --labels SELECTOR | --all]

Fetches what the repositories' remotes have now, and makes a new version of
each repository that changed. With --dry-run it only prints what would change:
"+ PATH" for what would be added, "- PATH" for what would be removed, "~ PATH"
for what would be replaced, "= PATH" for what stays and is not stored yet.`)
	server, wait, selection, priority, maxRunning := f.server(env), f.wait(), f.selection(), f.priority(), f.maxRunning()
	addOnly, onError := f.Bool("add-only", false, "keep what upstream dropped"), f.onError()
	dryRun := f.Bool("dry-run", false, "print what would change, fetch no files, and make no version")
	names, err := f.parse(args)
	if err != nil {
		return err
	}
	selector, err := selection(names)
	if err != nil {
		return err
	}
	c, err := server()
	if err != nil {
		return err
	}
	queued, err := client.Sync(ctx, c, client.SyncInput{Repositories: selector, Mirror: !*addOnly, OnError: *onError, DryRun: *dryRun, Priority: *priority, MaxRunning: int(*maxRunning)})
	if err != nil {
		return err
	}
	if *dryRun && *wait {
		return previewed(ctx, c, queued.Sync, env)
	}
	return accompany(ctx, c, queued.Sync, *wait, env)
}

func publishRepositories(ctx context.Context, args []string, env Env) error {
	f := newFlags("publish", `publish [NAME… | --labels SELECTOR | --all]

Makes versions of the repositories ready to be served.`)
	server, wait, selection, priority, maxRunning := f.server(env), f.wait(), f.selection(), f.priority(), f.maxRunning()
	version := f.Uint("version", 0, "the `number` of the version, of one repository; the newest if it is 0")
	names, err := f.parse(args)
	if err != nil {
		return err
	}
	selector, err := selection(names)
	if err != nil {
		return err
	}
	c, err := server()
	if err != nil {
		return err
	}
	queued, err := client.Publish(ctx, c, client.PublishInput{Repositories: selector, Version: int(*version), Priority: *priority, MaxRunning: int(*maxRunning)})
	if err != nil {
		return err
	}
	return accompany(ctx, c, queued.Publish, *wait, env)
}

func mirrorRepositories(ctx context.Context, args []string, env Env) error {
	f := newFlags("mirror", `mirror [NAME | URL… | --labels SELECTOR | --all]

Syncs repositories, publishes what is new, and serves it below /content/. A URL
is that of a repository's PULP_MANIFEST, or of its directory with a slash at
the end: a remote and a repository are created for it if there are none.`)
	server, wait, selection, priority, maxRunning := f.server(env), f.wait(), f.selection(), f.priority(), f.maxRunning()
	addOnly, onError := f.Bool("add-only", false, "keep what upstream dropped"), f.onError()
	name := f.String("name", "", "the repository's `name`, for one URL; made from the URL if left out")
	path := f.String("path", "", "where to serve it, for one repository: the `path` below /content/; its name if left out")
	onDemand := f.Bool("on-demand", false, "for a new remote: fetch a file when a client asks for it first")
	words, err := f.parse(args)
	if err != nil {
		return err
	}
	policy := client.PolicyImmediate
	if *onDemand {
		policy = client.PolicyOnDemand
	}
	origins, err := originsOf(words, *name)
	if err != nil {
		return err
	}
	selector, err := selection(namesOf(origins))
	if err != nil {
		return err
	}
	if *path != "" && len(origins) != 1 {
		return misuse("--path is for one repository, by its name or URL")
	}
	c, err := server()
	if err != nil {
		return err
	}
	for _, o := range origins {
		if err := o.ensure(ctx, c, policy, nil); err != nil {
			return err
		}
	}
	queued, err := client.Mirror(ctx, c, client.MirrorInput{Repositories: selector, Path: *path, Mirror: !*addOnly, OnError: *onError, Priority: *priority, MaxRunning: int(*maxRunning)})
	if err != nil {
		return err
	}
	return accompany(ctx, c, &queued.Mirror, *wait, env)
}

func watchWork(ctx context.Context, args []string, env Env) error {
	f := newFlags("watch", `watch ID

Follows a task or a group of tasks, task-12 or group-7, to its end. The exit
status is 0 if it completed.`)
	c, id, err := f.reference(args, env)
	if err != nil {
		return err
	}
	found, err := client.FindWork(ctx, c, id)
	if err != nil {
		return err
	}
	if found.TaskOrGroup == nil {
		return fmt.Errorf("there is no %s", id)
	}
	return finish(ctx, c, id, env)
}

func cancelWork(ctx context.Context, args []string, env Env) error {
	f := newFlags("cancel", `cancel ID

Cancels a task with what it spawned, or a whole group: task-12 or group-7. What
runs may take a moment to stop; "ream watch ID" follows it. Finished work stays
as it is.`)
	c, id, err := f.reference(args, env)
	if err != nil {
		return err
	}
	canceled, err := client.Cancel(ctx, c, id)
	if err != nil {
		return err
	}
	w, ok := canceled.Cancel.(client.Work)
	if !ok {
		return fmt.Errorf("the server did not say what became of %s", id)
	}
	_, err = fmt.Fprintln(env.Stdout, summary(w))
	return err
}

func retryWork(ctx context.Context, args []string, env Env) error {
	f := newFlags("retry", `retry ID

Does unsuccessful work again: a task, or the members of a group that did not
complete, task-12 or group-7. It prints the reference of the new work and
follows it.`)
	wait := f.wait()
	c, id, err := f.reference(args, env)
	if err != nil {
		return err
	}
	queued, err := client.Retry(ctx, c, id)
	if err != nil {
		return err
	}
	return accompany(ctx, c, queued.Retry, *wait, env)
}

// reference reads a command line of one id.
func (f flags) reference(args []string, env Env) (*client.Client, string, error) {
	server := f.server(env)
	ids, err := f.parse(args)
	if err != nil {
		return nil, "", err
	}
	if len(ids) != 1 {
		return nil, "", misuse("say which one: the id of a task or a group, such as task-12 or group-7")
	}
	c, err := server()
	if err != nil {
		return nil, "", err
	}
	return c, ids[0], nil
}

// accompany prints the reference of work, and follows it if asked to.
func accompany(ctx context.Context, c *client.Client, queued any, wait bool, env Env) error {
	w, ok := queued.(client.Work)
	if !ok {
		return errors.New("the server answered without a task: is it of another version?")
	}
	if _, err := fmt.Fprintln(env.Stdout, w.GetId()); err != nil || !wait {
		return err
	}
	return finish(ctx, c, w.GetId(), env)
}

// shownFailures is how many failed members are printed.
const shownFailures = 100

// finish follows work to its end and tells why it failed, if it did.
func finish(ctx context.Context, c *client.Client, id string, env Env) error {
	last, err := newFollower(c, env).follow(ctx, id)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted: %[1]s goes on. Follow it with \"ream watch %[1]s\", end it with \"ream cancel %[1]s\"", id)
	case err != nil:
		return err
	}
	if err := tellSkipped(ctx, c, id, env); err != nil || last.GetState() == client.TaskStateCompleted {
		return err
	}
	ended := fmt.Errorf("%s (%s) ended as %s", id, last.GetName(), last.GetState())
	answer, err := client.Failures(ctx, c, id, shownFailures)
	if err != nil {
		return fmt.Errorf("%w; why is not known: %w", ended, err)
	}
	var failed []client.Failure
	switch w := answer.TaskOrGroup.(type) {
	case *client.FailuresTaskOrGroupTask:
		failed = append(failed, w.Failure)
	case *client.FailuresTaskOrGroupTaskGroup:
		failed = w.Tasks.Nodes
	}
	failed = slices.DeleteFunc(failed, func(f client.Failure) bool { return f.Error.Message == "" })
	for _, f := range failed {
		fmt.Fprintf(env.Stderr, "%s (%s): %s\n", clean(f.Id), clean(f.Name), clean(f.Error.Message))
	}
	if more := last.GetCounts().Failed - len(failed); more > 0 {
		fmt.Fprintf(env.Stderr, "… and %d more\n", more)
	}
	return ended
}
