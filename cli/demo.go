package cli

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// demoPause is how long the demo's upstream waits before each file.
const demoPause = 60 * time.Millisecond

// demo mirrors a small upstream of its own into a server on a throwaway
// directory, through the public API, and checks what is served.
func demo(ctx context.Context, args []string, env Env) error {
	flags := flag.NewFlagSet("ream demo", flag.ContinueOnError)
	flags.SetOutput(env.Stderr)
	exit := flags.Bool("exit", false, "end when the mirror is done, instead of staying up")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ream-demo-")
	if err != nil {
		return fmt.Errorf("create a directory: %w", err)
	}
	defer os.RemoveAll(dir)
	up, err := newUpstream(demoPause)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- up.serve() }()
	defer func() { up.close(); <-served }()

	address, stop, err := env.Start(ctx, dir)
	if err != nil {
		return err
	}
	err = mirrorDemo(ctx, newClient(address), up, env.Stdout)
	if err == nil && !*exit {
		fmt.Fprintf(env.Stdout, "\nPlayground  %s/playground\nContent     %s/content/fonts/\nTry         curl -O %s/content/fonts/fonts-000.bin\n\nCtrl-C ends the demo.\n", address, address, address)
		<-ctx.Done()
	}
	return errors.Join(err, stop())
}

// mirrorDemo mirrors the upstream's repositories as one group.
func mirrorDemo(ctx context.Context, c *client, up *upstream, out io.Writer) error {
	names := slices.Sorted(maps.Keys(demoRepositories))
	fmt.Fprintf(out, "Mirroring %d repositories from %s to %s\n", len(names), up.address, c.server)
	for _, name := range names {
		var remote struct{ CreateRemote struct{ ID string } }
		if err := c.do(ctx, `mutation($name: String!, $url: String!) { createRemote(input: {name: $name, url: $url}) { id } }`,
			map[string]any{"name": name, "url": up.address + "/" + name + "/PULP_MANIFEST"}, &remote); err != nil {
			return err
		}
		var repository struct{ CreateRepository struct{ ID string } }
		if err := c.do(ctx, `mutation($name: String!, $remote: ID!) { createRepository(input: {name: $name, format: FILE, remote: $remote, labels: [{key: "demo", value: ""}]}) { id } }`,
			map[string]any{"name": name, "remote": remote.CreateRemote.ID}, &repository); err != nil {
			return err
		}
	}
	var queued struct{ Mirror struct{ ID string } }
	if err := c.do(ctx, `mutation { mirror(input: {repositories: {labels: "demo"}}) { id } }`, nil, &queued); err != nil {
		return err
	}
	last, err := c.follow(ctx, queued.Mirror.ID, out)
	if err != nil {
		return err
	}
	if last.State != "COMPLETED" {
		return fmt.Errorf("%s ended as %s", last.ID, last.State)
	}
	return c.checkServed(ctx, names[0], out)
}

// checkServed fetches a published file and compares its digest with the
// manifest that is served beside it.
func (c *client) checkServed(ctx context.Context, repository string, out io.Writer) error {
	base := c.server + "/content/" + repository + "/"
	manifest, err := c.fetch(ctx, base+"PULP_MANIFEST")
	if err != nil {
		return err
	}
	line, err := bufio.NewReader(strings.NewReader(string(manifest))).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the manifest that is served is empty: %w", err)
	}
	fields := strings.Split(strings.TrimSpace(line), ",")
	if len(fields) != 3 {
		return fmt.Errorf("the manifest that is served has a line %q", line)
	}
	body, err := c.fetch(ctx, base+fields[0])
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	if got := hex.EncodeToString(sum[:]); got != fields[1] {
		return fmt.Errorf("%s%s: its SHA-256 is %s, but the manifest says %s", base, fields[0], got, fields[1])
	}
	fmt.Fprintf(out, "Fetched %s%s: %s, SHA-256 as published\n", base, fields[0], size(int64(len(body))))
	return nil
}

func (c *client) fetch(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", address, answer.Status)
	}
	return io.ReadAll(answer.Body)
}
