package db

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"ream/fault"
)

// dialect holds the places in which the two databases differ.
type dialect struct {
	name       string
	forUpdate  string // locks the rows of a SELECT; SQLite's only writer needs no locks
	forChange  string // the same for rows that stay, with their IDs: others may refer to them meanwhile
	skipLocked string // the same, passing over rows that others have locked
	clock      string // the database's own time in microseconds
	position   string // the function that tells at which character a text has another
	code       func(error) string
}

// The dialects are values rather than an interface's implementations, because
// almost every statement is one text for both.
var (
	postgres = dialect{
		name:       "postgres",
		forUpdate:  " FOR UPDATE",
		forChange:  " FOR NO KEY UPDATE",
		skipLocked: " FOR UPDATE SKIP LOCKED",
		clock:      "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
		position:   "strpos",
		code:       postgresCode,
	}
	sqlite = dialect{
		name:     "sqlite",
		clock:    "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
		position: "instr",
		code:     sqliteCode,
	}
)

func (d *dialect) rebind(query string) string {
	if d == &postgres {
		return sqlx.Rebind(sqlx.DOLLAR, query)
	}
	return query
}

// rows is a FROM item named alias over one JSON argument, an array of objects
// with these columns ("id bigint", "state text"): bulk work as one statement.
// Texts sort byte by byte, as those of the tables do.
func (d *dialect) rows(alias string, columns ...string) string {
	if d == &postgres {
		all := strings.ReplaceAll(strings.Join(columns, ", "), " text", ` text COLLATE "C"`)
		return fmt.Sprintf("json_to_recordset(CAST(? AS json)) AS %s(%s)", alias, all)
	}
	fields := make([]string, len(columns))
	for i, c := range columns {
		name, _, _ := strings.Cut(c, " ")
		fields[i] = fmt.Sprintf("value->>'%s' AS %s", name, name)
	}
	return fmt.Sprintf("(SELECT %s FROM json_each(?)) AS %s", strings.Join(fields, ", "), alias)
}

// in is a condition on a column over one list argument.
func (d *dialect) in(column string) string {
	if d == &postgres {
		return column + " = ANY(?)"
	}
	return column + " IN (SELECT value FROM json_each(?))"
}

// list is the argument of in.
func list[T ~int64 | ~string](d *dialect, values []T) any {
	if d == &postgres {
		return array(values)
	}
	return encode(values)
}

// array is a list as an array of PostgreSQL's.
func array[T ~int64 | ~string](values []T) any {
	all := reflect.ValueOf(values)
	if reflect.TypeFor[T]().Kind() == reflect.String {
		texts := make(pq.StringArray, len(values))
		for i := range texts {
			texts[i] = all.Index(i).String()
		}
		return texts
	}
	numbers := make(pq.Int64Array, len(values))
	for i := range numbers {
		numbers[i] = all.Index(i).Int()
	}
	return numbers
}

// encode is the argument of rows. The values marshal to JSON by their types.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("db: encode %T: %v", v, err)) // only types of this package come here
	}
	return string(b)
}

// sum is the sum of a column of bytes, 0 over no rows. Sums saturate: one that
// fails would fail for ever. SQLite's are exact up to 2^53.
func (d *dialect) sum(column string) string {
	if d == &postgres {
		return "CAST(LEAST(COALESCE(sum(" + column + "), 0), " + greatest + ") AS bigint)"
	}
	return "CAST(total(" + column + ") AS bigint)"
}

// plus is the sum of a column and an argument, which saturates too, and is never
// less than 0.
func (d *dialect) plus(column string) string {
	if d == &postgres {
		return "LEAST(GREATEST(CAST(" + column + " AS numeric) + ?, 0), " + greatest + ")"
	}
	return "min(max(" + column + " + ?, 0), " + greatest + ")"
}

// greatest is the greatest number that a column can hold.
const greatest = "9223372036854775807"

func postgresCode(err error) string {
	if e, ok := errors.AsType[*pq.Error](err); ok {
		return string(e.Code)
	}
	return ""
}

// sqliteCode translates to PostgreSQL's SQLSTATEs.
func sqliteCode(err error) string {
	e, ok := errors.AsType[*sqlitedriver.Error](err)
	if !ok {
		return ""
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return uniqueViolation
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return foreignKeyViolation
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "40001"
	case sqlite3.SQLITE_FULL:
		return diskFull
	case sqlite3.SQLITE_IOERR:
		return "58030"
	}
	return ""
}

// The SQLSTATEs that mean something to us.
const (
	uniqueViolation     = "23505"
	foreignKeyViolation = "23503"
	badText             = "22021"
	diskFull            = "53100"
	queryCanceled       = "57014"
)

// retryable reports whether the same transaction may succeed if tried again:
// it lost against others, and nothing of it was committed.
func (d *dialect) retryable(err error) bool {
	return slices.Contains([]string{"40001", "40P01", "55P03"}, d.code(err))
}

// lost reports whether the connection broke, or none could be made. Whatever
// was under way is undone, unless it was being committed.
func (d *dialect) lost(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if _, ok := errors.AsType[net.Error](err); ok || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	code := d.code(err)
	return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P") || code == "25P03"
}

// classify turns a driver's error into a fault where users can do something
// about it, and leaves all others as they are.
func (d *dialect) classify(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	switch code := d.code(err); {
	case code == uniqueViolation:
		return fault.Wrap(err, fault.Conflict, "it exists already")
	case code == foreignKeyViolation:
		return fault.Wrap(err, fault.Conflict, "it is in use, or what it refers to does not exist")
	case code == badText:
		return fault.Wrap(err, fault.BadInput, "a text is not UTF-8, or holds a NUL character")
	case code == diskFull:
		return fault.Wrap(err, fault.Unavailable, "the database's disk is full: free some space and try again")
	case d.lost(err), d.retryable(err), strings.HasPrefix(code, "53"):
		away := fault.Wrap(err, fault.Unavailable, "the database does not answer: try again later")
		away.Passing = true
		return away
	case code == "58030":
		return fault.Wrap(err, fault.Unavailable, "the database's disk fails: try again later")
	}
	return err
}

// micros is a time as the databases store it: microseconds since 1970 in UTC.
func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(n int64) time.Time { return time.UnixMicro(n).UTC() }

func fromNullMicros(n *int64) *time.Time {
	if n == nil {
		return nil
	}
	t := fromMicros(*n)
	return &t
}
