package db_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ream/db"
	"ream/db/dbtest"
	"ream/fault"
)

func TestContentSQLite(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, dbtest.SQLite)
}

func TestContentPostgres(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, dbtest.Postgres)
}

func TestOpenServesOneProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "ream.db")
	first, err := db.Open(t.Context(), path, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Open(t.Context(), path, db.Options{})
	if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), path) {
		t.Errorf("second handle: got %v, want a conflict that names %s", err, path)
	}
	if err := first.Ping(t.Context()); err != nil {
		t.Errorf("the first handle does not answer any more: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	dbtest.Open(t, path, db.Options{})
}

func TestOpenWantsAnAddress(t *testing.T) {
	t.Parallel()
	if _, err := db.Open(t.Context(), "", db.Options{}); !fault.Is(err, fault.BadInput) {
		t.Errorf("got %v, want BAD_INPUT", err)
	}
}

func TestOpenRefusesNewerSchema(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, driver string
		address      func(*testing.T) string
	}{
		{"sqlite", "sqlite", func(t *testing.T) string { return filepath.Join(t.TempDir(), "ream.db") }},
		{"postgres", "postgres", dbtest.PostgresAddress},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			address := c.address(t)
			d, err := db.Open(t.Context(), address, db.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			pool, err := sql.Open(c.driver, address)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			if _, err := pool.ExecContext(t.Context(), `INSERT INTO goose_db_version(version_id, is_applied) VALUES (4711, TRUE)`); err != nil {
				t.Fatal(err)
			}
			_, err = db.Open(t.Context(), address, db.Options{})
			if !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "schema version 4711") {
				t.Errorf("got %v, want a conflict that names the version", err)
			}
		})
	}
}

func TestOpenAtOnce(t *testing.T) {
	t.Parallel()
	address := dbtest.PostgresAddress(t)
	errs := make([]error, 5)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			d, err := db.Open(t.Context(), address, db.Options{})
			if err != nil {
				errs[i] = err
				return
			}
			errs[i] = d.Close()
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}

// TestStatementsEndWithTheirContext stops statements that would take long: what
// they return tells who stopped them, not that the database failed.
func TestStatementsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		long := "SELECT 1 FROM pg_sleep(60)"
		if d.SingleProcess() {
			long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
		}
		limited, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer end()
		if err := d.Read(limited, long); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the deadline: got %v", err)
		}
		canceled, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		if err := d.Read(canceled, long); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: got %v", err)
		}
	})
}
