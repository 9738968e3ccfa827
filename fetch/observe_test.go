package fetch_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"ream/fetch"
)

func TestAttemptsAreObserved(t *testing.T) {
	t.Parallel()
	var seen []string
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	config := loopback(&waits{})
	config.Observe = func(observed context.Context, url string) (context.Context, func(string)) {
		i := len(seen)
		seen = append(seen, url)
		if strings.HasSuffix(url, "/canceled") {
			cancel()
		}
		return observed, func(outcome string) { seen[i] += " " + outcome }
	}
	c := fetch.New(config)
	source := sourceOf(t, c, fetch.Settings{Attempts: 2})
	u := newUpstream(t, status(http.StatusServiceUnavailable), body("abc"), status(http.StatusNotFound), body("wrong"), body("wrong"))
	for _, req := range []fetch.Request{anything(u.URL + "/a?secret"), anything(u.URL + "/b"), exactly(u.URL+"/c", "right")} {
		source.Get(t.Context(), req, &sink{}) //nolint:errcheck // the outcome is what is tested
	}
	want := []string{"/a UNAVAILABLE", "/a OK", "/b NOT_FOUND", "/c BAD_INPUT", "/c BAD_INPUT"}
	for i := range want {
		want[i] = u.URL + want[i]
	}
	if !slices.Equal(seen, want) {
		t.Errorf("got %q, want %q", seen, want)
	}
	if got, want := c.Received(), int64(len("abc")+2*len("wrong")); got != want {
		t.Errorf("got %d bytes, want %d", got, want)
	}
	source.Get(ctx, anything(u.URL+"/canceled"), &sink{}) //nolint:errcheck // the outcome is what is tested
	if got, want := seen[len(seen)-1], u.URL+"/canceled CANCELED"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
