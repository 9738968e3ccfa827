package db

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
)

// maxStatements bounds how many statements stay prepared of each kind: the
// engine has a few dozen texts, and one more for each set of kinds that workers
// ask for; readers have a few dozen, and one more for each set of filters.
const maxStatements = 200

// finder finds the prepared statement of a text, or nil.
type finder interface {
	find(ctx context.Context, query string) *sqlx.Stmt
}

// statements are texts that stay prepared on the connections that used them,
// since reading and planning one takes longer than carrying it out.
type statements struct {
	mu    sync.RWMutex
	known map[string]*sqlx.Stmt
}

// find returns the prepared statement of a text, or nil.
func (s *statements) find(query string) *sqlx.Stmt {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.known[query]
}

// prepare prepares texts for the transactions to come. Those that cannot be
// prepared now are left for another time.
func (s *statements) prepare(ctx context.Context, pool *sqlx.DB, d *dialect, queries []string) {
	for _, query := range queries {
		s.mu.RLock()
		full := len(s.known) >= maxStatements
		s.mu.RUnlock()
		if full || s.find(query) != nil {
			continue
		}
		stmt, err := pool.PreparexContext(ctx, d.rebind(query))
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.known == nil {
			s.known = map[string]*sqlx.Stmt{}
		}
		twin := s.known[query]
		if twin == nil {
			s.known[query] = stmt
		}
		s.mu.Unlock()
		if twin != nil {
			stmt.Close()
		}
	}
}

// close forgets all statements.
func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, stmt := range s.known {
		err = errors.Join(err, stmt.Close())
	}
	clear(s.known)
	return err
}

// reading keeps what is read outside of transactions prepared from the first
// time on.
type reading struct {
	pool  *sqlx.DB
	d     *dialect
	known statements
}

func (r *reading) find(ctx context.Context, query string) *sqlx.Stmt {
	if stmt := r.known.find(query); stmt != nil {
		return stmt
	}
	r.known.prepare(ctx, r.pool, r.d, []string{query})
	return r.known.find(query)
}

// preparing runs a transaction's statements prepared, where they are, and
// remembers those that are not.
type preparing struct {
	tx      *sqlx.Tx
	known   *statements
	missing []string
}

func (p *preparing) find(ctx context.Context, query string) *sqlx.Stmt {
	stmt := p.known.find(query)
	if stmt == nil {
		p.missing = append(p.missing, query)
		return nil
	}
	return p.tx.StmtxContext(ctx, stmt)
}

// run carries out a statement.
func (q *queries) run(ctx context.Context, query string, args []any) (_ sql.Result, err error) {
	defer q.timed(query, time.Now(), &err)
	if q.prepared != nil {
		if stmt := q.prepared.find(ctx, query); stmt != nil {
			return stmt.ExecContext(ctx, args...)
		}
	}
	return q.ext.ExecContext(ctx, q.d.rebind(query), args...)
}

// rows reads rows into the slice that dst points to.
func (q *queries) rows(ctx context.Context, dst any, query string, args []any) (err error) {
	defer q.timed(query, time.Now(), &err)
	if q.prepared != nil {
		if stmt := q.prepared.find(ctx, query); stmt != nil {
			return stmt.SelectContext(ctx, dst, args...)
		}
	}
	return sqlx.SelectContext(ctx, q.ext, dst, q.d.rebind(query), args...)
}

// row reads one row into what dst points to.
func (q *queries) row(ctx context.Context, dst any, query string, args []any) (err error) {
	defer q.timed(query, time.Now(), &err)
	if q.prepared != nil {
		if stmt := q.prepared.find(ctx, query); stmt != nil {
			return stmt.GetContext(ctx, dst, args...)
		}
	}
	return sqlx.GetContext(ctx, q.ext, dst, q.d.rebind(query), args...)
}

// timed tells the observer of a statement that began at a time and ends now.
func (q *queries) timed(query string, began time.Time, err *error) {
	if q.observe == nil {
		return
	}
	failed := *err
	if errors.Is(failed, sql.ErrNoRows) {
		failed = nil
	}
	q.observe(verb(query), time.Since(began), failed)
}

// verbs are what a statement may begin with.
var verbs = []string{"select", "insert", "update", "delete", "with", "copy", "vacuum"}

// verb is the first word of a statement; "other" for rare ones.
func verb(query string) string {
	query = strings.TrimLeft(query, " \t\n")
	for _, v := range verbs {
		if len(query) > len(v) && strings.EqualFold(query[:len(v)], v) {
			return v
		}
	}
	return "other"
}
