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
	_ "time/tzdata" // for schedules where the system has no time zones

	"golang.org/x/sync/errgroup"

	"ream/catalog"
	"ream/cli"
	"ream/db"
	"ream/demand"
	"ream/event"
	"ream/guard"
	"ream/lane"
	"ream/origin"
	"ream/quota"
	"ream/resolvers"
	"ream/rest"
	"ream/task"
	"ream/trail"
	"ream/web"
)

// version is what the program calls itself; the build sets it.
var version = "dev"

const usage = `ream mirrors, versions and publishes package repositories.

  ream serve     run the server: API, content and workers in one process
  ream worker    run tasks only, in more processes on one PostgreSQL
  ream demo      mirror a small upstream of its own, and show it live
  ream mirror    sync, publish and serve repositories
  ream sync      fetch what upstream has now
  ream publish   make versions ready to be served
  ream upload    add files of this machine to a repository
  ream diff      show what differs between two versions
  ream copy      add units of a version to another repository
  ream restore   make an older version the newest one again
  ream delete    delete a version that is not in use
  ream promote   serve what another distribution serves
  ream rollback  serve what was served before
  ream clean     remove from the storage what nothing names
  ream verify    compare what is stored with its digests, and mend it
  ream watch     follow a task or a group of tasks
  ream cancel    cancel a task or a group of tasks
  ream retry     do unsuccessful work again
  ream token     make, list and revoke the tokens by which programs get in
  ream version   print the version

"ream COMMAND --help" tells the flags of a command.
`

func main() {
	boundGarbage()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal ends the program at once
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
		o, err := serveOptions(rest, stdout)
		return runCommand(command, err, stderr, func() error { return serve(ctx, o, stderr, nil) })
	case "worker":
		o, err := workerOptions(rest, stdout)
		return runCommand(command, err, stderr, func() error { return runWorker(ctx, o, stderr) })
	case "version", "--version":
		fmt.Fprintln(stdout, "ream", version)
		return 0
	case "help", "--help", "-h":
		fmt.Fprint(stdout, usage)
		return 0
	default:
		return cli.Main(ctx, command, rest, cli.Env{Stdout: stdout, Stderr: stderr, Start: startForDemo, Local: openLocally, CheckPaths: catalog.CheckUploadPaths})
	}
}

// runCommand runs a command whose flags were read, unless that failed. It returns
// the exit status.
func runCommand(command string, err error, stderr io.Writer, f func() error) int {
	status := 2
	if err == nil {
		status, err = 1, f()
	}
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintf(stderr, "ream %s: %v\n", command, err)
	if status == 2 {
		fmt.Fprintf(stderr, "\"ream %s --help\" tells its flags.\n", command)
	}
	return status
}

