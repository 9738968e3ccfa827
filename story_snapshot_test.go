package main_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSnapshotsByTime publishes twice, and asks for what was served before and
// after, by the time.
func TestSnapshotsByTime(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, map[string][]byte{"dir/f": []byte("one"), "dir/gone": []byte("was here")})
		p.repository("r", up.URL+"/PULP_MANIFEST")
		before := time.Now().UTC()
		p.follow(p.mirror("r"))
		between := time.Now().UTC()
		up.set(func() { up.files = map[string][]byte{"dir/f": []byte("two"), "dir/new": []byte("came later")} })
		p.follow(p.mirror("r"))
		after := time.Now().UTC()
		const missing = "404 Not Found"
		for _, c := range []struct {
			name, at     string
			f, gone, new string
		}{
			{"now", "", "two", "was here", "came later"}, // what was replaced is there for a while
			{"before the first", "@" + before.Format(time.RFC3339Nano) + "/", missing, missing, missing},
			{"between", "@" + between.Format(time.RFC3339Nano) + "/", "one", "was here", missing},
			{"after the second", "@" + after.Format(time.RFC3339Nano) + "/", "two", missing, "came later"},
			{"between, once more", "@" + between.Format(time.RFC3339Nano) + "/", "one", "was here", missing},
		} {
			for path, want := range map[string]string{"dir/f": c.f, "dir/gone": c.gone, "dir/new": c.new} {
				if got := p.fetched("/content/r/" + c.at + path); got != want {
					t.Errorf("%s: %s: got %q, want %q", c.name, path, got, want)
				}
			}
		}
		// The metadata is that of its time.
		want := manifestOf(map[string][]byte{"dir/f": []byte("one"), "dir/gone": []byte("was here")})
		if got := p.fetched("/content/r/@" + between.Format(time.RFC3339Nano) + "/PULP_MANIFEST"); !sameLines(got, want) {
			t.Errorf("the manifest then: got %q, want %q", got, want)
		}
		if got := p.status("/content/r/@"+between.Format(time.RFC3339Nano)+"/dir/", "", ""); got != http.StatusOK {
			t.Errorf("the directory then: got %d", got)
		}
	})
}

// sameLines reports whether two texts have the same lines, in any order.
func sameLines(a, b string) bool {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}
