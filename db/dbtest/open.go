// Package dbtest opens real databases for tests, and holds the suite of what
// every database must do with content.
package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ream/db"
)

// Variable is the environment variable with the postgres:// URL of a server on
// which tests may create databases. Without it they run on SQLite only.
const Variable = "REAM_TEST_POSTGRES"

// Each runs f on a fresh database of every kind that is at hand, in parallel.
func Each(t *testing.T, f func(*testing.T, *db.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f(t, SQLite(t))
	})
	if os.Getenv(Variable) == "" {
		return
	}
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		f(t, Postgres(t))
	})
}

// SQLite opens a new database in a file, which ends with the test.
func SQLite(t *testing.T) *db.DB {
	t.Helper()
	return Open(t, filepath.Join(t.TempDir(), "ream.db"), db.Options{})
}

// Postgres opens a new database on the server that Variable names, which ends
// with the test. It skips the test if the variable is unset.
func Postgres(t *testing.T) *db.DB {
	t.Helper()
	return Open(t, PostgresAddress(t), db.Options{})
}

// Open opens the database at address and closes it with the test.
func Open(t *testing.T, address string, o db.Options) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), address, o)
	if err != nil {
		t.Fatalf("open the database: %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	return d
}

// PostgresAddress creates an empty database, which ends with the test, and
// returns its URL. It skips the test if Variable is unset.
func PostgresAddress(t *testing.T) string {
	t.Helper()
	server := os.Getenv(Variable)
	if server == "" {
		t.Skip(Variable + " is unset")
	}
	address, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s is no URL", Variable)
	}
	name := "ream_test_" + strings.ToLower(rand.Text())
	administer(t, server, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'")
	t.Cleanup(func() { administer(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })
	address.Path = "/" + name
	return address.String()
}

// administer runs a statement on the server, also after the test's context.
func administer(t *testing.T, server, statement string) {
	t.Helper()
	pool, err := sql.Open("postgres", server)
	if err != nil {
		t.Fatalf("open the test server: %v", err)
	}
	defer pool.Close() //nolint:errcheck // the statement's error tells enough
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	if _, err := pool.ExecContext(ctx, statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}
