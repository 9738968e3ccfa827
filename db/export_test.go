package db

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
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

// Spent reads outside of a transaction, on PostgreSQL, and returns what each
// statement cost: how many rows and blocks it looked at.
func (db *DB) Spent(ctx context.Context, read func() error) ([]Cost, error) {
	r := &recorder{ExtContext: db.queries.ext}
	prepared := db.queries.prepared
	db.queries.ext, db.queries.prepared = r, nil
	err := read()
	db.queries.ext, db.queries.prepared = r.ExtContext, prepared
	costs := make([]Cost, len(r.statements))
	for i, s := range r.statements {
		var plan string
		if err == nil {
			err = db.readers.GetContext(ctx, &plan, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) "+s.query, s.args...)
		}
		var explained []struct{ Plan node }
		if err == nil {
			err = json.Unmarshal([]byte(plan), &explained)
		}
		if err == nil {
			costs[i] = Cost{s.query, explained[0].Plan.rows() + explained[0].Plan.Hit + explained[0].Plan.Read, plan}
		}
	}
	return costs, err
}

// Cost is what a statement cost, with how it was carried out.
type Cost struct {
	Statement string
	Examined  int
	Plan      string
}

// node is a step of a plan, with those below it.
type node struct {
	Rows      float64 `json:"Actual Rows"`
	Loops     float64 `json:"Actual Loops"`
	Filtered  float64 `json:"Rows Removed by Filter"`
	NotJoined float64 `json:"Rows Removed by Join Filter"`
	Hit       int     `json:"Shared Hit Blocks"` // of those below as well
	Read      int     `json:"Shared Read Blocks"`
	Plans     []node
}

func (n node) rows() int {
	rows := int((n.Rows + n.Filtered + n.NotJoined) * n.Loops)
	for _, below := range n.Plans {
		rows += below.rows()
	}
	return rows
}

// recorder remembers the statements that read.
type recorder struct {
	sqlx.ExtContext
	statements []recorded
}

type recorded struct {
	query string
	args  []any
}

func (r *recorder) QueryxContext(ctx context.Context, query string, args ...any) (*sqlx.Rows, error) {
	r.statements = append(r.statements, recorded{query, args})
	return r.ExtContext.QueryxContext(ctx, query, args...)
}

func (r *recorder) QueryRowxContext(ctx context.Context, query string, args ...any) *sqlx.Row {
	r.statements = append(r.statements, recorded{query, args})
	return r.ExtContext.QueryRowxContext(ctx, query, args...)
}

// Administer carries out a statement.
func (db *DB) Administer(ctx context.Context, query string) error {
	_, err := db.writer.ExecContext(ctx, query)
	return err
}
