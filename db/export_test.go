package db

import (
	"context"
	"database/sql"
	"sync/atomic"

	"github.com/jmoiron/sqlx"
)

// CountStatements counts the statements outside transactions from now on.
func (db *DB) CountStatements() *atomic.Int64 {
	c := &counting{ExtContext: db.queries.ext}
	db.queries.ext = c
	return &c.n
}

// Read reads a number.
func (db *DB) Read(ctx context.Context, query string) error {
	var n int
	_, err := db.found(ctx, &n, query)
	return err
}

type counting struct {
	sqlx.ExtContext
	n atomic.Int64
}

func (c *counting) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	c.n.Add(1)
	return c.ExtContext.QueryContext(ctx, query, args...)
}

func (c *counting) QueryxContext(ctx context.Context, query string, args ...any) (*sqlx.Rows, error) {
	c.n.Add(1)
	return c.ExtContext.QueryxContext(ctx, query, args...)
}

func (c *counting) QueryRowxContext(ctx context.Context, query string, args ...any) *sqlx.Row {
	c.n.Add(1)
	return c.ExtContext.QueryRowxContext(ctx, query, args...)
}

func (c *counting) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	c.n.Add(1)
	return c.ExtContext.ExecContext(ctx, query, args...)
}
