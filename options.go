package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ream/catalog"
	"ream/db"
	"ream/trail"
)

// options are the flags of serve and worker.
type options struct {
	data      string
	database  string
	storage   string
	lost      bool // what was in the storage
	adopt     bool // the storage, whosever it is
	workers   int
	slots     slots
	log       string
	upstreams upstreams
	replaced  time.Duration // for how long clients may still get what was replaced

	// Of serve alone.
	listen      string
	admission   admission
	clientStall time.Duration
	crowd       crowd
	frames      time.Duration // between those of a subscription
	api         api
	uploads     catalog.UploadLimits
	onDemand    onDemand
	slow        time.Duration // operations that take longer are logged; 0 for none

	// Of worker alone.
	metricsListen string // empty for nowhere

	now func() time.Time // not a flag: the clock of a test; nil for the system's
}

// serveOptions reads the flags of serve. It writes the help to stdout if that is
// asked for.
func serveOptions(args []string, stdout io.Writer) (options, error) {
	var o options
	flags := o.flags("serve")
	o.api.add(flags)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address to listen on")
	flags.IntVar(&o.workers, "workers", 8, "how many tasks to run at once; 0 for none")
	o.admission.add(flags)
	o.onDemand.add(flags)
	o.crowd.add(flags)
	flags.DurationVar(&o.clientStall, "client-stall", 10*time.Second, "disconnect a subscriber that takes nothing for so long")
	flags.DurationVar(&o.frames, "frame-interval", 250*time.Millisecond, "send a subscriber what changed at most so often, and what it finished with at once")
	flags.Int64Var(&o.uploads.Size, "upload-size", 0, "refuse uploads of more than so many bytes each (default: take any)")
	flags.DurationVar(&o.uploads.Kept, "keep-uploads", 24*time.Hour, "keep an upload for so long after something came of it, unless a task needs it; then a purge deletes it")
	flags.DurationVar(&o.slow, "slow-operation", time.Second, "log API operations that take longer; 0 for none")
	if err := o.parse(flags, args, stdout); err != nil {
		return o, err
	}
	return o, errors.Join(
		o.api.check(),
		want(o.workers >= 0, "--workers: want 0 or more"),
		o.onDemand.check(),
		o.crowd.check(),
		want(o.clientStall > 0, "--client-stall: want more than 0, such as 10s"),
		want(o.frames > 0, "--frame-interval: want more than 0, such as 250ms"),
		want(o.uploads.Size >= 0, "--upload-size: want 0 or more bytes"),
		want(o.uploads.Kept > 0, "--keep-uploads: want more than 0, such as 24h"),
		want(o.slow >= 0, "--slow-operation: want 0 or more, such as 1s"),
		o.admission.check(), o.checkCommon())
}

// workerOptions reads the flags of worker, like serveOptions.
func workerOptions(args []string, stdout io.Writer) (options, error) {
	var o options
	flags := o.flags("worker")
	flags.Lookup("database").Usage = "the postgres:// URL that all processes have in common"
	flags.Lookup("storage").Usage = "where the artifacts are, which all processes have in common: a directory, or s3://bucket/prefix?…, as for ream serve (default: artifacts below --data)"
	flags.IntVar(&o.workers, "workers", 8, "how many tasks to run at once")
	flags.StringVar(&o.metricsListen, "metrics-listen", "", "address to answer /metrics, /healthz and /readyz on, to everybody who reaches it, such as 127.0.0.1:9090 (default: none)")
	if err := o.parse(flags, args, stdout); err != nil {
		return o, err
	}
	return o, errors.Join(
		want(o.workers >= 1, "--workers: want 1 or more"),
		want(db.IsPostgres(o.database), "--database: a SQLite file serves one process, and ream serve runs tasks itself (--workers): to add more processes, give all of them one PostgreSQL, postgres://…, and one --storage"),
		o.checkCommon())
}

// checkCommon checks the flags that all processes have.
func (o *options) checkCommon() error {
	return errors.Join(
		want(o.replaced >= 0, "--keep-replaced: want 0 or more, such as 1h"),
		o.slots.check(), o.upstreams.check())
}

// want reports what a flag must not say, unless it is well.
func want(well bool, message string) error {
	if well {
		return nil
	}
	return errors.New(message)
}

// flags are those that all processes on one database and storage have.
func (o *options) flags(command string) *flag.FlagSet {
	flags := flag.NewFlagSet("ream "+command, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run tells what is wrong
	flags.StringVar(&o.data, "data", "ream-data", "directory for the database and the storage, unless they are elsewhere")
	flags.StringVar(&o.database, "database", "", "a SQLite file or a postgres:// URL (default: ream.db below --data)")
	flags.StringVar(&o.storage, "storage", "", "where the artifacts are: a directory, or s3://bucket/prefix?endpoint=…&region=…&path-style=true&redirect=true&patience=2m\nwith credentials from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or ~/.aws (default: artifacts below --data)")
	flags.BoolVar(&o.lost, "storage-lost", false, "start although the storage has none of the artifacts that the database names; ream verify fetches them again")
	flags.BoolVar(&o.adopt, "adopt-storage", false, "make the storage this database's, whatever it belongs to and has: for one start; from then on ream clean deletes what this database does not name, so no other one may use the storage")
	flags.Var(&o.slots, "slots", "how many tasks of a kind to run at once, as `KIND=N`, several with commas (default: syncs leave every fourth worker to other work)")
	flags.DurationVar(&o.replaced, "keep-replaced", time.Hour, "keep a publication for so long after a distribution serves another one instead, for clients in the middle of reading it; the last 300 are looked into")
	flags.StringVar(&o.log, "log", "info", "debug, info, warn or error")
	o.upstreams.add(flags)
	return flags
}

// parse reads flags; each has a REAM_* variable for its default.
func (o *options) parse(flags *flag.FlagSet, args []string, stdout io.Writer) error {
	var err error
	flags.VisitAll(func(f *flag.Flag) {
		name := "REAM_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, ok := os.LookupEnv(name); ok {
			if e := f.Value.Set(value); e != nil {
				err = errors.Join(err, fmt.Errorf("%s is %q: %w", name, value, e))
			}
			if several, ok := f.Value.(*words); ok {
				several.isDefault = true
			}
		}
	})
	if e := flags.Parse(args); e != nil {
		if errors.Is(e, flag.ErrHelp) {
			flags.SetOutput(stdout)
			flags.Usage()
		}
		return e
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.database == "" {
		o.database = filepath.Join(o.data, "ream.db")
	}
	if o.storage == "" {
		o.storage = filepath.Join(o.data, "artifacts")
	}
	return err
}

// logger writes what --log asks for.
func (o *options) logger(stderr io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.log)); err != nil {
		return nil, fmt.Errorf("--log %s: want debug, info, warn or error", o.log)
	}
	return slog.New(trail.Log(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))), nil
}
