package origin_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"ream/content"
	"ream/origin"
)

// TestServesTheTimeInAPath asks for what was served at times. The shelf's clock
// stands at noon of 2026-11-01.
func TestServesTheTimeInAPath(t *testing.T) {
	t.Parallel()
	seen := map[content.RepositoryID]bool{0: true, 2: true, 3: true}
	s := newShelfOn(t, newDisk(t), origin.Options{Sees: func(_ context.Context, id content.RepositoryID) (bool, error) { return seen[id], nil }},
		map[string]string{"f": "now", "@types/x": "no time"})
	for id, body := range map[content.PublicationID]string{2: "october", 3: "morning", 4: "secret"} {
		s.publish(t, id, map[string]string{"dir/f": body})
	}
	s.library.then = map[time.Time]content.PublicationID{
		modified.AddDate(0, -2, 0):   4,
		modified.AddDate(0, -1, 0):   2,
		modified.Add(-3 * time.Hour): 3,
	}
	s.checkBodies(t, map[string]string{
		"/f":                               "now",
		"/@types/x":                        "no time",
		"/@2026-10-01T12:00:00Z/dir/f":     "october",
		"/@20261001T120000Z/dir/f":         "october",
		"/@2026-11-01/dir/f":               "october",
		"/@2026-11-01T08:59:59Z/dir/f":     "october",
		"/@2026-11-01T09:00:00Z/dir/f":     "morning",
		"/@2026-11-01T12:00:00Z//dir/./f":  "morning",
		"/@2026-11-01T12:00:01Z/dir/f":     "", // it has not come yet
		"/@2026-11-02/dir/f":               "",
		"/@2026-11-01/f":                   "", // it came later
		"/@2026-09-15/dir/f":               "", // of a repository that the caller may not see
		"/@2020-01-01/dir/f":               "",
		"/@2026-02-30/dir/f":               "", // no day
		"/dir/f":                           "",
		"/@2026-11-01/@2026-11-01/dir/f":   "",
		"/@2026-11-01/dir/@2026-11-01/f/x": "",
	})
	for path, location := range map[string]string{"/@2026-11-01": "./@2026-11-01/", "/@2026-11-01/dir": "./dir/"} {
		w := s.ask(t, http.MethodGet, "/content/debian/stable"+path)
		checkStatus(t, w, http.StatusFound)
		checkHeader(t, w, "Location", location)
	}
	w := s.ask(t, http.MethodGet, "/content/debian/stable/@2026-11-01/dir/", "Accept", "application/json")
	checkStatus(t, w, http.StatusOK)
	if want := `{"path":"/content/debian/stable/@2026-11-01/dir/","entries":[{"name":"f","directory":false,"size":7,"modified":"2026-11-01T12:00:00Z","url":"./f"}]}` + "\n"; w.Body.String() != want {
		t.Errorf("got %s, want %s", w.Body, want)
	}
	before := s.library.count("served at")
	s.ask(t, http.MethodGet, "/content/debian/stable/@2026-11-01/dir/f")
	if got := s.library.count("served at") - before; got != 0 {
		t.Errorf("a time that is known was looked up %d times", got)
	}
}

// checkBodies asks for paths below the distribution; an empty body stands for 404.
func (s *shelf) checkBodies(t *testing.T, bodies map[string]string) {
	t.Helper()
	for path, want := range bodies {
		w := s.ask(t, http.MethodGet, "/content/debian/stable"+path)
		status := http.StatusOK
		if want == "" {
			status = http.StatusNotFound
		}
		if w.Code != status || want != "" && w.Body.String() != want {
			t.Errorf("%s: got %d and %q, want %d and %q", path, w.Code, w.Body, status, want)
		}
	}
}

