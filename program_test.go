package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ream/db/dbtest"
)

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

// program is a running server.
type program struct {
	t       *testing.T
	args    []string
	command *exec.Cmd
	log     *bytes.Buffer
	address string
	ended   chan error
}

// eachServer runs a story against a server on every kind of database.
func eachServer(t *testing.T, story func(t *testing.T, p *program)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		story(t, start(t, "--data", t.TempDir()))
	})
	if os.Getenv(dbtest.Variable) != "" {
		t.Run("postgres", func(t *testing.T) {
			t.Parallel()
			story(t, start(t, "--data", t.TempDir(), "--database", dbtest.PostgresAddress(t)))
		})
	}
}

func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{t: t, args: args}
	p.start()
	t.Cleanup(func() { p.kill() })
	return p
}

// start runs the program and waits until it says where it listens.
func (p *program) start() {
	p.t.Helper()
	path, err := binary()
	if err != nil {
		p.t.Fatal(err)
	}
	p.command = exec.Command(path, append([]string{"serve", "--listen", "127.0.0.1:0"}, p.args...)...)
	p.log = &bytes.Buffer{}
	output, err := p.command.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		p.t.Fatal(err)
	}
	ready := make(chan string, 1)
	p.ended = make(chan error, 1)
	go func() {
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			fmt.Fprintln(p.log, lines.Text())
			if _, rest, ok := strings.Cut(lines.Text(), "msg=ready address="); ok {
				ready <- strings.Fields(rest)[0]
			}
		}
		p.ended <- p.command.Wait()
	}()
	select {
	case p.address = <-ready:
	case err := <-p.ended:
		p.t.Fatalf("the server ended: %v\n%s", err, p.log)
	case <-time.After(30 * time.Second):
		p.t.Fatal("the server is not ready after 30 seconds")
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
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	return string(out), err
}
