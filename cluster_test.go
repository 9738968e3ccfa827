//go:build unix

package main_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"ream/db/dbtest"
)

// cluster is a PostgreSQL server of a test's own, to be restarted and the like.
type cluster struct {
	t         *testing.T
	bin, data string
	as        *syscall.Credential
	address   string
}

// newCluster starts a server, which ends with the test. It skips the test where
// the other tests use no PostgreSQL either, or where the programs of a server
// are missing.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv(dbtest.Variable) == "" {
		t.Skip(dbtest.Variable + " is unset")
	}
	c := &cluster{t: t, bin: serverPrograms(t)}
	dir, err := os.MkdirTemp("", "ream-test-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c.data = filepath.Join(dir, "data")
	if os.Getuid() == 0 { // as which PostgreSQL does not run
		c.as = unprivileged(t)
		if err := os.Chown(dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := c.command("initdb", "--pgdata="+c.data, "--username=ream", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	c.start()
	t.Cleanup(func() { c.control("stop", "--mode=immediate") })
	return c
}

// serverPrograms is where the programs of a server are.
func serverPrograms(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path)
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		t.Skip("the programs of a PostgreSQL server are not installed")
	}
	return found[len(found)-1]
}

// unprivileged is a user as whom a server can run.
func unprivileged(t *testing.T) *syscall.Credential {
	t.Helper()
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	t.Skip("root has nobody to run a PostgreSQL server as")
	return nil
}

func (c *cluster) command(program string, args ...string) *exec.Cmd {
	command := exec.Command(filepath.Join(c.bin, program), args...)
	command.Dir = "/"
	command.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	return command
}

// start starts the server on a port that is free. What it commits survives it,
// but not a power cut.
func (c *cluster) start() {
	c.t.Helper()
	for range 20 {
		port := 20000 + rand.IntN(12000) // below those that the system gives to clients
		if c.control("start", fmt.Sprintf("--options=-p %d -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c full_page_writes=off", port)) {
			c.address = fmt.Sprintf("postgres://ream@127.0.0.1:%d/postgres?sslmode=disable", port)
			return
		}
	}
	log, _ := os.ReadFile(c.data + ".log")
	c.t.Fatalf("the PostgreSQL server does not start:\n%s", log)
}

// restart restarts the server: fast ends connections first, immediate is like
// a crash.
func (c *cluster) restart(mode string) {
	c.t.Helper()
	if !c.control("restart", "--mode="+mode) {
		c.t.Errorf("the PostgreSQL server does not restart")
	}
}

func (c *cluster) control(action string, args ...string) bool {
	return c.command("pg_ctl", slices.Concat([]string{action, "--silent", "--wait", "--timeout=120", "--pgdata=" + c.data, "--log=" + c.data + ".log"}, args)...).Run() == nil
}

// open opens the server's database.
func (c *cluster) open() *sql.DB {
	c.t.Helper()
	pool, err := sql.Open("postgres", c.address)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { pool.Close() })
	return pool
}
