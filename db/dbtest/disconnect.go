package dbtest

import (
	"database/sql"
	"net/url"
	"testing"
)

// Named is a PostgreSQL's URL for connections that Disconnect can tell from
// others.
func Named(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal("the address is no URL")
	}
	q := u.Query()
	q.Set("application_name", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// Disconnect cuts all connections of that name to the PostgreSQL at address,
// wherever they are in a transaction, as the death of their process would.
func Disconnect(t *testing.T, address, name string) {
	t.Helper()
	pool, err := sql.Open("postgres", address)
	if err != nil {
		t.Fatalf("open the database: %v", err)
	}
	defer pool.Close() //nolint:errcheck // the statement's error tells enough
	if _, err := pool.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = $1`, name); err != nil {
		t.Fatalf("disconnect %s: %v", name, err)
	}
}
