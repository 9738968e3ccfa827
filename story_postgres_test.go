//go:build unix

package main_test

import (
	"cmp"
	"os"
	"testing"
	"time"

	"ream/db/dbtest"
)

// cutVariable is for how long TestDatabaseIsAway cuts the network, instead of a
// few seconds.
const cutVariable = "REAM_TEST_CUT"

// TestDatabaseIsAway takes the database away from two servers, in every way that
// a database can be away, while they work: they go on by themselves when it is
// back, nothing is lost, nothing is done twice, and who follows the work sees it
// end.
func TestDatabaseIsAway(t *testing.T) {
	t.Parallel()
	cut, err := time.ParseDuration(cmp.Or(os.Getenv(cutVariable), "2s"))
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t)
	proxy, through := dbtest.NewProxy(t, c.address)
	data := t.TempDir()
	near := start(t, "--data", data, "--database", c.address)
	far := start(t, "--data", data, "--database", through)
	l := newLoad(near, 6, 10)
	pool := c.open()
	for _, away := range []struct {
		name  string
		leave func()
	}{
		{"restarted", func() { c.restart("fast") }},
		{"crashed", func() { c.restart("immediate") }},
		{"every connection terminated, again and again", func() {
			for range 20 {
				if _, err := pool.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
					WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
					t.Error(err)
				}
				time.Sleep(50 * time.Millisecond) // for some work in between
			}
		}},
		{"refused", func() { proxy.Refuse(); time.Sleep(cut); proxy.Restore() }},
		{"held up", func() { proxy.Hold(); time.Sleep(cut); proxy.Restore() }},
		{"swallowed", func() { proxy.Swallow(); time.Sleep(cut); proxy.Restore() }},
	} {
		reached := l.begin()
		finished := l.mirror(far, near, far)
		<-reached
		began := time.Now()
		away.leave()
		back := time.Now()
		finished()
		t.Logf("%s: for %s; all was done %s later", away.name, back.Sub(began).Round(time.Millisecond), time.Since(back).Round(time.Millisecond))
		l.check(near)
		l.check(far)
	}
}
