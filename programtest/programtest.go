// Package programtest builds and runs programs for tests that are modules of
// their own, within this one.
package programtest

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Start runs the program of the module at a path, which it builds if need be,
// until the test ends. It returns the address that the program prints first. The
// program has to end when its standard input does.
func Start(t testing.TB, module string, args ...string) (address string) {
	t.Helper()
	command := exec.Command(build(t, module), args...)
	command.Stderr = t.Output()
	stdin, err := command.StdinPipe() // the program lives no longer than this is open
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := command.Wait(); err != nil {
			t.Errorf("%s: %v", module, err)
		}
	})
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "http://") {
			return lines.Text()
		}
	}
	t.Fatalf("%s ended", module)
	return ""
}

// build returns the path of the program.
func build(t testing.TB, module string) string {
	t.Helper()
	// Its first build takes longer than many a test may.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	run := func(dir string, args ...string) string {
		command := exec.CommandContext(ctx, "go", args...)
		command.Dir = dir
		var stderr strings.Builder
		command.Stderr = &stderr
		out, err := command.Output()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
		}
		return strings.TrimSpace(string(out))
	}
	name := filepath.Base(module)
	// Go does not share the work of builds that run at once.
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "ream-"+name+".lock"), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return run(filepath.Join(run("", "list", "-m", "-f", "{{.Dir}}"), filepath.FromSlash(module)), "tool", "-n", name)
}
