// Package cli holds the commands that are clients of the API. It talks to a
// server as any program would, over HTTP and WebSocket, and knows nothing else
// of Ream.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// Env is what the commands have of the world around them.
type Env struct {
	Stdout, Stderr io.Writer
	// Start starts a server with its state in dir and its log in the file LogName
	// there, and returns its address and what stops it.
	Start func(ctx context.Context, dir string) (address string, stop func() error, err error)
	// Local gives the API of the database at a place of serve's flags --data and
	// --database to somebody who may do everything, and what is to be called in
	// the end.
	Local func(ctx context.Context, data, database string) (http.RoundTripper, func() error, error)
	// CheckPaths refuses paths at which files of one upload cannot lie, as the server
	// would once all were sent; nothing is refused if it is nil.
	CheckPaths func(paths []string) error
	// Getenv reads a variable of the environment; os.Getenv if it is nil.
	Getenv func(name string) string
}

// LogName is the file that a server started for a command logs to.
const LogName = "server.log"

// Main runs a command and returns the exit status: 0 if it did what it was
// asked to, 1 if not, 2 if the command line is wrong. It blocks until the work
// that it follows has finished, or ctx ends.
func Main(ctx context.Context, name string, args []string, env Env) int {
	if env.Getenv == nil {
		env.Getenv = os.Getenv
	}
	commands := map[string]func(context.Context, []string, Env) error{
		"cancel":   cancelWork,
		"clean":    cleanOrphans,
		"retry":    retryWork,
		"rollback": rollBack,
		"copy":     copyUnits,
		"delete":   deleteVersion,
		"demo":     demo,
		"diff":     diffVersions,
		"mirror":   mirrorRepositories,
		"promote":  promoteDistribution,
		"publish":  publishRepositories,
		"restore":  restoreVersion,
		"sync":     syncRepositories,
		"token":    tokens,
		"upload":   uploadLocalFiles,
		"verify":   verifyContent,
		"watch":    watchWork,
	}
	run, ok := commands[name]
	if !ok {
		fmt.Fprintf(env.Stderr, "ream: there is no command %q: \"ream help\" lists them\n", clean(name))
		return 2
	}
	err := run(ctx, args, env)
	if help, ok := errors.AsType[helpWanted](err); ok {
		fmt.Fprint(env.Stdout, string(help))
		return 0
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(env.Stderr, "ream %s: %s\n", name, clean(strings.ReplaceAll(err.Error(), "\n", "; ")))
	if _, ok := errors.AsType[misuse](err); ok {
		fmt.Fprintf(env.Stderr, "\"ream %s --help\" tells how to use it.\n", name)
		return 2
	}
	return 1
}
