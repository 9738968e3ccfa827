package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"ream/cli/client"
)

// defaultServer is where ream serve listens unless told otherwise.
const defaultServer = "http://127.0.0.1:8080"

// misuse is a command line that is wrong, and says why.
type misuse string

func (m misuse) Error() string { return string(m) }

// helpWanted is the text that --help asks for.
type helpWanted string

func (helpWanted) Error() string { return "help was asked for" }

// flags are the flags of a command.
type flags struct {
	*flag.FlagSet
	usage string // the line and what the command does
}

func newFlags(name, usage string) flags {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard) // Main tells what is wrong
	return flags{set, usage}
}

// server adds --server and the flags of the token. What it returns makes the
// client.
func (f flags) server(env Env) func() (*client.Client, error) {
	address := env.Getenv("REAM_SERVER")
	if address == "" {
		address = defaultServer
	}
	server := f.String("server", address, "the server's `URL`; the variable REAM_SERVER is its default")
	credentials := f.credentials(env)
	return func() (*client.Client, error) {
		token, err := credentials()
		if err != nil {
			return nil, err
		}
		c, err := client.New(*server, client.Options{Token: token})
		if err != nil {
			return nil, misuse(err.Error())
		}
		return c, nil
	}
}

// credentials adds --token and --token-file. What it returns reads the token.
// Defaults are never shown: help is no place for secrets.
func (f flags) credentials(env Env) func() (string, error) {
	token := f.String("token", "", "the `token` that the server wants; better in the variable REAM_TOKEN, since others see command lines")
	file := f.String("token-file", "", "the `file` that holds the token; the variable REAM_TOKEN_FILE is its default")
	return func() (string, error) {
		switch {
		case *token != "" && *file != "":
			return "", misuse("--token and --token-file: give one of them")
		case *token != "":
			return *token, nil
		case *file == "" && env.Getenv("REAM_TOKEN") != "":
			return env.Getenv("REAM_TOKEN"), nil
		case *file == "":
			*file = env.Getenv("REAM_TOKEN_FILE")
		}
		if *file == "" {
			return "", nil
		}
		text, err := os.ReadFile(*file)
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		return strings.TrimSpace(string(text)), nil
	}
}

// wait adds --wait and --no-wait.
func (f flags) wait() *bool {
	wait := f.Bool("wait", true, "follow the work to its end, as is done unless --no-wait is given")
	f.BoolFunc("no-wait", "print the reference of the work, task-12 or group-7, and return", func(s string) error {
		if s != "true" {
			return errors.New("it takes no value")
		}
		*wait = false
		return nil
	})
	return wait
}

// parse reads the flags, which may stand before, between and after the other
// words, and returns those. What follows "--" is no flag.
func (f flags) parse(args []string) (words []string, err error) {
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, helpWanted(f.help())
		} else if err != nil {
			return nil, misuse(strings.Replace(err.Error(), "flag provided but not defined: -", "there is no flag --", 1))
		}
		rest := f.Args()
		if read := len(args) - len(rest); read > 0 && args[read-1] == "--" {
			return append(words, rest...), nil
		}
		if len(rest) == 0 {
			return words, nil
		}
		words, args = append(words, rest[0]), rest[1:]
	}
}

// help is the command's manual.
func (f flags) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "usage: ream %s\n\nFlags:\n", strings.TrimSpace(f.usage))
	f.VisitAll(func(one *flag.Flag) {
		value, usage := flag.UnquoteUsage(one)
		name := "--" + one.Name
		if value != "" {
			name += " " + strings.ToUpper(value)
		}
		if value != "" && one.DefValue != "" && one.DefValue != "0" {
			usage += " (default " + one.DefValue + ")"
		}
		fmt.Fprintf(&b, "  %-20s  %s\n", name, usage)
	})
	return b.String()
}

// selection adds the flags that select repositories. What it returns makes a
// selector of them and of the names on the command line.
func (f flags) selection() func(names []string) (client.RepositorySelector, error) {
	labels := f.String("labels", "", "repositories whose labels fit every term of `SELECTOR`: env=prod,team!=web,mirror,!old")
	all := f.Bool("all", false, "all repositories")
	return func(names []string) (client.RepositorySelector, error) {
		ways := 0
		for _, chosen := range []bool{len(names) > 0, *labels != "", *all} {
			if chosen {
				ways++
			}
		}
		if ways != 1 {
			return client.RepositorySelector{}, misuse("say which repositories: by names, by --labels or by --all, in one of these ways")
		}
		return client.RepositorySelector{Names: names, Labels: *labels, All: *all}, nil
	}
}

// maxRunning adds --max-running.
func (f flags) maxRunning() *uint {
	return f.Uint("max-running", 0, "run at most `N` members of the group at once")
}

// onError adds --on-error.
func (f flags) onError() *client.OnError {
	var e client.OnError
	f.Func("on-error", "`what` to do about files that cannot be got: fail in the end, or skip them (default fail)", func(s string) error {
		for _, known := range []client.OnError{client.OnErrorFail, client.OnErrorSkip} {
			if strings.EqualFold(s, string(known)) {
				e = known
				return nil
			}
		}
		return errors.New("want fail or skip")
	})
	return &e
}

// priority adds --priority.
func (f flags) priority() *client.Priority {
	p := client.PriorityNormal
	f.Func("priority", "work is taken by `level`: high before normal before low (default normal)", func(s string) error {
		for _, known := range []client.Priority{client.PriorityHigh, client.PriorityNormal, client.PriorityLow} {
			if strings.EqualFold(s, string(known)) {
				p = known
				return nil
			}
		}
		return errors.New("want high, normal or low")
	})
	return &p
}
