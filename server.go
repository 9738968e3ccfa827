// Command ream mirrors, versions and publishes package repositories, and lets
// people and programs follow the work live.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"ream/blob"
	"ream/catalog"
	"ream/cli"
	"ream/db"
	"ream/event"
	"ream/fault"
	"ream/fetch"
	"ream/origin"
	"ream/resolvers"
	"ream/task"
	"ream/web"
	"ream/worker"
)

// version is what the program calls itself; the build sets it.
var version = "dev"

const usage = `ream mirrors, versions and publishes package repositories.

  ream serve     run the server: API, content and workers in one process
  ream demo      mirror a small upstream of its own, and show it live
  ream mirror    sync, publish and serve repositories
  ream sync      fetch what upstream has now
  ream publish   make versions ready to be served
  ream watch     follow a task or a group of tasks
  ream cancel    cancel a task or a group of tasks
  ream retry     do unsuccessful work again
  ream version   print the version

"ream COMMAND --help" tells the flags of a command.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program. It returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	switch command, rest := args[0], args[1:]; command {
	case "serve":
		o, err := serveOptions(rest, stderr)
		switch {
		case errors.Is(err, flag.ErrHelp):
			return 0
		case err != nil:
			fmt.Fprintln(stderr, "ream serve:", err)
			return 2
		}
		if err := serve(ctx, o, stderr, nil); err != nil {
			fmt.Fprintln(stderr, "ream serve:", err)
			return 1
		}
		return 0
	case "version", "--version":
		fmt.Fprintln(stdout, "ream", version)
		return 0
	case "help", "--help", "-h":
		fmt.Fprint(stdout, usage)
		return 0
	default:
		return cli.Main(ctx, command, rest, cli.Env{Stdout: stdout, Stderr: stderr, Start: startForDemo})
	}
}

// options are the flags of serve.
type options struct {
	listen    string
	data      string
	database  string
	storage   string
	workers   int
	slots     slots
	anonymous bool
	log       string

	clientStall time.Duration
}

// serveOptions reads flags; each has a REAM_* variable for its default.
func serveOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("ream serve", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address to listen on")
	flags.StringVar(&o.data, "data", "ream-data", "directory for the database and the storage, unless they are elsewhere")
	flags.StringVar(&o.database, "database", "", "a SQLite file or a postgres:// URL (default: ream.db below --data)")
	flags.StringVar(&o.storage, "storage", "", "directory of the artifacts (default: artifacts below --data)")
	flags.IntVar(&o.workers, "workers", 8, "how many tasks to run at once; 0 for none")
	flags.Var(&o.slots, "slots", "how many tasks of a kind to run at once, as `KIND=N`, several with commas (default: syncs leave every fourth worker to other work)")
	flags.BoolVar(&o.anonymous, "allow-anonymous", false, "listen beyond loopback although everybody who reaches the server may do everything")
	flags.StringVar(&o.log, "log", "info", "debug, info, warn or error")
	flags.DurationVar(&o.clientStall, "client-stall", 10*time.Second, "disconnect a subscriber that takes nothing for so long")
	var err error
	flags.VisitAll(func(f *flag.Flag) {
		name := "REAM_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if value, ok := os.LookupEnv(name); ok {
			if e := f.Value.Set(value); e != nil {
				err = fmt.Errorf("%s: %w", name, e)
			}
		}
	})
	if e := flags.Parse(args); e != nil {
		return o, e
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
	return o, errors.Join(err, o.check())
}

// check reports what no flag may say.
func (o options) check() error {
	var errs []error
	if o.workers < 0 {
		errs = append(errs, errors.New("--workers: want 0 or more"))
	}
	if o.clientStall <= 0 {
		errs = append(errs, errors.New("--client-stall: want more than 0, such as 10s"))
	}
	return errors.Join(append(errs, o.slots.check())...)
}

// serve runs the server until ctx ends. It calls ready, unless it is nil, with
// the address once requests are answered.
func serve(ctx context.Context, o options, stderr io.Writer, ready func(address string)) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.log)); err != nil {
		return fmt.Errorf("--log: %w", err)
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	if err := checkListen(o); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	blobs, err := blob.NewDisk(o.storage)
	if err != nil {
		return err
	}
	store, err := db.Open(ctx, o.database, db.Options{Log: log})
	if err != nil {
		return errors.New(shown(err))
	}
	defer func() {
		if err := store.Close(); err != nil {
			log.Error("closing the database failed", "error", err)
		}
	}()
	if err := blobs.Clean(24 * time.Hour); err != nil {
		return err
	}
	s := newServer(o, store, blobs, log)
	return s.run(ctx, listener, ready)
}

// shown is what an operator may read of an error: everything but addresses
// with passwords, which faults do not hold.
func shown(err error) string {
	if fault.KindOf(err) != fault.Internal {
		return fault.Message(err)
	}
	return err.Error()
}

// checkListen refuses to open the server to others by accident.
func checkListen(o options) error {
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return fmt.Errorf("--listen: want host:port, such as 127.0.0.1:8080")
	}
	ip := net.ParseIP(host)
	if host == "localhost" || ip != nil && ip.IsLoopback() || o.anonymous {
		return nil
	}
	return fmt.Errorf("--listen %s: everybody who reaches this address could do everything: add --allow-anonymous if that is what you want", o.listen)
}

// server is everything that runs.
type server struct {
	store   *db.DB
	hub     *event.Hub
	worker  *worker.Worker // nil without workers
	api     *resolvers.Handler
	handler http.Handler
	log     *slog.Logger
}

func newServer(o options, store *db.DB, blobs *blob.Disk, log *slog.Logger) *server {
	operations := &catalog.Catalog{DB: store, Blobs: blobs, Fetch: fetch.New(fetch.Config{UserAgent: "ream/" + version}), Log: log}
	s := &server{store: store, log: log, hub: event.New(snapshots(store), 100*time.Millisecond, log)}
	if o.workers > 0 {
		s.worker = worker.New(store, worker.Options{Slots: o.workers, Lanes: lanes(store), Version: version,
			Handlers: operations.Handlers(), Limits: o.slots.limits(catalog.Limits(o.workers)), Log: log})
	}
	files := origin.New(store, blobs, origin.Options{Log: log})
	store.OnChange(func(c db.Changes) {
		s.hub.Changed(topics(c)...)
		s.hub.Ended(ended(c)...)
		if c.All {
			s.hub.ChangedAll()
		}
		if c.Content {
			files.Changed()
		}
		if s.worker != nil && c.Ready {
			s.worker.Wake()
		}
		if s.worker != nil && c.Cancels {
			s.worker.WakeCanceled()
		}
	})
	s.api = resolvers.NewHandler(resolvers.Resolver{Store: store, Catalog: operations, Hub: s.hub, Now: time.Now},
		resolvers.Options{Log: log, WriteTimeout: o.clientStall})
	mux := http.NewServeMux()
	mux.Handle("/graphql", s.api)
	mux.Handle("/playground", web.Playground("/graphql"))
	mux.Handle("/playground/", web.Playground("/graphql"))
	mux.Handle(origin.Prefix, files)
	mux.Handle("/{$}", web.Home())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := store.Ping(r.Context()); err != nil {
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	s.handler = mux
	return s
}

// lanes is how many cycles of a worker may be under way at once: SQLite has
// one writer, PostgreSQL works on two while one waits for the disk.
func lanes(store *db.DB) int {
	if store.SingleProcess() {
		return 1
	}
	return 2
}

// topics are what the hub's subscribers may have subscribed to, of what goes
// on. Whatever changes a task changes the queue.
func topics(c db.Changes) []event.Topic {
	return named(named([]event.Topic{event.Queue}, c.Tasks), c.Groups)
}

// ended are the topics that changed for the last time.
func ended(c db.Changes) []event.Topic { return named(named(nil, c.EndedTasks), c.EndedGroups) }

func named[ID fmt.Stringer](topics []event.Topic, ids []ID) []event.Topic {
	for _, id := range ids {
		topics = append(topics, event.Topic(id.String()))
	}
	return topics
}

// snapshots reads what the hub's topics stand for.
func snapshots(store *db.DB) event.Reader {
	return func(ctx context.Context, topics []event.Topic) (map[event.Topic]event.Snapshot, error) {
		found := make(map[event.Topic]event.Snapshot, len(topics))
		var tasks []task.ID
		var groups []task.GroupID
		for _, topic := range topics {
			if topic == event.Queue {
				q, err := store.Queue(ctx)
				if err != nil {
					return nil, err
				}
				found[topic] = q
			} else if id, err := task.ParseGroupID(string(topic)); err == nil {
				groups = append(groups, id)
			} else if id, err := task.ParseID(string(topic)); err == nil {
				tasks = append(tasks, id)
			}
		}
		if len(tasks) > 0 {
			read, err := store.TasksByID(ctx, tasks)
			if err != nil {
				return nil, err
			}
			for _, t := range read {
				if t != nil {
					found[event.Topic(t.NodeID())] = t
				}
			}
		}
		if len(groups) > 0 {
			read, err := store.GroupsByID(ctx, groups)
			if err != nil {
				return nil, err
			}
			for _, g := range read {
				if g != nil {
					found[event.Topic(g.NodeID())] = g
				}
			}
		}
		return found, nil
	}
}

// shutdownGrace bounds how long requests may go on after the server was asked
// to stop.
const shutdownGrace = 10 * time.Second

// run serves until ctx ends, then stops in order: no new tasks and requests,
// subscriptions ended, what is under way finished, or returned to the queue.
func (s *server) run(ctx context.Context, listener net.Listener, ready func(string)) error {
	if s.store.SingleProcess() {
		// Whoever held tasks before was a process that is gone.
		if n, err := s.store.Recover(ctx, 0); err != nil {
			return err
		} else if n > 0 {
			s.log.Info("tasks of the last run recovered", "tasks", n)
		}
	}
	requests, endRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer endRequests()
	// What serves requests outlives ctx until the requests have ended.
	background, endBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer endBackground()
	httpServer := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	var group errgroup.Group
	failed := make(chan error, 3)
	start := func(f func() error) {
		group.Go(func() error {
			err := f()
			if err != nil {
				failed <- err
			}
			return err
		})
	}
	start(func() error { return s.hub.Run(background) })
	start(func() error { return s.store.Listen(background) })
	start(func() error {
		if err := httpServer.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	working, endWorking := context.WithCancel(ctx)
	defer endWorking()
	worked := make(chan error, 1)
	go func() {
		if s.worker == nil {
			worked <- nil
			return
		}
		worked <- s.worker.Run(working)
	}()
	address := "http://" + listener.Addr().String()
	s.log.Info("ready", "address", address, "version", version)
	if ready != nil {
		ready(address)
	}
	var err error
	select {
	case <-ctx.Done():
		s.log.Info("stopping")
	case err = <-failed:
	}
	endWorking()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	s.api.EndStreams() // they would never end by themselves
	err = errors.Join(err, httpServer.Shutdown(stopping))
	endRequests() // those that took longer than the grace period
	s.api.Wait()
	err = errors.Join(err, <-worked)
	endBackground()
	return errors.Join(err, group.Wait())
}

// startForDemo starts a server on a free port for the demo.
func startForDemo(ctx context.Context, dir string) (address string, stop func() error, err error) {
	logFile, err := os.Create(filepath.Join(dir, cli.LogName))
	if err != nil {
		return "", nil, err
	}
	o := options{listen: "127.0.0.1:0", data: dir, database: filepath.Join(dir, "ream.db"), storage: filepath.Join(dir, "artifacts"), workers: 8, log: "info", clientStall: 10 * time.Second}
	ctx, cancel := context.WithCancel(ctx)
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		err := serve(ctx, o, logFile, func(address string) { ready <- address })
		ended <- errors.Join(err, logFile.Close())
	}()
	stop = func() error { cancel(); return <-ended }
	select {
	case address := <-ready:
		return address, stop, nil
	case err := <-ended:
		cancel()
		return "", nil, fmt.Errorf("the server ended: %w", err)
	}
}
