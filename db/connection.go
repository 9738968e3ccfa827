package db

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

// answerGrace is how long the server may take for what is done at once: to make
// a connection, or to stop what the driver asks it to stop when the context of a
// call has ended.
const answerGrace = 2 * time.Second

// suspectGrace is how long other calls may wait for a word from the server when
// it took longer.
const suspectGrace = 5 * time.Second

// closeLimit bounds the closing of a prepared statement, of which the server is
// told.
const closeLimit = time.Second

// session is what every connection is set to, unless the address says otherwise.
//
// The engine's transactions read committed rows, whatever the database's
// default is. A process that stands still in the middle of a transaction, or
// that the network has lost, keeps its locks from everybody else: so the
// server ends transactions in which nothing happens for as long as a lease
// lasts, and finds out about lost clients as fast as they about it. Readers'
// statements stay prepared, but are planned each time, for tables of the size
// that they have then. None is compiled: the planner takes what joins a list of
// keys for thousands of times what it is, and to compile it takes longer than to
// carry it out.
var session = map[string]string{
	"default_transaction_isolation":       "read committed",
	"idle_in_transaction_session_timeout": "10s",
	"jit":                                 "off",
	"plan_cache_mode":                     "force_custom_plan",
	"tcp_keepalives_idle":                 fmt.Sprint(probeEvery.Seconds()),
	"tcp_keepalives_interval":             fmt.Sprint(probeEvery.Seconds()),
	"tcp_keepalives_count":                fmt.Sprint(probes),
	"tcp_user_timeout":                    fmt.Sprint((probes * probeEvery).Milliseconds()),
}

// connector makes connections to PostgreSQL whose calls end with their
// contexts. The driver only asks the server to stop then, and waits for an
// answer; none comes if the server or the network is gone.
type connector struct {
	config pq.Config
	made   atomic.Int64 // connections so far
	silent atomic.Int64 // how many there were when a call last got no answer

	mu   sync.Mutex
	open map[*connection]struct{}
}

func newConnector(config pq.Config) *connector {
	return &connector{config: config, open: map[*connection]struct{}{}}
}

// Driver is the driver below.
func (c *connector) Driver() driver.Driver { return pq.Driver{} }

// Connect makes a connection. It ends with ctx.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	number := c.made.Add(1)
	plain, err := pq.NewConnectorConfig(c.config)
	if err != nil {
		return nil, err
	}
	w := &wire{}
	plain.Dialer(w)
	stop, began := context.AfterFunc(ctx, w.cut), time.Now()
	made, err := plain.Connect(ctx)
	w.keep()
	if stop(); err != nil {
		if time.Since(began) > answerGrace {
			c.suspect()
		}
		return nil, cmp.Or(ctx.Err(), err)
	}
	inner, ok := made.(driverConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a connection of the driver, %T, lacks something", made), made.Close())
	}
	conn := &connection{driverConn: inner, wire: w, connector: c, number: number}
	c.mu.Lock()
	c.open[conn] = struct{}{}
	c.mu.Unlock()
	if _, err := conn.ExecContext(ctx, c.settings(), nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// suspect distrusts all connections that there are, because a call got no
// answer: most likely what swallowed it has them too. None is used again, and
// those on which nothing is heard any more are cut.
func (c *connector) suspect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silent.Store(c.made.Load())
	for conn := range c.open {
		if conn.watched.CompareAndSwap(false, true) {
			conn.watch(conn.wire.heard.Load())
		}
	}
}

// settings are statements that make a connection what it is to be. They are
// not part of the connection's request, because poolers refuse what they do
// not know there.
func (c *connector) settings() string {
	var b strings.Builder
	for name, value := range session {
		if _, ok := c.config.Runtime[name]; !ok {
			fmt.Fprintf(&b, "SET %s = '%s'; ", name, value)
		}
	}
	return b.String()
}

// driverConn is what the driver's connections can do.
type driverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// connection is the driver's, but each of its calls ends soon after its context.
type connection struct {
	driverConn
	wire      *wire
	connector *connector
	number    int64
	calls     atomic.Int64 // that wait for the server: 0 or 1
	closed    atomic.Bool
	watched   atomic.Bool
}

// Close closes the connection.
func (c *connection) Close() error {
	c.closed.Store(true)
	c.connector.mu.Lock()
	delete(c.connector.open, c)
	c.connector.mu.Unlock()
	return c.driverConn.Close()
}

// call notes that the server is asked for something, until end is called. The
// connection is cut if that is not soon after the end of ctx.
func (c *connection) call(ctx context.Context) (end func()) {
	c.calls.Add(1)
	stop := c.bound(ctx)
	return func() {
		stop()
		c.calls.Add(-1)
	}
}

