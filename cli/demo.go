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
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
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
	// Whoever reads the output may go away, and the terminal may be closed: that
	// ends the demo, but not before it has removed what it stored.
	signal.Ignore(syscall.SIGPIPE)
	if !signal.Ignored(syscall.SIGHUP) {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGHUP)
		defer stop()
	}
	dir, err := os.MkdirTemp("", "ream-demo-")
	if err != nil {
		return fmt.Errorf("create a directory; the variable TMPDIR says where: %w", err)
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
	// The server outlives ctx, so that the work can be canceled then.
	address, stopServer, err := env.Start(context.WithoutCancel(ctx), dir)
	if err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	defer func() { err = errors.Join(err, stopServer()) }()
	c, err := client.New(address, client.Options{})
	if err != nil {
		return err
	}
	// The limit is not for the person who looks around afterwards.
	limited, end := context.WithTimeout(ctx, demoLimit)
	defer end()
	group, err := mirrorAll(limited, c, source, env)
	switch {
	case ctx.Err() != nil:
		return errors.Join(errors.New("interrupted"), abandon(ctx, c, group))
	case limited.Err() != nil:
		err = fmt.Errorf("it did not end within %s", duration(demoLimit))
	}
	if err != nil {
		return errors.Join(err, abandon(ctx, c, group), showLog(env.Stderr, dir))
	}
	if *exit {
		return nil
	}
	if err := addresses(env.Stdout, os.Args[0], c.URL(""), group); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// abandonLimit bounds how long work that nobody waits for may take to stop.
const abandonLimit = 30 * time.Second

// abandon cancels a group, if there is one, so that the server need not wait
// for it when it stops. It does so also after the end of ctx.
func abandon(ctx context.Context, c *client.Client, group string) error {
	if group == "" {
		return nil
	}
	limited, end := context.WithTimeout(context.WithoutCancel(ctx), abandonLimit)
	defer end()
	_, err := client.Cancel(limited, c, group)
	return err
}

// shownLog is how many of the server's last warnings tell why the demo failed.
const shownLog = 5

// showLog prints the last warnings of the server whose state is in dir.
func showLog(out io.Writer, dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, LogName))
	if err != nil {
		return err
	}
	lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(one string) bool {
		return !strings.Contains(one, " level=WARN ") && !strings.Contains(one, " level=ERROR ")
	})
	for _, one := range lines[max(len(lines)-shownLog, 0):] {
		fmt.Fprintln(out, clean(one))
	}
	return nil
}

// mirrorAll mirrors the upstream's repositories as one group, whose id it
// returns once there is one, and checks one file of what is served then.
func mirrorAll(ctx context.Context, c *client.Client, source string, env Env) (group string, err error) {
	all := collections()
	if _, err := fmt.Fprintf(env.Stdout, "Mirroring %d repositories from %s to %s\n\n", len(all), source, c.URL("")); err != nil {
		return "", err
	}
	for _, one := range all {
		o := origin{name: one.name, url: source + "/" + one.name + "/" + manifestName}
		if err := o.ensure(ctx, c, client.PolicyImmediate, []client.LabelInput{{Key: "demo"}}); err != nil {
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
		return group, err
	}
	checked, err := check(ctx, c.URL("/content/"+all[0].name+"/"))
	if err != nil {
		return group, fmt.Errorf("check what is served: %w", err)
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

// addresses tells where to look around, and how with the program.
func addresses(out io.Writer, program, server, group string) error {
	_, err := fmt.Fprintf(out, `
Playground  %[2]s/playground
Content     %[2]s/content/%[4]s/
Try         %[1]s watch --server %[2]s %[3]s
            %[1]s sync --server %[2]s --all
            curl -s %[2]s/graphql -H 'Content-Type: application/json' \
              -d '{"query": "{ taskGroup(id: \"%[3]s\") { name state counts { completed total } } }"}'

Ctrl-C ends the demo and removes what it stored.
`, program, server, group, collections()[0].name)
	return err
}
