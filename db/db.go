// Package db is all of Ream's SQL. It speaks two dialects, embedded SQLite and
// PostgreSQL, through one set of queries, and turns its drivers' errors into
// faults.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	_ "modernc.org/sqlite"

	"ream/fault"
)

// Options are what Open needs to know beside the address.
type Options struct {
	Log *slog.Logger
	// Now is the clock for recorded times; time.Now if nil.
	Now func() time.Time
	// Observe is told of each statement, by its first word in lower case, and of
	// each "commit": how long it took, and its error. Nobody is if it is nil.
	Observe func(verb string, took time.Duration, err error)
}

// DB is the database. It is safe for concurrent use.
type DB struct {
	queries // reads outside a transaction

	writer  *sqlx.DB // the same pool as the readers' on PostgreSQL
	readers *sqlx.DB
	address string
	lock    io.Closer // of the SQLite file; nil on PostgreSQL
	log     *slog.Logger
	changes changes
	known   statements // of the engine's transactions
	reading *reading
	roomAt  atomic.Int64 // when there last was room, in nanoseconds since 1970
}

// queries are the statements that run alike inside and outside a transaction.
type queries struct {
	ext sqlx.ExtContext
	d   *dialect
	now func() time.Time

	observe  func(verb string, took time.Duration, err error) // nil if nobody wants to know
	prepared finder                                           // nil in transactions that are not the engine's
	scope    *scope                                           // what is seen; nil for everything
}

// Tx is a transaction. Whatever it changed becomes visible at once, and
// subscribers and workers are told, when InTx's function returns without an
// error.
type Tx struct {
	queries
	t         *sqlx.Tx
	known     *statements
	preparing *preparing // nil until byIndex is called
	touched   touched
}

// Open opens the database at address, a path of a SQLite file or a postgres://
// URL, brings its schema up to date, and refuses one that is newer than the
// program. A SQLite file serves one process at a time.
func Open(ctx context.Context, address string, o Options) (*DB, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if address == "" {
		return nil, fault.New(fault.BadInput, "the database has no address: want the path of a SQLite file, or a postgres:// URL")
	}
	db := &DB{address: address, log: o.Log}
	var err error
	switch {
	case IsPostgres(address):
		err = db.openPostgres(ctx)
	case isOtherURL(address):
		err = errors.New("the database's address: want the path of a SQLite file or a postgres:// URL")
	default:
		err = db.openSQLite(address)
	}
	if err != nil {
		return nil, err
	}
	db.queries.now, db.queries.observe = o.Now, o.Observe
	db.reading = &reading{pool: db.readers, d: db.d}
	db.queries.ext, db.queries.prepared = db.readers, db.reading
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// IsPostgres reports whether an address is that of a PostgreSQL, which any
// number of processes can use, rather than of a SQLite file.
func IsPostgres(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

// isOtherURL reports whether an address was hardly meant as a path.
func isOtherURL(address string) bool {
	return strings.Contains(address, "://") || strings.HasPrefix(address, "postgres:") || strings.HasPrefix(address, "postgresql:")
}

// connectTimeout is how long PostgreSQL may take to accept a connection, unless
// the address says otherwise.
const connectTimeout = 10 * time.Second

func (db *DB) openPostgres(ctx context.Context) error {
	u, err := url.Parse(db.address)
	if err != nil {
		return errors.New("the database's address is no valid URL") // the parser's error would show the password
	}
	config, err := pq.NewConfig(db.address)
	if err != nil {
		return fmt.Errorf("the database's address: %w", err)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
		parameters := u.Query()
		parameters.Set("connect_timeout", strconv.Itoa(int(connectTimeout.Seconds())))
		u.RawQuery = parameters.Encode()
		db.address = u.String() // for the connection for notices
	}
	pool := sqlx.NewDb(sql.OpenDB(newConnector(config)), "postgres")
	pool.SetMaxOpenConns(24)
	pool.SetMaxIdleConns(24)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	if err := pool.PingContext(ctx); err != nil {
		return errors.Join(fmt.Errorf("connect to the database %q on %s, port %d, as %q: %w", config.Database, config.Host, config.Port, config.User, err), pool.Close())
	}
	db.writer, db.readers, db.d = pool, pool, &postgres
	db.changes.remote = newNotifier()
	return nil
}

func (db *DB) openSQLite(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("create the directory of the database: %w", err)
	}
	path, err := resolved(path) // as SQLite does, and so that all its names have one lock
	if err != nil {
		return fmt.Errorf("find the database: %w", err)
	}
	db.address = path
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return err
	}
	db.lock = lock
	if err := keepPrivate(path); err != nil {
		return errors.Join(err, lock.Close())
	}
	const common = "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)&_pragma=foreign_keys(ON)&_pragma=cache_size(-16384)&_pragma=temp_store(MEMORY)"
	file := "file:" + (&url.URL{Path: path}).EscapedPath()
	db.writer, err = sqlx.Open("sqlite", file+common+"&_txlock=immediate")
	if err != nil {
		return errors.Join(fmt.Errorf("open SQLite: %w", err), lock.Close())
	}
	db.writer.SetMaxOpenConns(1)
	// The writer creates the file, so it connects before any reader does.
	if err := db.writer.Ping(); err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", path, err), db.writer.Close(), lock.Close())
	}
	db.readers, err = sqlx.Open("sqlite", file+common+"&_pragma=query_only(ON)")
	if err != nil {
		return errors.Join(fmt.Errorf("open SQLite: %w", err), db.writer.Close(), lock.Close())
	}
	db.readers.SetMaxOpenConns(8)
	db.readers.SetMaxIdleConns(8)
	db.d = &sqlite
	return nil
}

