package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// Env is what the commands have of the world around them.
type Env struct {
	Stdout, Stderr io.Writer
	// Start starts a server with its state in dir, and returns its address and
	// what stops it.
	Start func(ctx context.Context, dir string) (address string, stop func() error, err error)
}

// errUsage is a command line that was explained already.
var errUsage = errors.New("usage")

// Main runs a command and returns the exit status: 0 if it did what it was
// asked to, 1 if not, 2 if the command line is wrong.
func Main(ctx context.Context, command string, args []string, env Env) int {
	var err error
	switch command {
	case "demo":
		err = demo(ctx, args, env)
	case "sync", "publish", "mirror":
		err = operate(ctx, command, args, env)
	case "watch":
		err = watch(ctx, args, env)
	case "cancel":
		err = cancel(ctx, args, env)
	default:
		fmt.Fprintf(env.Stderr, "ream: there is no command %q; \"ream help\" lists them\n", command)
		return 2
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	}
	fmt.Fprintf(env.Stderr, "ream %s: %v\n", command, err)
	return 1
}

// command is a command line with the flags that all clients share.
type command struct {
	*flag.FlagSet
	server *string
}

func newCommand(name, usage string, env Env) command {
	flags := flag.NewFlagSet("ream "+name, flag.ContinueOnError)
	flags.SetOutput(env.Stderr)
	flags.Usage = func() {
		fmt.Fprintf(env.Stderr, "usage: ream %s\n", usage)
		flags.PrintDefaults()
	}
	server := os.Getenv("REAM_SERVER")
	if server == "" {
		server = "http://127.0.0.1:8080"
	}
	return command{flags, flags.String("server", server, "the server's address; REAM_SERVER is its default")}
}

// parse reads the flags, which may stand before or behind the other words, and
// returns those.
func (c command) parse(args []string) (words []string, err error) {
	for {
		if err := c.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, errUsage
		}
		if args = c.Args(); len(args) == 0 {
			return words, nil
		}
		words, args = append(words, args[0]), args[1:]
	}
}

// operate queues a sync, a publication or a mirror, and follows it.
func operate(ctx context.Context, verb string, args []string, env Env) error {
	cmd := newCommand(verb, verb+" [NAME… | --labels SELECTOR | --all]", env)
	labels := cmd.String("labels", "", "select repositories by labels: env=prod,team!=web,mirror,!old")
	all := cmd.Bool("all", false, "select all repositories")
	noWait := cmd.Bool("no-wait", false, "print the reference and return, instead of following the work")
	names, err := cmd.parse(args)
	if err != nil {
		return err
	}
	selector := map[string]any{}
	if len(names) > 0 {
		selector["names"] = names
	}
	if *labels != "" {
		selector["labels"] = *labels
	}
	if *all {
		selector["all"] = true
	}
	if len(selector) != 1 {
		cmd.Usage()
		return errUsage
	}
	c := newClient(*cmd.server)
	input := map[string]string{"sync": "SyncInput", "publish": "PublishInput", "mirror": "MirrorInput"}[verb]
	var queued struct{ Work struct{ ID string } }
	if err := c.do(ctx, `mutation($in: `+input+`!) { work: `+verb+`(input: $in) { ... on Work { id } } }`,
		map[string]any{"in": map[string]any{"repositories": selector}}, &queued); err != nil {
		return err
	}
	fmt.Fprintln(env.Stdout, queued.Work.ID)
	if *noWait {
		return nil
	}
	return c.finish(ctx, queued.Work.ID, env)
}

func watch(ctx context.Context, args []string, env Env) error {
	cmd := newCommand("watch", "watch task-12 | group-7", env)
	ids, err := cmd.parse(args)
	if err != nil {
		return err
	}
	if len(ids) != 1 {
		cmd.Usage()
		return errUsage
	}
	return newClient(*cmd.server).finish(ctx, ids[0], env)
}

func cancel(ctx context.Context, args []string, env Env) error {
	cmd := newCommand("cancel", "cancel task-12 | group-7", env)
	ids, err := cmd.parse(args)
	if err != nil {
		return err
	}
	if len(ids) != 1 {
		cmd.Usage()
		return errUsage
	}
	var canceled struct{ Cancel work }
	if err := newClient(*cmd.server).do(ctx, `mutation($id: ID!) { cancel(id: $id) { `+workFields+` } }`, map[string]any{"id": ids[0]}, &canceled); err != nil {
		return err
	}
	fmt.Fprintln(env.Stdout, describe(canceled.Cancel))
	return nil
}

// finish follows work to its end, and tells why it failed.
func (c *client) finish(ctx context.Context, id string, env Env) error {
	last, err := c.follow(ctx, id, env.Stdout)
	if err != nil {
		return err
	}
	if last.State == "COMPLETED" {
		return nil
	}
	if last.Error != nil {
		return fmt.Errorf("%s ended as %s: %s", last.Name, last.State, last.Error.Message)
	}
	var group struct {
		TaskGroup *struct {
			Tasks struct{ Nodes []work }
		}
	}
	if err := c.do(ctx, `query($id: ID!) { taskGroup(id: $id) { tasks(state: [FAILED], first: 100) { nodes { `+workFields+` } } } }`, map[string]any{"id": id}, &group); err != nil {
		return err
	}
	if group.TaskGroup != nil {
		for _, t := range group.TaskGroup.Tasks.Nodes {
			if t.Error != nil {
				fmt.Fprintf(env.Stderr, "%s: %s: %s\n", t.ID, t.Name, t.Error.Message)
			}
		}
	}
	return fmt.Errorf("%s ended as %s", last.Name, last.State)
}
