package cli

import (
	"strings"
	"testing"
)

// command runs a command against a server.
func command(t *testing.T, server string, words ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	env := Env{Stdout: &out, Stderr: &errs, Getenv: func(name string) string {
		return map[string]string{"REAM_SERVER": server}[name]
	}}
	status = Main(t.Context(), words[0], words[1:], env)
	return status, out.String(), errs.String()
}

func TestOperationsAsk(t *testing.T) {
	t.Parallel()
	waiting := groupFrame("WAITING", `"waiting":2,"total":2`)
	operations := map[string]string{
		"Sync":             `{"data":{"sync":` + waiting + `}}`,
		"Publish":          `{"data":{"publish":` + waiting + `}}`,
		"Mirror":           `{"data":{"mirror":` + waiting + `}}`,
		"Cancel":           `{"data":{"cancel":` + groupFrame("CANCELING", `"canceling":1,"waiting":1,"total":2`) + `}}`,
		"Retry":            `{"data":{"retry":` + waiting + `}}`,
		"FindRepository":   `{"data":{"repository":null}}`,
		"FindRemote":       `{"data":{"remote":null}}`,
		"CreateRemote":     `{"data":{"createRemote":{"id":"remote-1"}}}`,
		"CreateRepository": `{"data":{"createRepository":{"id":"repository-1"}}}`,
	}
	tests := []struct {
		words  []string
		sent   map[string]string // variables by operation
		stdout string
	}{
		{[]string{"sync", "a", "b", "--no-wait"}, map[string]string{
			"Sync": `{"input":{"repositories":{"names":["a","b"]},"mirror":true,"priority":"NORMAL"}}`}, "group-7\n"},
		{[]string{"sync", "--all", "--add-only", "--priority", "low", "--no-wait"}, map[string]string{
			"Sync": `{"input":{"repositories":{"all":true},"mirror":false,"priority":"LOW"}}`}, "group-7\n"},
		{[]string{"sync", "a", "--on-error", "skip", "--no-wait"}, map[string]string{
			"Sync": `{"input":{"repositories":{"names":["a"]},"mirror":true,"onError":"SKIP","priority":"NORMAL"}}`}, "group-7\n"},
		{[]string{"sync", "a", "--dry-run", "--no-wait"}, map[string]string{
			"Sync": `{"input":{"repositories":{"names":["a"]},"mirror":true,"dryRun":true,"priority":"NORMAL"}}`}, "group-7\n"},
		{[]string{"publish", "a", "--version", "3", "--wait=false"}, map[string]string{
			"Publish": `{"input":{"repositories":{"names":["a"]},"version":3,"priority":"NORMAL"}}`}, "group-7\n"},
		{[]string{"mirror", "--labels", "env=prod", "--no-wait"}, map[string]string{
			"Mirror":       `{"input":{"repositories":{"labels":"env=prod"},"mirror":true,"priority":"NORMAL"}}`,
			"CreateRemote": ""}, "group-7\n"},
		{[]string{"mirror", "http://h/files/", "--path", "p", "--on-error=FAIL", "--no-wait"}, map[string]string{
			"FindRepository":   `{"name":"files"}`,
			"CreateRemote":     `{"input":{"name":"files","url":"http://h/files/PULP_MANIFEST","policy":"IMMEDIATE","connections":16}}`,
			"CreateRepository": `{"input":{"name":"files","format":"FILE","remote":"remote-1","labels":[]}}`,
			"Mirror":           `{"input":{"repositories":{"names":["files"]},"path":"p","mirror":true,"onError":"FAIL","priority":"NORMAL"}}`}, "group-7\n"},
		{[]string{"mirror", "http://h/files/", "--on-demand", "--no-wait"}, map[string]string{
			"CreateRemote": `{"input":{"name":"files","url":"http://h/files/PULP_MANIFEST","policy":"ON_DEMAND","connections":16}}`}, "group-7\n"},
		{[]string{"sync", "--all", "--max-running", "3", "--no-wait"}, map[string]string{
			"Sync": `{"input":{"repositories":{"all":true},"mirror":true,"priority":"NORMAL","maxRunning":3}}`}, "group-7\n"},
		{[]string{"retry", "group-5", "--no-wait"}, map[string]string{
			"Retry": `{"id":"group-5"}`}, "group-7\n"},
		{[]string{"cancel", "group-7"}, map[string]string{
			"Cancel": `{"id":"group-7"}`}, "group-7 CANCELING: 1 canceling, 1 waiting of 2\n"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.words, " "), func(t *testing.T) {
			t.Parallel()
			server := newAnswers(t, operations)
			status, stdout, stderr := command(t, server.URL, tt.words...)
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

func TestRefusalsAreTold(t *testing.T) {
	t.Parallel()
	operations := map[string]string{
		"Sync":           `{"errors":[{"message":"there is no repository \"a\u001b\"","extensions":{"code":"BAD_INPUT","field":"repositories.names"}}],"data":null}`,
		"FindWork":       `{"data":{"taskOrGroup":null}}`,
		"FindRepository": `{"data":{"repository":{"id":"repository-1","remote":{"id":"remote-1","url":"http://other/"}}}}`,
	}
	tests := []struct {
		words  []string
		status int
		stderr string // a part of it
	}{
		{[]string{"sync", "a"}, 1, "ream sync: repositories.names: there is no repository \"a\uFFFD\"\n"},
		{[]string{"watch", "group-9"}, 1, "there is no group-9"},
		{[]string{"mirror", "http://h/files/"}, 1, `the repository "files" mirrors http://other/: choose another name with --name`},
		{[]string{"sync"}, 2, "say which repositories"},
		{[]string{"sync", "a", "--on-error", "ignore"}, 2, "want fail or skip"},
		{[]string{"sync", "a", "--bogus"}, 2, "\"ream sync --help\" tells how to use it.\n"},
		{[]string{"sync", "a", "--server", "ftp://h"}, 2, "no http or https URL"},
		{[]string{"mirror", "a", "b", "--path", "p"}, 2, "--path is for one repository"},
		{[]string{"watch"}, 2, "say which one"},
		{[]string{"demo", "now"}, 2, `it takes no "now"`},
		{[]string{"dance"}, 2, `there is no command "dance"`},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.words, " "), func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := command(t, newAnswers(t, operations).URL, tt.words...)
			if status != tt.status || stdout != "" || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("got status %d, %q and %q; want %d and %q", status, stdout, stderr, tt.status, tt.stderr)
			}
		})
	}
}

