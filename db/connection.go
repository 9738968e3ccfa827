package db

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

// answerGrace is how long a call may still wait for the server once its context
// has ended. The driver has asked the server to stop by then.
const answerGrace = 2 * time.Second

// closeLimit bounds the closing of a prepared statement, of which the server is
// told.
const closeLimit = time.Second

// Of a peer that is gone without a word, the kernel is to tell after about so
// long: after so many probes without an answer, or if what was sent is not
// acknowledged.
const (
	probeEvery = 5 * time.Second
	probes     = 3
)

// session is what every connection is set to, unless the address says otherwise.
//
// The engine's transactions read committed rows, whatever the database's
// default is. A process that stands still in the middle of a transaction, or
// that the network has lost, keeps its locks from everybody else: so the
// server ends transactions in which nothing happens for as long as a lease
// lasts, and finds out about lost clients as fast as they about it.
var session = map[string]string{
	"default_transaction_isolation":       "read committed",
	"idle_in_transaction_session_timeout": "10s",
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
	stop := context.AfterFunc(ctx, w.cut)
	made, err := plain.Connect(ctx)
	w.keep()
	if stop(); err != nil {
		return nil, cmp.Or(ctx.Err(), err)
	}
	inner, ok := made.(driverConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("a connection of the driver, %T, lacks something", made), made.Close())
	}
	conn := &connection{driverConn: inner, wire: w, connector: c, number: number}
	if _, err := conn.ExecContext(ctx, c.settings(), nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
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
}

// bound cuts the connection if a call has not ended soon after ctx. The call
// tells its end by stop.
func (c *connection) bound(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	ended := make(chan struct{})
	forget := context.AfterFunc(ctx, func() {
		select {
		case <-ended:
		case <-time.After(answerGrace):
			// Whatever swallowed this call most likely has the other connections too.
			c.connector.silent.Store(c.connector.made.Load())
			c.wire.cut()
		}
	})
	return sync.OnceFunc(func() {
		forget()
		close(ended)
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
	defer c.bound(ctx)()
	return c.driverConn.Ping(ctx)
}

// ExecContext runs a statement.
func (c *connection) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	defer c.bound(ctx)()
	return c.driverConn.ExecContext(ctx, query, args)
}

// QueryContext runs a statement that returns rows.
func (c *connection) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	stop := c.bound(ctx)
	return boundRows(stop)(c.driverConn.QueryContext(ctx, query, args))
}

// PrepareContext prepares a statement.
func (c *connection) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	defer c.bound(ctx)()
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

// BeginTx begins a transaction. Its end ends with ctx too.
func (c *connection) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	stop := c.bound(ctx)
	tx, err := c.driverConn.BeginTx(ctx, o)
	if err != nil {
		stop()
		return nil, err
	}
	return &transaction{tx, stop}, nil
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
	defer s.conn.bound(ctx)()
	return s.driverStmt.ExecContext(ctx, args)
}

func (s *statement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	stop := s.conn.bound(ctx)
	return boundRows(stop)(s.driverStmt.QueryContext(ctx, args))
}

// Close tells the server to forget the statement.
func (s *statement) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	defer s.conn.bound(ctx)()
	return s.driverStmt.Close()
}

// transaction is one of a connection.
type transaction struct {
	driver.Tx
	stop func()
}

func (t *transaction) Commit() error {
	defer t.stop()
	return t.Tx.Commit()
}

func (t *transaction) Rollback() error {
	defer t.stop()
	return t.Tx.Rollback()
}

// rows are read until they are closed.
type rows struct {
	driver.Rows
	stop func()
}

func (r *rows) Close() error {
	defer r.stop()
	return r.Rows.Close()
}

// boundRows lets what a query returned tell its end by stop.
func boundRows(stop func()) func(driver.Rows, error) (driver.Rows, error) {
	return func(r driver.Rows, err error) (driver.Rows, error) {
		if err != nil {
			stop()
			return nil, err
		}
		return &rows{r, stop}, nil
	}
}

// wire dials for a connection, and keeps what it dialed last: the driver may
// try several hosts. Once the connection is made, it dials only to ask the
// server to stop, which is not kept.
type wire struct {
	mu   sync.Mutex
	kept bool
	conn net.Conn
}

// keep says that the connection is made.
func (w *wire) keep() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = true
}

// cut ends whatever goes on over the wire.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		w.conn.Close() //nolint:errcheck // who uses it learns enough
	}
}

// DialContext dials.
func (w *wire) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Control: acknowledged, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: probeEvery, Interval: probeEvery, Count: probes}}
	conn, err := d.DialContext(ctx, network, address)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && !w.kept {
		w.conn = conn
	}
	return conn, err
}

// Dial and DialTimeout are for callers without a context, of which there are none.
func (w *wire) Dial(network, address string) (net.Conn, error) {
	return w.DialContext(context.Background(), network, address)
}

// DialTimeout dials for a limited time.
func (w *wire) DialTimeout(network, address string, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return w.DialContext(ctx, network, address)
}