// serve runs the server until ctx ends. It calls ready, unless it is nil, with
// the address once requests are answered.
func serve(ctx context.Context, o options, stderr io.Writer, ready func(address string)) error {
	if _, _, err := net.SplitHostPort(o.listen); err != nil {
		return errors.New("--listen: want host:port, such as 127.0.0.1:8080")
	}
	settings, err := o.api.settings()
	if err != nil {
		return err
	}
	listener, err := listen(ctx, o.listen, o.crowd.stall)
	if err != nil {
		return err
	}
	defer listener.Close()
	e, err := openEngine(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer e.close()
	s, err := newServer(o, e, settings)
	if err != nil {
		return err
	}
	if err := o.warnOfLockedDoor(ctx, e); err != nil {
		return errors.New(shown(err))
	}
	var local net.Listener
	if e.store.SingleProcess() {
		if local, err = listenLocally(localSocket(o.database)); err != nil {
			e.log.Warn("tokens cannot be made on this system while the server runs, but by the API", "error", err)
		} else {
			defer local.Close()
		}
	}
	return s.run(ctx, listener, local, ready)
}

// server is everything that runs.
type server struct {
	*engine
	hub    *event.Hub
	demand *demand.Fetcher
	guard  *guard.Guard
	api    *resolvers.Handler
	rest   *rest.Handler
	front  *lane.Server // what clients connect to
}

// newFront makes what clients connect to, which answers nothing yet.
func newFront(log *slog.Logger) *lane.Server {
	return &lane.Server{
		Prefix:   origin.Prefix,
		MaxConns: connections(fileLimit()),
		HTTP: &http.Server{
			ReadHeaderTimeout: 10 * time.Second,
			IdleTimeout:       2 * time.Minute,
			ConnContext:       withLocal,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		},
	}
}

func newServer(o options, e *engine, settings resolvers.Options) (*server, error) {
	s := &server{engine: e, hub: event.New(snapshots(e.store), o.frames, e.log), front: newFront(e.log)}
	var err error
	if s.guard, err = o.newGuard(e); err != nil {
		return nil, err
	}
	s.demand = o.onDemand.fetcher(e)
	files := origin.New(e.store, e.blobs, origin.Options{Log: e.log, Redirect: e.redirect, Demand: s.demand, Admit: o.contentReaders(s.guard), Closed: !o.admission.openContent(o.listen), Sees: sees(e.store), KeepReplaced: o.replaced, Now: o.now})
	e.store.OnChange(func(c db.Changes) {
		s.hub.Changed(topics(c)...)
		s.hub.Ended(ended(c)...)
		if c.All {
			s.hub.ChangedAll()
		}
		if c.Content {
			files.Changed()
		}
	})
	settings.Log, settings.WriteTimeout, settings.Observe = e.log, o.clientStall, e.observer.operation
	settings.Rate = quota.NewRate(settings.Limits.Rate, settings.Limits.Burst)
	settings.Guard, settings.Origins = s.guard, o.admission.origins.all
	seen := event.Seen{Hub: s.hub, Limited: isLimited, Sees: seesTopic(e.store), Now: e.store.Now}
	s.api = resolvers.NewHandler(resolvers.Resolver{Store: newStores(e.store), Catalog: e.operations, Hub: seen, Now: e.store.Now,
		Server: about(o, e.store, settings.Limits), ContentNeedsToken: !o.admission.openContent(o.listen)}, settings)
	s.rest = rest.New(e.operations, restStores{e.store}, seen, rest.Options{Log: e.log, Answered: e.observer.exchange, Rate: settings.Rate, Duration: settings.Limits.Duration, MaxUpload: o.uploads.Size, Origins: settings.Origins})
	requests := quota.NewRequests(o.crowd.perClient, o.crowd.all)
	sources := e.sources()
	sources.Hub, sources.Traffic, sources.Content, sources.Connections = s.hub.Stats, s.api.Traffic, requests.Load, s.front.Load
	e.observer.metrics.Watch(sources)
	mux := http.NewServeMux()
	protected := func(next http.Handler, refuse guard.Refuse) http.Handler {
		inner := guard.Pages(settings.Origins, s.guard.API(byCredentials(next), refuse), refuse)
		return quota.ByAddress(e.observer.tracer.Requests(inner))
	}
	mux.Handle("/graphql", protected(s.api, s.api.Refuse))
	mux.Handle(rest.Prefix, protected(s.rest, s.rest.Refuse))
	schema := resolvers.NewSchema(resolvers.Resolver{}).Schema()
	if settings.HideSchema {
		schema = nil
	}
	playground := web.Playground("/graphql", schema)
	mux.Handle("/playground", playground)
	mux.Handle("/playground/", playground)
	mux.Handle("/", web.Pages(schema != nil))
	e.addProbes(mux, s.guard.Metrics)
	handler := contentFirst(bounded(requests, files), guard.Headers(guard.Strangers(mux)))
	if !o.admission.demands(o.listen) && (onLoopback(o.listen) || len(o.admission.hosts.all) > 0) {
		handler = guard.Hosts(o.admission.hosts.all, handler, s.api.Refuse)
	}
	s.front.HTTP.Handler = boundBodies(unreadBody, o.api.proxies.Handler(trail.Handler(handler, e.log, e.observer.answered)))
	return s, nil
}

// contentFirst hands requests for content over directly. Choosing by patterns
// takes a tenth of the time of a small one, and the mux would send those whose
// paths are not clean and hold escapes to where nothing is.
func contentFirst(content, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, origin.Prefix) {
			content.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// topics are what the hub's subscribers may have subscribed to, of what goes
// on. Whatever changes a task changes the queue, and what is done about
// repositories.
func topics(c db.Changes) []event.Topic {
	topics := []event.Topic{event.Queue, event.Repositories}
	if c.Content || c.Catalog { // whose names the lines of distributions have
		topics = append(topics, event.Distributions)
	}
	if c.Schedules || len(c.EndedTasks)+len(c.EndedGroups) > 0 {
		topics = append(topics, event.Schedules)
	}
	return named(named(topics, c.Tasks), c.Groups)
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
			} else if topic == event.Repositories || topic == event.Distributions || topic == event.Schedules {
				found[topic] = event.Change{}
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

// errStopping is why requests end that outlast the server.
var errStopping = errors.New("the server is stopping")

// shutdownGrace bounds how long requests may go on after the server was asked
// to stop.
const shutdownGrace = 10 * time.Second

// run serves until ctx ends, then stops in order: no new tasks and requests,
// subscriptions ended, what is under way finished, or returned to the queue. local
// is for the system's own users; nil for none.
func (s *server) run(ctx context.Context, listener, local net.Listener, ready func(string)) error {
	if err := s.takeBack(ctx); err != nil {
		return err
	}
	requests, endRequests := context.WithCancelCause(context.WithoutCancel(ctx))
	defer endRequests(nil)
	// What serves requests outlives ctx until the requests have ended.
	background, endBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer endBackground()
	s.front.HTTP.BaseContext = func(net.Listener) context.Context { return requests }
	var group errgroup.Group
	failed := make(chan error, 5)
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
	start(func() error { return s.guard.Run(background) })
	start(func() error { return s.store.Listen(background) })
	for _, l := range []net.Listener{listener, local} {
		if l == nil {
			continue
		}
		start(func() error {
			if err := s.front.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	working, endWorking := context.WithCancel(ctx)
	defer endWorking()
	worked := make(chan error, 1)
	go func() { worked <- s.work(working) }()
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
	s.rest.EndWaits()
	err = errors.Join(err, s.front.Shutdown(stopping))
	endRequests(errStopping) // those that took longer than the grace period
	s.demand.Close()
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
	o := options{listen: "127.0.0.1:0", data: dir, database: filepath.Join(dir, "ream.db"), storage: filepath.Join(dir, "artifacts"), workers: 8, log: "info", clientStall: 10 * time.Second, slow: time.Second, upstreams: upstreams{hostConnections: 64}, api: api{limits: resolvers.DefaultLimits()}}
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
