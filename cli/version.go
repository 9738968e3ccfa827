package cli

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"

	"ream/cli/client"
)

// versionRef names a version as people do: "fedora@3", or "fedora" for the
// newest one.
type versionRef struct {
	repository string
	number     int // 0 for the newest
}

func parseVersionRef(s string) (versionRef, error) {
	name, number, given := strings.Cut(s, "@")
	if !given {
		return versionRef{repository: name}, nil
	}
	n, err := strconv.ParseUint(number, 10, 31)
	if err != nil || n == 0 {
		return versionRef{}, misuse(fmt.Sprintf("%q is no version: want NAME or NAME@NUMBER, such as fedora@3", clean(s)))
	}
	return versionRef{name, int(n)}, nil
}

func (r versionRef) String() string {
	if r.number == 0 {
		return r.repository
	}
	return fmt.Sprintf("%s@%d", r.repository, r.number)
}

// find asks for the version's id.
func (r versionRef) find(ctx context.Context, c *client.Client) (id string, err error) {
	found, err := client.FindVersion(ctx, c, r.repository, r.number)
	if err != nil {
		return "", err
	}
	v := found.Repository.Version
	if r.number == 0 {
		v = found.Repository.LatestVersion
	}
	switch {
	case found.Repository.Id == "":
		return "", fmt.Errorf("there is no repository %q", r.repository)
	case v == nil && r.number == 0:
		return "", fmt.Errorf("%q has no version yet: sync it first", r.repository)
	case v == nil:
		return "", fmt.Errorf("%q has no version %d", r.repository, r.number)
	}
	return v.Id, nil
}

// versionCommand reads a command line that begins with up to so many versions,
// at least one, and returns what comes after them.
func (f flags) versionCommand(args []string, env Env, most int) (*client.Client, []versionRef, []string, error) {
	connect := f.server(env)
	words, err := f.parse(args)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(words) == 0 {
		return nil, nil, nil, misuse("say which version: NAME@NUMBER, or NAME for the newest one of a repository")
	}
	most = min(most, len(words))
	refs := make([]versionRef, most)
	for i := range refs {
		if refs[i], err = parseVersionRef(words[i]); err != nil {
			return nil, nil, nil, err
		}
	}
	c, err := connect()
	return c, refs, words[most:], err
}

// oneVersion is versionCommand for a command about one version, by its number.
func (f flags) oneVersion(args []string, env Env) (*client.Client, versionRef, error) {
	c, refs, rest, err := f.versionCommand(args, env, 1)
	if err != nil {
		return nil, versionRef{}, err
	}
	if len(rest) > 0 || refs[0].number == 0 {
		return nil, versionRef{}, misuse("name one version, as NAME@NUMBER")
	}
	return c, refs[0], nil
}

func diffVersions(ctx context.Context, args []string, env Env) error {
	f := newFlags("diff", `diff FROM [TO]

Prints what has to change in one version to get another one: "+ PATH" for what
was added, "- PATH" for what was removed, "~ PATH" for what was replaced. A
version is NAME@NUMBER, or NAME for the newest one of a repository; without TO
it is compared to the newest one of the same repository.`)
	c, refs, rest, err := f.versionCommand(args, env, 2)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return misuse("only two versions can be compared")
	}
	if len(refs) == 1 {
		refs = append(refs, versionRef{repository: refs[0].repository})
	}
	var ids [2]string
	for i, r := range refs {
		if ids[i], err = r.find(ctx, c); err != nil {
			return err
		}
	}
	return printChanges(env, func(after string) (*client.DiffDiffUnitChangeConnection, error) {
		answer, err := client.Diff(ctx, c, ids[0], ids[1], after)
		if err == nil && answer.Diff == nil {
			err = fmt.Errorf("%s or %s was deleted meanwhile", refs[0], refs[1])
		}
		if err != nil {
			return nil, err
		}
		return answer.Diff, nil
	})
}

// signs are how kinds of changes are printed.
var signs = map[client.UnitChangeKind]string{
	client.UnitChangeKindAdded: "+", client.UnitChangeKindRemoved: "-", client.UnitChangeKindReplaced: "~",
}

// printChanges prints changes, which are read page by page.
func printChanges(env Env, read func(after string) (*client.DiffDiffUnitChangeConnection, error)) error {
	out := bufio.NewWriter(env.Stdout)
	for after := ""; ; {
		page, err := read(after)
		if err != nil {
			return err
		}
		for _, change := range page.Nodes {
			fmt.Fprintln(out, signs[change.Kind], clean(change.Path)) // Flush tells of errors
		}
		if err := out.Flush(); err != nil || !page.PageInfo.HasNextPage {
			return err
		}
		after = page.PageInfo.EndCursor
	}
}

func copyUnits(ctx context.Context, args []string, env Env) error {
	f := newFlags("copy", `copy FROM REPOSITORY [PATTERN…]

Makes a new version of a repository that also has units of another version: all
of them, or those whose path fits a pattern. A pattern is a path with wildcards:
* stands for any characters but a slash, ? for one of them; one that ends with a
slash stands for all that lies below. FROM is NAME@NUMBER, or NAME for the newest
version of a repository.`)
	wait, priority := f.wait(), f.priority()
	mirror := f.Bool("mirror", false, "remove from the repository what is not copied")
	c, refs, words, err := f.versionCommand(args, env, 1)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return misuse("say which repository gets the units")
	}
	from, err := refs[0].find(ctx, c)
	if err != nil {
		return err
	}
	to, err := client.FindRepository(ctx, c, words[0])
	if err != nil {
		return err
	}
	if to.Repository.Id == "" {
		return fmt.Errorf("there is no repository %q", words[0])
	}
	queued, err := client.Copy(ctx, c, client.CopyUnitsInput{Version: from, Repository: to.Repository.Id, Paths: words[1:], Mirror: *mirror, Priority: *priority})
	if err != nil {
		return err
	}
	return accompany(ctx, c, &queued.CopyUnits, *wait, env)
}

func restoreVersion(ctx context.Context, args []string, env Env) error {
	f := newFlags("restore", `restore NAME@NUMBER

Makes a new version of a repository that has exactly the units of an older one.
What is served changes once the new version is published.`)
	wait, priority := f.wait(), f.priority()
	c, ref, err := f.oneVersion(args, env)
	if err != nil {
		return err
	}
	version, err := ref.find(ctx, c)
	if err != nil {
		return err
	}
	queued, err := client.Restore(ctx, c, client.RestoreVersionInput{Version: version, Priority: *priority})
	if err != nil {
		return err
	}
	return accompany(ctx, c, &queued.RestoreVersion, *wait, env)
}

func deleteVersion(ctx context.Context, args []string, env Env) error {
	f := newFlags("delete", `delete NAME@NUMBER

Deletes a version of a repository with its publications. The newest version and
those that are in use stay.`)
	wait, priority := f.wait(), f.priority()
	c, ref, err := f.oneVersion(args, env)
	if err != nil {
		return err
	}
	version, err := ref.find(ctx, c)
	if err != nil {
		return err
	}
	queued, err := client.DeleteVersion(ctx, c, client.DeleteVersionInput{Version: version, Priority: *priority})
	if err != nil {
		return err
	}
	return accompany(ctx, c, &queued.DeleteVersion, *wait, env)
}
