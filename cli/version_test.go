package cli

import (
	"fmt"
	"strings"
	"testing"
)

func TestVersionCommands(t *testing.T) {
	t.Parallel()
	waiting := strings.Replace(strings.Replace(groupFrame("WAITING", `"waiting":1,"total":1`), "TaskGroup", "Task", 1), "group-7", "task-7", 1)
	operations := map[string]string{
		"FindVersion":    `{"data":{"repository":{"id":"repository-1","latestVersion":{"id":"version-9","number":5},"version":{"id":"version-7","number":3}}}}`,
		"FindRepository": `{"data":{"repository":{"id":"repository-2","remote":null}}}`,
		"Diff": `{"data":{"diff":{"nodes":[{"path":"a","kind":"ADDED"},{"path":"b\u001b","kind":"REMOVED"},{"path":"c d","kind":"REPLACED"}],
			"pageInfo":{"hasNextPage":false,"endCursor":"x"}}}}`,
		"Copy":          `{"data":{"copyUnits":` + waiting + `}}`,
		"Restore":       `{"data":{"restoreVersion":` + waiting + `}}`,
		"DeleteVersion": `{"data":{"deleteVersion":` + waiting + `}}`,
	}
	for _, tt := range []struct {
		words  string
		sent   map[string]string
		stdout string
	}{
		{"diff r@3", map[string]string{"FindVersion": `{"name":"r","number":3}`, "Diff": `{"from":"version-7","to":"version-9"}`},
			"+ a\n- b\uFFFD\n~ c d\n"},
		{"diff r other@3", map[string]string{"FindVersion": `{"name":"r","number":0}`, "Diff": `{"from":"version-9","to":"version-7"}`},
			"+ a\n- b\uFFFD\n~ c d\n"},
		{"copy r@3 other --no-wait", map[string]string{"FindRepository": `{"name":"other"}`,
			"Copy": `{"input":{"version":"version-7","repository":"repository-2","mirror":false,"priority":"NORMAL"}}`}, "task-7\n"},
		{"copy r other pool/ *.deb --mirror --priority high --no-wait", map[string]string{
			"Copy": `{"input":{"version":"version-9","repository":"repository-2","paths":["pool/","*.deb"],"mirror":true,"priority":"HIGH"}}`}, "task-7\n"},
		{"delete r@3 --no-wait", map[string]string{"DeleteVersion": `{"input":{"version":"version-7","priority":"NORMAL"}}`}, "task-7\n"},
		{"restore r@3 --no-wait", map[string]string{"Restore": `{"input":{"version":"version-7","priority":"NORMAL"}}`}, "task-7\n"},
	} {
		t.Run(tt.words, func(t *testing.T) {
			t.Parallel()
			server := newAnswers(t, operations)
			status, stdout, stderr := command(t, server.URL, strings.Fields(tt.words)...)
			if status != 0 || stdout != tt.stdout || stderr != "" {
				t.Errorf("got status %d, %q and %q; want 0 and %q", status, stdout, stderr, tt.stdout)
			}
			for operation, want := range tt.sent {
				if got := server.sent(operation); got != want {
					t.Errorf("%s: got %s, want %s", operation, got, want)
				}
			}
		})
	}
}

func TestVersionCommandsRefused(t *testing.T) {
	t.Parallel()
	const none = `{"data":{"repository":null}}`
	const empty = `{"data":{"repository":{"id":"repository-1","latestVersion":null,"version":null}}}`
	for _, tt := range []struct {
		words, found string
		status       int
		stderr       string
	}{
		{"diff", none, 2, "say which version: NAME@NUMBER, or NAME for the newest one of a repository"},
		{"diff a@0 b", none, 2, `"a@0" is no version: want NAME or NAME@NUMBER, such as fedora@3`},
		{"diff a@x b", none, 2, `"a@x" is no version: want NAME or NAME@NUMBER, such as fedora@3`},
		{"diff a b c", none, 2, "only two versions can be compared"},
		{"diff a b", none, 1, `there is no repository "a"`},
		{"diff a b", empty, 1, `"a" has no version yet: sync it first`},
		{"diff a@2 b", empty, 1, `"a" has no version 2`},
		{"copy a", none, 2, "say which repository gets the units"},
		{"copy a b", none, 1, `there is no repository "a"`},
		{"restore a", empty, 2, "name one version, as NAME@NUMBER"},
		{"restore a@2 b@3", empty, 2, "name one version, as NAME@NUMBER"},
	} {
		t.Run(tt.words, func(t *testing.T) {
			t.Parallel()
			server := newAnswers(t, map[string]string{"FindVersion": tt.found})
			words := strings.Fields(tt.words)
			status, stdout, stderr := command(t, server.URL, words...)
			want := fmt.Sprintf("ream %s: %s\n", words[0], tt.stderr)
			if status != tt.status || stdout != "" || !strings.HasPrefix(stderr, want) {
				t.Errorf("got status %d, %q and %q; want %d and %q", status, stdout, stderr, tt.status, want)
			}
		})
	}
}
