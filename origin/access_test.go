package origin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ream/content"
	"ream/origin"
)

// admit lets everybody read what is public, and only "reader" the rest.
func admit(w http.ResponseWriter, r *http.Request, a content.Access) (*http.Request, bool) {
	if a == content.Public {
		return r, false
	}
	if r.Header.Get("Authorization") != "reader" {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, string(a), http.StatusUnauthorized)
		return nil, true
	}
	return r, true
}

// TestAccess asks for everything of a distribution that not everybody may read,
// and of one that everybody may.
func TestAccess(t *testing.T) {
	t.Parallel()
	redirected := 0
	s := newShelfOn(t, newDisk(t), origin.Options{Admit: admit, Redirect: func(context.Context, string, string) (string, error) {
		redirected++
		return "https://elsewhere.example.org/", nil
	}}, map[string]string{"dir/f": "the file", "large": strings.Repeat("large", 20_000)})
	s.library.then = map[time.Time]content.PublicationID{modified.AddDate(0, -1, 0): 1}
	for _, access := range []content.Access{content.AsServer, content.WithToken, content.Public} {
		s.library.access = access
		s.Changed()
		for _, tt := range []struct {
			path, header, value string
			status              int
			caching, vary       string // for everybody
		}{
			{"/dir/f", "", "", 200, "no-cache", ""},
			{"/dir/f", "If-None-Match", `"` + sum("the file") + `"`, 304, "no-cache", ""},
			{"/large", "Range", "bytes=0-1", 307, "no-store", ""},
			{"/large", "", "", 307, "no-store", ""},
			{"/dir/", "", "", 200, "no-cache", "Accept"},
			{"/dir", "", "", 302, "no-cache", ""},
			{"", "", "", 302, "no-cache", ""},
			{"/@2026-11-01/dir/f", "", "", 200, "max-age=31536000, immutable", ""},
			{"/@2026-11-01/dir/", "", "", 200, "max-age=31536000, immutable", "Accept"},
			{"/@2026-11-01/dir", "", "", 302, "no-cache", ""},
			{"/@2026-11-01/nothing", "", "", 404, "no-cache", ""},
			{"/@2026-09-01/dir/f", "", "", 404, "no-cache", ""},
			{"/nothing", "", "", 404, "no-cache", ""},
		} {
			header := []string{}
			if tt.header != "" {
				header = append(header, tt.header, tt.value)
			}
			caching, vary := tt.caching, tt.vary
			if access != content.Public {
				before := redirected
				w := s.ask(t, http.MethodGet, "/content/debian/stable"+tt.path, header...)
				if w.Code != http.StatusUnauthorized || w.Body.String() != string(access)+"\n" || w.Header().Get("Etag") != "" || redirected != before {
					t.Errorf("%s, %s: a stranger got %d %q %v", access, tt.path, w.Code, w.Body, w.Header())
				}
				checkHeader(t, w, "Cache-Control", "no-store")
				header = append(header, "Authorization", "reader")
				if vary = "Authorization"; tt.vary != "" {
					vary += " " + tt.vary
				}
				if caching != "no-store" {
					caching = "private, " + caching
				}
			}
			w := s.ask(t, http.MethodGet, "/content/debian/stable"+tt.path, header...)
			if got := strings.Join(w.Header().Values("Vary"), " "); w.Code != tt.status || w.Header().Get("Cache-Control") != caching || got != vary {
				t.Errorf("%s, %s: got %d, %q, %q, want %d, %q, %q", access, tt.path, w.Code, w.Header().Get("Cache-Control"), got, tt.status, caching, vary)
			}
		}
	}
}

