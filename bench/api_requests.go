package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/lru"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/vektah/gqlparser/v2/ast"

	"ream/graph"
	"ream/task"
)

// taskDocument is what both sides are asked.
const taskDocument = `{ task(id: "task-1") { id kind name state finished counts { completed failed total revision } progress { itemsDone itemsTotal } createdAt startedAt attempt priority } }`

// requests measures how many requests for a task are answered, beside a server
// that answers from memory with the same generated code and nothing else.
func requests(ctx context.Context, b *bench) error {
	body, err := json.Marshal(map[string]string{"query": taskDocument})
	if err != nil {
		return err
	}
	b.setting("bare gqlgen: the code that was generated of Ream's schema, over HTTP alone, with one task in memory, no limits, errors' codes, metrics or traces")
	l := load{connections: 64, seconds: b.few(4, 1), body: string(body)}.of("", []string{"/graphql"})
	address, err := freeAddress()
	if err != nil {
		return err
	}
	bare, err := b.startChild("bare", address)
	if err != nil {
		return err
	}
	defer bare.stop() //nolint:errcheck // it has nothing to tell
	if err := bare.begin(); err != nil {
		return err
	}
	peer := &process{command: bare.command}
	if err := peer.await(ctx, func() bool { return answersTask("http://"+address, body) == nil }); err != nil {
		return err
	}
	return b.eachDatabase(func(d database) error {
		r, _, err := b.startWaiting(ctx, d)
		if err != nil {
			return err
		}
		if err := answersTask(r.address, body); err != nil {
			return err
		}
		var ours, peers results
		if err := b.turns(ctx, b.few(7, 2),
			func() error { return ours.add(b.wrk(ctx, r.process, r.address, l)) },
			func() error { return peers.add(b.wrk(ctx, peer, "http://"+address, l)) },
		); err != nil {
			return err
		}
		b.add(row{measure: fmt.Sprintf("{ task(id) { … } } by POST, 64 connections, %s", d), unit: perSecond, ream: ours.perSecond(), peer: "bare gqlgen", than: peers.perSecond(), goals: []goal{atLeast(0.7)}})
		b.add(row{measure: fmt.Sprintf("… processor time of a request, %s", d), unit: inSeconds, ream: ours.cpu(), peer: "bare gqlgen", than: peers.cpu()})
		b.add(row{measure: fmt.Sprintf("… 99 of 100 within, %s", d), unit: inSeconds, ream: ours.slow(), peer: "bare gqlgen", than: peers.slow()})
		return r.stop()
	})
}

// startWaiting starts a server without workers and queues a group there, whose
// id it returns: it stays unfinished. Its first task is task-1.
func (b *bench) startWaiting(ctx context.Context, d database) (*ream, string, error) {
	r, err := b.startReam(ctx, d, "--workers", "0", "--limits", unlimited)
	if err != nil {
		return nil, "", err
	}
	if err := r.createRepository(ctx, "r", "http://127.0.0.1:1/PULP_MANIFEST", 1); err != nil {
		return nil, "", err
	}
	var asked struct{ Mirror struct{ ID string } }
	err = r.query(ctx, &asked, `mutation { mirror(input: {repositories: {names: ["r"]}}) { id } }`, nil)
	return r, asked.Mirror.ID, err
}

// answersTask reports whether a server answers with the task.
func answersTask(address string, body []byte) error {
	response, err := http.Post(address+"/graphql", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && (!strings.Contains(string(text), `"id":"task-1"`) || strings.Contains(string(text), `"errors"`)) {
		err = fmt.Errorf("%s answers %s", address, text)
	}
	return err
}

// memory resolves one task. Nothing else of the schema is asked for.
type memory struct {
	graph.ResolverRoot
	tasks oneTask
}

func (m memory) Query() graph.QueryResolver { return m.tasks }

type oneTask struct {
	graph.QueryResolver
	task *task.Task
}

func (o oneTask) Task(context.Context, string) (*task.Task, error) { return o.task, nil }

// bareChild is a process that serves one task from memory.
func bareChild(ctx context.Context, address string, wait func() error) error {
	if err := wait(); err != nil {
		return err
	}
	started := time.Now()
	m := memory{tasks: oneTask{task: &task.Task{ID: 1, Kind: "repository.sync", Name: "sync r", State: task.Waiting, Priority: task.Normal, CreatedAt: started, StartedAt: &started}}}
	bare := handler.New(graph.NewExecutableSchema(graph.Config{Resolvers: m}))
	bare.SetQueryCache(lru.New[*ast.QueryDocument](200))
	bare.AddTransport(transport.POST{})
	mux := http.NewServeMux()
	mux.Handle("/graphql", bare)
	s := &http.Server{Addr: address, Handler: mux}
	ended := make(chan error, 1)
	go func() { ended <- s.ListenAndServe() }()
	if err := wait(); !errors.Is(err, io.EOF) {
		return err
	}
	if err := s.Shutdown(ctx); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
