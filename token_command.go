package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"

	"ream/access"
	"ream/catalog"
	"ream/db"
	"ream/event"
	"ream/fault"
	"ream/graph"
	"ream/guard"
	"ream/resolvers"
)

// openLocally gives a command the API of a database on this system, as somebody
// who may do everything: whoever can open the database can. If a server has an
// embedded one open, the command is led to that.
func openLocally(ctx context.Context, data, database string) (http.RoundTripper, func() error, error) {
	if database == "" {
		database = filepath.Join(data, "ream.db")
	}
	log := slog.New(slog.DiscardHandler)
	store, err := db.Open(ctx, database, db.Options{Log: log})
	if fault.Is(err, fault.Conflict) {
		if connected := dialLocally(ctx, localSocket(database)); connected != nil {
			return connected, func() error { connected.CloseIdleConnections(); return nil }, nil
		}
	}
	if err != nil {
		return nil, nil, errors.New(shown(err))
	}
	// What changes is told to the servers that share the database.
	listening, endListening := context.WithCancel(context.WithoutCancel(ctx))
	listened := make(chan error, 1)
	go func() { listened <- store.Listen(listening) }()
	stop := func() error {
		endListening()
		return errors.Join(<-listened, store.Close())
	}
	handler := resolvers.NewHandler(resolvers.Resolver{
		Store:   newStores(store),
		Catalog: &catalog.Catalog{DB: store, Log: log},
		Hub:     event.New(snapshots(store), 0, log),
		Now:     store.Now,
		Server:  graph.Server{Version: version, StartedAt: store.Now()},
	}, resolvers.Options{Log: log, Guard: guard.New(guard.Options{Tokens: store, Log: log})})
	return direct{handler}, stop, nil
}

// dialLocally connects to a server by its socket; nil if none answers.
func dialLocally(ctx context.Context, path string) *http.Transport {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil
	}
	conn.Close()
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", path)
	}}
}

// direct sends requests to a handler of this process.
type direct struct{ handler http.Handler }

// RoundTrip answers a request as the system's own user made it.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := &answer{header: http.Header{}, status: http.StatusOK}
	d.handler.ServeHTTP(answer, r.WithContext(access.WithCaller(r.Context(), localCaller())))
	return &http.Response{StatusCode: answer.status, Status: http.StatusText(answer.status), Header: answer.header,
		Body: io.NopCloser(&answer.body), ContentLength: int64(answer.body.Len()), Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}, nil
}

// answer keeps what a handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }
