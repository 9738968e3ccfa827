package main_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// load is work that lasts for a while: repositories whose upstreams take their
// time, and have something new for each round.
type load struct {
	t     *testing.T
	ups   []*upstream
	round int
	fresh int // files that each round adds to each upstream
}

// newLoad creates repositories that the program can mirror, each with so many
// new files a round.
func newLoad(p *program, repositories, fresh int) *load {
	p.t.Helper()
	l := &load{t: p.t, fresh: fresh}
	for i := range repositories {
		up := newUpstream(p.t, map[string][]byte{})
		p.repository(fmt.Sprintf("r%d", i), up.URL+"/PULP_MANIFEST")
		l.ups = append(l.ups, up)
	}
	return l
}

// path is where a file of a round lies.
func (l *load) path(round, file int) string { return fmt.Sprintf("round %d/file-%d.bin", round, file) }

// content is what is in a file.
func (l *load) content(repository, round, file int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%d %d %d\n", repository, round, file), 200)
}

// begin puts new files upstream. The channel is closed by the first request for
// one of them.
func (l *load) begin() (reached <-chan struct{}) {
	l.round++
	began := make(chan struct{})
	first := sync.OnceFunc(func() { close(began) })
	for i, up := range l.ups {
		for file := range l.fresh {
			up.add(l.path(l.round, file), l.content(i, l.round, file))
		}
		up.set(func() {
			up.before = func(_ http.ResponseWriter, path string) bool {
				first()
				time.Sleep(rand.N(40 * time.Millisecond)) // upstream takes its time
				return false
			}
		})
	}
	return began
}

// mirror asks for a mirror of all repositories, and lets subscribers of all
// programs follow it. The function that it returns waits for their final frames.
func (l *load) mirror(asked *program, programs ...*program) (finished func()) {
	l.t.Helper()
	id := query[struct{ Mirror struct{ ID string } }](asked, `mutation { mirror(input: {repositories: {all: true}}) { id } }`, nil).Mirror.ID
	var watching sync.WaitGroup
	for _, p := range programs {
		for _, protocol := range []string{currentProtocol, serverEvents} {
			s := p.subscribe(l.t.Context(), protocol, countsOfGroup, id)
			watching.Go(func() {
				if last := checkCounts(l.t, s, 3*len(l.ups)); last.Completed != last.Total {
					l.t.Errorf("%s, %s: at the end: got %+v", id, protocol, last)
				}
			})
		}
	}
	return watching.Wait
}

// check looks whether what the rounds brought is there, once: every file, in one
// version a round.
func (l *load) check(p *program) {
	l.t.Helper()
	again := 0
	for i, up := range l.ups {
		name := fmt.Sprintf("r%d", i)
		if versions, units := p.versions(name); versions != l.round || units != l.round*l.fresh {
			l.t.Errorf("%s has %d versions, the last with %d files; want %d with %d", name, versions, units, l.round, l.round*l.fresh)
		}
		for file := range l.fresh {
			path := l.path(l.round, file)
			if got := p.get("/content/" + name + "/" + path); !bytes.Equal(got, l.content(i, l.round, file)) {
				l.t.Errorf("%s of %s is served with %d bytes that differ", path, name, len(got))
			}
			up.set(func() { again += up.served[path] - 1 })
		}
	}
	l.t.Logf("round %d: %d of %d files were fetched again", l.round, again, len(l.ups)*l.fresh)
	left := query[struct{ Queue struct{ Counts counts } }](p, `{ queue { counts { waiting running canceling failed canceled skipped } } }`, nil).Queue.Counts
	if left != (counts{}) {
		l.t.Errorf("the queue is left with %+v", left)
	}
}
