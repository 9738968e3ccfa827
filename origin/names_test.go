package origin_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"ream/content"
	"ream/origin"
)

// awaitQuiet asks for ever new paths in vain, until none of them is looked up any
// more by the lookups of those kinds.
func awaitQuiet(t *testing.T, s *shelf, kinds ...string) {
	t.Helper()
	lookups := func() (n int) {
		for _, kind := range kinds {
			n += s.library.count(kind)
		}
		return n
	}
	asked := 0
	for began, left := time.Now(), 3; left > 0; {
		// One in 256 looks as if it might be there: three times as many in a row as
		// would be by chance are all the same soon found.
		before := lookups()
		for range 30 {
			asked++
			checkStatus(t, s.ask(t, "GET", fmt.Sprintf("/content/debian/stable/dir-1/no-%d-%d", before, asked)), http.StatusNotFound)
		}
		if lookups() == before {
			left--
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("%d paths were asked for in vain, and are still looked up", asked)
		}
	}
}

// TestMissesNeedNoLookup asks for ever new paths in vain, until none of them is
// looked up any more. What is there is found all the same, also directories, and
// so is what comes with the next publication.
func TestMissesNeedNoLookup(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("dir-%d/below/file-%d", i%7, i)] = "x"
	}
	s := newShelf(t, files)
	quiet := func() {
		t.Helper()
		awaitQuiet(t, s, "file")
	}
	quiet()
	if got := s.library.count("paths"); got != 1 {
		t.Errorf("paths were read %d times, want once", got)
	}
	for path := range files {
		checkStatus(t, s.ask(t, "GET", "/content/debian/stable/"+path), http.StatusOK)
	}
	for _, dir := range []string{"dir-3", "dir-3/below"} {
		checkStatus(t, s.ask(t, "GET", "/content/debian/stable/"+dir), http.StatusFound)
	}
	s.publish(t, 2, map[string]string{"dir-1/no-1": "x", "dir-1/sub/new": "x"})
	s.library.serve("debian/stable", 2)
	s.Changed()
	checkStatus(t, s.ask(t, "GET", "/content/debian/stable/dir-1/no-1"), http.StatusOK)
	checkStatus(t, s.ask(t, "GET", "/content/debian/stable/dir-0/below/file-0"), http.StatusNotFound)
	quiet()
	checkStatus(t, s.ask(t, "GET", "/content/debian/stable/dir-1/sub/new"), http.StatusOK)
	checkStatus(t, s.ask(t, "GET", "/content/debian/stable/dir-1/sub"), http.StatusFound)
}

// TestMissesOfWhatWasReplacedNeedNoLookup has clients ask in vain while much of
// what was served a while ago is looked into as well.
func TestMissesOfWhatWasReplacedNeedNoLookup(t *testing.T) {
	t.Parallel()
	s := newShelfOn(t, newDisk(t), origin.Options{KeepReplaced: time.Hour}, map[string]string{"list": "new"})
	for id := range content.PublicationID(3) {
		s.publish(t, id+2, map[string]string{fmt.Sprintf("old-%d", id): "x"})
		s.library.replaced = append(s.library.replaced, content.Predecessor{PublicationID: id + 2})
	}
	awaitQuiet(t, s, "file", "first file")
	for id := range 3 {
		checkStatus(t, s.ask(t, "GET", fmt.Sprint("/content/debian/stable/old-", id)), http.StatusOK)
	}
}

// TestCachingByPath says what clients may keep: what was served at a time that
// is past, and nothing else without asking again.
func TestCachingByPath(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"dir/f": "x"})
	s.library.then = map[time.Time]content.PublicationID{time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC): 1}
	for path, want := range map[string]string{
		"dir/f": "no-cache", "dir/": "no-cache", "@2026-11-01/dir/f": "max-age=31536000, immutable", "@2026-11-01/dir/": "max-age=31536000, immutable",
		"@2026-11-01/dir/none": "no-cache", "@2026-11-01/dir": "no-cache",
	} {
		checkHeader(t, s.ask(t, "GET", "/content/debian/stable/"+path), "Cache-Control", want)
	}
	// What was committed in this hour may still change what was served.
	w := s.ask(t, "GET", "/content/debian/stable/@"+modified.Add(-time.Minute).Format("20060102T150405Z")+"/dir/f")
	checkStatus(t, w, http.StatusOK)
	checkHeader(t, w, "Cache-Control", "no-cache")
}