// Close closes the database. Nothing may use it any more. A connection that is
// lost is closed.
func (db *DB) Close() error {
	errs := []error{db.known.close(), db.reading.known.close(), db.readers.Close()}
	if db.writer != db.readers {
		errs = append(errs, db.writer.Close())
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Close())
	}
	return errors.Join(slices.DeleteFunc(errs, db.d.lost)...)
}

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.d.classify(db.readers.PingContext(ctx)) }

// errMoved says that rows changed between reading and locking them: the
// transaction starts anew.
var errMoved = fault.New(fault.Unavailable, "others changed the same tasks at the same time: try again")

// Transactions are tried so often, those whose connection was lost only for so
// long: each attempt may have to wait for a new connection.
const (
	attempts = 10
	lostFor  = 2 * time.Second
)

// InTx runs f in a transaction and commits it if f returns nil. If others were
// in the way, or the connection was lost before the commit, it runs f again,
// so f must not change anything but the database. Calls do not nest.
//
// If the connection is lost during the commit, nobody knows whether that
// happened: InTx returns a fault.Unavailable then, and tells of the changes all
// the same.
func (db *DB) InTx(ctx context.Context, f func(*Tx) error) error {
	began := time.Now()
	for attempt := 1; ; attempt++ {
		tx := &Tx{queries: db.queries, known: &db.known}
		tx.prepared = nil // those are the readers'
		committing, err := db.inTx(ctx, tx, f)
		lost := db.d.lost(err)
		if err == nil || committing && lost {
			db.publish(tx.touched)
		}
		if err == nil {
			if tx.preparing != nil {
				db.known.prepare(ctx, db.writer, db.d, tx.preparing.missing)
			}
			return nil
		}
		again := errors.Is(err, errMoved) || db.d.retryable(err) || lost && !committing && time.Since(began) < lostFor
		if attempt == attempts || !again || ctx.Err() != nil {
			return db.d.classify(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(attempt*attempt) * time.Millisecond):
		}
	}
}

// inTx is one attempt. It tells whether that got as far as committing.
func (db *DB) inTx(ctx context.Context, tx *Tx, f func(*Tx) error) (committing bool, err error) {
	t, err := db.writer.BeginTxx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer t.Rollback() //nolint:errcheck // after a commit it says only that there is nothing to roll back
	tx.ext, tx.t = t, t
	if err := f(tx); err != nil {
		return false, err
	}
	began := time.Now()
	err = t.Commit()
	if db.observe != nil {
		db.observe("commit", time.Since(began), err)
	}
	return true, err
}

// byIndex makes PostgreSQL find rows by their indexes until the transaction
// ends. The engine's tables grow and shrink by 100,000 rows between two looks
// of the statistics, so what the planner believes of them is often wrong. In
// such a transaction every statement names the rows of each table by a list of
// keys, and hash joins put the lists together: then no belief can do harm. On
// both databases its statements stay prepared.
func (tx *Tx) byIndex(ctx context.Context) error {
	if tx.preparing != nil {
		return nil
	}
	tx.preparing = &preparing{tx: tx.t, known: tx.known}
	tx.prepared = tx.preparing
	if tx.d != &postgres {
		return nil
	}
	_, err := tx.ext.ExecContext(ctx, `SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
		SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off;
		SET LOCAL plan_cache_mode = auto`)
	return err
}

// within is a condition, with its arguments, that names again by their keys the
// rows that a join names anyway: byIndex needs it. SQLite goes from a join's
// list to the rows by itself, and with the condition from the rows to the list.
func (tx *Tx) within(column string, keys any) (condition string, args []any) {
	if tx.d == &postgres {
		return " AND " + tx.d.in(column), []any{keys}
	}
	return "", nil
}

// alone keeps others that call it with the same text waiting until the
// transaction ends.
func (tx *Tx) alone(ctx context.Context, text string) error {
	if tx.d != &postgres {
		return nil // transactions that write are alone anyway
	}
	_, err := tx.exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended(?, 0))`, text)
	return err
}

// exec runs a statement with ? placeholders and returns how many rows it changed.
func (q *queries) exec(ctx context.Context, query string, args ...any) (int, error) {
	r, err := q.run(ctx, query, args)
	if err != nil {
		return 0, q.stopped(ctx, err)
	}
	n, err := r.RowsAffected()
	return int(n), err
}

// sel reads rows into the slice that dst points to.
func (q *queries) sel(ctx context.Context, dst any, query string, args ...any) error {
	return q.d.classify(q.stopped(ctx, q.rows(ctx, dst, query, args)))
}

// get reads one row; sql.ErrNoRows if there is none.
func (q *queries) get(ctx context.Context, dst any, query string, args ...any) error {
	return q.stopped(ctx, q.row(ctx, dst, query, args))
}

// stopped tells a statement that was stopped because ctx ended from one that
// failed. PostgreSQL says only that somebody wanted it.
func (q *queries) stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && q.d.code(err) == queryCanceled {
		return ctx.Err()
	}
	return err
}

// found is get with whether there was a row.
func (q *queries) found(ctx context.Context, dst any, query string, args ...any) (bool, error) {
	err := q.get(ctx, dst, query, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, q.d.classify(err)
}

// SingleProcess reports whether no other process can use the database: then
// workers that it still names are gone when it is opened.
func (db *DB) SingleProcess() bool { return db.d == &sqlite }
