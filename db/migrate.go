package db

import (
	"context"
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
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return fmt.Errorf("prepare the migrations' lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
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
