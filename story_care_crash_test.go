//go:build unix

package main_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ream/blob/blobtest"
)

// TestKilledCare kills a server twice, at any moment, while it verifies and
// cleans what it has, and publishes, deletes, restores, copies and changes
// versions. Each of them ends as if nothing had been: what is there is whole, and
// what is gone is gone with all that was of it alone.
func TestKilledCare(t *testing.T) {
	t.Parallel()
	for name, open := range depots {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			c := newCare(startOn(t, name == "s3", "--storage", d.location, "--keep-replaced", "0"), d)
			rounds, _ := strconv.Atoi(os.Getenv(roundsVariable))
			for range max(rounds, 1) {
				c.prepare()
				work := c.queue()
				c.kill()
				c.check(work)
			}
			c.p.stop()
			if left := blobtest.Leftovers(t, c.staging()); len(left) > 0 {
				t.Errorf("of killed processes there is left: %q", left)
			}
		})
	}
}

// How much a round damages, and leaves behind that nothing names.
const (
	damagedFiles = 25
	orphanFiles  = 30
	strayBlobs   = 20
)

// care is a repository whose upstream changes, and another one that gets copies.
type care struct {
	t       *testing.T
	p       *program
	d       depot
	up      *upstream
	asked   atomic.Int64 // of upstream
	round   int
	dropped []string // paths that upstream has and does not list
	damaged []string // digests that nobody but a verification brings back
	aside   int      // how many of those there were in all rounds
	r       cared
	copies  cared
}

// cared is what a repository is to have.
type cared struct {
	name      string
	id        string
	newest    int
	versions  map[int]map[string][]byte // by number
	published []int
}

// add takes the next version that there is to be.
func (c *cared) add(files map[string][]byte) {
	c.newest++
	c.versions[c.newest] = maps.Clone(files)
}

// only says that of all versions these are left, and of them these published.
func (c *cared) only(versions, published []int) {
	maps.DeleteFunc(c.versions, func(n int, _ map[string][]byte) bool { return !slices.Contains(versions, n) })
	c.published = published
}

func newCare(p *program, d depot) *care {
	c := &care{t: p.t, p: p, d: d}
	files := map[string][]byte{}
	for i := range 150 {
		files[fmt.Sprintf("dir %d/file-%d.bin", i%5, i)] = bytesOf(500 + 10*i)
	}
	c.up = newUpstream(p.t, files)
	c.up.set(func() {
		c.up.before = func(http.ResponseWriter, string) bool { c.asked.Add(1); return false }
	})
	c.r = cared{name: "r", id: p.repository("r", c.up.URL+"/PULP_MANIFEST"), versions: map[int]map[string][]byte{}}
	c.copies = cared{name: "copies", id: p.empty("copies"), versions: map[int]map[string][]byte{}}
	for id, keep := range map[string]int{c.r.id: 4, c.copies.id: 2} {
		query[any](p, fmt.Sprintf(`mutation { updateRepository(input: {id: %q, keepVersions: %d}) { id } }`, id, keep), nil)
	}
	return c
}

// do asks for work with a mutation.
func (c *care) do(mutation string, values ...any) (id string) {
	c.t.Helper()
	return query[struct{ Work struct{ ID string } }](c.p, "mutation { work: "+fmt.Sprintf(mutation, values...)+" { ... on Work { id } } }", nil).Work.ID
}

// done does work that is not what the story is about.
func (c *care) done(id string) {
	c.t.Helper()
	if got := c.p.follow(id); got.State != "COMPLETED" {
		c.t.Fatalf("%s: got %+v %+v", id, got, got.Error)
	}
}

// change has something new upstream.
func (c *care) change() {
	c.up.set(func() {
		c.up.files, c.up.manifest, c.dropped = c.listed(), "", nil
		paths := slices.Sorted(maps.Keys(c.up.files))
		for _, i := range rand.Perm(len(paths))[:20] {
			if i%4 == 0 {
				delete(c.up.files, paths[i])
			} else {
				c.up.files[paths[i]] = bytesOf(500 + rand.IntN(2000))
			}
		}
		for len(c.up.files) < 150 {
			c.up.files[fmt.Sprintf("dir %d/new-%d.bin", rand.IntN(5), madeFiles.Add(1))] = bytesOf(500)
		}
	})
}

// listed are the files that upstream lists.
func (c *care) listed() map[string][]byte { return without(c.up.files, c.dropped) }

func without(files map[string][]byte, paths []string) map[string][]byte {
	files = maps.Clone(files)
	for _, path := range paths {
		delete(files, path)
	}
	return files
}

// ids are the IDs of a repository's versions, by number.
func (c *care) ids(name string) map[int]string {
	c.t.Helper()
	ids := map[int]string{}
	for _, v := range query[struct {
		Repository struct {
			Versions struct {
				Nodes []struct {
					ID     string
					Number int
				}
			}
		}
	}](c.p, `query($n: String!) { repository(name: $n) { versions(first: 20) { nodes { id number } } } }`, map[string]any{"n": name}).Repository.Versions.Nodes {
		ids[v.Number] = v.ID
	}
	return ids
}

