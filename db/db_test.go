package db_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
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

// TestOpenServesOneProcessByAnyName opens a file by other names than that by which
// it is open already.
func TestOpenServesOneProcessByAnyName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link, directory, dangling := filepath.Join(dir, "real", "ream.db"), filepath.Join(dir, "link.db"), filepath.Join(dir, "directory"), filepath.Join(dir, "early.db")
	for at, to := range map[string]string{link: path, directory: filepath.Dir(path), dangling: filepath.Join("directory", "ream.db")} {
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	first, err := db.Open(t.Context(), dangling, db.Options{}) // which makes the file
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link, filepath.Join(directory, "ream.db"), dangling} {
		if second, err := db.Open(t.Context(), name, db.Options{}); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), path) {
			t.Errorf("%s: got %v, want a conflict that names %s", name, err, path)
			if err == nil {
				second.Close()
			}
		}
	}
	hard := filepath.Join(dir, "hard.db")
	if err := os.Link(path, hard); err != nil {
		t.Fatal(err)
	}
	for _, running := range []bool{true, false} {
		if second, err := db.Open(t.Context(), hard, db.Options{}); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "hard links") {
			t.Errorf("by a hard link, while the first runs %v: got %v, want a conflict", running, err)
			if err == nil {
				second.Close()
			}
		}
		if running {
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Remove(hard); err != nil {
		t.Fatal(err)
	}
	dbtest.Open(t, link, db.Options{})
}

// TestFilesArePrivate looks at who may read a database that is made, and one that
// was there already.
func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ream.db")
	files := []string{path, path + "-wal", path + "-shm"}
	check := func(when string) {
		t.Helper()
		for _, file := range files {
			if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
				t.Errorf("%s, %s: got %v, %v, want mode 0600", when, filepath.Base(file), info.Mode(), err)
			}
		}
	}
	first, err := db.Open(t.Context(), path, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	check("made")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for _, file := range files { // as a process leaves them that was killed
		if err := errors.Join(appendNothing(file), os.Chmod(file, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	dbtest.Open(t, path, db.Options{})
	check("opened again")
}

func appendNothing(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
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
