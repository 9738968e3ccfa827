package main_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ream/db/dbtest"
)

// patience is how long a story waits for what must happen soon. It is generous,
// since the machine may be busy; nothing waits for it to pass.
const patience = 60 * time.Second

// scratch is where the program is built.
var scratch string

// binary builds the program once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "ream")
	out, err := exec.Command("go", "build", "-race", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "ream-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(scratch)
	os.Exit(status)
}

// eachDatabase runs a story with a database of every kind that is at hand. The
// arguments name it, and a directory for the rest of the server's state.
func eachDatabase(t *testing.T, story func(t *testing.T, args ...string)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		story(t, "--data", t.TempDir())
	})
	if os.Getenv(dbtest.Variable) != "" {
		t.Run("postgres", func(t *testing.T) {
			t.Parallel()
			story(t, "--data", t.TempDir(), "--database", dbtest.PostgresAddress(t))
		})
	}
}

// eachServer runs a story against a server on every kind of database.
func eachServer(t *testing.T, story func(t *testing.T, p *program)) {
	eachDatabase(t, func(t *testing.T, args ...string) { story(t, start(t, args...)) })
}

// program is a running server.
type program struct {
	t       *testing.T
	args    []string
	under   []string // a program that runs it, with arguments; nil for none
	as      []string // the command, with flags of the tests' own; nil for a server's
	env     []string // NAME=value, besides the test's own
	tmp     string   // where it may put temporary files
	command *exec.Cmd
	log     *journal
	address string
	token   string // by which tests ask; empty for none
	ended   chan error
}

// by is the program as it is for somebody who has a token.
func (p *program) by(token string) *program {
	other := *p
	other.token = token
	return &other
}

// send sends a request, with the token if there is one.
func (p *program) send(r *http.Request) *http.Response {
	p.t.Helper()
	if p.token != "" {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	return response
}

// start runs a server until the test ends.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	return startIn(t, nil, args...)
}

// startIn is start with more variables in its environment.
func startIn(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	p := &program{t: t, args: args, env: env, tmp: t.TempDir()}
	p.start()
	t.Cleanup(p.kill)
	return p
}

// start runs the program and waits until it says where it listens.
func (p *program) start() {
	p.t.Helper()
	path, err := binary()
	if err != nil {
		p.t.Fatal(err)
	}
	as := p.as
	if as == nil {
		as = []string{"serve", "--listen", "127.0.0.1:0"}
	}
	whole := slices.Concat(p.under, []string{path}, as, p.args)
	p.command = exec.Command(whole[0], whole[1:]...)
	p.command.Env = append(append(os.Environ(), "TMPDIR="+p.tmp), p.env...)
	output, err := p.command.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.log = newJournal()
	p.ended = make(chan error, 1)
	go func(command *exec.Cmd, log *journal, ended chan<- error) {
		log.read(output)
		ended <- command.Wait()
	}(p.command, p.log, p.ended)
	line := p.log.await(p.t, "msg=ready address=")
	_, rest, _ := strings.Cut(line, "address=")
	p.address = strings.Fields(rest)[0]
}

// stop asks the program to end, and waits until it did.
func (p *program) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	p.awaitEnd()
}

func (p *program) signal(s os.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// awaitEnd waits until the program has ended by itself, which must not be by an
// error.
func (p *program) awaitEnd() {
	p.t.Helper()
	select {
	case err := <-p.ended:
		p.command = nil
		if err != nil {
			p.t.Errorf("the server ended: %v\n%s", err, p.log)
		}
	case <-time.After(patience):
		p.t.Fatalf("the server did not end\n%s", p.log)
	}
}

// kill ends the program as a power cut would.
func (p *program) kill() {
	if p.command == nil {
		return
	}
	_ = p.command.Process.Kill()
	<-p.ended
	p.command = nil
	if strings.Contains(p.log.String(), "DATA RACE") {
		p.t.Errorf("the server has a data race:\n%s", p.log)
	}
}

// command runs the program to its end.
func command(t *testing.T, path string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	return string(out), err
}

// refused runs the program, which is to end with an error, and returns what it
// says.
func refused(t *testing.T, args ...string) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command(t, path, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != 1 {
		t.Errorf("%q: got %v, want exit status 1\n%s", args, err, out)
	}
	return out
}

// journal is what a program writes, line by line.
type journal struct {
	mu    sync.Mutex
	lines []string
	ended bool
	more  chan struct{} // closed and replaced when there is more
}

func newJournal() *journal { return &journal{more: make(chan struct{})} }

// read takes everything there is to read.
func (j *journal) read(from io.Reader) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		j.add(lines.Text())
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended = true
	close(j.more)
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
	close(j.more)
	j.more = make(chan struct{})
}

// await returns the first line with these words, once it is there.
func (j *journal) await(t *testing.T, words ...string) string {
	t.Helper()
	limit := time.After(patience)
	for {
		line, ended, more := j.find(words)
		if line != "" {
			return line
		}
		if ended {
			t.Fatalf("the program ended before it wrote %q:\n%s", words, j)
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("the program has not written %q after %s:\n%s", words, patience, j)
		}
	}
}

func (j *journal) find(words []string) (line string, ended bool, more <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
next:
	for _, line := range j.lines {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue next
			}
		}
		return line, false, nil
	}
	return "", j.ended, j.more
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}
