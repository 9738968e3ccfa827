package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"

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
// URL. It lives as long as the run.
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
	b.defers(func() error {
		return b.administer(context.WithoutCancel(ctx), "DROP DATABASE "+name+" WITH (FORCE)")
	})
	u.Path = "/" + name
	return u.String(), nil
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
