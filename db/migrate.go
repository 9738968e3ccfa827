package db

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"ream/fault"
)

//go:embed migrations
var migrations embed.FS

// migrate brings the schema up to date. Processes that start at once take
// turns, by a lock in PostgreSQL; SQLite serves only one process anyway.
func (db *DB) migrate(ctx context.Context) error {
	dir, err := fs.Sub(migrations, "migrations/"+db.d.name)
	if err != nil {
		return fmt.Errorf("find the migrations: %w", err)
	}
	dialect := goose.DialectSQLite3
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if db.d == &postgres {
		dialect = goose.DialectPostgres
		options = append(options, goose.WithSessionLocker(turns{}))
	}
	provider, err := goose.NewProvider(dialect, db.writer.DB, dir, options...)
	if err != nil {
		return fmt.Errorf("prepare the migrations: %w", err)
	}
	sources := provider.ListSources()
	newest := sources[len(sources)-1].Version
	// Before anything else: goose itself does not mind a newer schema.
	switch have, err := provider.GetDBVersion(ctx); {
	case err != nil:
		return fmt.Errorf("read the schema's version: %w", db.d.classify(err))
	case have > newest:
		return fault.New(fault.Conflict, "the database has schema version %d, but this program knows only %d: run the newer program", have, newest)
	case have == newest:
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate the schema: %w", err)
	}
	return nil
}

// turns lets processes migrate one after the other. goose's own lock asks again
// every second at best, in which a server should be ready.
type turns struct{}

// SessionLock waits until no other process migrates.
func (turns) SessionLock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", lock.DefaultLockID)
	return err
}

// SessionUnlock lets the next process in.
func (turns) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", lock.DefaultLockID)
	return err
}