// bound cuts the connection if stop is not called soon after the end of ctx.
func (c *connection) bound(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	ended := make(chan struct{})
	forget := context.AfterFunc(ctx, func() {
		select {
		case <-ended:
		case <-time.After(answerGrace):
			c.connector.suspect()
			c.wire.cut()
		}
	})
	return func() {
		forget()
		close(ended)
	}
}

// watch cuts the connection as soon as it waits in vain: with heard bytes heard
// so far.
func (c *connection) watch(heard int64) {
	time.AfterFunc(suspectGrace, func() {
		switch {
		case c.closed.Load() || c.wire.heard.Load() != heard:
			c.watched.Store(false)
		case c.calls.Load() > 0:
			c.wire.cut()
		default:
			c.watch(heard)
		}
	})
}

// IsValid reports whether the connection may be used again.
func (c *connection) IsValid() bool {
	return c.number > c.connector.silent.Load() && c.driverConn.IsValid()
}

// ResetSession refuses to use a connection again that is not valid.
func (c *connection) ResetSession(ctx context.Context) error {
	if !c.IsValid() {
		return driver.ErrBadConn
	}
	return c.driverConn.ResetSession(ctx)
}

// Ping asks the server for a sign of life.
func (c *connection) Ping(ctx context.Context) error {
	defer c.call(ctx)()
	return c.driverConn.Ping(ctx)
}

// ExecContext runs a statement. A COPY has the lines of its rows as its argument.
func (c *connection) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	defer c.call(ctx)()
	if strings.HasPrefix(query, copyVerb) {
		return c.copy(ctx, query, args)
	}
	return c.driverConn.ExecContext(ctx, query, args)
}

// QueryContext runs a statement that returns rows.
func (c *connection) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return calledRows(c.call(ctx))(c.driverConn.QueryContext(ctx, query, args))
}

// PrepareContext prepares a statement.
func (c *connection) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	defer c.call(ctx)()
	prepared, err := c.driverConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	inner, ok := prepared.(driverStmt)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a statement of the driver, %T, lacks something", prepared), prepared.Close())
	}
	return &statement{inner, c}, nil
}

// BeginTx begins a transaction, which ends soon after ctx.
func (c *connection) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	defer c.call(ctx)()
	tx, err := c.driverConn.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	return &transaction{tx, c, c.bound(ctx)}, nil
}

// driverStmt is what the driver's statements can do.
type driverStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// statement is a prepared one of a connection.
type statement struct {
	driverStmt
	conn *connection
}

func (s *statement) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	defer s.conn.call(ctx)()
	return s.driverStmt.ExecContext(ctx, args)
}

func (s *statement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return calledRows(s.conn.call(ctx))(s.driverStmt.QueryContext(ctx, args))
}

// Close tells the server to forget the statement.
func (s *statement) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	defer s.conn.call(ctx)()
	return s.driverStmt.Close()
}

// driverCopy is what the driver's COPY can do.
type driverCopy interface {
	driver.Stmt
	CopyData(ctx context.Context, lines string) (driver.Result, error)
}

// copy carries out a whole COPY. While one is open, the driver reads the
// connection, so that nobody else may use it, and the server takes a process that
// stands still for one that works: it must not be left open between two calls.
func (c *connection) copy(ctx context.Context, query string, args []driver.NamedValue) (_ driver.Result, err error) {
	prepared, err := c.driverConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, prepared.Close()) }()
	copying, ok := prepared.(driverCopy)
	if !ok || len(args) != 1 {
		return nil, fmt.Errorf("copy by %T with %d arguments", prepared, len(args))
	}
	lines, ok := args[0].Value.(string)
	if !ok {
		return nil, fmt.Errorf("copy %T, want the lines of rows", args[0].Value)
	}
	// Its end knows no context, and there is no other way to stop it.
	defer context.AfterFunc(ctx, c.wire.cut)()
	if _, err := copying.CopyData(ctx, lines); err != nil {
		return nil, cmp.Or(ctx.Err(), err)
	}
	r, err := copying.Exec(nil)
	if err != nil {
		return nil, cmp.Or(ctx.Err(), err)
	}
	return r, nil
}

// transaction is one of a connection.
type transaction struct {
	driver.Tx
	conn *connection
	stop func()
}

func (t *transaction) Commit() error {
	defer t.stop()
	defer t.conn.call(context.Background())()
	return t.Tx.Commit()
}

func (t *transaction) Rollback() error {
	defer t.stop()
	defer t.conn.call(context.Background())()
	return t.Tx.Rollback()
}

// rows are read until they are closed.
type rows struct {
	driver.Rows
	end func()
}

func (r *rows) Close() error {
	defer r.end()
	return r.Rows.Close()
}

// calledRows are the rows of a call, which ends when they are closed.
func calledRows(end func()) func(driver.Rows, error) (driver.Rows, error) {
	return func(r driver.Rows, err error) (driver.Rows, error) {
		if err != nil {
			end()
			return nil, err
		}
		return &rows{r, end}, nil
	}
}
