package db

import (
	"context"
	"sync/atomic"
	"time"
)

// CountStatements counts the statements from now on.
func (db *DB) CountStatements() *atomic.Int64 {
	var n atomic.Int64
	db.queries.observe = func(string, time.Duration, error) { n.Add(1) }
	return &n
}

// Read reads a number.
func (db *DB) Read(ctx context.Context, query string) error {
	var n int
	_, err := db.found(ctx, &n, query)
	return err
}
