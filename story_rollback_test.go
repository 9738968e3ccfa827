package main_test

import (
	"encoding/json"
	"slices"
	"testing"
)

// TestMirrorAfterARollback mirrors again what was rolled back: it stays so, until
// somebody lets the distribution follow its repository again.
func TestMirrorAfterARollback(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		up := newUpstream(t, map[string][]byte{"a": []byte("good")})
		p.repository("docs", up.URL+"/PULP_MANIFEST")
		mirror := func(body, want string) (group string) {
			t.Helper()
			up.set(func() { up.files = map[string][]byte{"a": []byte(body)} })
			group = p.mirror("docs")
			if last := p.follow(group); last.State != "COMPLETED" {
				t.Fatalf("mirror of %q: got %+v", body, last)
			}
			if got := string(p.get("/content/docs/a")); got != want {
				t.Errorf("after a mirror of %q: got %q, want %q", body, got, want)
			}
			return group
		}
		mirror("good", "good")
		mirror("bad", "bad")
		query[any](p, `mutation { rollback(id: "distribution-1") { id } }`, nil)
		mirror("bad", "good")
		group := mirror("newer", "good")
		query[any](p, `mutation { updateDistribution(input: {id: "distribution-1", repository: "repository-1"}) { id } }`, nil)
		if got := string(p.get("/content/docs/a")); got != "newer" {
			t.Errorf("following again: got %q", got)
		}
		if told := p.reports(group); !slices.Contains(told, `It stays pinned to publication-1`) {
			t.Errorf("the mirror told %q", told)
		}
	})
}

// reports are the messages of what a group's tasks reported.
func (p *program) reports(group string) (messages []string) {
	p.t.Helper()
	var got struct {
		TaskGroup struct {
			Tasks struct {
				Nodes []struct{ Reports []struct{ Message string } }
			}
		}
	}
	if err := json.Unmarshal(query[json.RawMessage](p, `query($id: ID!) { taskGroup(id: $id) { tasks { nodes { reports { message } } } } }`, map[string]any{"id": group}), &got); err != nil {
		p.t.Fatal(err)
	}
	for _, member := range got.TaskGroup.Tasks.Nodes {
		for _, report := range member.Reports {
			messages = append(messages, report.Message)
		}
	}
	return messages
}
