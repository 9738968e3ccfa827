package main_test

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestReadme does what README tells new users to do for a first mirror, word
// for word but for the places.
func TestReadme(t *testing.T) {
	eachServer(t, func(t *testing.T, p *program) {
		text, err := os.ReadFile("README.md")
		if err != nil {
			t.Fatal(err)
		}
		_, manual, _ := strings.Cut(string(text), "## A first mirror")
		manual = strings.ReplaceAll(manual, "/tmp/files", t.TempDir())
		find := func(expression string) string {
			t.Helper()
			found := regexp.MustCompile(expression).FindStringSubmatch(manual)
			if found == nil {
				t.Fatalf("README has no %s", expression)
			}
			return found[1]
		}

		p.kill()
		p.args = append(p.args, "--allow-file", find("`REAM_ALLOW_FILE=(\\S+) make run`"))
		p.start()
		manual = strings.ReplaceAll(manual, "http://127.0.0.1:8080", p.address)

		script := find(`\n((?:    .*\n)+)`)
		if out, err := exec.CommandContext(t.Context(), "bash", "-ec", script).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		for operation := range strings.Lines(find("(?s)```graphql\n(.*?)```")) {
			if !strings.HasPrefix(operation, "subscription") {
				query[any](p, operation, nil)
				continue
			}
			last := ""
			for frame := range p.subscribe(t.Context(), currentProtocol, operation, "").frames {
				last = string(frame)
			}
			if !strings.Contains(last, "COMPLETED") {
				t.Errorf("%s: the last frame is %s", operation, last)
			}
		}
		response, err := http.Get(find("`curl (http\\S+)`"))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || !strings.HasSuffix(string(body), "\n999\n1000\n") {
			t.Errorf("what is served: got %s %q, %v", response.Status, body, err)
		}
		path, err := binary()
		if err != nil {
			t.Fatal(err)
		}
		words := strings.Fields(find("`bin/ream (mirror .*?)`"))
		if out, err := command(t, path, append(words, "--server", p.address)...); err != nil || !strings.Contains(out, "COMPLETED") {
			t.Errorf("ream %q: %v\n%s", words, err, out)
		}
	})
}
