package db

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// insertNew inserts rows that are most likely new: by quick, which fails where one
// is not, and then by careful. For PostgreSQL it is a third of the work to look for
// each row before it is inserted. SQLite's writer is alone, and there it costs
// nothing.
func (tx *Tx) insertNew(ctx context.Context, quick, careful func() error) error {
	if tx.d != &postgres {
		return careful()
	}
	there := false
	err := tx.Try(ctx, func() error {
		err := quick()
		there = tx.d.code(err) == uniqueViolation
		return err
	})
	if there && tx.d.code(err) == uniqueViolation {
		return careful()
	}
	return err
}

// copyIn inserts rows in the way that costs PostgreSQL the least. None is there if
// one fails.
func copyIn[T any](ctx context.Context, tx *Tx, table string, rows []T, columns ...column[T]) (err error) {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	query := fmt.Sprintf("COPY %s(%s) FROM STDIN", table, strings.Join(names, ", "))
	defer tx.timed(query, time.Now(), &err)
	stmt, err := tx.t.PrepareContext(ctx, query)
	if err != nil {
		return tx.stopped(ctx, err)
	}
	defer func() { err = tx.stopped(ctx, errors.Join(err, stmt.Close())) }()
	if _, err := stmt.ExecContext(ctx, copyLines(rows, columns)); err != nil {
		return err
	}
	_, err = stmt.ExecContext(ctx)
	return err
}

// copyLines are rows in the text format of COPY.
// See https://www.postgresql.org/docs/current/sql-copy.html.
func copyLines[T any](rows []T, columns []column[T]) string {
	var b strings.Builder
	for i := range rows {
		if i > 0 {
			b.WriteByte('\n')
		}
		for j, c := range columns {
			if j > 0 {
				b.WriteByte('\t')
			}
			if c.text == nil {
				b.WriteString(strconv.FormatInt(c.number(&rows[i]), 10))
			} else {
				_, _ = copyEscapes.WriteString(&b, c.text(&rows[i])) // a builder never fails
			}
		}
	}
	return b.String()
}

var copyEscapes = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

// column is a column of rows: a text or a number of each.
type column[T any] struct {
	name   string
	text   func(*T) string
	number func(*T) int64
}
