package origin_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ream/content"
	"ream/db"
	"ream/db/dbtest"
	"ream/origin"
)

// TestWhereNoDistributionIs asks for many paths in vain: one lookup tells of all
// below the same directory, if no distribution is there.
func TestWhereNoDistributionIs(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"f": "f"})
	for _, tt := range []struct {
		what, path string // with the number of the request
		lookups    int
	}{
		{"below a first segment", "nodist/x/%d/y", 1},
		{"at another depth", "nodist/%d", 0},
		{"beside a distribution", "debian/none/%d", 1},
		{"with a longer name", "debian/stable-%d/f", 100},
		{"above distributions", "debian", 1},
		{"above distributions, with a slash", "debian/", 0},
		{"a file in the topmost directory", "favicon.ico", 1},
		{"below it", "favicon.ico/%d", 0},
	} {
		before := s.library.count("serving")
		for i := range 100 {
			path := strings.Replace(tt.path, "%d", fmt.Sprint(i), 1)
			w := s.ask(t, "GET", "/content/"+path)
			checkStatus(t, w, http.StatusNotFound)
			if want := "no distribution serves this path\n"; w.Body.String() != want {
				t.Fatalf("%s: got %q, want %q", path, w.Body, want)
			}
		}
		if got := s.library.count("serving") - before; got != tt.lookups {
			t.Errorf("%s: got %d lookups, want %d", tt.what, got, tt.lookups)
		}
	}
	// What is no clean path is told as it is everywhere else.
	w := s.ask(t, "GET", "/content/nodist/a%5Cb")
	checkStatus(t, w, http.StatusNotFound)
	if want := "not found: no clean path\n"; w.Body.String() != want {
		t.Errorf("no clean path: got %q, want %q", w.Body, want)
	}
}

// TestLookupsOfDeepPaths bounds what is sent to find the distribution of a path of
// many segments.
func TestLookupsOfDeepPaths(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"f": "f"})
	for _, top := range []string{"debian/stable", "debian/none", "nodist"} {
		s.Changed()
		s.library.bytes = 0
		before := s.library.count("serving")
		checkStatus(t, s.ask(t, "GET", "/content/"+top+strings.Repeat("/d", 500)), http.StatusNotFound)
		if got := s.library.count("serving") - before; got != 1 {
			t.Errorf("%s: got %d lookups, want 1", top, got)
		}
		if s.library.bytes > content.MaxPath {
			t.Errorf("%s: paths of %d bytes were asked for, want at most %d", top, s.library.bytes, content.MaxPath)
		}
	}
}

// TestDistributionsAppear makes distributions where there were none: those who ask
// learn of them as they learn of a switch.
func TestDistributionsAppear(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"f": "f"})
	for i, path := range []string{"new", "debian/new", "deep/below/new"} {
		target := "/content/" + path + "/f"
		checkStatus(t, s.ask(t, "GET", target), http.StatusNotFound)
		s.library.serve(path, 1)
		checkStatus(t, s.ask(t, "GET", target), http.StatusNotFound)
		if i == 0 {
			s.clock.add(time.Second) // nobody tells
		} else {
			s.Changed()
		}
		checkStatus(t, s.ask(t, "GET", target), http.StatusOK)
	}
}

// TestDistributionAppearsDuringALookup makes a distribution after a lookup has
// found none and before it is answered.
func TestDistributionAppearsDuringALookup(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"f": "f"})
	reached, release := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	s.library.found = func() {
		if held.CompareAndSwap(false, true) {
			close(reached)
			<-release
		}
	}
	early := make(chan int)
	go func() { early <- s.ask(t, "GET", "/content/new/f").Code }()
	<-reached
	s.library.serve("new", 1)
	s.Changed()
	checkStatus(t, s.ask(t, "GET", "/content/new/f"), http.StatusOK)
	close(release)
	if got := <-early; got != http.StatusNotFound {
		t.Errorf("the lookup of before: got %d, want %d", got, http.StatusNotFound)
	}
	checkStatus(t, s.ask(t, "GET", "/content/new/f"), http.StatusOK)
}

// TestDistributionsOfAnotherProcess makes a distribution in one process and
// deletes it, after another one has found that there is none: that learns of it by
// notices, as what it found would hold for long.
func TestDistributionsOfAnotherProcess(t *testing.T) {
	t.Parallel()
	address := dbtest.PostgresAddress(t)
	near, far := dbtest.Open(t, address, db.Options{}), dbtest.Open(t, address, db.Options{})
	s := origin.New(far, newDisk(t), origin.Options{ServedFor: 24 * time.Hour})
	told := make(chan bool, 100)
	far.OnChange(func(c db.Changes) {
		if c.Content {
			s.Changed()
			told <- c.All
		}
	})
	var listening sync.WaitGroup
	defer listening.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, d := range []*db.DB{near, far} {
		listening.Go(func() {
			if err := d.Listen(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	for !<-told { // it listens once everything may have changed
	}
	asked := shelf{Handler: s}
	await := func(want string) {
		t.Helper()
		limit := time.After(30 * time.Second)
		for {
			got := asked.ask(t, "GET", "/content/new/below/f").Body.String()
			if got == want {
				return
			}
			select {
			case <-told:
			case <-limit:
				t.Fatalf("got %q for long, want %q", got, want)
			}
		}
	}
	d := &content.Distribution{Path: "new/below", Access: content.AsServer}
	for range 3 {
		await("no distribution serves this path\n")
		if err := near.InTx(ctx, func(tx *db.Tx) error {
			if d.RepositoryID == 0 {
				r := &content.Repository{Name: "r", Format: "file"}
				if err := tx.CreateRepository(ctx, r); err != nil {
					return err
				}
				d.RepositoryID = r.ID
			}
			return tx.CreateDistribution(ctx, d)
		}); err != nil {
			t.Fatal(err)
		}
		await("not found: nothing has been published here yet\n")
		if err := near.InTx(ctx, func(tx *db.Tx) error { return tx.DeleteDistribution(ctx, d.ID) }); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDirectoriesShareLookups asks for many paths of a directory at once.
func TestDirectoriesShareLookups(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		path    string
		status  int
		lookups int
	}{
		{"debian/stable/dir/%d", 404, 1},
		{"nodist/dir/%d", 404, 1},
		{"debian/%d", 404, 10}, // each might be a distribution
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newShelf(t, map[string]string{"f": "f"})
			release := make(chan struct{})
			s.library.found = func() { <-release }
			var all sync.WaitGroup
			for i := range 10 {
				all.Go(func() {
					if w := s.ask(t, "GET", "/content/"+fmt.Sprintf(tt.path, i)); w.Code != tt.status {
						t.Errorf(tt.path+": got %d, want %d", i, w.Code, tt.status)
					}
				})
			}
			synctest.Wait() // until all wait
			close(release)
			all.Wait()
			if got := s.library.count("serving"); got != tt.lookups {
				t.Errorf("%s: got %d lookups, want %d", tt.path, got, tt.lookups)
			}
		})
	}
}
