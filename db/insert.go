package db

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// quickLeast is from how many rows on they are inserted as if all were new: few are
// most often there, as when something is stored again.
const quickLeast = 50

// insertNew inserts rows that are most likely new: by quick, which fails where one
// is not, and then by careful, which looks for each before it is inserted.
func (tx *Tx) insertNew(ctx context.Context, rows int, quick, careful func() error) error {
	if rows < quickLeast {
		return careful()
	}
	there := false
	err := tx.Try(ctx, func() error {
		defer tx.expect(uniqueViolation)()
		err := quick()
		there = tx.d.code(err) == uniqueViolation
		return err
	})
	if there && tx.d.code(err) == uniqueViolation {
		return careful()
	}
	return err
}

// expect keeps an error from being counted as a failure until it is called off.
func (tx *Tx) expect(code string) (callOff func()) {
	observe := tx.observe
	if observe == nil {
		return func() {}
	}
	tx.observe = func(verb string, took time.Duration, err error) {
		if tx.d.code(err) == code {
			err = nil
		}
		observe(verb, took, err)
	}
	return func() { tx.observe = observe }
}

// copyVerb is what a COPY begins with.
const copyVerb = "COPY "

// insertAll inserts rows in the way that costs the database the least. None is
// there if one fails. SQLite takes 32,766 values at once.
func insertAll[T any](ctx context.Context, tx *Tx, table string, rows []T, columns ...column[T]) error {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	into := fmt.Sprintf("%s(%s)", table, strings.Join(names, ", "))
	var err error
	if tx.d == &postgres {
		_, err = tx.exec(ctx, copyVerb+into+" FROM STDIN", copyLines(rows, columns))
	} else {
		row := "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
		_, err = tx.exec(ctx, "INSERT INTO "+into+" VALUES "+row+strings.Repeat(", "+row, len(rows)-1), valuesOf(rows, columns)...)
	}
	return err
}

// valuesOf are the values of rows, one row after the other.
func valuesOf[T any](rows []T, columns []column[T]) []any {
	values := make([]any, 0, len(rows)*len(columns))
	for i := range rows {
		for _, c := range columns {
			if c.text == nil {
				values = append(values, c.number(&rows[i]))
			} else {
				values = append(values, c.text(&rows[i]))
			}
		}
	}
	return values
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