func TestFailedMembersAreTold(t *testing.T) {
	t.Parallel()
	operations := map[string]string{
		"FindWork": `{"data":{"taskOrGroup":` + groupFrame("RUNNING", `"running":3,"total":3`) + `}}`,
		"Failures": `{"data":{"taskOrGroup":{"__typename":"TaskGroup","tasks":{"nodes":[{"id":"task-1","name":"sync a","state":"FAILED","error":{"code":"UNAVAILABLE","message":"upstream\nis gone"}}]}}}}`,
	}
	operations["SkippedFiles"] = `{"data":{"taskOrGroup":{"__typename":"TaskGroup","tasks":{"nodes":[` +
		`{"id":"task-2","name":"sync b","failures":{"nodes":[{"message":"http://h/x: 404\nNot Found"}],"pageInfo":{"hasNextPage":true}}}],"pageInfo":{"hasNextPage":false}}}}}`
	server := newAnswers(t, operations, func(c *connection) {
		c.frame("FAILED", `"completed":1,"failed":2,"total":3,"finished":3`)
		c.sends(`{"id":"1","type":"complete"}`)
	})
	status, stdout, stderr := command(t, server.URL, "watch", "group-7")
	if status != 1 || stdout != "group-7 FAILED: 1 completed, 2 failed of 3\n" {
		t.Errorf("got status %d and %q", status, stdout)
	}
	if want := "task-2 (sync b) skipped http://h/x: 404 Not Found\ntask-2 (sync b) skipped more: GET /api/v1/tasks/task-2/failures lists them all\ntask-1 (sync a): upstream is gone\n… and 1 more\nream watch: group-7 (sync 2 repositories) ended as FAILED\n"; stderr != want {
		t.Errorf("got %q, want %q", stderr, want)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"cancel", "copy", "delete", "demo", "diff", "mirror", "promote", "publish", "restore", "retry", "rollback", "sync", "watch"} {
		status, stdout, stderr := command(t, "", name, "--help")
		if status != 0 || !strings.HasPrefix(stdout, "usage: ream "+name) || !strings.Contains(stdout, "\n\nFlags:\n  --") || stderr != "" {
			t.Errorf("%s: got status %d, %q and %q", name, status, stdout, stderr)
		}
	}
}