// TestServesADirectoryNamedLikeATime asks for what is published in such a
// directory, which no time hides.
func TestServesADirectoryNamedLikeATime(t *testing.T) {
	t.Parallel()
	s := newShelf(t, map[string]string{"f": "now", "@2026-11-01/x": "published", "@20261001T120000Z": "a file"})
	s.publish(t, 2, map[string]string{"f": "october"})
	s.library.then = map[time.Time]content.PublicationID{modified.AddDate(0, -1, 0): 2}
	s.checkBodies(t, map[string]string{
		"/@2026-11-01/x":           "published",
		"/@2026-11-01/f":           "",
		"/@20261001T120000Z":       "a file",
		"/@2026-11-01T00:00:00Z/f": "october",
		"/@2026-10-02/f":           "october",
	})
	w := s.ask(t, http.MethodGet, "/content/debian/stable/@2026-11-01/x")
	checkHeader(t, w, "Cache-Control", "no-cache")
	w = s.ask(t, http.MethodGet, "/content/debian/stable/@2026-11-01/", "Accept", "application/json")
	if !strings.Contains(w.Body.String(), `"name":"x"`) {
		t.Errorf("got %s", w.Body)
	}
	before := s.library.count("file")
	s.ask(t, http.MethodGet, "/content/debian/stable/@2026-10-02/other/a")
	s.ask(t, http.MethodGet, "/content/debian/stable/@2026-10-02/other/b")
	if got := s.library.count("file") - before; got != 2 {
		t.Errorf("two files of a time took %d lookups", got)
	}
}

// TestServesWhatWasReplaced asks for what the current publication has not.
func TestServesWhatWasReplaced(t *testing.T) {
	t.Parallel()
	s := newShelfOn(t, newDisk(t), origin.Options{KeepReplaced: time.Hour, Sees: func(_ context.Context, id content.RepositoryID) (bool, error) { return id == 0, nil }}, map[string]string{"list": "new list", "new": "n"})
	s.publish(t, 2, map[string]string{"list": "old list", "old": "old bytes", "dir/f": "in a directory"})
	s.publish(t, 3, map[string]string{"old": "oldest bytes", "oldest": "o"})
	s.publish(t, 4, map[string]string{"oldest": "of another repository", "other": "secret"})
	s.library.replaced = []content.Predecessor{{PublicationID: 2}, {PublicationID: 4, RepositoryID: 7}, {PublicationID: 3}}
	for path, want := range map[string]string{"list": "new list", "old": "old bytes", "oldest": "o", "dir/f": "in a directory", "dir": "", "never": "", "other": ""} {
		w := s.ask(t, http.MethodGet, "/content/debian/stable/"+path)
		status := http.StatusOK
		if want == "" {
			status = http.StatusNotFound
		}
		if w.Code != status || want != "" && w.Body.String() != want {
			t.Errorf("%s: got %d and %q, want %d and %q", path, w.Code, w.Body, status, want)
		}
	}
	lookups := func() int { return s.library.count("file") + s.library.count("first file") }
	before := lookups()
	checkStatus(t, s.ask(t, http.MethodGet, "/content/debian/stable/new/to/all"), http.StatusNotFound)
	if got := lookups() - before; got != 2 {
		t.Errorf("a miss took %d lookups, want one of what is served and one of all that was", got)
	}
	s.Changed()
	checkStatus(t, s.ask(t, http.MethodGet, "/content/debian/stable/new/to/all"), http.StatusNotFound)
	checkStatus(t, s.ask(t, http.MethodGet, "/content/debian/stable/old"), http.StatusOK)
	if got := lookups() - before; got != 2 {
		t.Errorf("what is known took %d lookups more", got-2)
	}
	s.library.replaced = nil
	s.Changed()
	checkStatus(t, s.ask(t, http.MethodGet, "/content/debian/stable/old"), http.StatusNotFound)
	asked := s.library.count("file")
	checkStatus(t, s.ask(t, http.MethodGet, "/content/debian/stable/never"), http.StatusNotFound)
	if got := s.library.count("file") - asked; got != 0 {
		t.Errorf("a known miss was looked up %d times", got)
	}
}