// TestAccessToThePastOfAnother asks for what was served at a path that another
// distribution has since: only who may read both gets it.
func TestAccessToThePastOfAnother(t *testing.T) {
	t.Parallel()
	seen := map[content.RepositoryID]bool{0: true, 1: true, 7: true}
	s := newShelfOn(t, newDisk(t), origin.Options{Admit: admit, Sees: func(_ context.Context, id content.RepositoryID) (bool, error) { return seen[id], nil }},
		map[string]string{"f": "the file"})
	s.library.then = map[time.Time]content.PublicationID{modified.AddDate(0, -1, 0): 1}
	const past = "/content/debian/stable/@2026-11-01/f"
	for _, tt := range []struct{ now, then content.Access }{{content.Public, content.Public}, {content.Public, content.WithToken}, {content.WithToken, content.Public}} {
		s.library.access, s.library.owner = tt.now, content.Serving{DistributionID: 2, Path: "moved", Access: tt.then, RepositoryID: 7}
		s.Changed()
		stranger, caching, vary := http.StatusOK, "max-age=31536000, immutable", ""
		if tt.now != content.Public || tt.then != content.Public {
			stranger, caching, vary = http.StatusUnauthorized, "private, "+caching, "Authorization"
		}
		checkStatus(t, s.ask(t, http.MethodGet, past), stranger)
		w := s.ask(t, http.MethodGet, past, "Authorization", "reader")
		checkStatus(t, w, http.StatusOK)
		checkHeader(t, w, "Cache-Control", caching)
		checkHeader(t, w, "Vary", vary)
		for _, id := range []content.RepositoryID{1, 7} { // what was served, and what the one that did serves now
			seen[id] = false
			checkStatus(t, s.ask(t, http.MethodGet, past, "Authorization", "reader"), http.StatusNotFound)
			seen[id] = true
		}
	}
}

// TestStrangersCostNothing has clients whom nobody knows ask for any number of
// paths.
func TestStrangersCostNothing(t *testing.T) {
	t.Parallel()
	s := newShelfOn(t, newDisk(t), origin.Options{Admit: admit, Closed: true}, map[string]string{"f": "the file"})
	for i := range 100 {
		checkStatus(t, s.ask(t, http.MethodGet, fmt.Sprintf("/content/%d/%d", i, i)), http.StatusUnauthorized)
		checkStatus(t, s.ask(t, http.MethodGet, fmt.Sprintf("/content/%d/%d", i, i), "Authorization", "somebody"), http.StatusUnauthorized)
	}
	if asked, looked := s.library.count("any public"), s.library.count("serving"); asked != 1 || looked != 0 {
		t.Errorf("got %d and %d lookups", asked, looked)
	}
	w := s.ask(t, http.MethodGet, "/content/debian/stable/f", "Authorization", "reader")
	checkStatus(t, w, http.StatusOK)
	checkHeader(t, w, "Cache-Control", "private, no-cache")
	checkHeader(t, w, "Vary", "Authorization")
	s.library.access = content.Public
	s.Changed()
	checkStatus(t, s.ask(t, http.MethodGet, "/content/debian/stable/f"), http.StatusOK)
	checkStatus(t, s.ask(t, http.MethodGet, "/content/elsewhere/f"), http.StatusUnauthorized)
	s.library.failure = errors.New("the database is away")
	s.Changed()
	checkStatus(t, s.ask(t, http.MethodGet, "/content/debian/stable/f"), http.StatusInternalServerError)
}

// TestAccessToNothing asks for what is in no distribution.
func TestAccessToNothing(t *testing.T) {
	t.Parallel()
	s := newShelfOn(t, newDisk(t), origin.Options{Admit: admit}, nil)
	for path, status := range map[string]int{"": 404, "elsewhere/f": 404, "/../": 404} {
		checkStatus(t, s.ask(t, http.MethodGet, "/content/"+path), http.StatusUnauthorized)
		checkStatus(t, s.ask(t, http.MethodGet, "/content/"+path, "Authorization", "reader"), status)
	}
	s.library.failure = errors.New("the database is away")
	checkStatus(t, s.ask(t, http.MethodGet, "/content/debian/stable/f"), http.StatusInternalServerError) // which tells of no credentials
}
