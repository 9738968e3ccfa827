package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"

	_ "github.com/lib/pq" // a driver
)

// database is a kind of database in which Ream keeps its state.
type database string

const (
	sqlite   database = "SQLite"
	postgres database = "PostgreSQL"
)

// eachDatabase measures on every kind of database.
func (b *bench) eachDatabase(measure func(database) error) error {
	for _, d := range []database{sqlite, postgres} {
		if err := measure(d); err != nil {
			return fmt.Errorf("%s: %w", d, err)
		}
	}
	return nil
}

// newDatabase makes an empty database on the PostgreSQL server and returns its
// URL. It lives as long as the run, unless it is dropped before.
func (b *bench) newDatabase(ctx context.Context) (string, error) {
	u, err := url.Parse(b.postgres)
	if err != nil {
		return "", fmt.Errorf("--postgres: %w", err)
	}
	b.fresh++
	name := fmt.Sprintf("ream_bench_%d_%d", b.began.UnixNano(), b.fresh)
	if err := b.administer(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	u.Path = "/" + name
	b.defers(func() error { return b.dropDatabase(context.WithoutCancel(ctx), u.String()) })
	return u.String(), nil
}

// dropDatabase drops a database of newDatabase that nobody needs any more, if it is
// still there: until then, PostgreSQL vacuums it while others are measured.
func (b *bench) dropDatabase(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	return b.administer(ctx, "DROP DATABASE IF EXISTS "+strings.TrimPrefix(u.Path, "/")+" WITH (FORCE)")
}

func (b *bench) administer(ctx context.Context, statement string) error {
	server, err := sql.Open("postgres", b.postgres)
	if err != nil {
		return err
	}
	defer server.Close()
	if _, err := server.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// postgresFacts are the version of the PostgreSQL server and the settings that
// tell most about its figures.
func (b *bench) postgresFacts(ctx context.Context) (version, settings string, err error) {
	server, err := sql.Open("postgres", b.postgres)
	if err != nil {
		return "", "", err
	}
	defer server.Close()
	err = server.QueryRowContext(ctx, `SELECT split_part(current_setting('server_version'), ' ', 1),
		string_agg(name||'='||current_setting(name), ' ' ORDER BY name) FROM pg_settings
		WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'max_wal_size')`).Scan(&version, &settings)
	return version, settings, err
}
