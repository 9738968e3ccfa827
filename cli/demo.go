package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"ream/cli/client"
)

// How fast the demo's upstream is, in bytes a second: slow enough that a
// person sees the work go on, faster if nobody stays to see it.
const (
	demoPace     = 12_000_000
	demoExitPace = 40_000_000
)

// demoLimit is when a demo that does not come to an end has failed.
const demoLimit = 3 * time.Minute

// demo mirrors a small upstream of its own into a server on a throwaway
// directory, through the public API, and checks what is served.
func demo(ctx context.Context, args []string, env Env) (err error) {
	f := newFlags("demo", `demo

Starts a server on a throwaway directory, and an upstream with six repositories.
Mirrors them as one group of tasks, shows it live, fetches a published file and
checks it. Then the server stays up, to look around, until Ctrl-C.`)
	exit := f.Bool("exit", false, "end when the file is checked; the exit status tells whether all went well")
	words, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(words) > 0 {
		return misuse(fmt.Sprintf("it takes no %q", words[0]))
	}
	dir, err := os.MkdirTemp("", "ream-demo-")
	if err != nil {
		return fmt.Errorf("create a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	pace := demoPace
	if *exit {
		pace = demoExitPace
	}
	source, stopSource, err := newUpstream(collections(), pace).serve()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopSource()) }()
	address, stopServer, err := env.Start(ctx, dir)
	if err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	defer func() { err = errors.Join(err, stopServer()) }()
	c, err := client.New(address)
	if err != nil {
		return err
	}
	// The limit is not for the person who looks around afterwards.
	limited, end := context.WithTimeout(ctx, demoLimit)
	defer end()
	group, err := mirrorAll(limited, c, source, env)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted")
	case limited.Err() != nil:
		return fmt.Errorf("it did not end within %s", duration(demoLimit))
	case err != nil:
		return err
	case *exit:
		return nil
	}
	if err := addresses(env.Stdout, c, group); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// mirrorAll mirrors the upstream's repositories as one group, whose id it
// returns, and checks one file of what is served then.
func mirrorAll(ctx context.Context, c *client.Client, source string, env Env) (group string, err error) {
	all := collections()
	if _, err := fmt.Fprintf(env.Stdout, "Mirroring %d repositories from %s to %s\n\n", len(all), source, c.URL("")); err != nil {
		return "", err
	}
	for _, one := range all {
		o := origin{name: one.name, url: source + "/" + one.name + "/" + manifestName}
		if err := o.ensure(ctx, c, []client.LabelInput{{Key: "demo"}}); err != nil {
			return "", err
		}
	}
	queued, err := client.Mirror(ctx, c, client.MirrorInput{
		Repositories: client.RepositorySelector{Labels: "demo"},
		Mirror:       true,
		Priority:     client.PriorityNormal,
	})
	if err != nil {
		return "", err
	}
	group = queued.Mirror.Id
	if err := finish(ctx, c, group, env); err != nil {
		return "", err
	}
	checked, err := check(ctx, c.URL("/content/"+all[0].name+"/"))
	if err != nil {
		return "", fmt.Errorf("check what is served: %w", err)
	}
	_, err = fmt.Fprintf(env.Stdout, "\nFetched     %s: its SHA-256 is the one that is published\n", checked)
	return group, err
}

// check fetches the largest file of the repository that is served at a URL and
// compares it with the manifest that is served beside it. It returns the
// file's URL.
func check(ctx context.Context, base string) (string, error) {
	manifest, err := get(ctx, base+manifestName)
	if err != nil {
		return "", err
	}
	var path, digest string
	largest := -1
	for text := range strings.Lines(string(manifest)) {
		fields := strings.Split(strings.TrimSpace(text), ",")
		if len(fields) != 3 {
			return "", fmt.Errorf("%s has a line %q: want path,sha256,size", base+manifestName, text)
		}
		n, err := strconv.Atoi(fields[2])
		if err != nil {
			return "", fmt.Errorf("%s has a line %q: %w", base+manifestName, text, err)
		}
		if n > largest {
			path, digest, largest = fields[0], fields[1], n
		}
	}
	if path == "" {
		return "", fmt.Errorf("%s is empty", base+manifestName)
	}
	body, err := get(ctx, base+path)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	if got := hex.EncodeToString(sum[:]); got != digest || len(body) != largest {
		return "", fmt.Errorf("%s has %d bytes of SHA-256 %s, but the manifest says %d of %s", base+path, len(body), got, largest, digest)
	}
	return base + path, nil
}

func get(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", address, answer.Status)
	}
	return io.ReadAll(answer.Body)
}

// addresses tells where to look around.
func addresses(out io.Writer, c *client.Client, group string) error {
	_, err := fmt.Fprintf(out, `
Playground  %[1]s/playground
Content     %[1]s/content/%[2]s/%[4]s
Try         ream watch --server %[1]s %[3]s
            ream sync --server %[1]s --all
            curl -s %[1]s/graphql -H 'Content-Type: application/json' \
              -d '{"query": "{ taskGroup(id: \"%[3]s\") { name state counts { completed total } } }"}'

Ctrl-C ends the demo and removes what it stored.
`, c.URL(""), collections()[0].name, group, manifestName)
	return err
}
