package main_test

import (
	"fmt"
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

// TestSnapshotsStayAtTheirPaths publishes often, lets another distribution take
// over a path, and asks there for what was served before.
func TestSnapshotsStayAtTheirPaths(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		blue, green := newUpstream(t, map[string][]byte{"f": []byte("blue"), "0": []byte("0")}), newUpstream(t, map[string][]byte{"f": []byte("green")})
		p.repository("blue", blue.URL+"/PULP_MANIFEST")
		p.repository("green", green.URL+"/PULP_MANIFEST")
		p.follow(p.mirror("blue"))
		p.follow(p.mirror("green"))
		for i := range 6 {
			blue.set(func() {
				blue.files = map[string][]byte{"f": []byte("blue"), fmt.Sprint(i + 1): []byte(fmt.Sprint(i + 1))}
			})
			p.follow(p.mirror("blue"))
		}
		fetches := func(when, path, want string) {
			t.Helper()
			if got := p.fetched("/content/" + path); got != want {
				t.Errorf("%s: %s: got %q, want %q", when, path, got, want)
			}
		}
		const missing = "404 Not Found"
		fetches("replaced six times", "blue/0", "0")
		before := "@" + time.Now().UTC().Format(time.RFC3339Nano) + "/f"
		move := func(from, to string) {
			id := query[struct{ Distribution struct{ ID string } }](p, `query($path: String!) { distribution(path: $path) { id } }`, map[string]any{"path": from}).Distribution.ID
			query[any](p, `mutation($id: ID!, $path: String!) { updateDistribution(input: {id: $id, path: $path}) { id } }`, map[string]any{"id": id, "path": to})
		}
		move("blue", "old")
		fetches("moved", "old/"+before, missing)
		move("green", "blue")
		after := "@" + time.Now().UTC().Format(time.RFC3339Nano) + "/f"
		fetches("taken over", "blue/f", "green")
		fetches("taken over", "blue/"+before, "blue")
		fetches("taken over", "blue/"+after, "green")
		fetches("taken over", "blue/0", "0") // of what was replaced
		history := query[struct {
			Distribution struct {
				History struct {
					Nodes []struct{ Path string }
				}
			}
		}](p, `{ distribution(path: "blue") { history { nodes { path } } } }`, nil).Distribution.History.Nodes
		if len(history) != 2 || history[0].Path != "blue" || history[1].Path != "green" {
			t.Errorf("history: got %+v", history)
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