// prepare makes four versions, of which the first two are published, damages some
// of what is stored, and leaves things in the storage that nothing names.
func (c *care) prepare() {
	c.round++
	p := c.p
	for i := range 4 {
		c.change()
		if i < 2 {
			c.done(p.mirror("r"))
		} else {
			c.done(p.queueSync("r", true))
		}
		c.r.add(c.up.files)
	}
	newest := c.r.newest
	// It is not all, as else publishing that would write the same manifest.
	c.done(c.do(`copyUnits(input: {version: %q, repository: %q, paths: ["dir 0/", "dir 1/", "dir 2/", "dir 3/"], mirror: true})`, c.ids("r")[newest], c.copies.id))
	p.serve("copies")
	c.copies.add(c.r.versions[newest])
	maps.DeleteFunc(c.copies.versions[c.copies.newest], func(path string, _ []byte) bool { return strings.HasPrefix(path, "dir 4/") })

	name := fmt.Sprintf("goes %d", c.round)
	id := p.repository(name, newUpstream(c.t, someFiles(orphanFiles)).URL+"/PULP_MANIFEST")
	c.done(p.queueSync(name, true))
	query[any](p, fmt.Sprintf(`mutation { deleteRepository(id: %q) { id } }`, id), nil)
	for i := range strayBlobs {
		stray := fmt.Sprintf("a stray of round %d, %d", c.round, i)
		c.d.spoil(hexOf(stray), stray)
	}
	p.ageArtifacts(c.d)

	c.change() // for the last sync
	c.damaged = []string{digest(p.get("/content/copies/PULP_MANIFEST"))}
	c.d.spoil(c.damaged[0], "no manifest")
	n := 0
	for path, body := range c.r.versions[newest] {
		if !bytes.Equal(c.up.files[path], body) || !bytes.Equal(c.r.versions[newest-2][path], body) {
			continue // upstream has it no more, or no version will
		}
		if n++; n > damagedFiles {
			break
		}
		if n%2 == 0 { // the last sync does not look for it
			c.dropped = append(c.dropped, path)
			c.damaged = append(c.damaged, digest(body))
		}
		c.d.spoil(digest(body), string(slices.Concat(body[:len(body)-1-n%3], []byte("!"))))
	}
	c.aside += len(c.damaged)
	c.up.set(func() { c.up.manifest = manifestOf(c.listed()) })
}

// queue asks for everything while nobody works, and tells what is to come of it.
func (c *care) queue() (work []string) {
	c.restart("0")
	n, ids := c.r.newest, c.ids("r")
	units := query[struct {
		RepositoryVersion struct {
			Units struct{ Nodes []struct{ ID, Path string } }
		}
	}](c.p, `query($id: ID!) { repositoryVersion(id: $id) { units(first: 6) { nodes { id path } } } }`, map[string]any{"id": ids[n-2]}).RepositoryVersion.Units.Nodes
	var some, paths []string
	for _, u := range units {
		some, paths = append(some, u.ID), append(paths, u.Path)
	}
	const modify = `modifyRepository(input: {repository: %q, add: %q, remove: %q})`
	work = []string{
		c.do(`verifyContent(input: {})`),
		c.do(`cleanOrphans(input: {graceHours: 24})`),
		c.do(`deleteVersion(input: {version: %q})`, ids[n-3]),
		c.do(`deleteVersion(input: {version: %q})`, ids[n-1]),
		c.do(`publish(input: {repositories: {names: ["r"]}, version: %d})`, n),
		c.do(`copyUnits(input: {version: %q, repository: %q, mirror: true})`, ids[n-2], c.copies.id),
		c.do(`restoreVersion(input: {version: %q})`, ids[n-2]),
		c.do(`publish(input: {repositories: {names: ["r"]}})`),
		c.do(modify, c.r.id, []string{}, some[:3]),
		c.do(modify, c.r.id, some[:1], some[3:]),
		c.p.mirror("r"),
	}

	restored := c.r.versions[n-2]
	c.copies.add(restored)
	c.copies.only([]int{c.copies.newest - 1, c.copies.newest}, []int{c.copies.newest - 1})
	c.r.add(restored)
	c.r.add(without(restored, paths[:3]))
	c.r.add(without(restored, paths[1:]))
	c.r.add(c.listed())
	// Those before are deleted as they are superseded.
	c.r.only([]int{n + 1, n + 2, n + 3, n + 4}, []int{n + 1, n + 4})
	return work
}

// restart starts the server anew after a power cut.
func (c *care) restart(workers string) {
	c.t.Helper()
	c.p.kill()
	// The next one need not wait for the lease of the one that is gone.
	c.exec(`UPDATE worker SET heartbeat_at = heartbeat_at - 3600000000 WHERE ended_at IS NULL`)
	i := slices.Index(c.p.args, "--workers")
	if i < 0 {
		i = len(c.p.args)
	}
	c.p.args = append(c.p.args[:i], "--workers", workers)
	c.p.start()
}

func (c *care) exec(statement string) {
	c.t.Helper()
	database := c.p.openDatabase()
	defer database.Close()
	if _, err := database.ExecContext(c.t.Context(), statement); err != nil {
		c.t.Fatal(err)
	}
}

// count is the number that a query gives.
func (c *care) count(query string) (n int) {
	c.t.Helper()
	database := c.p.openDatabase()
	defer database.Close()
	if err := database.QueryRowContext(c.t.Context(), query).Scan(&n); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// kill kills the server once when some of the tasks have ended, and once when it
// has asked upstream for some files, or shortly afterwards.
func (c *care) kill() {
	unfinished := func() int { return c.count(`SELECT count(*) FROM task_queue`) }
	moments := []func() (reached func() bool){
		func() func() bool {
			most := 1 + rand.IntN(max(unfinished(), 1))
			return func() bool { return unfinished() <= most }
		},
		func() func() bool {
			least := c.asked.Load() + rand.Int64N(damagedFiles/2)
			return func() bool { return c.asked.Load() >= least || unfinished() == 0 }
		},
	}
	for _, i := range rand.Perm(len(moments)) {
		reached := moments[i]()
		c.restart("8")
		await(c.t, "the moment to be killed", reached)
		time.Sleep(rand.N(30 * time.Millisecond))
		c.p.kill()
		c.t.Logf("round %d: killed with %d tasks left, and %d requests to upstream", c.round, unfinished(), c.asked.Load())
	}
	c.restart("8")
}
