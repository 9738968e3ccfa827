// Command bench measures Ream beside its peers on one machine: it starts the
// real program, databases, upstreams and peers, runs both sides in turns, and
// prints a row for each measure. It asserts nothing about its figures.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// suite is a family of measures.
type suite struct {
	name  string
	about string
	run   func(context.Context, *bench) error
}

func suites() []suite {
	return []suite{
		{"content", "syncing many small files, beside curl", content},
		{"serve", "serving published files, beside nginx", serve},
		{"large", "syncing large files, beside what hashing and the disk allow", large},
		{"scale", "large directories and repositories", scale},
		{"tasks", "the task engine, beside River", tasks},
		{"api", "subscribers and requests of the API, beside a bare gqlgen server", api},
		{"start", "the first answer of a new server, and its memory at rest", start},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		stop()
		os.Exit(1)
	}
}

// run measures the suite that args name and prints its table.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "child" {
		return runChild(ctx, args[1:])
	}
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.ream, "ream", "bin/ream", "the program to measure")
	flags.StringVar(&o.postgres, "postgres", "", "postgres:// URL of a server on which databases may be created (default: what REAM_BENCH_POSTGRES holds)")
	flags.StringVar(&o.dir, "dir", os.TempDir(), "directory below which both sides keep their files")
	flags.BoolVar(&o.quick, "quick", false, "fewer turns: ends within 50 seconds")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: bench [FLAGS] SUITE, where SUITE is one of")
		for _, s := range suites() {
			fmt.Fprintf(stderr, "  %-10s%s\n", s.name, s.about)
		}
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.postgres == "" {
		o.postgres = os.Getenv("REAM_BENCH_POSTGRES")
	}
	for _, s := range suites() {
		if flags.NArg() == 1 && flags.Arg(0) == s.name {
			return measure(ctx, s, o, stdout, stderr)
		}
	}
	flags.Usage()
	return fmt.Errorf("there is no suite %q", flags.Args())
}

// measure runs one suite from beginning to end.
func measure(ctx context.Context, s suite, o options, stdout, stderr io.Writer) (err error) {
	b, err := newBench(o, stderr)
	if err != nil {
		return err
	}
	// Last of all, since the machine is slow for a while after it.
	defer func() { err = errors.Join(err, b.close()) }()
	if err := s.run(ctx, b); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	heading, err := b.heading(ctx, s)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(stdout, heading, "\n", b.table.String())
	return err
}
