package main_test

import (
	"database/sql"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ream/db/dbtest"
)

func TestSecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, "--data", dir)
	want := fmt.Sprintf("%s is in use by process %d: stop it, or use PostgreSQL", filepath.Join(dir, "ream.db"), first.command.Process.Pid)
	if out := refused(t, "--data", dir); !strings.Contains(out, want) {
		t.Errorf("got %s\nwant %s", out, want)
	}
	first.queueGroup() // it is not disturbed
}

func TestProcessesStartAtOnce(t *testing.T) {
	t.Parallel()
	database, storage := dbtest.PostgresAddress(t), t.TempDir()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	processes := make([]*program, 6)
	began := time.Now()
	var all sync.WaitGroup
	for i := range processes {
		all.Go(func() { processes[i] = start(t, "--database", database, "--data", storage) })
	}
	all.Wait()
	t.Logf("%d processes are ready after %s", len(processes), time.Since(began))
	up := newUpstream(t, someFiles(5))
	processes[0].repository("r", up.URL+"/PULP_MANIFEST")
	// Whoever takes the task, each of them tells how it ends.
	id := processes[1].queueSync("r", true)
	for i, p := range processes {
		if got := p.follow(id); got.State != "COMPLETED" {
			t.Errorf("process %d sees %+v %+v", i, got, got.Error)
		}
		if versions, units := p.versions("r"); versions != 1 || units != 5 {
			t.Errorf("process %d sees %d versions and %d units", i, versions, units)
		}
	}
}

// TestLostNoticesMissNothing watches in one process what another one does, while
// the connections that tell of it are cut.
func TestLostNoticesMissNothing(t *testing.T) {
	t.Parallel()
	database, storage := dbtest.PostgresAddress(t), t.TempDir()
	works := start(t, "--database", database, "--data", storage)
	watches := start(t, "--database", database, "--data", storage, "--workers", "0")
	up := newUpstream(t, someFiles(6))
	reached, release := up.hold("file-5.bin")
	works.repository("r", up.URL+"/PULP_MANIFEST")
	id := works.mirror("r")
	frames := watches.subscribe(t.Context(), currentProtocol, countsOfGroup, id)
	<-reached
	pool, err := sql.Open("postgres", database)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var ended int
	// What listens asks nothing but, now and then, whether the server is there.
	if err := pool.QueryRowContext(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND (query LIKE 'LISTEN%' OR query = '')`).Scan(&ended); err != nil || ended != 2 {
		t.Errorf("ended %d listening connections, %v; want 2", ended, err)
	}
	release()
	checkCounts(t, frames, 3)
	if got := watches.follow(id); got.State != "COMPLETED" {
		t.Errorf("got %+v", got)
	}
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	eachDatabase(t, func(t *testing.T, args ...string) {
		start(t, args...).kill()
		driver, address := "sqlite", filepath.Join(args[1], "ream.db")
		if len(args) > 2 {
			driver, address = "postgres", args[3]
		}
		pool, err := sql.Open(driver, address)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		if _, err := pool.ExecContext(t.Context(), `INSERT INTO goose_db_version(version_id, is_applied) VALUES (4711, TRUE)`); err != nil {
			t.Fatal(err)
		}
		if out := refused(t, args...); !strings.Contains(out, "the database has schema version 4711, but this program knows only") {
			t.Errorf("got %s", out)
		}
	})
}

func TestDatabasesThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	closed := unusedAddress(t)
	strict := refusesPasswords(t)
	host, port, _ := strings.Cut(strict, ":")
	wrong := fmt.Sprintf(`connect to the database "mirror" on %s, port %s, as "ream": pq: password authentication failed for user "ream"`, host, port)
	_, port, _ = strings.Cut(closed, ":")
	nobody := fmt.Sprintf(`connect to the database "mirror" on 127.0.0.1, port %s, as "ream": `, port)
	const noPath = "want the path of a SQLite file or a postgres:// URL"
	tests := []struct{ name, address, want string }{
		{"wrong password", "postgres://ream:sekret@" + strict + "/mirror?sslmode=disable", wrong},
		{"wrong password among the parameters", "postgres://" + strict + "/mirror?user=ream&password=sekret&sslmode=disable", wrong},
		{"nobody listens", "postgres://ream:sekret@" + closed + "/mirror", nobody},
		{"no such host", "postgres://ream:sekret@nowhere.invalid/mirror", `connect to the database "mirror" on nowhere.invalid, port 5432, as "ream": `},
		{"a space in the password", "postgres://ream:sek ret@localhost/mirror", "the database's address is no valid URL"},
		{"a bad port", "postgres://ream:sekret@localhost:sekret/mirror", "the database's address is no valid URL"},
		{"a bad mode", "postgres://ream:sekret@localhost/mirror?sslmode=maybe", `the database's address: pq: wrong value for "sslmode"`},
		{"another kind of database", "mysql://ream:sekret@localhost/mirror", noPath},
		{"half a URL", "postgres:ream:sekret@localhost", noPath},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out := refused(t, "--data", t.TempDir(), "--database", tt.address)
			if !strings.Contains(out, tt.want) {
				t.Errorf("got %s\nwant %s", out, tt.want)
			}
			if strings.Contains(out, "sek") {
				t.Errorf("it tells the password: %s", out)
			}
		})
	}
}

// unusedAddress is an address at which nobody listens.
func unusedAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// refusesPasswords is the address of what answers every password as PostgreSQL
// answers a wrong one. The server of the tests may trust everybody.
func refusesPasswords(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				refusePassword(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	return listener.Addr().String()
}

func refusePassword(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.ReadAtLeast(conn, make([]byte, 4096), 8); err != nil { // the startup message
		return
	}
	_, _ = conn.Write([]byte("R\x00\x00\x00\x08\x00\x00\x00\x03")) // send the password
	if _, err := io.ReadAtLeast(conn, make([]byte, 4096), 5); err != nil {
		return
	}
	fields := "SFATAL\x00VFATAL\x00C28P01\x00Mpassword authentication failed for user \"ream\"\x00\x00"
	_, _ = fmt.Fprintf(conn, "E\x00\x00\x00%c%s", 4+len(fields), fields)
}
